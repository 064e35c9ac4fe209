//! From people to rows: select, merge, project, add events; one chunk at a time.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, RecordBatch, StructArray};
use arrow::buffer::BooleanBuffer;
use arrow::compute::{cast, filter_record_batch};
use arrow::datatypes::{Field, Schema, SchemaRef};
use filter::{EventFilter, MembershipMatches};
use gather::{Column, RowRef};
use merge::{Groups, MergedFields, merge_until};
use projection::{Projection, event_lists};
use run::{BlockCache, Snapshot};
use xdm::{
    Class, FieldType, IDENTITY_MAP, Namespaces, PersonKey, SEGMENT_MEMBERSHIP, TIME_SERIES_EVENTS,
    Timestamp, segment_membership,
};

use crate::columns::{Columns, FieldSet, Set};
use crate::counts::BatchCounts;
use crate::dedupe::passes_differ;
use crate::error::Result;
use crate::event_order::{EventOrder, Tied};
use crate::identity_rows::{MOST_BYTES, by_identity};
use crate::map_keys::{MapKeys, namespaces_of, spelled, spelled_alone};
use crate::people::{EventRange, PeopleRows, ProfileRows};
use crate::persons::{MembershipParts, PersonParts, Persons, ToldPersons};
use crate::plan::{Plan, identity_field};
use crate::rows::complete;
use crate::sources::{Source, Sources};
use crate::times::Times;

/// An export's work on a chunk of people.
pub(crate) struct Pipeline {
    plan: Plan,
    /// How namespaces are spelled, unless they stay as they are.
    namespaces: Option<Namespaces>,
    sources: Sources,
    profile: FieldSet,
    /// `identityMap` of fragments and of events: what empty profiles show, and what has a row for each identity.
    identity_map: Option<FieldSet>,
    /// `segmentMembership` of fragments and of evaluations, where it is a field of the rows.
    memberships: Option<FieldSet>,
    /// The whole of it, where those of persons are told.
    persons: Option<FieldSet>,
    events: Option<FieldSet>,
    /// What events are ordered by.
    event_order: Option<EventOrder>,
    /// That of a row for each profile.
    profile_schema: SchemaRef,
    /// That of all rows.
    schema: SchemaRef,
}

/// The rows of one chunk.
pub(crate) struct MergedRows {
    /// One batch, but where a row for each identity makes too many for one.
    pub(crate) rows: Vec<RecordBatch>,
    pub(crate) counts: BatchCounts,
}

/// Columns, and the rows of them that the profiles are made of.
pub(crate) struct Gathered {
    columns: Arc<Columns>,
    groups: Groups,
}

/// What the columns of rows are made of.
struct Parts {
    profile: Gathered,
    /// What identity maps are made of, if that is not the same.
    identity_map: Option<Gathered>,
    /// What memberships are made of, if that is not the same.
    memberships: Option<Gathered>,
    persons: Option<PersonParts>,
    events: Option<Gathered>,
}

impl Parts {
    /// Fields that are made of something else than the profile's fragments.
    fn others(&self) -> impl Iterator<Item = (&'static str, &Gathered)> {
        let identity_map = self.identity_map.as_ref().map(|made| (IDENTITY_MAP, made));
        let memberships = self
            .memberships
            .as_ref()
            .map(|made| (SEGMENT_MEMBERSHIP, made));
        identity_map.into_iter().chain(memberships)
    }
}

impl Pipeline {
    pub(crate) fn new(snapshot: &Snapshot, plan: &Plan) -> Result<Self> {
        Self::over(Sources::new(snapshot, plan), snapshot, plan)
    }

    /// The same for look-ups, each row of which has types of its own.
    pub(crate) fn for_look_ups(
        snapshot: &Snapshot,
        plan: &Plan,
        blocks: Arc<BlockCache>,
    ) -> Result<Self> {
        let sources = Sources::new(snapshot, plan).for_look_ups(blocks);
        Self::over(sources, snapshot, plan)
    }

