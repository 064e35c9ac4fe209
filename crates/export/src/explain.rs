//! Why a profile is in an export, or is not: what was looked at, and what decided.

use std::collections::{BTreeMap, BTreeSet};

use filter::{EventFilter, MembershipFilter, MembershipVerdict, SegmentFilter};
use gather::RowRef;
use serde::Serialize;
use serde_json::{Map, Value};
use xdm::{Class, PersonKey, SEGMENT_MEMBERSHIP, Timestamp};

use crate::components::Profile;
use crate::error::Result;
use crate::event_order::event_types;
use crate::export::Export;
use crate::people::{EventRange, PeopleRows};
use crate::pipeline::rows_of;
use crate::request::RequestError;
use crate::times::Times;
use crate::values::{json_values, leaves};

/// Why a profile is in an export, or is not. Moments are RFC 3339 in UTC.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Explanation {
    /// The primary identities that are this profile, `Email:ann@example.com`: several by an identity graph.
    pub identities: Vec<String>,
    /// Whether it is in a batch.
    pub is_exported: bool,
    /// What decides, in this order.
    pub conditions: Vec<Condition>,
    /// Its fragments: those of evaluated memberships, then the others, best first. Numbers of fragments count from 0
    /// here.
    pub fragments: Vec<FragmentPart>,
    /// Profile records that have no part in it.
    pub records_without_part: Vec<RecordWithoutPart>,
    /// Where the value of each leaf comes from.
    pub fields: Vec<FieldOrigin>,
    /// What each batch's filter finds among the memberships.
    pub batches: Vec<BatchMemberships>,
    /// Its events.
    pub events: Vec<EventPart>,
}

/// Something that has to hold of a profile.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Condition {
    /// Whether it holds.
    pub holds: bool,
    /// What it is, and what was found.
    pub text: String,
}

/// A fragment of a profile.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FragmentPart {
    /// The dataset's name.
    pub dataset: String,
    /// Whose it is.
    pub identity: String,
    /// When it came in.
    pub ingested: String,
    /// By what time it competes with others.
    pub updated: String,
    /// What the profile would be by it alone.
    pub values: Value,
}

/// A profile record that has no part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RecordWithoutPart {
    /// The dataset's name.
    pub dataset: String,
    /// Whose it is.
    pub identity: String,
    /// When it came in.
    pub ingested: String,
    /// Why it has none.
    pub reason: String,
}

/// Where a leaf's value comes from.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FieldOrigin {
    /// The leaf: names and map keys, with dots between.
    pub path: String,
    /// Its value.
    pub value: Value,
    /// The fragment that it is from; none where several make it together.
    pub fragment: Option<usize>,
    /// Other fragments' values, which lost.
    pub lost: Vec<LostValue>,
}

/// A value that another fragment's stands before.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LostValue {
    /// Whose it is.
    pub fragment: usize,
    /// What it is.
    pub value: Value,
}

/// What a batch's filter finds among the memberships.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BatchMemberships {
    /// The segments that are asked for; any, where there are none.
    pub segments: Vec<String>,
    /// Whether one of the memberships is enough.
    pub takes: bool,
    /// Those of the segments that are asked for; all of the profile, where none are.
    pub memberships: Vec<MembershipSeen>,
}

/// A membership that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct MembershipSeen {
    /// The namespace's code, in lower case.
    pub namespace: String,
    /// The segment's ID.
    pub segment_id: String,
    /// What it says.
    pub status: String,
    /// When the person qualified.
    pub qualified: Option<String>,
    /// The fragment that it is from.
    pub fragment: usize,
    /// Whether it counts; where no segment is asked for, whether somebody is in the segment by it.
    pub counts: bool,
    /// Why, or why not.
    pub reason: String,
}

