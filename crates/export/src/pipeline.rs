//! From people to rows: select, merge, project, add events; one chunk at a time.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch, StructArray};
use arrow::datatypes::{Field, Schema, SchemaRef};
use filter::{EventFilter, MembershipMatches};
use gather::{Column, RowRef};
use merge::{Groups, MergedFields, merge_until};
use projection::event_lists;
use run::Snapshot;
use xdm::{Class, FieldType, PersonKey};

use crate::counts::BatchCounts;
use crate::error::Result;
use crate::people::{EventRange, PeopleRows};
use crate::plan::{EVENTS, Plan};
use crate::sources::Sources;

/// An export's columns, prepared once and read by all its chunks.
pub(crate) struct Pipeline {
    plan: Plan,
    sources: Sources,
    profile: Vec<(String, Column)>,
    /// `identityMap` with the event sources behind the profile sources: what empty profiles show.
    identity_map: Option<Column>,
    profile_batches: u32,
    events: Option<Vec<(String, Column)>>,
    event_order: Option<EventOrder>,
    schema: SchemaRef,
}

/// What events are ordered by.
struct EventOrder {
    timestamp: Column,
    id: Column,
}

/// The rows of one chunk.
pub(crate) struct MergedRows {
    pub(crate) rows: RecordBatch,
    pub(crate) counts: BatchCounts,
}

impl Pipeline {
    pub(crate) fn new(snapshot: &Snapshot, plan: &Plan) -> Result<Self> {
        let sources = Sources::new(snapshot, plan)?;
        let profile = sources.columns(Class::Profile, plan.projection.needed())?;
        let identity_map = match plan.projection.needed().get("identityMap") {
            Some(ty) if plan.profiles.empty_profiles => Some(identity_map(&sources, ty)?),
            _ => None,
        };
        let events = match &plan.events {
            None => None,
            Some(events) => Some(sources.columns(Class::Event, events.projection.needed())?),
        };
        let event_order = if events.is_some() || identity_map.is_some() {
            Some(EventOrder::new(&sources)?)
        } else {
            None
        };
        let mut pipeline = Self {
            plan: plan.clone(),
            profile,
            identity_map,
            profile_batches: sources
                .all
                .iter()
                .filter(|s| s.run.class == Class::Profile)
                .map(|s| s.run.batch_count() as u32)
                .sum(),
            events,
            event_order,
            schema: Arc::new(Schema::empty()),
            sources,
        };
        pipeline.schema = pipeline
            .rows(&PeopleRows::default(), None, &|| false)?
            .rows
            .schema();
        Ok(pipeline)
    }

    /// The schema of all rows, fixed before the first is made.
    pub(crate) fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    pub(crate) fn plan(&self) -> &Plan {
        &self.plan
    }

    pub(crate) fn sources(&self) -> &Sources {
        &self.sources
    }

    /// The persons with a fragment that could make their profile match, sorted by key.
    pub(crate) fn matching(&self, matches: &MembershipMatches) -> Vec<PersonKey> {
        let mut keys: Vec<PersonKey> = Vec::new();
        for (number, source) in self.sources.all.iter().enumerate() {
            let rows = matches.candidate_rows(number);
            keys.extend(rows.map(|row| source.run.person(source.run.person_of_row(row))));
        }
        keys.sort_unstable();
        keys.dedup();
        keys
    }

