//! `docs/export.md` once more, plain and slow: records as JSON values, loops, no Arrow.

use std::collections::{BTreeMap, BTreeSet};

use chrono::DateTime;
use profile_export::xdm::{Dataset, PersonKey};
use serde_json::{Map, Value, json};

pub mod composition;
pub mod evaluated;

/// Microseconds since 1970.
pub fn micros(text: &str) -> i64 {
    DateTime::parse_from_rfc3339(text)
        .unwrap()
        .timestamp_micros()
}

/// An identity: namespace in lower case, and id.
type Identity = (String, String);

#[derive(Clone)]
struct Record {
    dataset: String,
    identity: Identity,
    ingested: i64,
    place: usize,
    body: Value,
}

#[derive(Default)]
pub struct Reference {
    /// Dataset ID, whether it holds events, primary identity's path and namespace.
    datasets: Vec<(String, bool, Option<(String, String)>)>,
    fragments: Vec<Record>,
    /// Of the dataset of evaluated memberships.
    evaluated: Vec<Record>,
    events: Vec<Record>,
    places: usize,
    /// As they were first spelled.
    namespaces: Vec<String>,
}

impl Reference {
    pub fn dataset(&mut self, id: &str, events: bool, primary: Option<(&str, &str)>) {
        let primary = primary.map(|(path, ns)| (path.to_owned(), ns.to_owned()));
        self.datasets.push((id.to_owned(), events, primary));
    }

    /// Takes in good records, which say in `ingestedAt` when they came.
    pub fn load(&mut self, dataset: &str, records: &[Value]) {
        let (_, is_event, primary) = self
            .datasets
            .iter()
            .find(|(id, ..)| id == dataset)
            .unwrap()
            .clone();
        for record in records {
            let mut body = plain_record(record);
            self.note_namespaces(&body);
            let object = body.as_object_mut().unwrap();
            let ingested = object.shift_remove("ingestedAt").unwrap();
            let identity = match &primary {
                Some((path, namespace)) => {
                    let id = path.split('.').fold(&body, |v, part| &v[part]);
                    (namespace.to_lowercase(), id.as_str().unwrap().to_owned())
                }
                None => primary_identity(&body),
            };
            let record = Record {
                dataset: dataset.to_owned(),
                identity,
                ingested: micros(ingested.as_str().unwrap()),
                place: self.places,
                body,
            };
            self.places += 1;
            if is_event {
                let known = self
                    .events
                    .iter()
                    .any(|e| e.dataset == dataset && e.body["_id"] == record.body["_id"]);
                if !known {
                    self.events.push(record);
                }
                continue;
            }
            let same = |f: &Record| f.dataset == dataset && f.identity == record.identity;
            let fragments = match dataset == Dataset::EVALUATED_MEMBERSHIPS {
                true => &mut self.evaluated,
                false => &mut self.fragments,
            };
            match fragments.iter().position(same) {
                None => fragments.push(record),
                Some(at) => {
                    let old = &fragments[at];
                    if (record.ingested, record.place) > (old.ingested, old.place) {
                        fragments[at] = record;
                    }
                }
            }
        }
    }

    /// Deletes the records that bear an identity: what they had replaced was forgotten when they came. How namespaces are
    /// spelled stays.
    pub fn delete(&mut self, namespace: &str, id: &str) {
        let wanted = (namespace.to_lowercase(), id.to_owned());
        for records in [&mut self.fragments, &mut self.evaluated, &mut self.events] {
            records.retain(|record| {
                record.identity != wanted && !identities(&record.body).contains(&wanted)
            });
        }
    }

    /// The records of a dataset that count: events, and fragments that no later one replaced; with when each came in.
    pub fn records(&self, dataset: &str) -> impl Iterator<Item = (i64, &Value)> {
        let all = self.fragments.iter().chain(&self.events);
        let own = all.filter(move |record| record.dataset == dataset);
        own.map(|record| (record.ingested, &record.body))
    }