    fn over(sources: Sources, snapshot: &Snapshot, plan: &Plan) -> Result<Self> {
        let profile = FieldSet::new(
            Set::Profiles,
            &[Class::Profile],
            plan.projection.needed(),
            &sources,
        )?;
        let of_empty = plan.projection.needed().get(IDENTITY_MAP);
        let of_empty = of_empty.filter(|_| plan.profiles.empty_profiles);
        let of_rows = plan
            .row_per_identity
            .as_ref()
            .map(|rows| &rows.identity_map);
        let identity_map = match of_rows.or(of_empty) {
            Some(ty) => {
                let fields = [(IDENTITY_MAP.to_owned(), ty.clone())]
                    .into_iter()
                    .collect();
                Some(FieldSet::new(
                    Set::IdentityMaps,
                    &Class::ALL,
                    &fields,
                    &sources,
                )?)
            }
            None => None,
        };
        let of_memberships = |set, ty: Option<&FieldType>| {
            ty.map(|ty| {
                let fields = [(SEGMENT_MEMBERSHIP.to_owned(), ty.clone())]
                    .into_iter()
                    .collect();
                FieldSet::new(set, &[Class::Profile], &fields, &sources)
            })
            .transpose()
        };
        let shown = plan.projection.needed().get(SEGMENT_MEMBERSHIP);
        let are_evaluated = sources.all.iter().any(Source::is_evaluated);
        let memberships = of_memberships(Set::Memberships, shown.filter(|_| are_evaluated))?;
        let whole = segment_membership();
        let of_persons = plan.persons == ToldPersons::Memberships;
        let persons = of_memberships(Set::Persons, of_persons.then_some(&whole))?;
        let events = match &plan.events {
            None => None,
            Some(events) => {
                let fields = events.projection.needed();
                Some(FieldSet::new(
                    Set::Events,
                    &[Class::Event],
                    fields,
                    &sources,
                )?)
            }
        };
        let event_order = match events.is_some() || identity_map.is_some() {
            true => Some(EventOrder::new(&sources)?),
            false => None,
        };
        let mut pipeline = Self {
            plan: plan.clone(),
            namespaces: match plan.map_keys {
                MapKeys::OneSpelling => Some(namespaces_of(snapshot)?),
                MapKeys::AsIs => None,
            },
            profile,
            identity_map,
            memberships,
            persons,
            events,
            event_order,
            profile_schema: Arc::new(Schema::empty()),
            schema: Arc::new(Schema::empty()),
            sources,
        };
        let schema = pipeline.prototype()?;
        pipeline.profile_schema = Arc::clone(&schema);
        pipeline.schema = match pipeline.plan.row_per_identity {
            None => schema,
            Some(_) => with_identity(&schema),
        };
        Ok(pipeline)
    }

