//! Merged profiles.

use std::fmt;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{Schema, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::error::Result;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType};
use datafusion::physical_plan::ExecutionPlan;
use profile_export::export::{
    BlockCache, Export, Plan, ProfileReader, Shard, Snapshot, UnionSchemas,
};
use profile_export::request::{
    AdditionalFields, EventList, ExportRequest, FilterRequest, MergePolicy, SegmentRequest,
};
use profile_export::segment::EVENTS;
use profile_export::xdm::{PersonKey, quote_part};

use crate::error::external;
use crate::exec::{Parts, PartsExec};
use crate::identities::{fewer, identities_of};
use crate::look_ups::{Identities, ProfileLookUps, aside};
use crate::pushed::segments_of;
use crate::told::{inexact, names};

/// Profiles that are looked up, at the most: more are read as everybody is.
const FEW: usize = 1000;

/// The merged profiles of a snapshot by a merge policy: the rows of an export of everybody, with all events of each
/// profile in `timeSeriesEvents`, which are read only where a statement asks for them.
#[derive(Clone)]
pub struct ProfileTable {
    snapshot: Snapshot,
    policy: MergePolicy,
    schema: SchemaRef,
    look_ups: Arc<ProfileLookUps>,
}

impl ProfileTable {
    /// The profiles of a snapshot by a policy.
    ///
    /// # Errors
    /// The policy can't be used.
    pub fn new(snapshot: &Snapshot, policy: MergePolicy) -> Result<Self> {
        let unions = UnionSchemas::from(snapshot);
        let plan = Plan::new(&request(None, true, Vec::new()), policy.clone(), &unions);
        Ok(Self {
            schema: plan.map_err(external)?.schema(),
            snapshot: snapshot.clone(),
            policy,
            look_ups: Arc::default(),
        })
    }

    /// The same, which shares with others the room for what look-ups keep.
    #[must_use]
    pub fn sharing(self, blocks: &Arc<BlockCache>) -> Self {
        Self {
            look_ups: Arc::new(ProfileLookUps::new(blocks)),
            ..self
        }
    }

    fn plan(&self, columns: &[usize], segments: Vec<SegmentRequest>) -> Result<Plan> {
        let names = columns
            .iter()
            .map(|i| self.schema.field(*i).name().as_str());
        let mut fields: Vec<String> = names
            .clone()
            .filter(|name| *name != EVENTS)
            .map(quote_part)
            .collect();
        if fields.is_empty() {
            // Rows are counted, or events alone are asked for: whose they are costs least by a field of one value.
            let mut all = self.schema.fields().iter();
            let flat = all.find(|field| field.name() != EVENTS && !field.data_type().is_nested());
            let first = flat.unwrap_or(&self.schema.fields()[0]);
            fields.push(quote_part(first.name()));
        }
        let has_events = names.clone().any(|name| name == EVENTS);
        let request = request(Some(fields.join(",")), has_events, segments);
        let unions = UnionSchemas::from(&self.snapshot);
        Plan::new(&request, self.policy.clone(), &unions).map_err(external)
    }
}

fn request(fields: Option<String>, events: bool, segments: Vec<SegmentRequest>) -> ExportRequest {
    ExportRequest {
        fields,
        additional_fields: events.then(|| AdditionalFields {
            event_list: Some(EventList::default()),
        }),
        filter: Some(FilterRequest {
            segments: Some(segments).filter(|segments| !segments.is_empty()),
            ..FilterRequest::default()
        }),
        ..ExportRequest::default()
    }
}