    /// The rows of each batch that a request exports by a merge policy.
    pub fn export(&self, request: &Value, policy: &Value) -> Vec<Vec<Value>> {
        let filter = &request["filter"];
        let segments = filter["segments"].as_array().cloned().unwrap_or_default();
        let per_batch = request["destination"]["segmentPerBatch"] == json!(true);
        let wanted: Vec<Vec<Value>> = if per_batch {
            segments.iter().map(|s| vec![s.clone()]).collect()
        } else {
            vec![segments]
        };
        let profiles = self.profiles(policy);
        wanted
            .iter()
            .map(|segments| {
                let passing = profiles.iter().filter(|p| p.passes(filter, segments));
                let passing = passing.filter(|p| has_mandatory(&p.row(request), request));
                let unique = unique(passing.collect(), filter, segments, request);
                let rows = unique.iter().flat_map(|p| p.rows(request));
                rows.map(|row| self.spelled_rows(row, request)).collect()
            })
            .collect()
    }

    /// Forgets how namespaces are spelled, and notes it as if these records had come in this order.
    pub fn spell_by<'a>(&mut self, records: impl Iterator<Item = &'a Value>) {
        self.namespaces.clear();
        records.for_each(|record| self.note_namespaces(&plain_record(record)));
    }

    /// Notes how namespaces are spelled that come the first time.
    fn note_namespaces(&mut self, body: &Value) {
        let maps = ["identityMap", "segmentMembership"].map(|name| body[name].as_object());
        for code in maps.into_iter().flatten().flat_map(Map::keys) {
            let known = self.namespaces.iter();
            if !known.clone().any(|known| known.eq_ignore_ascii_case(code)) {
                self.namespaces.push(code.clone());
            }
        }
    }

    fn spelled_rows(&self, mut row: Value, request: &Value) -> Value {
        if request["mapKeys"] != "as-is" {
            respell(&mut row, &self.namespaces);
            let events = row.get_mut("timeSeriesEvents");
            for event in events.and_then(Value::as_array_mut).into_iter().flatten() {
                respell(event, &self.namespaces);
            }
        }
        row
    }

    fn profiles(&self, policy: &Value) -> Vec<Profile> {
        let order: Vec<&str> = policy["attributeMerge"]["order"]
            .as_array()
            .map(|o| o.iter().map(|id| id.as_str().unwrap()).collect())
            .unwrap_or_default();
        let by_dataset = policy["attributeMerge"]["type"] == "dataSetPrecedence";
        let is_event = |id: &str| self.datasets.iter().any(|(d, e, _)| d == id && *e);
        let events_listed = order.iter().any(|id| is_event(id));
        let mut groups: Vec<BTreeSet<Identity>> = Vec::new();
        for record in self.fragments.iter().chain(&self.events) {
            let mut group = BTreeSet::from([record.identity.clone()]);
            if policy["identityGraph"]["type"] == "pdg" {
                // What the map links is one group; the record's own identity need not be in it.
                let linked: BTreeSet<Identity> = identities(&record.body).into_iter().collect();
                for group in [group, linked] {
                    join(&mut groups, group);
                }
            } else {
                groups.retain(|g| *g != group);
                groups.push(std::mem::take(&mut group));
            }
        }
        let mut profiles = Vec::new();
        for group in groups {
            let mut fragments: Vec<Record> = self
                .fragments
                .iter()
                .filter(|f| group.contains(&f.identity))
                .filter(|f| !by_dataset || order.contains(&f.dataset.as_str()))
                .cloned()
                .collect();
            fragments.sort_by_key(|f| {
                let updated = f.body["extSourceSystemAudit"]["lastUpdatedDate"]["µs"]
                    .as_i64()
                    .unwrap_or(f.ingested);
                let time = std::cmp::Reverse(updated);
                let place = std::cmp::Reverse(f.place);
                if by_dataset {
                    let rank = order.iter().position(|id| *id == f.dataset).unwrap();
                    (rank, time, std::cmp::Reverse(String::new()), place)
                } else {
                    (0, time, std::cmp::Reverse(f.dataset.clone()), place)
                }
            });
            let mut events: Vec<Record> = self
                .events
                .iter()
                .filter(|e| group.contains(&e.identity))
                .filter(|e| !by_dataset || !events_listed || order.contains(&e.dataset.as_str()))
                .cloned()
                .collect();
            events.sort_by_key(|e| {
                let id = e.body["_id"].as_str().unwrap().to_owned();
                let time = e.body["timestamp"]["µs"].as_i64().unwrap();
                (time, id, e.dataset.clone())
            });
            if !(fragments.is_empty() && events.is_empty()) {
                let all = self.fragments.iter().chain(&self.events);
                let persons = all.map(|record| &record.identity);
                let persons: BTreeSet<Identity> =
                    persons.filter(|own| group.contains(own)).cloned().collect();
                // Whatever the policy says of datasets, the latest first, then that of the least key.
                let own = self
                    .evaluated
                    .iter()
                    .filter(|e| persons.contains(&e.identity));
                let mut evaluated: Vec<Record> = own.cloned().collect();
                evaluated.sort_by_key(|e| {
                    let (namespace, id) = &e.identity;
                    (std::cmp::Reverse(e.ingested), PersonKey::of(namespace, id))
                });
                profiles.push(Profile {
                    persons,
                    evaluated,
                    fragments,
                    events,
                });
            }
        }
        profiles
    }
}

