//! The shapes of bodies, for the API's description, as far as they are not made from the types that read
//! them: answers, and bodies of which more is read than described. The fuzzing of the description shows
//! that both agree.

use std::collections::BTreeMap;

use profile_export::jobs::JobStatus;
use profile_export::store::BatchStatus;
use utoipa::IntoResponses;
use utoipa::openapi::schema::{
    AdditionalProperties, ArrayBuilder, ArrayItems, KnownFormat, ObjectBuilder, SchemaFormat,
    SchemaType, Type,
};
use utoipa::openapi::{Content, Ref, RefOr, Response, ResponseBuilder};

use crate::audiences::{NAMESPACE, ORIGIN, SEGMENT_DEFINITION};
use crate::merge_policies::CHANGEABLE;

/// The states of previews and estimates.
const PREVIEW_STATES: [&str; 4] = ["NEW", "RUNNING", "RESULT_READY", "FAILED"];

/// Gives names to schemas.
macro_rules! schemas {
    ($($name:ident => $schema:expr;)*) => {$(
        pub(crate) struct $name;

        impl utoipa::PartialSchema for $name {
            fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
                $schema.into()
            }
        }

        impl utoipa::ToSchema for $name {
            fn name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }
        }
    )*};
}
pub(crate) use schemas;

schemas! {
    Looked => object([])
        .description(Some("What the page shows; its form may change with the page."));

    Entities => object([])
        .description(Some("Profiles by XID, or events with _page, children and _links"));

    SandboxObject => object(["id", "name", "title", "state", "type", "isDefault"])
        .property("id", string())
        .property("name", string())
        .property("title", string())
        .property("state", one_of(["active"]))
        .property("type", one_of(["production", "development"]))
        .property("region", string())
        .property("isDefault", boolean());

    SandboxPage => object(["sandboxes", "_page", "_links"])
        .property("sandboxes", list(Ref::from_schema_name("SandboxObject")))
        .property("_page", object(["limit", "count"]))
        .property("_links", object([]));

    SandboxTypes => object(["sandboxTypes"]).property("sandboxTypes", list(string()));

    AccessToken => object(["access_token", "token_type", "expires_in"])
        .property("access_token", string())
        .property("token_type", one_of(["bearer"]))
        .property("expires_in", integer());

    TokenRefusal => object(["error", "error_description"])
        .property("error", string())
        .property("error_description", string());

    TokenRequest => object([])
        .property("grant_type", string())
        .property("client_id", string())
        .property("client_secret", string())
        .property("scope", string());

    Problem => object(["status", "title", "detail"])
        .description(Some("What went wrong; detail names the field, the parameter or the header."))
        .property("status", integer())
        .property("title", string())
        .property("detail", string())
        .property("code", string());

    ExportJob => object([
            "id", "jobType", "profileInstanceId", "destination", "schema", "mergePolicy", "status",
            "requestId", "computeGatewayJobId", "metrics", "errors", "imsOrgId", "creationTime", "updateTime",
        ])
        .property("id", int64())
        .property("jobType", one_of(["BATCH"]))
        .property("profileInstanceId", one_of(["ups"]))
        .property("destination", object(["datasetId", "dataSetId", "segmentPerBatch"])
            .property("datasetId", string())
            .property("dataSetId", string())
            .property("segmentPerBatch", boolean())
            .property("batchId", string())
            .property("batches", list(object(["segmentId", "status", "batchId"]))))
        .property("schema", object(["name"]))
        .property("mergePolicy", object(["id", "version"]))
        .property("fields", string())
        .property("filter", object([]))
        .property("additionalFields", object([]))
        .property("evaluationInfo", object(["segmentation"]).property("segmentation", boolean()))
        .property("status", one_of(JobStatus::ALL.iter().map(|status| status.word())))
        .property("requestId", string())
        .property("computeGatewayJobId", object([]))
        .property("metrics", object(["totalTime"])
            .property("totalTime", object(["startTimeInMs"]))
            .property("profileExportTime", object([]))
            .property("aCPDatasetWriteTime", object([]))
            .property("totalExportedProfileCounter", integer())
            .property("exportedProfileByNamespaceCounter", object([]))
            .property("exportedProfileBySegmentCounter", object([]))
            .property("totalExportedEventCounter", integer())
            .property("totalWrittenBytes", integer())
            .property("largeProfiles", object(["profiles", "leftOut", "largest"])
                .property("largest", list(object(["namespace", "id", "identities"]))))
            .property("unknownSegments", list(object(["segmentId"])
                .property("segmentId", string())
                .property("segmentNs", string())
                .property("didYouMean", string()))))
        .property("errors", list(job_error()))
        .property("imsOrgId", string())
        .property("creationTime", int64())
        .property("updateTime", int64());

    ExportJobPage => object(["records", "page", "link"])
        .property("records", list(Ref::from_schema_name("ExportJob")))
        .property("page", object(["sortField", "sort", "pageOffset", "pageSize"])
            .property("sortField", string())
            .property("sort", string())
            .property("pageOffset", string())
            .property("pageSize", integer()))
        .property("link", object([]).property("next", string()));

    ObjectReferences => list(string());

    CatalogObjects => object([])
        .description(Some("Objects by ID"))
        .additional_properties(Some(object([])));

    BatchFiles => object(["data", "_page"])
        .property("data", list(object(["_links"])))
        .property("_page", object(["limit", "count"]));

    DatasetPatch => list(strict(["op", "path"])
        .property("op", one_of(["add", "replace", "remove"]))
        .property("path", string().description(Some("In name, description, tags or fileDescription, such as /tags/source")))
        .property("value", of_type(SchemaType::AnyValue)));

    ParquetFile => bytes();

    UploadedFile => bytes();

    MergePolicyRequest => object([])
        .property("id", string().description(Some("Given out where it is missing")))
        .property("name", string())
        .property("schema", strict(["name"]).property("name", string()))
        .property("identityGraph", strict(["type"]).property("type", one_of(["none", "pdg"])))
        .property("attributeMerge", strict(["type"])
            .property("type", one_of(["timestampOrdered", "dataSetPrecedence"]))
            .property("order", list(string()).description(Some("Dataset IDs, best first"))))
        .property("default", boolean());

    MergePolicyObject => object([
            "id", "name", "version", "schema", "identityGraph", "attributeMerge", "default",
            "updateEpoch", "imsOrgId", "sandbox", "isActiveOnEdge",
        ])
        .property("id", string())
        .property("name", string())
        .property("version", int64())
        .property("schema", object(["name"]))
        .property("identityGraph", object(["type"]))
        .property("attributeMerge", object(["type"]))
        .property("default", boolean())
        .property("updateEpoch", int64())
        .property("imsOrgId", string())
        .property("sandbox", object([]))
        .property("isActiveOnEdge", boolean());

    MergePolicyPage => object(["_page", "children", "_links"])
        .property("_page", object(["totalCount", "pageSize"]))
        .property("children", list(Ref::from_schema_name("MergePolicyObject")))
        .property("_links", object(["next"])
            .property("next", object(["href"]).property("href", string())));

    PatchRequest => list(strict(["op", "path", "value"])
        .property("op", one_of(["add", "replace"]))
        .property("path", one_of(CHANGEABLE))
        .property("value", of_type(SchemaType::AnyValue)));

    BulkResults => object(["results"])
        .property("results", object([])
            .additional_properties(Some(Ref::from_schema_name("MergePolicyObject"))));

    SegmentObject => object([])
        .property("id", string().min_length(Some(1)).description(Some("Given out where it is missing")))
        .property("name", string())
        .property("mergePolicyId", string());

    SegmentJobRequest => list(strict(["segmentId"])
            .property("segmentId", string().min_length(Some(1))))
        .min_items(Some(1))
        .description(Some("Or {segments: that list, schema: {name}}, as the platform has it for all definitions: *"));

    SegmentJobObject => object([
            "id", "imsOrgId", "status", "batchId", "segments", "metrics", "errors", "requestId", "schema",
            "evaluationTime", "creationTime", "updateTime", "updateEpoch",
        ])
        .property("id", string())
        .property("status", one_of(["NEW", "PROCESSING", "CANCELLING", "SUCCEEDED", "FAILED", "CANCELLED"]))
        .property("segments", list(object(["segmentId"]).property("segmentId", string())))
        .property("metrics", object([
            "totalTime", "totalProfiles", "totalProfilesByMergePolicy", "segmentedProfileCounter",
            "segmentedProfileByNamespaceCounter", "segmentedProfileByStatusCounter",
        ]))
        .property("errors", list(job_error()))
        .property("evaluationTime", int64().description(Some("What now means in expressions")))
        .property("creationTime", int64())
        .property("updateTime", int64())
        .property("updateEpoch", int64());

    SegmentJobPage => object(["_page", "children", "_links"])
        .property("_page", object(["totalCount", "pageSize"]))
        .property("children", list(Ref::from_schema_name("SegmentJobObject")))
        .property("_links", object(["next"]));

    SystemJobObject => object(["id", "imsOrgId", "jobType", "status", "createEpoch", "updateEpoch"])
        .property("id", string())
        .property("imsOrgId", string())
        .property("dataSetId", string())
        .property("batchId", string())
        .property("jobType", one_of(["DELETE"]))
        .property("status", one_of(["NEW", "PROCESSING", "COMPLETED", "ERROR"]))
        .property("metrics", string().description(Some("JSON in a text: recordsProcessed, timeTakenInSec")))
        .property("errors", string().description(Some("Why nothing is deleted")))
        .property("createEpoch", integer())
        .property("updateEpoch", integer());

    SystemJobPage => object(["_page", "children"])
        .property("_page", object(["count", "next"]))
        .property("children", list(Ref::from_schema_name("SystemJobObject")));

    ScheduleRequest => strict(["name", "type", "properties"])
        .property("name", string())
        .property("type", one_of(["batch_segmentation", "export"]))
        .property("state", one_of(["active", "inactive"]).description(Some("inactive where it is missing")))
        .property("schedule", string().description(Some(
            "Quartz's times, in UTC: seconds, minutes, hours, day of month, month, day of week (1 is Sunday) and, where \
             there is one, the year; daily where it is missing",
        )))
        .property("frequency", one_of(["daily"]).description(Some("Kept, without an effect")))
        .property("properties", strict([])
            .property("segments", list(string().min_length(Some(1))).min_items(Some(1))
                .description(Some("Of batch_segmentation: IDs, or * alone")))
            .property("exportRequest", Ref::from_schema_name("ExportJobRequest")));

    ScheduleObject => object([
            "id", "name", "state", "type", "schedule", "properties", "imsOrgId", "sandbox", "createEpoch", "updateEpoch",
            "errors",
        ])
        .property("id", string())
        .property("name", string())
        .property("state", one_of(["active", "inactive"]))
        .property("type", one_of(["batch_segmentation", "export"]))
        .property("schedule", string())
        .property("frequency", one_of(["daily"]))
        .property("properties", object([]))
        .property("imsOrgId", string())
        .property("sandbox", object(["sandboxName"]))
        .property("createEpoch", int64())
        .property("updateEpoch", int64())
        .property("lastRunEpoch", int64().description(Some("The due time that was done last")))
        .property("lastJobId", of_type(SchemaType::AnyValue)
            .description(Some("The job that was created last: a segment job's text, an export job's number")))
        .property("errors", list(job_error())
            .description(Some("Why no job could be created the last time")));

    SchedulePage => object(["_page", "children", "_links"])
        .property("_page", object(["totalCount", "pageSize"]))
        .property("children", list(Ref::from_schema_name("ScheduleObject")))
        .property("_links", object(["next"]));

    SchedulePatch => list(strict(["op", "path", "value"])
        .property("op", one_of(["add", "replace"]))
        .property("path", one_of(["/state", "/schedule"]))
        .property("value", string()));

    SegmentPage => object(["segments", "page", "link"])
        .property("segments", list(object([])))
        .property("page", object([
            "totalCount", "totalPages", "pageOffset", "pageSize", "limit", "sortField", "sort",
        ])
            .property("totalCount", integer())
            .property("totalPages", integer())
            .property("pageOffset", integer())
            .property("pageSize", integer())
            .property("limit", integer())
            .property("sortField", string())
            .property("sort", one_of(["asc", "desc"])))
        .property("link", object([]));

    PreviewObject => object([
            "state", "previewQueryId", "previewQueryStatus", "previewId", "previewExecutionId",
        ])
        .property("state", one_of(PREVIEW_STATES))
        .property("previewQueryId", string())
        .property("previewQueryStatus", one_of(PREVIEW_STATES))
        .property("previewId", string())
        .property("previewExecutionId", integer());

    PreviewResults => object(["results", "state", "links", "page"])
        .property("results", list(object([])
            .description(Some("One property, called by an identity of the person: NAMESPACE:ID"))
            .additional_properties(Some(object(["endCustomerIds"])
                .property("_href", string())
                .property("endCustomerIds", object([]))))))
        .property("state", one_of(PREVIEW_STATES))
        .property("error", object(["description", "traceback"]))
        .property("links", object(["_self", "next", "prev"])
            .property("_self", string())
            .property("next", string())
            .property("prev", string()))
        .property("page", object(["offset", "size"])
            .property("offset", integer())
            .property("size", integer()));

    EstimateObject => object(["state", "now", "mergePolicy", "_links"])
        .property("state", one_of(PREVIEW_STATES))
        .property("estimatedSize", int64())
        .property("profilesMatchedSoFar", int64())
        .property("numRowsToRead", int64())
        .property("totalRows", int64())
        .property("profilesReadSoFar", int64())
        .property("standardError", integer())
        .property("confidenceInterval", string())
        .property("error", object(["description", "traceback"]))
        .property("now", string().description(Some("The moment that now is in the expression")))
        .property("mergePolicy", object(["id", "version"]))
        .property("_links", object(["preview"]).property("preview", string()));

    AudienceObject => object([])
        .property("id", string().min_length(Some(1)).description(Some("Given out where it is missing")))
        .property("audienceId", string().description(Some("The same as id")))
        .property("name", string())
        .property("mergePolicyId", string())
        .property("type", one_of([SEGMENT_DEFINITION]))
        .property("originName", one_of([ORIGIN]))
        .property("namespace", one_of([NAMESPACE]))
        .property("lifecycleState", string())
        .property("dependencies", list(string()).description(Some("The segments that it asks for by inSegment")))
        .property("dependents", list(string()).description(Some("The segments that ask for it by inSegment")));

    AudiencePage => object(["children", "_page", "_links"])
        .property("children", list(Ref::from_schema_name("AudienceObject")))
        .property("_page", object([
            "totalCount", "totalPages", "pageSize", "limit", "start", "sortField", "sort",
        ])
            .property("totalCount", integer())
            .property("totalPages", integer())
            .property("pageSize", integer())
            .property("limit", integer())
            .property("start", integer())
            .property("next", integer().description(Some("The start of the next page; missing on the last")))
            .property("sortField", string())
            .property("sort", one_of(["asc", "desc"])))
        .property("_links", object(["next"]));

    AudiencePatch => list(strict(["op", "path"])
        .property("op", one_of(["add", "replace", "remove"]))
        .property("path", string().description(Some("A JSON pointer, such as /expression")))
        .property("value", of_type(SchemaType::AnyValue)));

    IncomingBatch => object(["id", "status", "imsOrg", "relatedObjects", "created", "updated"])
        .property("id", string())
        .property("status", one_of(BatchStatus::ALL.iter().map(|status| status.word())))
        .property("imsOrg", string())
        .property("relatedObjects", list(object(["type", "id"])))
        .property("created", int64())
        .property("updated", int64())
        .property("errors", list(object(["code", "description"])))
        .property("metrics", object([]));
}