impl fmt::Debug for ProfileTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProfileTable")
            .field("policy", &self.policy.id)
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl TableProvider for ProfileTable {
    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(
        &self,
        filters: &[&Expr],
    ) -> Result<Vec<TableProviderFilterPushDown>> {
        // An export of these segments, or a look-up of these identities, has all the rows of the filter, and maybe others.
        let is_known =
            |filter: &Expr| identities_of(filter).is_some() || segments_of(filter).is_some();
        Ok(inexact(filters, is_known))
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let all = || (0..self.schema.fields().len()).collect();
        let columns: Vec<usize> = projection.cloned().unwrap_or_else(all);
        // One of several that must all hold has the rows of all of them.
        let identities = filters.iter().map(identities_of).fold(None, fewer);
        if let Some(identities) = identities.map(Identities) {
            let (table, wanted, of) = (self.clone(), identities.clone(), columns.clone());
            let look_up = move || {
                let plan = || table.plan(&of, Vec::new());
                let reader = (table.look_ups).reader(&table.snapshot, &of, plan)?;
                let persons = reader.persons_naming(&wanted.0).map_err(external)?;
                Ok((reader, persons))
            };
            let (reader, persons) = aside(look_up).await?;
            if persons.len() <= FEW {
                let schema = Arc::new(self.schema.project(&columns)?);
                let found = FoundProfiles {
                    reader,
                    persons,
                    schema: schema.clone(),
                    policy: self.policy.id.clone(),
                    identities,
                };
                return Ok(PartsExec::plan(Arc::new(found), schema, limit));
            }
        }
        let segments = filters.iter().find_map(segments_of).unwrap_or_default();
        let plan = self.plan(&columns, segments.clone())?;
        let shards = plan.shards(state.config().target_partitions().max(1));
        let parts = ProfileParts {
            shards: shards.map_err(external)?,
            schema: Arc::new(self.schema.project(&columns)?),
            export: Export::new(&self.snapshot, &plan).map_err(external)?,
            policy: self.policy.id.clone(),
            segments,
        };
        let schema = parts.schema.clone();
        Ok(PartsExec::plan(Arc::new(parts), schema, limit))
    }
}

struct ProfileParts {
    export: Export,
    shards: Vec<Shard>,
    schema: SchemaRef,
    policy: String,
    segments: Vec<SegmentRequest>,
}

impl fmt::Debug for ProfileParts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for ProfileParts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "ProfileTable: policy={}, columns=[{}]",
            self.policy,
            names(self.schema.fields())
        )?;
        if !self.segments.is_empty() {
            let segments = self.segments.iter().map(|segment| {
                let namespace = segment.segment_ns.as_deref().unwrap_or("*");
                let status = segment.status.iter().flatten().cloned();
                let status: Vec<String> = status.collect();
                format!("{namespace}/{}: {}", segment.segment_id, status.join("|"))
            });
            write!(
                f,
                ", segments=[{}]",
                segments.collect::<Vec<_>>().join(", ")
            )?;
        }
        write!(f, ", partitions={}", self.shards.len())
    }
}

impl Parts for ProfileParts {
    fn count(&self) -> usize {
        self.shards.len()
    }

    fn rows(&self, number: usize) -> Box<dyn Iterator<Item = Result<RecordBatch>> + '_> {
        let batch = self.export.batch(0).in_shard(self.shards[number]);
        Box::new(batch.chunks().map(|rows| {
            let rows = rows.map_err(external)?;
            as_asked(&rows, &self.schema)
        }))
    }
}

/// Profiles that were looked up.
struct FoundProfiles {
    reader: ProfileReader,
    persons: Vec<PersonKey>,
    schema: SchemaRef,
    policy: String,
    identities: Identities,
}

impl fmt::Debug for FoundProfiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for FoundProfiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "ProfileTable: policy={}, columns=[{}], identities={}, persons={}",
            self.policy,
            names(self.schema.fields()),
            self.identities,
            self.persons.len()
        )
    }
}

impl Parts for FoundProfiles {
    fn count(&self) -> usize {
        1
    }

    fn rows(&self, _: usize) -> Box<dyn Iterator<Item = Result<RecordBatch>> + '_> {
        match self.reader.rows_of(&self.persons) {
            Ok(rows) => Box::new(rows.into_iter().map(|rows| as_asked(&rows, &self.schema))),
            Err(error) => Box::new(std::iter::once(Err(external(error)))),
        }
    }
}

/// The columns that were asked for, in their order.
fn as_asked(rows: &RecordBatch, schema: &Schema) -> Result<RecordBatch> {
    let own = rows.schema_ref();
    let columns = schema
        .fields()
        .iter()
        .map(|field| own.index_of(field.name()));
    Ok(rows.project(&columns.collect::<Result<Vec<usize>, _>>()?)?)
}
