//! The shapes of the schema registry's bodies and answers, for the API's description.

use utoipa::openapi::Ref;

use crate::schemas::{any, boolean, integer, list, object, one_of, schemas, strict, string};

schemas! {
    RegistryStats => object(["imsOrg", "tenantId", "counts", "recentlyCreatedResources", "recentlyUpdatedResources", "classUsage"])
        .property("imsOrg", string())
        .property("tenantId", string())
        .property("counts", object(["schemas", "mixins", "datatypes", "classes", "unions"]))
        .property("recentlyCreatedResources", list(object(["title"])))
        .property("recentlyUpdatedResources", list(object(["title"])))
        .property("classUsage", object([]));

    RegistryObject => object([])
        .description(Some("In the form that Accept says; names with a colon are XDM's"));

    RegistryResources => list(Ref::from_schema_name("RegistryObject"));

    RegistryPage => object(["results", "_page", "_links"])
        .property("results", list(object([])))
        .property("_page", object(["orderby", "next", "count"]).property("count", integer()))
        .property("_links", object(["global_schemas"]));

    RegistrySchema => object(["title", "allOf"])
        .description(Some("What begins with meta: follows from the rest, all but meta:immutableTags"))
        .property("$id", string())
        .property("title", string())
        .property("description", string())
        .property("type", one_of(["object"]))
        .property("allOf", list(object([])))
        .property("definitions", object([]))
        .property("properties", object([]))
        .property("meta:immutableTags", list(one_of(["union"])));

    RegistryPatch => list(strict(["op", "path"])
        .property("op", one_of(["add", "replace", "remove"]))
        .property("path", string().description(Some("/title, /description, or /meta:immutableTags")))
        .property("value", any()));

    DescriptorList => object([])
        .description(Some("Lists by type, or with the form v2 a page"));

    DescriptorBody => object(["@type", "xdm:sourceSchema", "xdm:sourceProperty"])
        .property("@type", one_of([
            "xdm:descriptorIdentity", "xdm:alternateDisplayInfo", "xdm:descriptorDeprecated", "xdm:descriptorLabel",
        ]))
        .property("xdm:sourceSchema", string())
        .property("xdm:sourceVersion", integer())
        .property("xdm:sourceProperty", string())
        .property("xdm:namespace", string())
        .property("xdm:property", one_of(["xdm:code", "xdm:id"]))
        .property("xdm:isPrimary", boolean());

    DescriptorObject => object(["@id", "@type", "xdm:sourceSchema", "xdm:sourceProperty"])
        .property("@id", string())
        .property("@type", string())
        .property("xdm:sourceSchema", string())
        .property("xdm:sourceProperty", string());

    DescriptorReference => object(["@id"]).property("@id", string());
}