/// Why a job failed.
fn job_error() -> ObjectBuilder {
    object(["code", "msg", "callStack"])
        .property("code", string())
        .property("msg", string())
        .property("callStack", string())
        .property(
            "nextStep",
            string().description(Some(
                "What to do about it, where the code is one of docs/errors.md",
            )),
        )
}

/// An object that has these properties at least.
pub(crate) fn object<const N: usize>(required: [&str; N]) -> ObjectBuilder {
    let object = of_type(Type::Object);
    required.into_iter().fold(object, ObjectBuilder::required)
}

/// An object that has these properties and none that is not described.
pub(crate) fn strict<const N: usize>(required: [&str; N]) -> ObjectBuilder {
    object(required).additional_properties(Some(AdditionalProperties::FreeForm(false)))
}

pub(crate) fn list(items: impl Into<ArrayItems>) -> ArrayBuilder {
    ArrayBuilder::new().items(items)
}

pub(crate) fn one_of<'a>(words: impl IntoIterator<Item = &'a str>) -> ObjectBuilder {
    string().enum_values(Some(words))
}

pub(crate) fn string() -> ObjectBuilder {
    of_type(Type::String)
}

fn bytes() -> ObjectBuilder {
    string().format(Some(SchemaFormat::KnownFormat(KnownFormat::Binary)))
}

