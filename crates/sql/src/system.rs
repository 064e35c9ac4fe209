//! Tables of what the catalog knows.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::{MemTable, Session, TableProvider};
use datafusion::error::Result;
use datafusion::logical_expr::{Expr, TableType};
use datafusion::physical_plan::ExecutionPlan;
use profile_export::export::Progress;
use profile_export::jobs::{Job, JobPage, list_jobs};
use profile_export::platform::{Members, NamedSegment, SegmentsToCount, merge_policies, segments};
use profile_export::store::{Batch, BatchProperty, BatchQuery, Store};
use serde_json::Value;

use crate::accelerated;
use crate::columns::{boolean, moment, number, table, text};
use crate::store_tables::{external, table_names};

/// A table of what the catalog knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SystemTable {
    Batches,
    Datasets,
    Jobs,
    MergePolicies,
    Segments,
    /// Two of the platform's accelerated store.
    AcceleratedPolicies,
    AcceleratedNamespaces,
}

impl SystemTable {
    pub(crate) const ALL: [Self; 7] = [
        Self::Batches,
        Self::Datasets,
        Self::Jobs,
        Self::MergePolicies,
        Self::Segments,
        Self::AcceleratedPolicies,
        Self::AcceleratedNamespaces,
    ];

    /// Its name, unless a dataset has it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Batches => "system_batches",
            Self::Datasets => "system_datasets",
            Self::Jobs => "system_jobs",
            Self::MergePolicies => "system_merge_policies",
            Self::Segments => "system_segments",
            Self::AcceleratedPolicies => "adwh_dim_merge_policies",
            Self::AcceleratedNamespaces => "adwh_dim_namespaces",
        }
    }

    pub(crate) fn description(self) -> &'static str {
        match self {
            Self::Batches => "batches that exports wrote or that came in",
            Self::Datasets => "datasets and their tables",
            Self::Jobs => "export jobs",
            Self::MergePolicies => "merge policies",
            Self::Segments => "segments that records name, with their members by status",
            Self::AcceleratedPolicies => "merge policies, as in qsaccel.profile_agg",
            Self::AcceleratedNamespaces => "namespaces of identities, as in qsaccel.profile_agg",
        }
    }

    /// The table as the store is now.
    pub(crate) fn provider(self, store: &Arc<Store>) -> Result<Arc<dyn TableProvider>> {
        let rows = match self {
            Self::Batches => batches(store)?,
            Self::Datasets => datasets(store)?,
            Self::Jobs => jobs(store)?,
            Self::MergePolicies => policies(store)?,
            // They are counted when somebody asks for rows: clients ask for the columns of all tables.
            Self::Segments => {
                let schema = of_segments(&BTreeMap::new(), &[])?.schema();
                let store = Arc::clone(store);
                return Ok(Arc::new(Counted { store, schema }));
            }
            Self::AcceleratedPolicies => accelerated::policies(store)?,
            Self::AcceleratedNamespaces => accelerated::namespaces(store)?,
        };
        let schema = rows.schema();
        Ok(Arc::new(MemTable::try_new(schema, vec![vec![rows]])?))
    }
}

fn batches(store: &Store) -> Result<RecordBatch> {
    let query = BatchQuery {
        order: vec![(BatchProperty::Created, false)],
        ..BatchQuery::default()
    };
    let all = store.catalog().batches(&query).map_err(external)?;
    let each = || all.iter();
    let bytes = |batch: &Batch| batch.files.iter().map(|file| file.length as i64).sum();
    let written = |batch: &Batch| batch.metrics.records_written.map(|rows| rows as i64);
    table([
        text("id", each().map(|one| Some(one.id.clone()))),
        text(
            "dataset_id",
            each().map(|one| Some(one.dataset().to_owned())),
        ),
        text("status", each().map(|one| Some(one.status.to_string()))),
        number("job_id", each().map(|one| one.job_id)),
        boolean("came_in", each().map(|one| Some(one.came_in()))),
        number("records_written", each().map(written)),
        number("files", each().map(|one| Some(one.files.len() as i64))),
        number("bytes", each().map(|one| Some(bytes(one)))),
        moment("created", each().map(|one| Some(one.created.millis()))),
        moment("updated", each().map(|one| Some(one.updated.millis()))),
    ])
}

