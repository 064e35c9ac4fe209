//! The functions that clients call for rows. Of series there is the one of the search path's places alone: others would make
//! rows without end.

use datafusion::sql::sqlparser::ast::{TableFactor, TableFunctionArgs};
use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
use datafusion::sql::sqlparser::parser::Parser;

/// `pg_get_keywords()` as a table, `generate_series(1, array_upper(current_schemas(…), 1))` as its rows.
pub(super) fn called(factor: &mut TableFactor) {
    let TableFactor::Table {
        name,
        args: called,
        alias,
        ..
    } = factor
    else {
        return;
    };
    let Some(TableFunctionArgs { args, .. }) = called else {
        return;
    };
    if args.is_empty() && name.to_string().eq_ignore_ascii_case("pg_get_keywords") {
        *called = None;
        return;
    }
    if !name.to_string().eq_ignore_ascii_case("generate_series") {
        return;
    }
    let args: Vec<String> = args
        .iter()
        .map(|one| one.to_string().to_lowercase())
        .collect();
    let rows = match args
        .iter()
        .map(String::as_str)
        .collect::<Vec<_>>()
        .as_slice()
    {
        ["1", "array_upper(current_schemas(false), 1)"] => "VALUES (1)",
        // With pg_catalog, which is always searched.
        ["1", "array_upper(current_schemas(true), 1)"] => "VALUES (1), (2)",
        _ => return,
    };
    let parsed = Parser::new(&PostgreSqlDialect {}).try_with_sql(rows);
    if let Ok(subquery) = parsed.and_then(|mut parser| parser.parse_query()) {
        *factor = TableFactor::Derived {
            lateral: false,
            subquery,
            alias: alias.take(),
            sample: None,
        };
    }
}