    /// The schema of all rows, by no rows.
    fn prototype(&self) -> Result<SchemaRef> {
        let of = |fields: &FieldSet| -> Result<Gathered> {
            Ok(Gathered {
                columns: Arc::new(fields.prototypes(&self.sources)?),
                groups: Groups::default(),
            })
        };
        let of_optional = |fields: &Option<FieldSet>| fields.as_ref().map(of).transpose();
        let memberships_of_persons = match &self.persons {
            None => None,
            Some(fields) => Some(MembershipParts {
                evaluated: of(fields)?,
                brought: of(fields)?,
            }),
        };
        let persons = self.tells_persons().then(|| PersonParts {
            persons: Persons::default(),
            memberships: memberships_of_persons,
        });
        let parts = Parts {
            profile: of(&self.profile)?,
            identity_map: of_optional(&self.identity_map)?,
            memberships: of_optional(&self.memberships)?,
            persons,
            events: of_optional(&self.events)?,
        };
        let columns = self.columns(&parts, &|| false)?.into_iter();
        let fields = columns.map(|(name, array)| Field::new(name, array.data_type().clone(), true));
        Ok(Arc::new(Schema::new(fields.collect::<Vec<_>>())))
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

    /// Selects, merges and projects the profiles of some people, unless it is to stop meanwhile; of those that are
    /// selected, `unique` says which are nobody's duplicate.
    pub(crate) fn rows(
        &self,
        people: &PeopleRows,
        matches: Option<&MembershipMatches>,
        unique: Option<&BooleanBuffer>,
        is_to_stop: &dyn Fn() -> bool,
    ) -> Result<MergedRows> {
        let selected = self.select(people, matches)?;
        let identity_map = match &self.identity_map {
            None => None,
            Some(fields) => Some(self.gathered(fields, selected.with_events())?),
        };
        let memberships = match &self.memberships {
            None => None,
            Some(fields) => Some(self.gathered(fields, selected.with_evaluated())?),
        };
        let memberships_of_persons = match &self.persons {
            None => None,
            Some(fields) => Some(MembershipParts {
                evaluated: self.gathered(fields, selected.evaluated_of_persons)?,
                brought: self.gathered(fields, selected.fragments.clone())?,
            }),
        };
        let persons = self.tells_persons().then_some(PersonParts {
            persons: selected.persons,
            memberships: memberships_of_persons,
        });
        let events = match &self.events {
            None => None,
            Some(fields) => Some(self.gathered(fields, selected.event_rows)?),
        };
        let profile = self.gathered(&self.profile, selected.fragments)?;
        let profiles = profile.groups.len();
        let event_ends = events.as_ref().map(|events| events.groups.ends().to_vec());
        let parts = Parts {
            profile,
            identity_map,
            memberships,
            persons,
            events,
        };
        let columns = self.columns(&parts, is_to_stop)?;
        let mut rows = self.batch_of(columns)?;
        if unique.is_some_and(|unique| unique.len() != profiles) {
            return Err(passes_differ());
        }
        let mut counts = BatchCounts::default();
        let complete = complete(&rows, &self.plan.mandatory);
        let incomplete = |all: &BooleanBuffer| (profiles - all.count_set_bits()) as u64;
        counts.lacking = complete.as_ref().map_or(0, incomplete);
        let kept = match (complete, unique) {
            (Some(complete), Some(unique)) => Some(&complete & unique),
            (complete, unique) => complete.or_else(|| unique.cloned()),
        };
        // How many rows each profile has.
        let mut copies: Vec<u32> = vec![1; profiles];
        if let Some(kept) = kept {
            counts.duplicates = incomplete(&kept) - counts.lacking;
            copies = kept.iter().map(u32::from).collect();
            rows = filter_record_batch(&rows, &BooleanArray::new(kept, None))?;
        }
        let mut batches = Vec::new();
        if let (Some(wanted), Some(identities)) = (&self.plan.row_per_identity, &parts.identity_map)
        {
            let merged = merge_unless_stopped(identities, is_to_stop)?;
            for (_, map) in merged {
                let namespace = &wanted.namespace;
                let schema = &with_identity(rows.schema_ref());
                batches = by_identity(&rows, &map, namespace, schema, &mut copies, MOST_BYTES)?;
            }
            let with_rows = copies.iter().filter(|n| **n > 0).count() as u64;
            counts.lacking = profiles as u64 - counts.duplicates - with_rows;
        }
        if batches.is_empty() {
            batches.push(rows);
        }
        counts.profiles = batches.iter().map(|rows| rows.num_rows() as u64).sum();
        let mut start = 0;
        for (n, end) in copies.iter().zip(event_ends.into_iter().flatten()) {
            counts.events += u64::from(end - start) * u64::from(*n);
            start = end;
        }
        let mut by_namespace: BTreeMap<&str, u64> = BTreeMap::new();
        for (namespace, n) in selected
            .namespaces
            .iter()
            .zip(&copies)
            .filter(|(_, n)| **n > 0)
        {
            *by_namespace.entry(*namespace).or_default() += u64::from(*n);
        }
        let by_namespace = by_namespace.into_iter();
        counts.by_namespace = by_namespace
            .map(|(name, count)| (name.to_owned(), count))
            .collect();
        Ok(MergedRows {
            rows: batches,
            counts,
        })
    }

    /// Columns as rows of the one schema; of look-ups as they are.
    fn batch_of(&self, columns: Vec<(String, ArrayRef)>) -> Result<RecordBatch> {
        if self.sources.blocks.is_some() {
            let columns = columns.into_iter();
            let columns = columns.map(|(name, column)| (name, column, true));
            return Ok(RecordBatch::try_from_iter_with_nullable(columns)?);
        }
        // Which text is in dictionaries may differ from chunk to chunk.
        let columns = std::iter::zip(columns, self.profile_schema.fields())
            .map(|((_, column), field)| match column.data_type() {
                ty if ty == field.data_type() => Ok(column),
                _ => cast(&column, field.data_type()),
            })
            .collect::<Result<_, _>>()?;
        Ok(RecordBatch::try_new(self.profile_schema.clone(), columns)?)
    }

    /// What each of a profile's fragments would be alone, a row each, and behind them the profile: first those of
    /// evaluated memberships. Events are left out.
    pub(crate) fn each_alone(&self, profile: &PeopleRows) -> Result<RecordBatch> {
        let (mut groups, mut memberships) = (Groups::default(), Groups::default());
        for evaluated in &profile.evaluated {
            groups.push([]);
            memberships.push([*evaluated]);
        }
        for fragment in &profile.fragments {
            groups.push([*fragment]);
            memberships.push([*fragment]);
        }
        groups.push(profile.fragments.iter().copied());
        memberships.push(profile.evaluated.iter().chain(&profile.fragments).copied());
        let memberships = match &self.memberships {
            None => None,
            Some(fields) => Some(self.gathered(fields, memberships)?),
        };
        let mut identity_map = None;
        if let (true, Some(fields)) = (profile.fragments.is_empty(), &self.identity_map) {
            let empty = self.select(profile, None)?.with_events();
            if empty.len() == 1 {
                let mut with_alone = Groups::default();
                profile.evaluated.iter().for_each(|_| with_alone.push([]));
                with_alone.push(empty.rows().iter().copied());
                identity_map = Some(self.gathered(fields, with_alone)?);
            }
        }
        let parts = Parts {
            profile: self.gathered(&self.profile, groups)?,
            identity_map,
            memberships,
            persons: None,
            events: None,
        };
        let merged = self.merged(&parts, &|| false)?;
        let columns = self.plan.projection.apply(merged)?.into_iter();
        let columns = columns.map(|(name, column)| (name, column, true));
        Ok(RecordBatch::try_from_iter_with_nullable(columns)?)
    }

    /// The time and `_id` of each of these events.
    pub(crate) fn times_and_ids(
        &self,
        events: &[RowRef],
    ) -> Result<Vec<(Option<Timestamp>, String)>> {
        match &self.event_order {
            Some(order) => order.times_and_ids(&self.sources, events),
            None => Ok(Vec::new()),
        }
    }

    /// The events that the rows of profiles have, in their order.
    pub(crate) fn event_rows(&self, people: &PeopleRows) -> Result<Vec<RowRef>> {
        Ok(self.select(people, None)?.event_rows.rows().to_vec())
    }

    /// The columns that rows of sources are in.
    fn gathered(&self, fields: &FieldSet, mut groups: Groups) -> Result<Gathered> {
        Ok(Gathered {
            columns: fields.gather(&self.sources, groups.rows_mut())?,
            groups,
        })
    }

    /// The columns of merged profiles, their events and their persons.
    fn columns(
        &self,
        parts: &Parts,
        is_to_stop: &dyn Fn() -> bool,
    ) -> Result<Vec<(String, ArrayRef)>> {
        let merged = self.merged(parts, is_to_stop)?;
        let mut columns = self.plan.projection.apply(merged)?;
        if let (Some(plan), Some(events)) = (&self.plan.events, &parts.events) {
            let (columns_of, rows) = (&events.columns, events.groups.rows());
            let parts = self.shown_events(&plan.projection, columns_of, rows)?;
            let list = event_lists(to_struct(parts, rows.len())?, events.groups.ends())?;
            columns.push((TIME_SERIES_EVENTS.to_owned(), list));
        }
        if let Some(persons) = &parts.persons {
            columns.extend(persons.columns(is_to_stop)?);
        }
        Ok(columns)
    }

    /// What a projection shows of events, by the columns that they are rows of.
    pub(crate) fn shown_events(
        &self,
        projection: &Projection,
        columns: &Columns,
        rows: &[RowRef],
    ) -> Result<Vec<(String, ArrayRef)>> {
        let fields = columns.iter();
        let fields = fields
            .map(|(name, column)| Ok((name.clone(), column.interleave(rows)?)))
            .collect::<Result<Vec<_>>>()?;
        let fields = match &self.namespaces {
            Some(namespaces) => spelled_alone(fields, namespaces)?,
            None => fields,
        };
        Ok(projection.apply(fields)?)
    }

    /// Merged profiles, with those fields that are made of something else.
    fn merged(&self, parts: &Parts, is_to_stop: &dyn Fn() -> bool) -> Result<MergedFields> {
        let other = |name: &str| parts.others().find(|(other, _)| *other == name);
        let Gathered { columns, groups } = &parts.profile;
        let own = columns.iter().filter(|(name, _)| other(name).is_none());
        let mut own = merge_fields(own, groups, is_to_stop)?.into_iter();
        let mut merged = MergedFields::new();
        for (name, _) in columns.iter() {
            match other(name) {
                None => merged.extend(own.next()),
                Some((_, gathered)) => merged.extend(merge_unless_stopped(gathered, is_to_stop)?),
            }
        }
        match &self.namespaces {
            Some(namespaces) => spelled(merged, namespaces),
            None => Ok(merged),
        }
    }

    fn select(
        &self,
        people: &PeopleRows,
        matches: Option<&MembershipMatches>,
    ) -> Result<Selected<'_>> {
        let mut selected = Selected::default();
        let mut times = Times::new(&self.sources);
        let [mut tied, mut tied_of_empty] = [Tied::default(), Tied::default()];
        for one in people.profiles() {
            let ProfileRows {
                fragments,
                evaluated,
                events,
            } = one;
            if !self.takes(&one, matches, &mut times)? {
                continue;
            }
            let best = match (fragments.first(), events.first()) {
                (Some(at), _) => Some(*at),
                (None, Some(range)) => Some(RowRef::new(range.source, range.start)),
                (None, None) => None,
            };
            let Some(at) = best else {
                unreachable!("a profile that is taken has a fragment or an event");
            };
            let source = self.sources.of(at);
            let person = source.run.person_of_row(at.row);
            selected.namespaces.push(source.run.namespace(person)?);
            selected.fragments.push(fragments.iter().copied());
            selected.evaluated.push(evaluated.iter().copied());
            if self.tells_persons() {
                self.add_persons(&one, &mut selected)?;
            }
            if let Some(plan) = &self.plan.events {
                let rows = events_of(events, plan.filter, &mut times)?;
                tied.add(&selected.event_rows, rows.len(), events);
                selected.event_rows.push(rows);
            }
            if self.identity_map.is_some() {
                let events = if fragments.is_empty() { events } else { &[] };
                let rows = events_of(events, EventFilter::default(), &mut times)?;
                tied_of_empty.add(&selected.of_empty, rows.len(), events);
                selected.of_empty.push(rows);
            }
        }
        if let Some(order) = &self.event_order {
            order.put_in_order(&self.sources, &mut selected.event_rows, &tied)?;
            order.put_in_order(&self.sources, &mut selected.of_empty, &tied_of_empty)?;
        }
        Ok(selected)
    }

