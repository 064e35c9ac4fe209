//! Identities and those that belong to the same person: `/data/core/identity`.

use std::sync::Arc;

use axum::Json;
use profile_export::export::Progress;
use profile_export::platform::{
    IdentityNamespace, Lookup, Lookups, identity_namespaces, identity_of_xid, xid_of,
};
use profile_export::store::Store;
use profile_export::xdm::Identity;
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::ToSchema;
use xdm::{IDENTITY_MAP, TIME_SERIES_EVENTS};

use crate::auth::ReadAccess;
use crate::body::JsonBody;
use crate::identity_schemas::{ClusterObject, ClusterPage, XidObject};
use crate::local::look;
use crate::problem::{Answer, Problem};
use crate::query::Query;
use crate::schemas::Problems;

/// The merge policy whose identity graph the clusters are of.
const PRIVATE_GRAPH: &str = "timestampOrdered-pdg-mp";
/// The most identities of a body, as on the platform.
const MOST: usize = 1000;
const VERSION: &str = "1.0.0";

/// Show the XID of an identity: this server's word for it
#[utoipa::path(
    get, path = "/data/core/identity/identity", tag = "Identities",
    params(
        ("namespace" = Option<String>, Query, description = "The namespace's code"),
        ("nsid" = Option<String>, Query, description = "Or its number"),
        ("id" = String, Query, description = "The id"),
    ),
    responses((status = 200, description = "The XID", body = XidObject), Problems),
)]
pub(crate) async fn get_xid(caller: ReadAccess, query: Query) -> Answer<Json<Value>> {
    let namespaces = namespaces(&caller).await?;
    let identity = identity_of_query(&query, &namespaces)?;
    Ok(Json(json!({"xid": xid_of(&identity)})))
}

/// List the identities that belong to the same person as one does
///
/// Somebody whom nobody knows has no members. More than fifty are told, too.
#[utoipa::path(
    get, path = "/data/core/identity/cluster/members", tag = "Identities",
    params(
        ("xid" = Option<String>, Query, description = "The identity's XID"),
        ("nsid" = Option<String>, Query, description = "Or its namespace's number"),
        ("nsId" = Option<String>, Query, description = "The same"),
        ("ns" = Option<String>, Query, description = "Or its namespace's code"),
        ("namespace" = Option<String>, Query, description = "The same"),
        ("id" = Option<String>, Query, description = "With a namespace, the id"),
        ("graph-type" = Option<String>, Query, description = "Private Graph, also pdg or private, or None: the identity alone"),
    ),
    responses((status = 200, description = "The identity and its members", body = ClusterObject), Problems),
)]
pub(crate) async fn get_cluster(caller: ReadAccess, query: Query) -> Answer<Json<Value>> {
    let graph = Graph::of(query.get("graph-type"))?;
    let app = Arc::clone(caller.app());
    let answer = look(&caller, move |store, progress| {
        let namespaces = identity_namespaces(store, &app.lookups)?;
        let identity = match query.get("xid") {
            Some(xid) => {
                let others = ["nsid", "nsId", "ns", "namespace", "id"];
                if let Some(other) = others.into_iter().find(|name| query.get(name).is_some()) {
                    return Err(Problem::bad_request(format!(
                        "{other}: found beside xid; an identity is given by its XID, or by its namespace and id"
                    )));
                }
                of_xid("xid", xid)?
            }
            None => identity_of_query(&query, &namespaces)?,
        };
        let clusters = Clusters {
            store,
            lookups: &app.lookups,
            progress,
            namespaces,
            graph,
        };
        let mut shown = clusters.of(&identity)?;
        shown["version"] = json!(VERSION);
        Ok(shown)
    });
    answer.await.map(Json)
}

/// Identities whose clusters are asked for.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct ClustersBody {
    /// XIDs.
    #[serde(default)]
    #[schema(nullable = false)]
    xids: Option<Vec<String>>,
    /// Identities by their namespaces' numbers or codes; with `xids` at the most 1000.
    #[serde(default)]
    #[schema(nullable = false)]
    composite_xids: Option<Vec<CompositeXid>>,
    /// Private Graph, also pdg or private, or None: each identity alone.
    #[serde(default, rename = "graph-type")]
    #[schema(nullable = false)]
    graph_type: Option<String>,
}

