//! The shapes of reports of what profiles are made of, for the API's description.

use utoipa::openapi::schema::ObjectBuilder;

use crate::schemas::{integer, list, number, object, schemas, string};

schemas! {
    ProfileSample => object([
            "numRowsToRead", "totalRows", "totalFragmentCount", "cosmosDocCount", "samplingRatio", "mergeStrategy",
            "status", "sampleJobRunning", "lastSampledTimestamp", "lastBatchId", "lastSuccessfulBatchTimestamp",
            "streamingDriven",
        ])
        .property("numRowsToRead", string())
        .property("totalRows", string())
        .property("totalFragmentCount", integer())
        .property("cosmosDocCount", string())
        .property("samplingRatio", number())
        .property("mergeStrategy", string())
        .property("status", string())
        .property("sampleJobRunning", object(["status", "submissionTimestamp"]))
        .property("lastSampledTimestamp", string())
        .property("lastBatchId", string())
        .property("lastSuccessfulBatchTimestamp", string())
        .property("streamingDriven", string());

    ProfilesByDataset => report(list(figures()
        .property("name", string())
        .property("description", string())));

    ProfilesByNamespace => report(list(figures()
        .property("code", string())
        .property("fullIDsFragmentCount", integer())));

    OverlapReport => report(object([]).additional_properties(Some(integer())));

    UnstitchedProfiles => report(object(["totalNumberOfProfiles", "totalNumberOfEvents", "unstitchedProfiles"])
        .property("totalNumberOfProfiles", integer())
        .property("totalNumberOfEvents", integer())
        .property("unstitchedProfiles", object(["7days", "30days", "60days", "90days", "120days"])));

    UnknownProfiles => report(object(["totalNumberOfProfiles", "totalNumberOfEvents", "unknownProfiles"])
        .property("totalNumberOfProfiles", integer())
        .property("totalNumberOfEvents", integer())
        .property("unknownProfiles", object(["7days", "30days", "60days", "90days", "120days"])));
}

fn report(data: impl Into<utoipa::openapi::RefOr<utoipa::openapi::Schema>>) -> ObjectBuilder {
    object(["data", "reportTimestamp"])
        .property("data", data)
        .property("reportTimestamp", string())
}

fn figures() -> ObjectBuilder {
    object([
        "value",
        "sampleCount",
        "samplePercentage",
        "fullIDsCount",
        "fullIDsPercentage",
        "reportTimestamp",
    ])
    .property("value", string())
    .property("sampleCount", integer())
    .property("samplePercentage", number())
    .property("fullIDsCount", integer())
    .property("fullIDsPercentage", number())
    .property("reportTimestamp", string())
}