    fn tells_persons(&self) -> bool {
        self.plan.persons != ToldPersons::None
    }

    /// Adds the persons of a profile, in the order of their keys.
    fn add_persons(&self, profile: &ProfileRows<'_>, selected: &mut Selected<'_>) -> Result<()> {
        let key = |at: &RowRef| {
            let run = &self.sources.of(*at).run;
            run.person(run.person_of_row(at.row))
        };
        let events = profile
            .events
            .iter()
            .flat_map(|range| rows_of(range).next());
        let mut rows: Vec<(PersonKey, RowRef)> = (profile.fragments.iter().copied())
            .chain(events)
            // Of persons whose other records take no part in this policy.
            .chain(profile.evaluated.iter().copied())
            .map(|at| (key(&at), at))
            .collect();
        rows.sort_by_key(|(key, _)| *key);
        rows.dedup_by_key(|(key, _)| *key);
        for (person, at) in rows {
            let run = &self.sources.of(at).run;
            let (namespace, id) = run.identity(run.person_of_row(at.row))?;
            let namespace = match &self.namespaces {
                Some(namespaces) => namespaces.spelled(namespace),
                None => namespace,
            };
            selected.persons.push((namespace, id));
            let own = profile.evaluated.iter().filter(|at| key(at) == person);
            selected.evaluated_of_persons.push(own.copied());
        }
        selected.persons.end_profile();
        Ok(())
    }