fn join(groups: &mut Vec<BTreeSet<Identity>>, mut group: BTreeSet<Identity>) {
    if group.is_empty() {
        return;
    }
    let (touching, apart): (Vec<_>, Vec<_>) =
        groups.drain(..).partition(|g| !g.is_disjoint(&group));
    group.extend(touching.into_iter().flatten());
    *groups = apart;
    groups.push(group);
}

/// Of the profiles of one key the one that was qualified last; of several of these that of the least key.
fn unique<'a>(
    mut profiles: Vec<&'a Profile>,
    filter: &Value,
    segments: &[Value],
    request: &Value,
) -> Vec<&'a Profile> {
    let Some(keys) = request["deduplicationKeys"].as_array() else {
        return profiles;
    };
    profiles.sort_by_key(|p| (std::cmp::Reverse(p.qualified(filter, segments)), p.key()));
    let mut seen = BTreeSet::new();
    profiles.retain(|p| {
        let whole = p.merged();
        let values =
            keys.iter().map(
                |key| match key.as_str().unwrap().strip_prefix("identityMap.") {
                    Some(namespace) => identities_of(&whole, namespace).first().map(|id| json!(id)),
                    None => {
                        let parts = key.as_str().unwrap().split('.');
                        let value = parts.fold(&whole, |value, part| &value[part]);
                        Some(value.clone()).filter(|value| !value.is_null())
                    }
                },
            );
        let values: Option<Vec<String>> = values.map(|v| Some(v?.to_string())).collect();
        values.is_none_or(|values| seen.insert(values))
    });
    profiles
}

/// The IDs of a namespace in a profile's identity map.
fn identities_of(row: &Value, namespace: &str) -> Vec<String> {
    let mut ids = Vec::new();
    for (code, items) in row["identityMap"].as_object().into_iter().flatten() {
        for item in items.as_array().into_iter().flatten() {
            if let (true, Some(id)) = (code.eq_ignore_ascii_case(namespace), item["id"].as_str())
                && !ids.contains(&id.to_owned())
            {
                ids.push(id.to_owned());
            }
        }
    }
    ids
}

struct Profile {
    /// The persons that it is, by their records.
    persons: BTreeSet<Identity>,
    /// Memberships that stand before those of the fragments.
    evaluated: Vec<Record>,
    fragments: Vec<Record>,
    events: Vec<Record>,
}

impl Profile {
    fn passes(&self, filter: &Value, segments: &[Value]) -> bool {
        let empty = self.fragments.is_empty();
        if empty && filter["emptyProfiles"] != json!(true) {
            return false;
        }
        let records = if empty { &self.events } else { &self.fragments };
        let updated = records.iter().map(|r| r.ingested).max().unwrap();
        if let Some(from) = filter["fromIngestTimestamp"].as_str()
            && updated <= micros(from)
        {
            return false;
        }
        let window = &filter["segmentQualificationTime"];
        let has_window = window["startTime"].is_string() || window["endTime"].is_string();
        if segments.is_empty() && !has_window {
            return true;
        }
        !self.matching(filter, segments).is_empty()
    }

    /// The newest time at which a membership that counts was qualified, where memberships are asked for.
    fn qualified(&self, filter: &Value, segments: &[Value]) -> Option<i64> {
        let window = &filter["segmentQualificationTime"];
        if segments.is_empty() && window["startTime"].is_null() && window["endTime"].is_null() {
            return None;
        }
        let matching = self.matching(filter, segments);
        matching.into_iter().flatten().max()
    }

