//! Stores and requests with every feature, small enough to collide a lot.

use profile_export::platform::put_merge_policy;
use profile_export::request::MergePolicy;
use profile_export::xdm::{Class, Dataset, Identity, Timestamp};
use proptest::collection::vec;
use proptest::option::{of, weighted};
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};

use crate::scratch::Scratch;

pub const PROFILES: [&str; 3] = [
    "0000000000000000000000a1",
    "0000000000000000000000a2",
    "0000000000000000000000a3",
];
/// Whose records stand before the memberships of all others.
pub const EVALUATED: &str = Dataset::EVALUATED_MEMBERSHIPS;
pub const EVENTS: [&str; 2] = ["0000000000000000000000e1", "0000000000000000000000e2"];

#[derive(Clone, Debug)]
pub enum Step {
    Load(&'static str, Vec<Value>),
    /// Of the records that bear an identity.
    Delete(Identity),
    Compact,
}

#[derive(Clone, Debug)]
pub struct Case {
    pub steps: Vec<Step>,
    pub policy: Value,
    pub request: Value,
}

pub fn case() -> impl Strategy<Value = Case> {
    (vec(step(), 1..8), policy(), request()).prop_map(|(steps, policy, request)| Case {
        steps,
        policy,
        request,
    })
}

/// Runs so many generated cases, or many more where `PROFILE_EXPORT_DEEP_TESTS` is set.
pub fn runner(cases: u32, deep: u32) -> TestRunner {
    let is_deep = std::env::var_os("PROFILE_EXPORT_DEEP_TESTS").is_some();
    TestRunner::new(Config {
        cases: if is_deep { deep } else { cases },
        failure_persistence: None,
        ..Config::default()
    })
}

/// A store with the datasets that any case has, its policy, and a person and an event with all fields, so that what
/// names them is never refused.
pub fn store_of(case: &Case) -> Scratch {
    let scratch = Scratch::new();
    let more = json!({"ingestedAtField": "ingestedAt"});
    for id in &PROFILES[..2] {
        scratch.dataset(id, Class::Profile, more.clone());
    }
    for id in EVENTS {
        scratch.dataset(id, Class::Event, more.clone());
    }
    let policy: MergePolicy = serde_json::from_value(case.policy.clone()).unwrap();
    put_merge_policy(scratch.store.catalog(), policy, Timestamp::default()).unwrap();
    let whose = json!({"ECID": [{"id": "all", "primary": true}]});
    let time = "2020-01-01T12:00:00Z";
    let person = json!({"identityMap": whose, "score": 1, "tags": ["x"], "ingestedAt": time,
        "person": {"name": {"first": "a", "last": "b"}, "age": 1},
        "segmentMembership": {"ups": {"seg1": {"status": "realized", "lastQualificationTime": time}}}});
    scratch.load(PROFILES[0], &[person]).unwrap();
    let event = json!({"_id": "all", "timestamp": time, "ingestedAt": time, "identityMap": whose,
        "web": {"page": "x"}});
    scratch.load(EVENTS[0], &[event]).unwrap();
    scratch
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (select(&PROFILES[..2]), vec(profile(), 0..8)).prop_map(|(d, r)| Step::Load(d, r)),
        2 => vec(member(), 0..6).prop_map(|r| Step::Load(PROFILES[2], r)),
        2 => vec(evaluated(), 0..6).prop_map(|r| Step::Load(EVALUATED, r)),
        5 => (select(&EVENTS[..]), vec(event(), 0..8)).prop_map(|(d, r)| Step::Load(d, r)),
        2 => identity().prop_map(Step::Delete),
        1 => Just(Step::Compact),
    ]
}

fn identity() -> impl Strategy<Value = Identity> {
    let namespace = select(&["Email", "ECID", "ecid", "CRMID"][..]);
    (namespace, id()).prop_map(|(namespace, id)| Identity {
        namespace: namespace.to_owned(),
        id: id.to_owned(),
    })
}

/// A moment within a minute, in one of several offsets, some below the millisecond.
fn moment() -> impl Strategy<Value = String> {
    let fraction = select(&["", ".5", ".250001", ".999999"][..]);
    (0..20u32, fraction, select(&["Z", "+02:00", "-07:00"][..])).prop_map(
        |(second, fraction, offset)| {
            let hour = match offset {
                "Z" => 12,
                "+02:00" => 14,
                _ => 5,
            };
            format!("2020-01-01T{hour:02}:00:{second:02}{fraction}{offset}")
        },
    )
}