    fn takes(
        &self,
        profile: &ProfileRows<'_>,
        matches: Option<&MembershipMatches>,
        times: &mut Times<'_>,
    ) -> Result<bool> {
        let ProfileRows {
            fragments, events, ..
        } = *profile;
        let filter = &self.plan.profiles;
        let is_empty = fragments.is_empty();
        if is_empty && (events.is_empty() || !filter.empty_profiles) {
            return Ok(false);
        }
        if filter.from_ingest.is_some() {
            let mut latest: Option<Timestamp> = None;
            let events = if is_empty { events } else { &[] };
            let rows = events.iter().flat_map(rows_of);
            for at in fragments.iter().copied().chain(rows) {
                latest = latest.max(Some(times.ingested(at)?));
            }
            if !latest.is_some_and(|updated| filter.takes(is_empty, updated)) {
                return Ok(false);
            }
        }
        Ok(matches.is_none_or(|matches| match profile.evaluated {
            [] => matches.takes(fragments),
            evaluated => matches.takes(&[evaluated, fragments].concat()),
        }))
    }
}

/// The schema of a row for each identity, by that of a row for each profile.
fn with_identity(schema: &SchemaRef) -> SchemaRef {
    let fields = schema.fields().iter().cloned();
    let fields = [Arc::new(identity_field())].into_iter().chain(fields);
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

/// The events of a profile that a filter takes.
fn events_of(
    ranges: &[EventRange],
    filter: EventFilter,
    times: &mut Times<'_>,
) -> Result<Vec<RowRef>> {
    let mut rows = Vec::new();
    for at in ranges.iter().flat_map(rows_of) {
        if filter.is_open() || filter.takes(times.ingested(at)?) {
            rows.push(at);
        }
    }
    Ok(rows)
}

/// The profiles that the filters let pass, as rows of the sources.
#[derive(Default)]
struct Selected<'a> {
    /// Their fragments, best first.
    fragments: Groups,
    /// Their fragments of evaluated memberships, the latest first.
    evaluated: Groups,
    /// The persons that they are, if these are told, and the fragment of evaluated memberships of each.
    persons: Persons,
    evaluated_of_persons: Groups,
    /// The events that are added.
    event_rows: Groups,
    /// For each profile, all its events in order if it is empty; only where `identityMap` needs them.
    of_empty: Groups,
    /// The namespace of each one's primary identity.
    namespaces: Vec<&'a str>,
}

