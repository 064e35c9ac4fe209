//! The shapes of answers about identities, for the API's description.

use utoipa::openapi::Ref;

use crate::schemas::{boolean, int64, integer, list, object, schemas, string};

schemas! {
    NamespaceObject => object(["id", "code", "name", "status", "custom"])
        .property("id", integer())
        .property("code", string())
        .property("name", string())
        .property("description", string())
        .property("idType", string())
        .property("status", string())
        .property("custom", boolean())
        .property("createTime", int64())
        .property("updateTime", int64());

    NamespaceList => list(Ref::from_schema_name("NamespaceObject"));

    XidObject => object(["xid"]).property("xid", string());

    ClusterObject => object(["xid", "compositeXid", "members"])
        .property("xid", string())
        .property("compositeXid", object(["id"]))
        .property("members", list(object(["id"])));

    ClusterPage => object(["version", "clusters", "unprocessedXids", "unprocessedNids"])
        .property("version", string())
        .property("clusters", list(Ref::from_schema_name("ClusterObject")))
        .property("unprocessedXids", list(string()))
        .property("unprocessedNids", list(object(["id"])));
}