fn id() -> impl Strategy<Value = &'static str> {
    select(&["a", "b", "c", "d", "A", "ü"][..])
}

fn identity_map() -> impl Strategy<Value = Value> {
    let item = (
        id(),
        weighted(0.3, any::<bool>()),
        weighted(0.2, Just("loggedOut")),
    )
        .prop_map(|(id, primary, state)| {
            let mut item = json!({"id": id});
            if let Some(primary) = primary {
                item["primary"] = json!(primary);
            }
            if let Some(state) = state {
                item["authenticatedState"] = json!(state);
            }
            item
        });
    // One that is no identity, behind ones that are.
    let placeholder = weighted(0.1, select(&["null", "Anonymous", "INVALID", " ", ""][..]));
    let items = (vec(item, 1..3), placeholder).prop_map(|(mut items, placeholder)| {
        items.extend(placeholder.map(|id| json!({"id": id, "primary": true})));
        items
    });
    let namespaces = subsequence(vec!["Email", "ECID", "ecid", "CRMID", "crmId"], 1..3);
    (namespaces, vec(items, 3)).prop_map(|(namespaces, items)| {
        namespaces
            .into_iter()
            .map(str::to_owned)
            .zip(items.into_iter().map(Value::from))
            .collect()
    })
}

fn membership() -> impl Strategy<Value = Value> {
    (
        of(select(&["realized", "existing", "exited", "odd"][..])),
        of(moment()),
    )
        .prop_map(|(status, time)| {
            let mut membership = json!({});
            if let Some(status) = status {
                membership["status"] = json!(status);
            }
            if let Some(time) = time {
                membership["lastQualificationTime"] = json!(time);
            }
            membership
        })
}

fn memberships() -> impl Strategy<Value = Value> {
    let namespaces = subsequence(vec!["ups", "UPS", "AAM"], 0..3);
    let segments = subsequence(vec!["seg1", "seg2", "seg3"], 0..4);
    let inner = (segments, vec(membership(), 3))
        .prop_map(|(ids, m)| ids.into_iter().map(str::to_owned).zip(m).collect::<Value>());
    (namespaces, vec(inner, 3), any::<bool>()).prop_map(|(namespaces, inner, as_list)| {
        if !as_list || namespaces.contains(&"ups") && namespaces.contains(&"UPS") {
            return namespaces
                .into_iter()
                .map(str::to_owned)
                .zip(inner)
                .collect();
        }
        let mut list = Vec::new();
        for (namespace, segments) in namespaces.into_iter().zip(inner) {
            let segments: Value = segments;
            for (id, membership) in segments.as_object().unwrap() {
                let mut entry = membership.clone();
                if let Some(time) = entry
                    .as_object_mut()
                    .unwrap()
                    .shift_remove("lastQualificationTime")
                {
                    entry["timestamp"] = time;
                }
                entry["segmentID"] = json!({"_id": id, "namespace": {"code": namespace}});
                list.push(entry);
            }
        }
        Value::Array(list)
    })
}

fn text() -> impl Strategy<Value = Value> {
    select(vec![
        json!(null),
        json!("x"),
        json!("y"),
        json!(""),
        json!("é\"\\\n🦊"),
    ])
}

fn number() -> impl Strategy<Value = Value> {
    select(vec![
        json!(null),
        json!(1),
        json!(-2),
        json!(2.5),
        json!(9007199254740992i64),
    ])
}

