//! The shapes of bodies, for the API's description, as far as they are not made from the types that read
//! them: answers, and bodies of which more is read than described. The fuzzing of the description shows
//! that both agree.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde_json::{Value, json};
use utoipa::openapi::{Content, RefOr, Response, ResponseBuilder, Schema};
use utoipa::{IntoResponses, PartialSchema, ToSchema};

/// Gives names to JSON schemas.
macro_rules! schemas {
    ($($name:ident => $schema:tt)*) => {$(
        pub(crate) struct $name;

        impl PartialSchema for $name {
            fn schema() -> RefOr<Schema> {
                from_json(json!($schema))
            }
        }

        impl ToSchema for $name {
            fn name() -> Cow<'static, str> {
                stringify!($name).into()
            }
        }
    )*};
}

fn from_json(schema: Value) -> RefOr<Schema> {
    // The texts below are fixed, and a test reads the description.
    serde_json::from_value(schema).unwrap_or_default()
}

schemas! {
    Problem => {
        "type": "object",
        "description": "What went wrong; detail names the field, the parameter or the header.",
        "required": ["status", "title", "detail"],
        "properties": {
            "status": {"type": "integer"},
            "title": {"type": "string"},
            "detail": {"type": "string"}
        }
    }
    ExportJob => {
        "type": "object",
        "required": [
            "id", "jobType", "profileInstanceId", "destination", "schema", "mergePolicy", "status",
            "requestId", "computeGatewayJobId", "metrics", "errors", "imsOrgId", "creationTime", "updateTime"
        ],
        "properties": {
            "id": {"type": "integer", "format": "int64"},
            "jobType": {"type": "string", "enum": ["BATCH"]},
            "profileInstanceId": {"type": "string", "enum": ["ups"]},
            "destination": {
                "type": "object",
                "required": ["datasetId", "dataSetId", "segmentPerBatch"],
                "properties": {
                    "datasetId": {"type": "string"},
                    "dataSetId": {"type": "string"},
                    "segmentPerBatch": {"type": "boolean"},
                    "batchId": {"type": "string"},
                    "batches": {
                        "type": "array",
                        "items": {"type": "object", "required": ["segmentId", "status", "batchId"]}
                    }
                }
            },
            "schema": {"type": "object", "required": ["name"]},
            "mergePolicy": {"type": "object", "required": ["id", "version"]},
            "fields": {"type": "string"},
            "filter": {"type": "object"},
            "additionalFields": {"type": "object"},
            "status": {"type": "string", "enum": ["NEW", "PROCESSING", "SUCCEEDED", "FAILED", "CANCELLED"]},
            "requestId": {"type": "string"},
            "computeGatewayJobId": {"type": "object"},
            "metrics": {
                "type": "object",
                "required": ["totalTime"],
                "properties": {
                    "totalTime": {"type": "object", "required": ["startTimeInMs"]},
                    "profileExportTime": {"type": "object"},
                    "aCPDatasetWriteTime": {"type": "object"},
                    "totalExportedProfileCounter": {"type": "integer"},
                    "exportedProfileByNamespaceCounter": {"type": "object"},
                    "exportedProfileBySegmentCounter": {"type": "object"},
                    "totalExportedEventCounter": {"type": "integer"},
                    "totalWrittenBytes": {"type": "integer"}
                }
            },
            "errors": {
                "type": "array",
                "items": {"type": "object", "required": ["code", "msg", "callStack"]}
            },
            "imsOrgId": {"type": "string"},
            "creationTime": {"type": "integer", "format": "int64"},
            "updateTime": {"type": "integer", "format": "int64"}
        }
    }
    ExportJobPage => {
        "type": "object",
        "required": ["records", "page", "link"],
        "properties": {
            "records": {"type": "array", "items": {"$ref": "#/components/schemas/ExportJob"}},
            "page": {
                "type": "object",
                "required": ["sortField", "sort", "pageOffset", "pageSize"],
                "properties": {
                    "sortField": {"type": "string"},
                    "sort": {"type": "string"},
                    "pageOffset": {"type": "string"},
                    "pageSize": {"type": "integer"}
                }
            },
            "link": {"type": "object", "properties": {"next": {"type": "string"}}}
        }
    }
    ObjectReferences => {"type": "array", "items": {"type": "string"}}
    CatalogObjects => {
        "type": "object",
        "description": "Objects by ID",
        "additionalProperties": {"type": "object"}
    }
    BatchFiles => {
        "type": "object",
        "required": ["data", "_page"],
        "properties": {
            "data": {"type": "array", "items": {"type": "object", "required": ["_links"]}},
            "_page": {"type": "object", "required": ["limit", "count"]}
        }
    }
    ParquetFile => {"type": "string", "format": "binary"}
    UploadedFile => {"type": "string", "format": "binary"}
    MergePolicyRequest => {
        "type": "object",
        "properties": {
            "id": {"type": "string", "description": "Given out where it is missing"},
            "name": {"type": "string"},
            "schema": {
                "type": "object",
                "additionalProperties": false,
                "required": ["name"],
                "properties": {"name": {"type": "string"}}
            },
            "identityGraph": {
                "type": "object",
                "additionalProperties": false,
                "required": ["type"],
                "properties": {"type": {"type": "string", "enum": ["none", "pdg"]}}
            },
            "attributeMerge": {
                "type": "object",
                "additionalProperties": false,
                "required": ["type"],
                "properties": {
                    "type": {"type": "string", "enum": ["timestampOrdered", "dataSetPrecedence"]},
                    "order": {"type": "array", "items": {"type": "string"}, "description": "Dataset IDs, best first"}
                }
            },
            "default": {"type": "boolean"}
        }
    }
    MergePolicyObject => {
        "type": "object",
        "required": [
            "id", "name", "version", "schema", "identityGraph", "attributeMerge", "default",
            "updateEpoch", "imsOrgId", "sandbox", "isActiveOnEdge"
        ],
        "properties": {
            "id": {"type": "string"},
            "name": {"type": "string"},
            "version": {"type": "integer", "format": "int64"},
            "schema": {"type": "object", "required": ["name"]},
            "identityGraph": {"type": "object", "required": ["type"]},
            "attributeMerge": {"type": "object", "required": ["type"]},
            "default": {"type": "boolean"},
            "updateEpoch": {"type": "integer", "format": "int64"},
            "imsOrgId": {"type": "string"},
            "sandbox": {"type": "object"},
            "isActiveOnEdge": {"type": "boolean"}
        }
    }
    MergePolicyPage => {
        "type": "object",
        "required": ["_page", "children", "_links"],
        "properties": {
            "_page": {"type": "object", "required": ["totalCount", "pageSize"]},
            "children": {"type": "array", "items": {"$ref": "#/components/schemas/MergePolicyObject"}},
            "_links": {
                "type": "object",
                "required": ["next"],
                "properties": {
                    "next": {
                        "type": "object",
                        "required": ["href"],
                        "properties": {"href": {"type": "string"}}
                    }
                }
            }
        }
    }
    PatchRequest => {
        "type": "array",
        "items": {
            "type": "object",
            "additionalProperties": false,
            "required": ["op", "path", "value"],
            "properties": {
                "op": {"type": "string", "enum": ["add", "replace"]},
                "path": {"type": "string", "enum": [
                    "/name", "/schema.name", "/identityGraph.type", "/attributeMerge.type",
                    "/attributeMerge.order", "/default", "/isActiveOnEdge"
                ]},
                "value": {}
            }
        }
    }
    BulkResults => {
        "type": "object",
        "required": ["results"],
        "properties": {
            "results": {
                "type": "object",
                "additionalProperties": {"$ref": "#/components/schemas/MergePolicyObject"}
            }
        }
    }
    SegmentObject => {
        "type": "object",
        "properties": {
            "id": {"type": "string", "minLength": 1, "description": "Given out where it is missing"},
            "name": {"type": "string"},
            "mergePolicyId": {"type": "string"}
        }
    }
    SegmentPage => {
        "type": "object",
        "required": ["segments", "page", "link"],
        "properties": {
            "segments": {"type": "array", "items": {"type": "object"}},
            "page": {"type": "object", "required": ["totalCount", "totalPages"]},
            "link": {"type": "object"}
        }
    }
    IncomingBatch => {
        "type": "object",
        "required": ["id", "status", "imsOrg", "relatedObjects", "created", "updated"],
        "properties": {
            "id": {"type": "string"},
            "status": {"type": "string", "enum": ["loading", "staged", "processing", "success", "failed", "aborted"]},
            "imsOrg": {"type": "string"},
            "relatedObjects": {"type": "array"},
            "created": {"type": "integer", "format": "int64"},
            "updated": {"type": "integer", "format": "int64"},
            "errors": {"type": "array"},
            "metrics": {"type": "object"}
        }
    }
}

/// The answers that any request may get.
pub(crate) struct Problems;

impl IntoResponses for Problems {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        let content = || {
            let reference = utoipa::openapi::Ref::from_schema_name("Problem");
            Content::new(Some(reference))
        };
        [
            ("400", "The request can't be done as asked"),
            ("401", "No token, or one that nobody knows"),
            ("403", "The token is not for this"),
            ("404", "There is no such thing"),
            ("408", "The request did not come in time"),
            ("409", "It contradicts what there is"),
            ("413", "The body is too large"),
            ("421", "The host's name is not the server's"),
            ("503", "The server is busy; nothing was done"),
        ]
        .into_iter()
        .map(|(status, description)| {
            let response = ResponseBuilder::new()
                .description(description)
                .content("application/problem+json", content());
            (status.to_owned(), RefOr::T(response.build()))
        })
        .collect()
    }
}