    /// The least key of its persons that a store knows, by which rows are in order.
    fn key(&self) -> PersonKey {
        let keys = (self.persons.iter()).map(|(namespace, id)| PersonKey::of(namespace, id));
        keys.min().unwrap()
    }

    /// When each membership was qualified that counts.
    fn matching(&self, filter: &Value, segments: &[Value]) -> Vec<Option<i64>> {
        let window = &filter["segmentQualificationTime"];
        let has_window = window["startTime"].is_string() || window["endTime"].is_string();
        let memberships = self.memberships();
        let matching = memberships
            .iter()
            .filter_map(|((namespace, id), membership)| {
                let status = membership["status"].as_str().unwrap_or("realized");
                let named = if segments.is_empty() {
                    ["realized", "existing"].contains(&status)
                } else {
                    segments.iter().any(|s| {
                        let ns = s["segmentNs"].as_str().map(str::to_lowercase);
                        let statuses = s["status"].as_array().cloned().unwrap_or_default();
                        let statuses = if statuses.is_empty() {
                            vec![json!("realized"), json!("existing")]
                        } else {
                            statuses
                        };
                        s["segmentId"] == json!(id)
                            && ns.is_none_or(|ns| ns == *namespace)
                            && statuses.contains(&json!(status))
                    })
                };
                let time = membership["lastQualificationTime"]["µs"].as_i64();
                let in_window = !has_window
                    || time.is_some_and(|time| {
                        let start = window["startTime"].as_str().map_or(i64::MIN, micros);
                        let end = window["endTime"].as_str().map_or(i64::MAX, micros);
                        start <= time && time <= end
                    });
                (named && in_window).then_some(time)
            });
        matching.collect()
    }

    /// By namespace in lower case and segment.
    fn memberships(&self) -> BTreeMap<(String, String), Value> {
        let mut all = BTreeMap::new();
        for fragment in self.evaluated.iter().chain(&self.fragments) {
            if let Some(map) = fragment.body["segmentMembership"].as_object() {
                for (namespace, segments) in map {
                    for (id, membership) in segments.as_object().into_iter().flatten() {
                        if !membership.is_null() {
                            all.entry((namespace.to_lowercase(), id.clone()))
                                .or_insert(membership.clone());
                        }
                    }
                }
            }
        }
        all
    }

    /// Its rows: one, or one for each identity of a namespace.
    fn rows(&self, request: &Value) -> Vec<Value> {
        let row = self.row(request);
        let Some(namespace) = request["rowPerIdentity"].as_str() else {
            return vec![row];
        };
        let of_identity = |id| {
            let mut row = row.clone();
            row["identity"] = json!(id);
            row
        };
        let ids = identities_of(&self.merged(), namespace);
        ids.into_iter().map(of_identity).collect()
    }

    /// It with all its fields.
    fn merged(&self) -> Value {
        let mut row = json!({});
        for fragment in &self.fragments {
            fill(&mut row, &fragment.body);
        }
        unite_maps(&mut row, &self.fragments);
        let mut united = json!({});
        unite_maps(
            &mut united,
            &[&self.evaluated[..], &self.fragments].concat(),
        );
        if let Some(memberships) = united.get("segmentMembership") {
            row["segmentMembership"] = memberships.clone();
        }
        if self.fragments.is_empty() {
            // An empty profile shows whose it is: its events' identities.
            let mut of_events = json!({});
            unite_maps(&mut of_events, &self.events);
            if let Some(map) = of_events.get("identityMap") {
                row["identityMap"] = map.clone();
            }
        }
        // An object of which no field was ever seen is nothing that Parquet can hold.
        row.as_object_mut().unwrap().shift_remove("nothing");
        row
    }

    fn row(&self, request: &Value) -> Value {
        let mut row = project(self.merged(), request["fields"].as_str());
        let list = &request["additionalFields"]["eventList"];
        if list.is_object() {
            let filter = &list["filter"];
            let bound = |name: &str| filter[name].as_str().map(micros);
            let from = bound("fromIngestTimestamp").or(bound("fromTimestamp"));
            let to = bound("toIngestTimestamp");
            let events = self.events.iter().filter(|e| {
                from.is_none_or(|from| e.ingested > from) && to.is_none_or(|to| e.ingested <= to)
            });
            row["timeSeriesEvents"] = events
                .map(|e| project(strip(e.body.clone()), list["fields"].as_str()))
                .collect();
        }
        row
    }
}