    /// Selects, merges and projects the profiles of some people, unless it is to stop meanwhile.
    pub(crate) fn rows(
        &self,
        people: &PeopleRows,
        matches: Option<&MembershipMatches>,
        is_to_stop: &dyn Fn() -> bool,
    ) -> Result<MergedRows> {
        let selected = self.select(people, matches)?;
        let fields: Vec<(&str, &Column)> = self
            .profile
            .iter()
            .map(|(name, column)| (name.as_str(), column))
            .collect();
        let mut merged = merge_unless_stopped(&fields, &selected.fragments, is_to_stop)?;
        if let Some(column) = &self.identity_map {
            let groups = self.with_events(&selected);
            let mut united = merge_unless_stopped(&[("identityMap", column)], &groups, is_to_stop)?;
            for (name, array) in &mut merged {
                if name == "identityMap"
                    && let Some((_, own)) = united.pop()
                {
                    *array = own;
                }
            }
        }
        let mut columns = self.plan.projection.apply(merged)?;
        let mut count = 0;
        if let (Some(plan), Some(events)) = (&self.plan.events, &self.events) {
            let rows = selected.event_rows.rows();
            count = rows.len() as u64;
            let fields = events
                .iter()
                .map(|(name, column)| Ok((name.clone(), column.interleave(rows)?)))
                .collect::<Result<Vec<_>>>()?;
            let parts = plan.projection.apply(fields)?;
            let list = event_lists(to_struct(parts, rows.len())?, selected.event_rows.ends())?;
            columns.push((EVENTS.to_owned(), list));
        }
        let schema = if self.schema.fields().is_empty() {
            Arc::new(Schema::new(
                columns
                    .iter()
                    .map(|(name, array)| Field::new(name, array.data_type().clone(), true))
                    .collect::<Vec<_>>(),
            ))
        } else {
            self.schema.clone()
        };
        let arrays = columns.into_iter().map(|(_, array)| array).collect();
        let rows = RecordBatch::try_new(schema, arrays)?;
        let counts = BatchCounts {
            profiles: rows.num_rows() as u64,
            events: count,
            by_namespace: selected.by_namespace,
        };
        Ok(MergedRows { rows, counts })
    }

    fn select(&self, people: &PeopleRows, matches: Option<&MembershipMatches>) -> Result<Selected> {
        let mut selected = Selected::default();
        let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
        let (mut fragment_start, mut event_start) = (0, 0);
        for (fragment_end, event_end) in people.fragment_ends.iter().zip(&people.event_ends) {
            let (fragment_end, event_end) = (*fragment_end as usize, *event_end as usize);
            let fragments = &people.fragments[fragment_start..fragment_end];
            let events = &people.events[event_start..event_end];
            (fragment_start, event_start) = (fragment_end, event_end);
            if !self.takes(fragments, events, matches) {
                continue;
            }
            let best = match (fragments.first(), events.first()) {
                (Some(at), _) => Some(*at),
                (None, Some(range)) => Some(RowRef::new(range.source, range.start)),
                (None, None) => None,
            };
            if let Some(at) = best {
                let source = self.sources.of(at);
                let person = source.run.person_of_row(at.row);
                *counts.entry(source.run.namespace(person)?).or_default() += 1;
            }
            selected
                .fragments
                .push(fragments.iter().map(|at| self.sources.in_batch(*at)));
            if let Some(plan) = &self.plan.events {
                let rows = self.events_of(events, plan.filter);
                selected.event_rows.push(rows);
            }
            if self.identity_map.is_some() {
                selected.of_empty.push(match fragments {
                    [] => self.events_of(events, EventFilter::default()),
                    _ => Vec::new(),
                });
            }
        }
        selected.by_namespace = counts
            .into_iter()
            .map(|(namespace, count)| (namespace.to_owned(), count))
            .collect();
        Ok(selected)
    }

    fn takes(
        &self,
        fragments: &[RowRef],
        events: &[EventRange],
        matches: Option<&MembershipMatches>,
    ) -> bool {
        let filter = &self.plan.profiles;
        let is_empty = fragments.is_empty();
        if is_empty && (events.is_empty() || !filter.empty_profiles) {
            return false;
        }
        let is_late_enough = || {
            if filter.from_ingest.is_none() {
                return true;
            }
            let ingested = |at: RowRef| self.sources.of(at).ingested(at.row);
            let latest = if is_empty {
                events.iter().flat_map(rows_of).map(ingested).max()
            } else {
                fragments.iter().copied().map(ingested).max()
            };
            latest.is_some_and(|updated| filter.takes(is_empty, updated))
        };
        is_late_enough() && matches.is_none_or(|matches| matches.takes(fragments))
    }

    /// The events of a profile that a filter takes, by time and `_id`; where two datasets have the
    /// same, by the datasets' IDs, so that the order of loads does not matter.
    fn events_of(&self, ranges: &[EventRange], filter: EventFilter) -> Vec<RowRef> {
        let mut rows = Vec::new();
        for range in ranges {
            let source = &self.sources.all[range.source as usize];
            rows.extend(
                rows_of(range)
                    .filter(|at| filter.is_open() || filter.takes(source.ingested(at.row))),
            );
        }
        // One person's events of one source are in order already.
        if ranges.len() > 1
            && let Some(order) = &self.event_order
        {
            let key = |at: RowRef| {
                let row = self.sources.in_batch(at);
                let dataset = self.sources.of(at).run.dataset.as_str();
                (order.timestamp.micros(row), order.id.text(row), dataset)
            };
            rows.sort_by(|a, b| key(*a).cmp(&key(*b)));
        }
        for row in &mut rows {
            *row = self.sources.in_batch(*row);
        }
        rows
    }