/// An event of the profile.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct EventPart {
    /// The dataset's name.
    pub dataset: String,
    /// Its `_id`.
    pub id: String,
    /// What it is, its `eventType`, where records have text there.
    pub event_type: Option<String>,
    /// When it happened.
    pub timestamp: Option<String>,
    /// When it came in.
    pub ingested: String,
    /// Whether it is added.
    pub is_added: bool,
    /// Why not.
    pub reason: Option<String>,
}

impl Export {
    /// Why the profile of an identity is in the export, or is not: of a primary identity, and with an identity graph of any
    /// that records link. `None` where there is none. The namespace's case does not count.
    ///
    /// # Errors
    /// A damaged run; the export's progress was cancelled.
    pub fn explain(&self, namespace: &str, id: &str) -> Result<Option<Explanation>> {
        let plan = self.pipeline().plan();
        for (name, is_given) in [
            ("deduplicationKeys", plan.deduplication.is_some()),
            ("rowPerIdentity", plan.row_per_identity.is_some()),
        ] {
            if is_given {
                let problem =
                    "it is about rows, and an explanation is about a profile; leave it out";
                return Err(RequestError::new(name, problem).into());
            }
        }
        let sources = self.pipeline().sources();
        let Some(key) = self.person_of(PersonKey::of(namespace, id), self.progress())? else {
            // A file that was cut says of nobody that it has them.
            sources.check_whole()?;
            return Ok(None);
        };
        let keys = self.members_of(key);
        let is_left_out =
            (self.graph()).is_some_and(|g| matches!(g.profile(key), Profile::LeftOut));
        let identities = self.identities_of(&keys)?;
        if identities.is_empty() {
            return Ok(None);
        }
        let identities = identities.iter();
        let identities = identities.map(|(namespace, id)| format!("{namespace}:{id}"));
        let identities: Vec<String> = identities.collect();
        let rows = self.rows_of_profile(key)?;
        sources.check_whole()?;
        Explainer {
            export: self,
            times: Times::new(sources),
            rows,
        }
        .explained(identities, &keys, is_left_out)
        .map(Some)
    }
}

struct Explainer<'a> {
    export: &'a Export,
    times: Times<'a>,
    /// Of the profile alone.
    rows: PeopleRows,
}