fn datasets(store: &Store) -> Result<RecordBatch> {
    let datasets = store.catalog().datasets().map_err(external)?;
    let named = table_names(&datasets);
    let each = || named.iter().map(|(_, dataset)| *dataset);
    table([
        text("id", each().map(|one| Some(one.id.clone()))),
        text("name", each().map(|one| Some(one.name.clone()))),
        text(
            "table_name",
            named.iter().map(|(name, _)| Some(name.clone())),
        ),
        text(
            "class",
            each().map(|one| Some(one.class.schema_name().to_owned())),
        ),
        text("description", each().map(|one| one.description.clone())),
        moment("created", each().map(|one| Some(one.created.millis()))),
    ])
}

fn jobs(store: &Store) -> Result<RecordBatch> {
    let all = list_jobs(store, &JobPage::default())
        .map_err(external)?
        .records;
    let each = || all.iter();
    let rows = |one: &Job| one.metrics.total_exported_profile_counter;
    let events = |one: &Job| one.metrics.total_exported_event_counter;
    table([
        number("id", each().map(|one| Some(one.id))),
        text("status", each().map(|one| Some(one.status.to_string()))),
        text(
            "dataset_id",
            each().map(|one| Some(one.destination.dataset_id.clone())),
        ),
        text(
            "merge_policy_id",
            each().map(|one| Some(one.merge_policy.id.clone())),
        ),
        text("fields", each().map(|one| one.fields.clone())),
        number("profiles", each().map(|one| rows(one).map(|n| n as i64))),
        number("events", each().map(|one| events(one).map(|n| n as i64))),
        text(
            "error",
            each().map(|one| one.errors.first().map(|error| error.msg.clone())),
        ),
        moment(
            "created",
            each().map(|one| Some(one.creation_time.millis())),
        ),
        moment("updated", each().map(|one| Some(one.update_time.millis()))),
    ])
}

fn policies(store: &Store) -> Result<RecordBatch> {
    let all = merge_policies(store.catalog()).map_err(external)?;
    let each = || all.iter();
    table([
        text("id", each().map(|one| Some(one.id.clone()))),
        text("name", each().map(|one| Some(one.name.clone()))),
        number("version", each().map(|one| Some(one.version))),
        boolean("is_default", each().map(|one| Some(one.default))),
    ])
}

/// Segments with their members, by the default merge policy: from the index of memberships alone.
#[derive(Debug)]
struct Counted {
    store: Arc<Store>,
    schema: SchemaRef,
}

#[async_trait]
impl TableProvider for Counted {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let progress = Arc::new(Progress::default());
        let wanted = SegmentsToCount::of(&self.store, &progress).map_err(external)?;
        let counts = match &wanted {
            None => BTreeMap::new(),
            Some(wanted) => wanted.count().map_err(external)?,
        };
        let definitions = segments(self.store.catalog()).map_err(external)?;
        let rows = of_segments(&counts, &definitions)?;
        let table = MemTable::try_new(self.schema(), vec![vec![rows]])?;
        table.scan(state, projection, filters, limit).await
    }
}

fn of_segments(
    counts: &BTreeMap<NamedSegment, Members>,
    definitions: &[Value],
) -> Result<RecordBatch> {
    let name_of = |id: &str| {
        let mut all = definitions.iter();
        let own = all.find(|segment| segment["id"] == *id)?;
        own["name"].as_str().map(str::to_owned)
    };
    let each = || counts.keys();
    let members = || counts.values();
    table([
        text(
            "namespace",
            each().map(|(namespace, _)| Some(namespace.clone())),
        ),
        text("id", each().map(|(_, id)| Some(id.clone()))),
        text("name", each().map(|(_, id)| name_of(id))),
        number("realized", members().map(|one| Some(one.realized as i64))),
        number("existing", members().map(|one| Some(one.existing as i64))),
        number("exited", members().map(|one| Some(one.exited as i64))),
    ])
}