    /// The fragments of each profile; of an empty one its events, which lie behind the fragments in
    /// the column of `identityMap`.
    fn with_events(&self, selected: &Selected) -> Groups {
        let mut groups = Groups::default();
        for (fragments, events) in selected.fragments.iter().zip(&selected.of_empty) {
            let events = events
                .iter()
                .map(|at| RowRef::new(at.source + self.profile_batches, at.row));
            groups.push(fragments.iter().copied().chain(events));
        }
        groups
    }
}

impl EventOrder {
    fn new(sources: &Sources) -> Result<Self> {
        let column = |name: &str, ty: FieldType| -> Result<Column> {
            let ty = ty.data_type();
            let arrays = sources.arrays(Class::Event, name, &ty)?;
            Ok(Column::new(&ty, &arrays)?)
        };
        Ok(Self {
            timestamp: column("timestamp", FieldType::DateTime)?,
            id: column("_id", FieldType::String)?,
        })
    }
}

/// The profiles that the filters let pass.
#[derive(Default)]
struct Selected {
    /// Their fragments, best first.
    fragments: Groups,
    /// The events that are added.
    event_rows: Groups,
    /// For each profile, all its events in order if it is empty; only where `identityMap` needs them.
    of_empty: Vec<Vec<RowRef>>,
    by_namespace: BTreeMap<String, u64>,
}

fn merge_unless_stopped(
    fields: &[(&str, &Column)],
    groups: &Groups,
    is_to_stop: &dyn Fn() -> bool,
) -> Result<MergedFields> {
    merge_until(fields, groups, is_to_stop).map_err(|error| match error {
        merge::Error::Arrow(error) => error.into(),
        merge::Error::Stopped => decode::Error::Cancelled.into(),
    })
}

fn rows_of(range: &EventRange) -> impl Iterator<Item = RowRef> + use<> {
    let source = range.source;
    (range.start..range.end).map(move |row| RowRef::new(source, row))
}

fn identity_map(sources: &Sources, ty: &FieldType) -> Result<Column> {
    let ty = ty.data_type();
    let mut arrays = sources.arrays(Class::Profile, "identityMap", &ty)?;
    arrays.extend(sources.arrays(Class::Event, "identityMap", &ty)?);
    Ok(Column::new(&ty, &arrays)?)
}

fn to_struct(parts: Vec<(String, ArrayRef)>, length: usize) -> Result<ArrayRef> {
    let (fields, arrays): (Vec<Field>, Vec<ArrayRef>) = parts
        .into_iter()
        .map(|(name, array)| (Field::new(name, array.data_type().clone(), true), array))
        .unzip();
    Ok(Arc::new(StructArray::try_new_with_length(
        fields.into(),
        arrays,
        None,
        length,
    )?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ExportRequest, UnionSchemas, snapshot_of};
    use arrow::datatypes::DataType;
    use xdm::Dataset;

    #[test]
    fn a_merge_that_is_to_stop_ends_as_cancelled() {
        let mut dataset = Dataset::new("5b020a27e7040801dedba61a", "loyalty", Class::Profile);
        dataset.primary_identity = Some("email=Email".to_owned());
        let schema = Schema::new(vec![Field::new("email", DataType::Utf8, true)]);
        let unions = UnionSchemas::of([(&dataset, &schema)]).expect("union schemas");
        let [policy, _] = merge::MergePolicy::built_in();
        let plan = Plan::new(&ExportRequest::default(), policy, &unions).expect("a plan");
        let snapshot = snapshot_of(&[], &unions).expect("a snapshot");
        let pipeline = Pipeline::new(&snapshot, &plan).expect("a pipeline");
        let rows = |is_to_stop| pipeline.rows(&PeopleRows::default(), None, is_to_stop);
        let error = rows(&|| true).err().expect("an error");
        assert!(error.is_cancelled(), "{error}");
        assert!(rows(&|| false).is_ok());
    }
}