fn fields() -> impl Strategy<Value = Vec<(&'static str, Value)>> {
    let name = (of(text()), of(text())).prop_map(|(first, last)| {
        let mut name = json!({});
        for (key, value) in [("first", first), ("last", last)] {
            if let Some(value) = value {
                name[key] = value;
            }
        }
        name
    });
    let person = (weighted(0.8, name), of(number())).prop_map(|(name, age)| {
        let mut person = json!({});
        if let Some(name) = name {
            person["name"] = name;
        }
        if let Some(age) = age {
            person["age"] = age;
        }
        person
    });
    let identity = (id(), of(select(&["Email", "EMAIL", "ECID"][..]))).prop_map(|(id, code)| {
        code.map_or(
            json!({"id": id}),
            |code| json!({"id": id, "namespace": {"code": code}}),
        )
    });
    let all = (
        weighted(0.6, prop_oneof![9 => person, 1 => Just(Value::Null)]),
        weighted(0.4, vec(text(), 0..3).prop_map(Value::from)),
        weighted(0.5, number()),
        weighted(0.3, vec(identity, 0..4).prop_map(Value::from)),
        weighted(0.7, memberships()),
        weighted(0.4, moment()),
        weighted(0.3, any::<bool>()),
        weighted(0.2, Just(json!({}))),
        weighted(0.3, text()),
        any::<bool>(),
    );
    all.prop_map(
        |(person, tags, score, identities, segments, updated, flag, empty, repo, xdm)| {
            let mut fields = Vec::new();
            let mut add = |name, value: Option<Value>| fields.extend(value.map(|v| (name, v)));
            add(if xdm { "xdm:person" } else { "person" }, person);
            add("tags", tags);
            add("score", score);
            add("identities", identities);
            add("segmentMembership", segments);
            add(
                "extSourceSystemAudit",
                updated.map(|time| json!({"lastUpdatedDate": time})),
            );
            add("flag", flag.map(Value::from));
            add("nothing", empty);
            add("repo:createdBy", repo);
            fields
        },
    )
}

fn record(fields: Vec<(&'static str, Value)>, more: Vec<(&'static str, Value)>) -> Value {
    let all = more.into_iter().chain(fields);
    all.map(|(name, value)| (name.to_owned(), value)).collect()
}

fn profile() -> impl Strategy<Value = Value> {
    (fields(), identity_map(), moment(), of(id())).prop_map(|(fields, map, ingested, id)| {
        let mut more = vec![("identityMap", map), ("ingestedAt", json!(ingested))];
        more.extend(id.map(|id| ("@id", json!(id))));
        record(fields, more)
    })
}

/// A record of the dataset that declares its primary identity and a schema.
fn member() -> impl Strategy<Value = Value> {
    let scores = of(
        vec((select(&["k1", "k2"][..]), of(0..3)), 0..2).prop_map(|entries| {
            entries
                .into_iter()
                .map(|(k, v)| (k.to_owned(), json!(v.map(f64::from))))
                .collect::<Value>()
        }),
    );
    (fields(), id(), of(identity_map()), scores, moment()).prop_map(
        |(fields, email, map, scores, ingested)| {
            let mut more = vec![
                ("email", json!({"address": email})),
                ("ingestedAt", json!(ingested)),
            ];
            more.extend(map.map(|map| ("identityMap", map)));
            more.extend(scores.map(|scores| ("scores", scores)));
            record(fields, more)
        },
    )
}

/// A record as the evaluation of segments makes them.
fn evaluated() -> impl Strategy<Value = Value> {
    let namespace = select(&["Email", "ECID", "CRMID"][..]);
    let segments = subsequence(vec!["seg1", "seg2"], 0..3);
    (namespace, id(), segments, vec(membership(), 2), moment()).prop_map(
        |(namespace, id, segments, memberships, ingested)| {
            let segments = segments.into_iter().map(str::to_owned);
            let memberships: Value = segments.zip(memberships).collect();
            let mut map = json!({});
            map[namespace] = json!([{"id": id, "primary": true}]);
            json!({"identityMap": map, "segmentMembership": {"ups": memberships}, "ingestedAt": ingested})
        },
    )
}

fn event() -> impl Strategy<Value = Value> {
    (
        0..30u32,
        moment(),
        moment(),
        identity_map(),
        of(text()),
        of(number()),
    )
        .prop_map(|(id, timestamp, ingested, map, page, price)| {
            let mut event = json!({
                "_id": format!("event-{id}"),
                "timestamp": timestamp,
                "ingestedAt": ingested,
                "identityMap": map,
            });
            if let Some(page) = page {
                event["web"] = json!({"page": page});
            }
            if let Some(price) = price {
                event["commerce"] = json!({"order": [{"price": price}]});
            }
            event
        })
}