impl Explainer<'_> {
    fn explained(
        mut self,
        identities: Vec<String>,
        keys: &[PersonKey],
        is_left_out: bool,
    ) -> Result<Explanation> {
        let plan = self.export.pipeline().plan();
        let mut conditions = vec![self.has_fragments(is_left_out)];
        conditions.extend(self.is_new_enough()?);
        let filters = plan.batches.iter();
        let batches: Vec<BatchMemberships> = filters
            .map(|filter| self.memberships(filter))
            .collect::<Result<_>>()?;
        conditions.extend(membership_condition(&plan.batches, &batches));
        let (fragments, fields, merged) = self.fields()?;
        conditions.extend(plan.mandatory.iter().map(|path| {
            let name = path.parts().join(".");
            let found = path
                .parts()
                .iter()
                .try_fold(&merged, |value, part| value.get(part));
            let holds = found.is_some();
            Condition {
                holds,
                text: format!(
                    "the mandatory field {name}: it has {}",
                    if holds { "one" } else { "none" }
                ),
            }
        }));
        Ok(Explanation {
            identities,
            is_exported: conditions.iter().all(|condition| condition.holds),
            conditions,
            fragments,
            records_without_part: self.without_part(keys)?,
            fields,
            batches,
            events: self.events()?,
        })
    }

    fn has_fragments(&self, is_left_out: bool) -> Condition {
        let plan = self.export.pipeline().plan();
        if is_left_out {
            let most = plan.max_identities.unwrap_or_default();
            return Condition {
                holds: false,
                text: format!("at most {most} identities (--max-identities): it has more"),
            };
        }
        let fragments = self.rows.fragments.len();
        let has_events = self.rows.events.iter().any(|range| range.start < range.end);
        let (holds, text) = match (fragments, plan.profiles.empty_profiles) {
            (1, _) => (true, "it has a fragment".to_owned()),
            (2.., _) => (true, format!("it has {fragments} fragments")),
            (0, true) if has_events => (
                true,
                "it has no fragment but events, and emptyProfiles asks for such".to_owned(),
            ),
            (0, false) => (
                false,
                "it has no fragment that takes part; emptyProfiles would take it".to_owned(),
            ),
            (0, true) => (
                false,
                "it has neither a fragment nor an event that takes part".to_owned(),
            ),
        };
        Condition { holds, text }
    }

    fn is_new_enough(&mut self) -> Result<Option<Condition>> {
        let filter = self.export.pipeline().plan().profiles;
        let Some(from) = filter.from_ingest else {
            return Ok(None);
        };
        let is_empty = self.rows.fragments.is_empty();
        let events = self
            .rows
            .events
            .iter()
            .filter(|_| is_empty)
            .flat_map(rows_of);
        let all: Vec<RowRef> = self.rows.fragments.iter().copied().chain(events).collect();
        let mut latest = None;
        for at in all {
            latest = latest.max(Some(self.times.ingested(at)?));
        }
        let (holds, found) = match latest {
            None => (false, "nothing came in".to_owned()),
            Some(latest) => (latest > from, format!("the latest record came in {latest}")),
        };
        Ok(Some(Condition {
            holds,
            text: format!("a record came in later than {from} (fromIngestTimestamp): {found}"),
        }))
    }

    fn memberships(&self, filter: &MembershipFilter) -> Result<BatchMemberships> {
        let mut seen: Vec<MembershipSeen> = Vec::new();
        let sources = self.export.pipeline().sources();
        let shown = match filter.is_open() {
            true => Some(self.shown_segments()?),
            false => None,
        };
        let indexes = match &shown {
            // There is none to look at, and a filter of none looks at all.
            Some(shown) if shown.segments.is_empty() => Vec::new(),
            shown => sources.indexes(shown.as_ref().unwrap_or(filter))?,
        };
        let evaluated = self.rows.evaluated.len();
        for (number, at) in self.all_fragments().enumerate() {
            let Some(Some(index)) = indexes.get(at.source as usize) else {
                continue;
            };
            for segment in index.segments() {
                let Some(posting) = segment.of_row(at.row) else {
                    continue;
                };
                let better = seen.iter().find(|other| {
                    other.namespace == segment.namespace && other.segment_id == segment.id
                });
                let statuses = filter.statuses_of(segment.namespace, segment.id);
                let (counts, reason) = match better {
                    Some(better) if better.fragment != number => {
                        let why = match better.fragment < evaluated && number >= evaluated {
                            true => "the segment is evaluated, which stands before what data says",
                            false => "a better fragment has one of this segment",
                        };
                        (false, why.to_owned())
                    }
                    _ => {
                        let verdict = filter.verdict(&statuses, posting);
                        let reason = match filter.is_open() {
                            true => "no segment is asked for".to_owned(),
                            false => reason(verdict, filter, &statuses),
                        };
                        (verdict == MembershipVerdict::Counts, reason)
                    }
                };
                seen.push(MembershipSeen {
                    namespace: segment.namespace.to_owned(),
                    segment_id: segment.id.to_owned(),
                    status: posting.status.to_string(),
                    qualified: posting.qualified.map(|time| time.to_string()),
                    fragment: number,
                    counts,
                    reason,
                });
            }
        }
        let segments = filter
            .segments
            .iter()
            .map(|wanted| match &wanted.namespace {
                Some(namespace) => format!("{namespace}:{}", wanted.id),
                None => wanted.id.clone(),
            });
        Ok(BatchMemberships {
            segments: segments.collect(),
            takes: filter.is_open() || seen.iter().any(|one| one.counts),
            memberships: seen,
        })
    }

    /// A filter of the segments that the profile's fragments show, where memberships are among the fields: whose index
    /// is read is not that of everybody in the store.
    fn shown_segments(&self) -> Result<MembershipFilter> {
        let rows = json_values(&self.export.pipeline().each_alone(&self.rows)?)?;
        let mut named: BTreeSet<(String, String)> = BTreeSet::new();
        for row in &rows {
            let maps = row.get(SEGMENT_MEMBERSHIP).and_then(Value::as_object);
            for (namespace, segments) in maps.into_iter().flatten() {
                let ids = segments.as_object().into_iter().flatten();
                named.extend(ids.map(|(id, _)| (namespace.clone(), id.clone())));
            }
        }
        let segments = named.into_iter().map(|(namespace, id)| SegmentFilter {
            id,
            namespace: Some(namespace),
            statuses: Vec::new(),
        });
        Ok(MembershipFilter {
            segments: segments.collect(),
            ..MembershipFilter::default()
        })
    }

    /// The fragments, where each leaf of the profile comes from, and the profile.
    fn fields(&mut self) -> Result<(Vec<FragmentPart>, Vec<FieldOrigin>, Value)> {
        let pipeline = self.export.pipeline();
        let mut rows = json_values(&pipeline.each_alone(&self.rows)?)?;
        let Some(merged) = rows.pop() else {
            unreachable!("the profile itself is the last row");
        };
        let own: Vec<Map<String, Value>> = rows.iter().map(leaves).collect();
        let fields = leaves(&merged).into_iter().map(|(path, value)| {
            let of_fragments = (own.iter().enumerate())
                .filter_map(|(number, own)| Some((number, own.get(&path)?)));
            let fragment = (of_fragments.clone())
                .find(|(_, own)| **own == value)
                .map(|(number, _)| number);
            let lost = of_fragments.filter(|(_, own)| **own != value);
            FieldOrigin {
                lost: lost
                    .map(|(fragment, value)| LostValue {
                        fragment,
                        value: value.clone(),
                    })
                    .collect(),
                path,
                value,
                fragment,
            }
        });
        let fields = fields.collect();
        let mut fragments = Vec::new();
        let all: Vec<RowRef> = self.all_fragments().collect();
        for (at, values) in std::iter::zip(all, rows) {
            let source = pipeline.sources().of(at);
            let (namespace, id) = source.run.identity(source.run.person_of_row(at.row))?;
            fragments.push(FragmentPart {
                dataset: source.dataset.clone(),
                identity: format!("{namespace}:{id}"),
                ingested: self.times.ingested(at)?.to_string(),
                updated: self.times.updated(at)?.to_string(),
                values,
            });
        }
        Ok((fragments, fields, merged))
    }

    /// Those of evaluated memberships, and behind them the others, best first.
    fn all_fragments(&self) -> impl Iterator<Item = RowRef> + '_ {
        let PeopleRows {
            evaluated,
            fragments,
            ..
        } = &self.rows;
        evaluated.iter().chain(fragments).copied()
    }

    fn without_part(&mut self, keys: &[PersonKey]) -> Result<Vec<RecordWithoutPart>> {
        let mut found = Vec::new();
        let sources = self.export.pipeline().sources();
        for (number, source) in (0..).zip(&sources.all) {
            if source.run.class != Class::Profile {
                continue;
            }
            for key in keys {
                let Some(person) = source.run.find(*key) else {
                    continue;
                };
                let at = RowRef::new(number, source.run.rows_of(person).start);
                if self.all_fragments().any(|own| own == at) {
                    continue;
                }
                let (namespace, id) = source.run.identity(person)?;
                let reason = match source.has_fragments() {
                    false => "the merge policy leaves its dataset out",
                    true if !sources.is_live(number as usize, at.row, &mut self.times)? => {
                        "a later record of the same dataset and identity replaced it"
                    }
                    true => "its profile is left out",
                };
                found.push(RecordWithoutPart {
                    dataset: source.dataset.clone(),
                    identity: format!("{namespace}:{id}"),
                    ingested: self.times.ingested(at)?.to_string(),
                    reason: reason.to_owned(),
                });
            }
        }
        Ok(found)
    }

    fn events(&mut self) -> Result<Vec<EventPart>> {
        let pipeline = self.export.pipeline();
        let Some(plan) = &pipeline.plan().events else {
            return Ok(Vec::new());
        };
        let ranges: Vec<EventRange> = self.rows.events.clone();
        let rows: Vec<RowRef> = ranges.iter().flat_map(rows_of).collect();
        let mut events = BTreeMap::new();
        let named = std::iter::zip(
            pipeline.times_and_ids(&rows)?,
            event_types(pipeline.sources(), &rows)?,
        );
        for (at, ((time, id), event_type)) in std::iter::zip(&rows, named) {
            let ingested = self.times.ingested(*at)?;
            let reason = why_not(plan.filter, ingested);
            let event = EventPart {
                dataset: pipeline.sources().of(*at).dataset.clone(),
                id: id.clone(),
                event_type,
                timestamp: time.map(|time| time.to_string()),
                ingested: ingested.to_string(),
                is_added: reason.is_none(),
                reason,
            };
            events.insert((time, id, event.dataset.clone()), event);
        }
        Ok(events.into_values().collect())
    }
}