/// Whether a row has all fields that a request wants of it.
fn has_mandatory(row: &Value, request: &Value) -> bool {
    let fields = request["mandatoryFields"].as_array();
    fields.into_iter().flatten().all(|path| {
        let parts = path.as_str().unwrap().split('.');
        !parts
            .into_iter()
            .fold(row, |value, part| &value[part])
            .is_null()
    })
}

/// Objects whose keys are data.
const MAPS: [&str; 3] = ["identityMap", "segmentMembership", "scores"];

/// Puts what is missing in `row` in from a fragment with less priority.
fn fill(row: &mut Value, fragment: &Value) {
    for (name, value) in fragment.as_object().unwrap() {
        let is_map = MAPS.contains(&name.as_str());
        match (row.get_mut(name), value) {
            (_, Value::Null) => {}
            (Some(known @ Value::Object(_)), Value::Object(_)) if !is_map && !is_time(known) => {
                fill(known, value);
            }
            (Some(_), _) => {}
            (None, Value::Object(_)) if !is_map && !is_time(value) => {
                row[name] = json!({});
                fill(&mut row[name], value);
            }
            (None, _) if name == "scores" => row[name] = value.clone(),
            (None, _) => row[name] = strip(value.clone()),
        }
    }
}

fn is_time(value: &Value) -> bool {
    value.get("µs").is_some() || value.get("day").is_some()
}

/// Without the null fields of objects; maps keep theirs.
fn strip(value: Value) -> Value {
    match value {
        Value::Object(object) => object
            .into_iter()
            .filter(|(_, v)| !v.is_null())
            .map(|(k, v)| {
                let v = if k == "scores" { v } else { strip(v) };
                (k, v)
            })
            .collect(),
        Value::Array(items) => items.into_iter().map(strip).collect(),
        other => other,
    }
}

fn unite_maps(row: &mut Value, records: &[Record]) {
    let mut identity_map: Option<Vec<(String, Vec<Value>)>> = None;
    let mut identity_list: Option<Vec<Value>> = None;
    let mut segment_map: Option<Vec<(String, Vec<(String, Value)>)>> = None;
    for record in records {
        if let Some(map) = record.body["identityMap"].as_object() {
            let united = identity_map.get_or_insert_default();
            for (namespace, items) in map {
                let Some(items) = items.as_array() else {
                    continue;
                };
                let at = slot(united, namespace);
                for item in items.iter().filter(|i| !i.is_null()) {
                    let id = &item["id"];
                    if id.is_null() || !united[at].1.iter().any(|i| i["id"] == *id) {
                        united[at].1.push(strip(item.clone()));
                    }
                }
            }
        }
        if let Some(items) = record.body["identities"].as_array() {
            let united = identity_list.get_or_insert_default();
            for item in items.iter().filter(|i| !i.is_null()) {
                let key = |i: &Value| {
                    let code = i["namespace"]["code"].as_str()?.to_lowercase();
                    Some((code, i["id"].as_str()?.to_owned()))
                };
                if key(item).is_none() || !united.iter().any(|i| key(i) == key(item)) {
                    united.push(strip(item.clone()));
                }
            }
        }
        if let Some(map) = record.body["segmentMembership"].as_object() {
            let united = segment_map.get_or_insert_default();
            for (namespace, segments) in map {
                let Some(segments) = segments.as_object() else {
                    continue;
                };
                let at = slot(united, namespace);
                for (id, membership) in segments.iter().filter(|(_, m)| !m.is_null()) {
                    if !united[at].1.iter().any(|(known, _)| known == id) {
                        united[at].1.push((id.clone(), strip(membership.clone())));
                    }
                }
            }
        }
    }
    if let Some(map) = identity_map {
        row["identityMap"] = map.into_iter().map(|(k, v)| (k, json!(v))).collect();
    }
    if let Some(list) = identity_list {
        row["identities"] = json!(list);
    }
    if let Some(map) = segment_map {
        row["segmentMembership"] = map
            .into_iter()
            .map(|(k, v)| (k, v.into_iter().collect::<Value>()))
            .collect();
    }
}