/// An identity.
#[derive(Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CompositeXid {
    /// Its namespace's number.
    #[serde(default)]
    #[schema(nullable = false)]
    nsid: Option<u32>,
    /// Or its code; beside a number, the code of that.
    #[serde(default)]
    #[schema(nullable = false)]
    ns: Option<String>,
    /// Its id.
    id: String,
}

/// List the identities that belong to the same persons as some do
///
/// There is an entry for each identity that is asked for, also where two are one person. What is no identity here is told
/// as not processed.
#[utoipa::path(
    post, path = "/data/core/identity/clusters/members", tag = "Identities", request_body = ClustersBody,
    responses((status = 200, description = "An entry for each", body = ClusterPage), Problems),
)]
pub(crate) async fn post_clusters(
    caller: ReadAccess,
    JsonBody(body): JsonBody<ClustersBody>,
) -> Answer<Json<Value>> {
    let graph = Graph::of(body.graph_type.as_deref())?;
    let xids = body.xids.unwrap_or_default();
    let composite = body.composite_xids.unwrap_or_default();
    let asked = xids.len() + composite.len();
    if !(1..=MOST).contains(&asked) {
        return Err(Problem::bad_request(format!(
            "xids, compositeXids: found {asked} in all; allowed are 1 to {MOST}"
        )));
    }
    let app = Arc::clone(caller.app());
    let answer = look(&caller, move |store, progress| {
        let namespaces = identity_namespaces(store, &app.lookups)?;
        let (mut unknown_xids, mut unknown_ids) = (Vec::new(), Vec::new());
        let mut identities = Vec::new();
        for xid in xids {
            match identity_of_xid(&xid) {
                Some(identity) => identities.push(identity),
                None => unknown_xids.push(xid),
            }
        }
        for (i, one) in composite.into_iter().enumerate() {
            let nsid = one.nsid.map(|nsid| nsid.to_string());
            match namespace_of(&namespaces, nsid.as_deref(), one.ns.as_deref()) {
                Some(namespace) if !one.id.is_empty() => {
                    let name = format!("compositeXids[{i}].ns");
                    check_code(&name, one.ns.as_deref(), &namespace)?;
                    identities.push(Identity {
                        namespace,
                        id: one.id,
                    });
                }
                _ => unknown_ids.push(json!({"nsid": one.nsid, "ns": one.ns, "id": one.id})),
            }
        }
        let clusters = Clusters {
            store,
            lookups: &app.lookups,
            progress,
            namespaces,
            graph,
        };
        let mut found = Vec::new();
        for identity in &identities {
            progress
                .check()
                .map_err(profile_export::platform::Error::from)?;
            found.push(clusters.of(identity)?);
        }
        Ok(json!({
            "version": VERSION,
            "clusters": found,
            "unprocessedXids": unknown_xids,
            "unprocessedNids": unknown_ids,
        }))
    });
    answer.await.map(Json)
}

/// Which identities belong together.
#[derive(Clone, Copy)]
enum Graph {
    /// Those that records link.
    Private,
    /// Each is alone.
    None,
}

impl Graph {
    fn of(text: Option<&str>) -> Answer<Self> {
        match text.map(str::to_ascii_lowercase).as_deref() {
            None | Some("private graph" | "private" | "pdg") => Ok(Self::Private),
            Some("none") => Ok(Self::None),
            Some(other) => Err(Problem::bad_request(format!(
                "graph-type: found {other:?}; allowed are Private Graph and None"
            ))),
        }
    }
}

/// The clusters of a store.
struct Clusters<'a> {
    store: &'a Store,
    lookups: &'a Lookups,
    progress: &'a Progress,
    namespaces: Vec<IdentityNamespace>,
    graph: Graph,
}