pub(crate) fn integer() -> ObjectBuilder {
    of_type(Type::Integer)
}

pub(crate) fn number() -> ObjectBuilder {
    of_type(Type::Number)
}

pub(crate) fn int64() -> ObjectBuilder {
    integer().format(Some(SchemaFormat::KnownFormat(KnownFormat::Int64)))
}

pub(crate) fn boolean() -> ObjectBuilder {
    of_type(Type::Boolean)
}

/// What may be any JSON.
pub(crate) fn any() -> ObjectBuilder {
    of_type(SchemaType::AnyValue)
}

fn of_type(kind: impl Into<SchemaType>) -> ObjectBuilder {
    ObjectBuilder::new().schema_type(kind)
}

/// The answers that any request may get.
pub(crate) struct Problems;

impl IntoResponses for Problems {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        let content = || Content::new(Some(Ref::from_schema_name("Problem")));
        [
            ("400", "The request can't be done as asked"),
            ("401", "No token, or one that nobody knows"),
            ("403", "The token is not for this"),
            ("404", "There is no such thing"),
            ("408", "The request did not come in time"),
            ("409", "It contradicts what there is"),
            ("413", "The body is too large"),
            ("421", "The host's name is not the server's"),
            (
                "422",
                "Something of it is another's already, such as a name",
            ),
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

/// The same where a token is asked for: what is wrong with it is told as OAuth 2 has it.
pub(crate) struct TokenProblems;

impl IntoResponses for TokenProblems {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        let refusal = || Content::new(Some(Ref::from_schema_name("TokenRefusal")));
        let own = [
            ("400", "What is asked for can't be given"),
            ("401", "The secret is no token"),
        ];
        let own = own.map(|(status, description)| {
            let response = ResponseBuilder::new()
                .description(description)
                .content("application/json", refusal());
            (status.to_owned(), RefOr::T(response.build()))
        });
        Problems::responses().into_iter().chain(own).collect()
    }
}
