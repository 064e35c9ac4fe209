//! The shapes of answers of the query service, for the API's description.

use crate::schemas::{boolean, int64, integer, list, object, one_of, schemas, strict, string};
use utoipa::openapi::Ref;

const STATES: [&str; 5] = ["SUBMITTED", "IN_PROGRESS", "SUCCESS", "FAILED", "KILLED"];

schemas! {
    QueryObject => object([
            "id", "request", "sql", "state", "rowCount", "errors", "isCTAS", "isInsertInto", "version", "elapsedTime",
            "created", "updated", "client", "userId", "_links",
        ])
        .property("id", string())
        .property("request", object([]))
        .property("sql", string())
        .property("state", one_of(STATES))
        .property("rowCount", int64())
        .property("errors", list(object(["code", "message", "errorType"])
            .property("code", string())
            .property("message", string())
            .property("errorType", one_of(["USER_ERROR", "SYSTEM_ERROR"]))))
        .property("isCTAS", boolean())
        .property("isInsertInto", boolean())
        .property("version", integer())
        .property("elapsedTime", int64())
        .property("created", string())
        .property("updated", string())
        .property("client", one_of(["API"]))
        .property("userId", string())
        .property("isSoftDeleted", boolean())
        .property("scheduleId", string())
        .property("templateId", string())
        .property("_links", object(["self", "soft_delete", "cancel", "referenced_datasets"]));

    QueryPage => object(["queries", "_page", "_links", "version"])
        .property("queries", list(Ref::from_schema_name("QueryObject")))
        .property("_page", object(["orderby", "start", "next", "count"]))
        .property("_links", object(["next"]))
        .property("version", integer());

    QueryAccepted => object(["message", "statusCode"])
        .property("message", string())
        .property("statusCode", integer());

    ConnectionParameters => object(["username", "dbName", "host", "port", "token", "websocketHost", "version"])
        .property("username", string())
        .property("dbName", string())
        .property("host", string())
        .property("websocketHost", string())
        .property("port", integer())
        .property("token", string())
        .property("compressedToken", string())
        .property("version", integer());

    QueryTemplateObject => object(["id", "name", "sql", "userId", "created", "updated", "version", "_links"])
        .property("id", string())
        .property("name", string())
        .property("sql", string())
        .property("description", string())
        .property("queryParameters", object([]))
        .property("userId", string())
        .property("lastUpdatedBy", string())
        .property("created", string())
        .property("updated", string())
        .property("version", int64())
        .property("_links", object(["self", "update", "delete"]));

    QueryTemplatePage => object(["templates", "_page", "_links", "version"])
        .property("templates", list(Ref::from_schema_name("QueryTemplateObject")))
        .property("_page", object(["orderby", "start", "next", "count"]))
        .property("_links", object(["next"]))
        .property("version", integer());

    QueryScheduleObject => object(["id", "state", "query", "schedule", "userId", "created", "updated", "version", "_links"])
        .property("id", string())
        .property("state", one_of(["REGISTERING", "ENABLED", "DISABLED"]))
        .property("query", object([]))
        .property("schedule", object(["schedule"]))
        .property("userId", string())
        .property("errors", list(object(["code", "message", "errorType"])))
        .property("created", string().description(Some("Milliseconds since 1970, as text")))
        .property("updated", string())
        .property("version", integer())
        .property("_links", object(["self", "enable", "disable", "runs", "trigger", "delete"]));

    QuerySchedulePage => object(["schedules", "_page", "_links", "version"])
        .property("schedules", list(Ref::from_schema_name("QueryScheduleObject")))
        .property("_page", object(["orderby", "start", "next", "count"]))
        .property("_links", object(["next"]))
        .property("version", integer());

    QuerySchedulePatch => strict(["body"])
        .property("body", list(strict(["op", "path", "value"])
            .property("op", one_of(["add", "replace"]))
            .property("path", one_of(["/state", "/schedule/schedule"]))
            .property("value", string().description(Some("enable or disable, or times")))))
        .description(Some("Or that list alone"));

    QueryRunObject => object(["id", "queryId", "scheduleId", "state", "externalTrigger", "errors", "created", "updated", "version", "_links"])
        .property("id", string())
        .property("queryId", string())
        .property("scheduleId", string())
        .property("state", one_of(STATES))
        .property("externalTrigger", one_of(["manual", "scheduled"]))
        .property("errors", list(object(["code", "message", "errorType"])))
        .property("rowCount", int64())
        .property("created", string())
        .property("updated", string())
        .property("version", integer())
        .property("_links", object(["self", "cancel"]));

    QueryRunPage => object(["runsSchedules", "_page", "_links", "version"])
        .property("runsSchedules", list(Ref::from_schema_name("QueryRunObject")))
        .property("_page", object(["orderby", "start", "next", "count"]))
        .property("_links", object(["next"]))
        .property("version", integer());
}