/// A namespace as the platform writes it, where it is one of its own, else as it came first.
fn spelled(namespace: &str, first: &[String]) -> String {
    let standard = ["ups", "AAM", "ECID", "Email", "Phone", "AAID"];
    let mut known = standard.into_iter().chain(first.iter().map(String::as_str));
    let found = known.find(|code| namespace.eq_ignore_ascii_case(code));
    found.unwrap_or(namespace).to_owned()
}

/// The maps of a row, or of one of its events, with their namespaces spelled so. Where an event has one namespace in
/// two spellings, its entries are united as a profile's are.
fn respell(record: &mut Value, first: &[String]) {
    let alone = Record {
        dataset: String::new(),
        identity: Default::default(),
        ingested: 0,
        place: 0,
        body: record.clone(),
    };
    for name in ["identityMap", "segmentMembership"] {
        let Some(map) = record[name].as_object() else {
            continue;
        };
        let of = |map: &Map<String, Value>| -> Map<String, Value> {
            let entries = map.iter();
            entries
                .map(|(k, v)| (spelled(k, first), v.clone()))
                .collect()
        };
        let mut respelled = of(map);
        if respelled.len() < map.len() {
            let mut united = json!({});
            unite_maps(&mut united, std::slice::from_ref(&alone));
            respelled = of(united[name].as_object().unwrap());
        }
        record[name] = Value::Object(respelled);
    }
}

fn slot<T: Default>(map: &mut Vec<(String, T)>, namespace: &str) -> usize {
    match map
        .iter()
        .position(|(k, _)| k.eq_ignore_ascii_case(namespace))
    {
        Some(at) => at,
        None => {
            map.push((namespace.to_owned(), T::default()));
            map.len() - 1
        }
    }
}

/// Keeps the paths of a comma-separated list (without quotes), or everything.
fn project(value: Value, fields: Option<&str>) -> Value {
    let fields = fields.unwrap_or_default();
    if fields.trim().is_empty() {
        return value;
    }
    let paths: Vec<Vec<&str>> = fields
        .split(',')
        .map(|path| path.trim().split('.').collect())
        .collect();
    let paths: Vec<&[&str]> = paths.iter().map(Vec::as_slice).collect();
    keep(&value, &paths, false, false)
}

fn keep(value: &Value, paths: &[&[&str]], fold: bool, inside_map: bool) -> Value {
    if paths.iter().any(|path| path.is_empty()) {
        return value.clone();
    }
    match value {
        Value::Array(items) => items
            .iter()
            .map(|i| keep(i, paths, fold, inside_map))
            .collect(),
        Value::Object(object) => {
            let mut kept = Map::new();
            for (name, inner) in object {
                let same = |part: &str| part == name || (fold && part.eq_ignore_ascii_case(name));
                // The values of a map have one type, so they keep the parts that any key asks for.
                let all: Vec<&[&str]> = paths.iter().map(|path| &path[1..]).collect();
                let rest: Vec<&[&str]> = paths
                    .iter()
                    .filter(|path| same(path[0]))
                    .map(|path| &path[1..])
                    .collect();
                if rest.is_empty() {
                    continue;
                }
                let is_map = !inside_map && MAPS.contains(&name.as_str());
                let of_namespaces = is_map && name != "scores";
                let rest = if inside_map { all } else { rest };
                let inner_is_map = is_map || (inside_map && fold && object_of_segments(inner));
                kept.insert(
                    name.clone(),
                    keep(inner, &rest, of_namespaces, inner_is_map),
                );
            }
            Value::Object(kept)
        }
        other => other.clone(),
    }
}

/// Whether this is the inner map of segmentMembership: segments by ID.
fn object_of_segments(value: &Value) -> bool {
    value
        .as_object()
        .is_some_and(|o| o.keys().all(|k| k.starts_with("seg")))
}