fn why_not(filter: EventFilter, ingested: Timestamp) -> Option<String> {
    if filter.takes(ingested) {
        return None;
    }
    let from = filter.from_ingest.filter(|from| ingested <= *from);
    Some(match (from, filter.to_ingest) {
        (Some(from), _) => format!("it came in no later than {from} (fromIngestTimestamp)"),
        (None, Some(to)) => format!("it came in later than {to} (toIngestTimestamp)"),
        (None, None) => unreachable!("an open filter takes every event"),
    })
}

fn reason(
    verdict: MembershipVerdict,
    filter: &MembershipFilter,
    statuses: &[membership::Status],
) -> String {
    let moment = |moment: Option<Timestamp>| moment.map_or_else(String::new, |m| m.to_string());
    match verdict {
        MembershipVerdict::Counts => "it counts".to_owned(),
        MembershipVerdict::Status => {
            let mut words: Vec<String> = statuses.iter().map(ToString::to_string).collect();
            words.dedup();
            format!("its status is not asked for: {}", words.join(", "))
        }
        MembershipVerdict::NoTime => {
            "it has no qualification time, and one is asked for".to_owned()
        }
        MembershipVerdict::Before => {
            format!(
                "qualified before {} (startTime)",
                moment(filter.qualified_from)
            )
        }
        MembershipVerdict::After => {
            format!("qualified after {} (endTime)", moment(filter.qualified_to))
        }
    }
}

fn membership_condition(
    filters: &[MembershipFilter],
    batches: &[BatchMemberships],
) -> Option<Condition> {
    if filters.iter().all(MembershipFilter::is_open) {
        return None;
    }
    let segments: Vec<&str> = (batches.iter())
        .flat_map(|batch| batch.segments.iter().map(String::as_str))
        .collect();
    let wanted = match segments[..] {
        [] => "a membership that counts".to_owned(),
        [one] => format!("a membership of {one} that counts"),
        _ => format!(
            "a membership that counts, of one of {}",
            segments.join(", ")
        ),
    };
    let seen = batches
        .iter()
        .map(|batch| batch.memberships.len())
        .sum::<usize>();
    let holds = batches.iter().any(|batch| batch.takes);
    let found = match (holds, seen) {
        (true, _) => "it has one",
        (false, 0) => "it has none at all",
        (false, _) => "it has none; see below",
    };
    Some(Condition {
        holds,
        text: format!("{wanted}: {found}"),
    })
}