fn policy() -> impl Strategy<Value = Value> {
    let all: Vec<&str> = PROFILES.iter().chain(&EVENTS).copied().collect();
    let order = subsequence(all, 1..=5).prop_shuffle();
    (any::<bool>(), of(order)).prop_map(|(joined, order)| {
        let merge = match order {
            None => json!({"type": "timestampOrdered"}),
            Some(order) => json!({"type": "dataSetPrecedence", "order": order}),
        };
        json!({
            "id": "generated",
            "schema": {"name": "_xdm.context.profile"},
            "identityGraph": {"type": if joined { "pdg" } else { "none" }},
            "attributeMerge": merge,
        })
    })
}

fn segment() -> impl Strategy<Value = Value> {
    (
        select(&["seg1", "seg2", "seg9"][..]),
        of(select(&["UPS", "aam"][..])),
        of(subsequence(vec!["realized", "existing", "exited"], 0..3)),
    )
        .prop_map(|(id, namespace, status)| {
            let mut segment = json!({"segmentId": id});
            if let Some(namespace) = namespace {
                segment["segmentNs"] = json!(namespace);
            }
            if let Some(status) = status {
                segment["status"] = json!(status);
            }
            segment
        })
}

/// Paths that every store of these has in its union schema.
const PATHS: [&str; 9] = [
    "identityMap",
    "identityMap.Email",
    "identityMap.ECID.id",
    "segmentMembership",
    "segmentMembership.ups",
    "segmentMembership.AAM.seg1",
    "segmentMembership.UPS.seg2.status",
    "email.address",
    "scores.k1",
];
const EVENT_PATHS: [&str; 4] = [
    "_id",
    "timestamp",
    "identityMap.ECID",
    "identityMap.Email.id",
];

fn list(paths: &'static [&'static str]) -> impl Strategy<Value = Option<String>> {
    of(subsequence(paths, 1..4).prop_map(|paths| paths.join(", ")))
}

fn request() -> impl Strategy<Value = Value> {
    let window = (of(moment()), of(moment())).prop_map(|(start, end)| {
        let mut times = [start, end];
        if let [Some(a), Some(b)] = &times
            && crate::reference::micros(a) > crate::reference::micros(b)
        {
            times.reverse();
        }
        let [start, end] = times;
        let mut window = json!({});
        window["startTime"] = json!(start);
        window["endTime"] = json!(end);
        window
    });
    let filter = (
        weighted(0.5, vec(segment(), 0..3)),
        weighted(0.4, window),
        weighted(0.3, moment()),
        of(any::<bool>()),
    )
        .prop_map(|(segments, window, from, empty)| {
            let mut filter = json!({});
            filter["segments"] = json!(segments);
            filter["segmentQualificationTime"] = json!(window);
            filter["fromIngestTimestamp"] = json!(from);
            filter["emptyProfiles"] = json!(empty);
            filter
        });
    let events = (list(&EVENT_PATHS), of(moment()), of(moment())).prop_map(|(fields, from, to)| {
        json!({"eventList": {"fields": fields, "filter": {
            "fromIngestTimestamp": from, "toIngestTimestamp": to,
        }}})
    });
    (
        list(&PATHS),
        weighted(0.8, filter),
        of(events),
        any::<bool>(),
        weighted(
            0.3,
            select(vec!["email.address", "person.name.first", "email"]),
        ),
        weighted(
            0.2,
            select(vec![
                json!(["person.name.first"]),
                json!(["identityMap.Email"]),
                json!(["identityMap.email", "person.name.first"]),
            ]),
        ),
        weighted(0.2, select(vec!["Email", "ecid"])),
        weighted(0.3, select(vec!["as-is", "one-spelling"])),
    )
        .prop_map(
            |(fields, filter, events, per_batch, mandatory, keys, rows, map_keys)| {
                let has_segments = filter
                    .as_ref()
                    .is_some_and(|f| f["segments"].as_array().is_some_and(|s| !s.is_empty()));
                let mut request =
                    crate::scratch::request(json!({"mergePolicy": {"id": "generated"}}));
                request["fields"] = json!(fields);
                request["filter"] = json!(filter);
                request["additionalFields"] = json!(events);
                // All fields are there where none is named.
                if let (None, Some(mandatory)) = (request["fields"].as_str(), mandatory) {
                    request["mandatoryFields"] = json!([mandatory]);
                }
                request["deduplicationKeys"] = json!(keys);
                request["rowPerIdentity"] = json!(rows);
                request["mapKeys"] = json!(map_keys);
                request["destination"]["segmentPerBatch"] = json!(per_batch && has_segments);
                request
            },
        )
}
