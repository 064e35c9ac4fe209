//! The shapes of answers about edge projections, for the API's description.

use crate::schemas::{int64, integer, list, object, one_of, schemas, string};

schemas! {
    DestinationObject => object(["id", "type", "dataCenters", "ttl", "version", "self"])
        .property("id", string())
        .property("type", one_of(["EDGE"]))
        .property("dataCenters", list(string()))
        .property("ttl", integer())
        .property("replicationPolicy", one_of(["PROACTIVE", "REACTIVE"]))
        .property("version", int64())
        .property("self", object(["href", "templated"]));

    DestinationList => object(["_links", "_embedded"])
        .property("_links", object(["self"]))
        .property("_embedded", object(["projectionDestinations"])
            .property("projectionDestinations", list(object(["_links", "id", "type", "ttl", "dataCenters", "version"]))));

    ProjectionObject => object(["id", "name", "selector", "schemaName", "destinationId", "version", "self"])
        .property("id", string())
        .property("name", string())
        .property("selector", string())
        .property("schemaName", string())
        .property("destinationId", string())
        .property("version", int64())
        .property("self", object(["href", "templated"]))
        .property("destination", object(["href", "templated"]));

    ProjectionList => object(["_links", "_embedded"])
        .property("_links", object(["self"]))
        .property("_embedded", object(["projectionConfigs"])
            .property("projectionConfigs", list(object([
                "_links", "_embedded", "id", "name", "selector", "schemaName", "destinationId", "version",
            ]))));
}