impl Clusters<'_> {
    fn of(&self, identity: &Identity) -> Answer<Value> {
        let members = match self.graph {
            Graph::None => vec![identity.clone()],
            Graph::Private => self.linked(identity)?,
        };
        let members = members.iter().map(|member| self.composite(member));
        Ok(json!({
            "xid": xid_of(identity),
            "compositeXid": self.composite(identity),
            "members": members.collect::<Vec<_>>(),
        }))
    }

    /// The identities of the profile that one belongs to; none where nobody has it.
    fn linked(&self, identity: &Identity) -> Answer<Vec<Identity>> {
        let lookup = Lookup {
            fields: Some(IDENTITY_MAP.to_owned()),
            event_fields: Some(IDENTITY_MAP.to_owned()),
            merge_policy: Some(PRIVATE_GRAPH.to_owned()),
        };
        let Some(found) = (self.lookups).find(self.store, &lookup, identity, self.progress)? else {
            return Ok(Vec::new());
        };
        let own = found.identities.into_iter();
        let mut all: Vec<Identity> = own
            .map(|(namespace, id)| Identity { namespace, id })
            .collect();
        let events = found.row[TIME_SERIES_EVENTS].as_array();
        for record in [&found.row].into_iter().chain(events.into_iter().flatten()) {
            for (namespace, items) in record[IDENTITY_MAP].as_object().into_iter().flatten() {
                let ids = items.as_array().into_iter().flatten();
                for id in ids.filter_map(|item| item["id"].as_str()) {
                    let (namespace, id) = (namespace.clone(), id.to_owned());
                    all.push(Identity { namespace, id });
                }
            }
        }
        // Namespaces compare whatever their case, and XIDs do.
        all.sort_by_cached_key(xid_of);
        all.dedup_by_key(|identity| xid_of(identity));
        Ok(all)
    }

    fn composite(&self, identity: &Identity) -> Value {
        let mut known = self.namespaces.iter();
        match known.find(|one| one.code.eq_ignore_ascii_case(&identity.namespace)) {
            Some(one) => json!({"nsid": one.id, "ns": one.code, "id": identity.id}),
            None => json!({"ns": identity.namespace, "id": identity.id}),
        }
    }
}

async fn namespaces(caller: &ReadAccess) -> Answer<Vec<IdentityNamespace>> {
    let app = Arc::clone(caller.app());
    caller
        .on_store(move |store| Ok(identity_namespaces(store, &app.lookups)?))
        .await
}

/// The identity of a query: a namespace by its number or its code, and an id.
fn identity_of_query(query: &Query, namespaces: &[IdentityNamespace]) -> Answer<Identity> {
    let number = query.by_any_name(&["nsid", "nsId"])?;
    let code = query.by_any_name(&["namespace", "ns"])?;
    let id = query
        .get("id")
        .ok_or_else(|| Problem::bad_request("id: missing; an id goes with its namespace"))?;
    if number.is_none() && code.is_none() {
        return Err(Problem::bad_request(
            "nsid: missing; a namespace is given by its number (nsid) or its code (namespace, ns)",
        ));
    }
    let namespace = namespace_of(namespaces, number, code).ok_or_else(|| {
        Problem::bad_request(format!(
            "nsid: found {:?}; no identity namespace has this number (/data/core/idnamespace/identities lists them)",
            number.unwrap_or_default()
        ))
    })?;
    check_code("namespace", code, &namespace)?;
    Ok(Identity {
        namespace,
        id: id.to_owned(),
    })
}

/// Checks that a code is that of the number which it stands beside.
fn check_code(name: &str, code: Option<&str>, namespace: &str) -> Answer<()> {
    match code.filter(|code| !code.eq_ignore_ascii_case(namespace)) {
        Some(code) => Err(Problem::bad_request(format!(
            "{name}: found {code:?}; the number is that of {namespace:?}"
        ))),
        None => Ok(()),
    }
}

/// The code of a namespace, by its number or itself. A code that nobody knows is one; a number is not.
fn namespace_of(
    namespaces: &[IdentityNamespace],
    number: Option<&str>,
    code: Option<&str>,
) -> Option<String> {
    let Some(number) = number else {
        return code.filter(|code| !code.is_empty()).map(str::to_owned);
    };
    let number: u32 = number.parse().ok()?;
    let known = namespaces.iter().find(|one| one.id == number)?;
    Some(known.code.clone())
}

fn of_xid(name: &str, xid: &str) -> Answer<Identity> {
    identity_of_xid(xid).ok_or_else(|| {
        Problem::bad_request(format!(
            "{name}: found {xid:?}, which is no XID of this server"
        ))
    })
}
