//! The platform's query service: statements of SQL that run by themselves, at once or at times, and texts that are kept for
//! them. What runs them is handed in: nothing here knows SQL.

mod body;
mod cron;
mod query;
mod schedule;
mod template;

pub use body::{CtasParameters, InsertIntoParameters, QueryBody, QueryTarget, QueryWork};
pub use query::{
    QueryDid, QueryEnd, QueryOutcome, QueryProblem, QueryState, SqlQuery, begin_query,
    cancel_query, create_query, end_query, fail_left_query, queries, query, soft_delete_query,
};
pub use schedule::{
    NewQuerySchedule, QuerySchedule, QueryScheduleChange, QueryScheduleState, QueryScheduleTimes,
    change_query_schedule, create_query_schedule, delete_query_schedule, due_query_schedules,
    query_schedule, query_schedules, run_query_schedule, trigger_query_schedule,
};
pub use template::{
    QueryTemplate, TemplateBody, create_query_template, delete_query_template, query_template,
    query_templates, replace_query_template,
};