impl Selected<'_> {
    /// The fragments of each profile, or its events where it is empty.
    fn with_events(&self) -> Groups {
        let mut groups = Groups::default();
        for (fragments, events) in self.fragments.iter().zip(self.of_empty.iter()) {
            groups.push(fragments.iter().chain(events).copied());
        }
        groups
    }

    /// The fragments of each profile, behind those of its evaluated memberships: these stand before what data
    /// brought along.
    fn with_evaluated(&self) -> Groups {
        let mut groups = Groups::default();
        for (evaluated, fragments) in self.evaluated.iter().zip(self.fragments.iter()) {
            groups.push(evaluated.iter().chain(fragments).copied());
        }
        groups
    }
}

pub(crate) fn merge_unless_stopped(
    gathered: &Gathered,
    is_to_stop: &dyn Fn() -> bool,
) -> Result<MergedFields> {
    merge_fields(gathered.columns.iter(), &gathered.groups, is_to_stop)
}

fn merge_fields<'a>(
    fields: impl Iterator<Item = &'a (String, Column)>,
    groups: &Groups,
    is_to_stop: &dyn Fn() -> bool,
) -> Result<MergedFields> {
    let fields: Vec<(&str, &Column)> = fields
        .map(|(name, column)| (name.as_str(), column))
        .collect();
    merge_until(&fields, groups, is_to_stop).map_err(|error| match error {
        merge::Error::Arrow(error) => error.into(),
        merge::Error::Stopped => decode::Error::Cancelled.into(),
    })
}

pub(crate) fn rows_of(range: &EventRange) -> impl Iterator<Item = RowRef> + use<> {
    let source = range.source;
    (range.start..range.end).map(move |row| RowRef::new(source, row))
}

pub(crate) fn to_struct(parts: Vec<(String, ArrayRef)>, length: usize) -> Result<ArrayRef> {
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
        let rows = |is_to_stop| pipeline.rows(&PeopleRows::default(), None, None, is_to_stop);
        let error = rows(&|| true).err().expect("an error");
        assert!(error.is_cancelled(), "{error}");
        assert!(rows(&|| false).is_ok());
    }
}