/// One spelling, timestamps as numbers, all numbers as floats.
pub fn plain_record(record: &Value) -> Value {
    let mut plain = json!({});
    for (key, value) in record.as_object().unwrap() {
        let name = key.strip_prefix("xdm:").unwrap_or(key);
        match name {
            "identityMap" => {
                plain[name] = value
                    .as_object()
                    .map(|map| {
                        map.iter()
                            .map(|(k, v)| (k.clone(), plain_value(v)))
                            .collect()
                    })
                    .unwrap_or_default();
            }
            "segments" | "segmentMembership" if value.is_array() => {
                let mut map: Vec<(String, Map<String, Value>)> = Vec::new();
                for entry in value.as_array().unwrap() {
                    let code = entry["segmentID"]["namespace"]["code"]
                        .as_str()
                        .unwrap_or("ups");
                    let id = entry["segmentID"]["_id"].as_str().unwrap().to_owned();
                    let mut membership = membership(entry);
                    membership
                        .as_object_mut()
                        .unwrap()
                        .shift_remove("segmentID");
                    let at = slot(&mut map, code);
                    map[at].1.insert(id, membership);
                }
                plain["segmentMembership"] = map
                    .into_iter()
                    .map(|(k, v)| (k, Value::Object(v)))
                    .collect();
            }
            "segmentMembership" => {
                plain[name] = value
                    .as_object()
                    .map(|map| {
                        map.iter()
                            .map(|(k, v)| {
                                let inner = v.as_object().unwrap().iter();
                                let inner: Value =
                                    inner.map(|(id, m)| (id.clone(), membership(m))).collect();
                                (k.clone(), inner)
                            })
                            .collect()
                    })
                    .unwrap_or_default();
            }
            "ingestedAt" => plain[name] = value.clone(),
            "timestamp" => plain[name] = json!({"µs": micros(value.as_str().unwrap())}),
            "@id" => plain["_id"] = value.clone(),
            _ => match name.strip_prefix("repo:") {
                Some(part) => plain["_repo"][part] = value.clone(),
                None => plain[name] = plain_value(value),
            },
        }
    }
    plain
}

fn membership(value: &Value) -> Value {
    let Some(object) = value.as_object() else {
        return value.clone();
    };
    object
        .iter()
        .map(|(key, value)| match (key.as_str(), value) {
            ("lastQualificationTime" | "timestamp", Value::String(text)) => (
                "lastQualificationTime".to_owned(),
                json!({"µs": micros(text)}),
            ),
            _ => (key.clone(), plain_value(value)),
        })
        .collect()
}

fn plain_value(value: &Value) -> Value {
    match value {
        Value::Number(number) => json!(number.as_f64().unwrap()),
        Value::Array(items) => items.iter().map(plain_value).collect(),
        Value::Object(object) => object
            .iter()
            .map(|(key, value)| {
                let name = key.strip_prefix("xdm:").unwrap_or(key);
                match (name, value) {
                    ("lastUpdatedDate", Value::String(text)) => {
                        (name.to_owned(), json!({"µs": micros(text)}))
                    }
                    _ => (name.to_owned(), plain_value(value)),
                }
            })
            .collect(),
        other => other.clone(),
    }
}

/// All identities of a record's map that have an id.
fn identities(body: &Value) -> Vec<Identity> {
    let mut all = Vec::new();
    for (namespace, items) in body["identityMap"].as_object().into_iter().flatten() {
        for item in items.as_array().into_iter().flatten() {
            if let Some(id) = item["id"].as_str().filter(|id| tells(id)) {
                all.push((namespace.to_lowercase(), id.to_owned()));
            }
        }
    }
    all
}

pub fn tells(id: &str) -> bool {
    !["", "null", "anonymous", "invalid"].contains(&id.trim().to_lowercase().as_str())
}

fn primary_identity(body: &Value) -> Identity {
    let mut candidates = Vec::new();
    for (namespace, items) in body["identityMap"].as_object().unwrap() {
        for item in items.as_array().into_iter().flatten() {
            if let Some(id) = item["id"].as_str().filter(|id| tells(id)) {
                let secondary = item["primary"] != json!(true);
                candidates.push(((secondary, namespace.to_lowercase()), id.to_owned()));
            }
        }
    }
    // Stable, so the first entry of a namespace stays first.
    candidates.sort_by(|a, b| a.0.cmp(&b.0));
    let ((_, namespace), id) = candidates.remove(0);
    (namespace, id)
}
