//! Statements as clients send them, over two tables, and what they are answered.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Fields, Schema};
use arrow::util::display::array_value_to_string;
use futures_util::StreamExt as _;
use sql::Relation;

use super::{About, Asked, concerns};
use crate::refusal::Problem;
use crate::split::split;

/// For a statement's sorts, joins and groups.
const MEMORY: usize = 64 << 20;

fn relations() -> Vec<Relation> {
    let mail: Fields = vec![Field::new("address", DataType::Utf8, true)].into();
    let fields = vec![
        Field::new("Id", DataType::Int64, true),
        Field::new("mail", DataType::Struct(mail), true),
        Field::new("price", DataType::Decimal128(10, 2), true),
    ];
    let relation = |name: &str, view: Option<&str>| Relation {
        name: name.to_owned(),
        description: format!("about {name}"),
        view: view.map(str::to_owned),
        columns: Some(Arc::new(Schema::new(fields.clone()))),
    };
    vec![relation("people", None), relation("seen", Some("SELECT 1"))]
}

async fn refusal(text: &str) -> &'static str {
    match rows(text).await {
        Err(Problem::Refused(refusal)) => refusal.code,
        other => panic!("{text}: {other:?}"),
    }
}

async fn rows(text: &str) -> Result<(Vec<String>, Vec<String>), Problem> {
    rows_of(text, &relations(), MEMORY).await
}

async fn rows_of(
    text: &str,
    relations: &[Relation],
    memory: usize,
) -> Result<(Vec<String>, Vec<String>), Problem> {
    let piece = split(text)?.remove(0);
    assert!(concerns(&piece), "{text}");
    let about = About {
        org: "me@Org".to_owned(),
        database: "prod:all".to_owned(),
        process: 7,
        settings: vec![("DateStyle".to_owned(), "ISO, MDY".to_owned())],
    };
    let memory = sql::Memory::new(memory)?;
    let planned = Asked::of(&piece)?
        .plan(about.facts(relations), &memory)
        .await?;
    let schema = planned.schema();
    let names = schema
        .fields()
        .iter()
        .map(|field| field.name().clone())
        .collect();
    let mut out = Vec::new();
    let mut stream = planned.rows()?;
    while let Some(batch) = stream.next().await {
        let batch = batch?;
        for row in 0..batch.num_rows() {
            let cells = batch
                .columns()
                .iter()
                .map(|column| array_value_to_string(column, row));
            out.push(cells.collect::<Result<Vec<_>, _>>()?.join("|"));
        }
    }
    Ok((names, out))
}

async fn answer(text: &str) -> Vec<String> {
    rows(text)
        .await
        .unwrap_or_else(|problem| panic!("{text}: {problem:?}"))
        .1
}

#[tokio::test]
async fn what_postgresql_says_in_its_own_words() {
    for (text, wanted) in [
        (
            "SELECT relname FROM pg_catalog.pg_class WHERE relname OPERATOR(pg_catalog.~) '^(peo.*)$' COLLATE pg_catalog.default AND relkind = 'r'",
            &["people"][..],
        ),
        (
            "SELECT relname FROM pg_class WHERE oid = 'people'::regclass",
            &["people"],
        ),
        (
            "SELECT c.oid::regclass FROM pg_catalog.pg_class c WHERE c.relkind = 'v'",
            &["seen"],
        ),
        (
            "SELECT 'int4'::regtype::oid, '_text'::pg_catalog.regtype::oid",
            &["23|1009"],
        ),
        // As PyGreSQL looks for a type by its number.
        (
            "SELECT typname, oid::pg_catalog.regtype FROM pg_catalog.pg_type \
             WHERE oid OPERATOR(pg_catalog.=) '1114'::pg_catalog.regtype",
            &["timestamp|timestamp without time zone"],
        ),
        (
            "SELECT relname FROM pg_class WHERE relkind = ANY('{v,m}')",
            &["seen"],
        ),
        (
            "SELECT relname FROM pg_class WHERE relkind = ANY (ARRAY['v', 'm'])",
            &["seen"],
        ),
        (
            "SELECT relname FROM pg_class WHERE relname LIKE 'se/en' ESCAPE '/'",
            &["seen"],
        ),
        (
            "SELECT count(*) > 20 FROM pg_type WHERE typreceive != 0 AND typreceive::TEXT != 'array_recv'",
            &["true"],
        ),
        (
            "SELECT pg_catalog.array_to_string(ARRAY(SELECT attname FROM pg_attribute WHERE attrelid = 'people'::regclass ORDER BY attnum), ',') AS x",
            &["id,mail,price"],
        ),
        (
            "SELECT current_schema, current_user, pg_catalog.current_database()",
            &["public|me@Org|prod:all"],
        ),
        (
            "SELECT current_setting('datestyle'), pg_catalog.obj_description('people'::regclass, 'pg_class')",
            &["ISO, MDY|about people"],
        ),
        ("SELECT current_schemas(true)", &["[pg_catalog, public]"]),
        // As DBeaver asks: a column, and all of them once more.
        (
            "SELECT db.oid,db.*,d.description FROM pg_catalog.pg_database db LEFT OUTER JOIN pg_description d ON d.objoid = db.oid \
             WHERE db.datname = 'nothing'",
            &[],
        ),
        // As pgjdbc asks for the words that are not everybody's.
        (
            "select count(*) > 20, min(word) from pg_catalog.pg_get_keywords() where word <> ALL ('{a,all,and}'::text[]) \
             and word in ('and', 'having', 'where')",
            &["false|having"],
        ),
        // As pgjdbc looks for a type by its name.
        (
            "SELECT typinput='pg_catalog.array_in'::regproc as is_array, typname FROM pg_catalog.pg_type LEFT JOIN \
             (select ns.oid as nspoid, ns.nspname, r.r from pg_namespace as ns join (select s.r, \
             (current_schemas(false))[s.r] as nspname from generate_series(1, array_upper(current_schemas(false), 1)) as s(r)) \
             as r using (nspname)) as sp ON sp.nspoid = typnamespace WHERE typname IN ('int8', '_int8') ORDER BY sp.r, typname",
            &["true|_int8", "false|int8"],
        ),
    ] {
        assert_eq!(answer(text).await, wanted, "{text}");
    }
}

#[tokio::test]
async fn columns_have_the_types_of_the_platform() {
    let text = "SELECT a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod), \
        (SELECT t.typname FROM pg_catalog.pg_type t WHERE t.oid = a.atttypid) \
        FROM pg_catalog.pg_attribute a WHERE a.attrelid = 'people'::regclass ORDER BY a.attnum";
    assert_eq!(
        answer(text).await,
        [
            "id|bigint|int8",
            "mail|people_mail|people_mail",
            "price|numeric(10,2)|numeric"
        ]
    );
    let text = "SELECT data_type, numeric_precision, numeric_scale FROM information_schema.columns \
        WHERE table_name = 'seen' ORDER BY ordinal_position";
    assert_eq!(
        answer(text).await,
        ["bigint|64|0", "USER-DEFINED||", "numeric|10|2"]
    );
}

#[tokio::test]
async fn what_is_never_there_need_not_be_understood() {
    let text = "SELECT i.indkey, generate_subscripts(i.indkey, 1) AS n, no_such(i.indexrelid) \
        FROM pg_catalog.pg_index i WHERE i.indrelid = 1 ORDER BY no_such(2)";
    let (names, found) = rows(text).await.expect("no rows");
    assert_eq!(names, ["indkey", "n", "no_such"]);
    assert!(found.is_empty());
    // One group of nothing is a row all the same.
    assert_eq!(
        answer("SELECT count(*) FROM pg_catalog.pg_index").await,
        ["0"]
    );
    // And what stands to the left of nothing stays.
    let text = "SELECT c.relname FROM pg_class c LEFT JOIN pg_catalog.pg_index i ON i.indrelid = c.oid WHERE c.relkind = 'v'";
    assert_eq!(answer(text).await, ["seen"]);
}

#[tokio::test]
async fn what_only_looks_like_nothing_is_answered() {
    for (text, wanted) in [
        (
            "SELECT pg_catalog.count(*) FROM pg_catalog.pg_index",
            &["0"][..],
        ),
        ("SELECT count(*) + 1 FROM pg_index", &["1"]),
        ("SELECT bit_or(indnatts) IS NULL FROM pg_index", &["true"]),
        (
            "WITH pg_index AS (SELECT 7 AS n) SELECT n FROM pg_index WHERE pg_is_in_recovery() = false",
            &["7"],
        ),
        ("SELECT 1 FROM pg_index HAVING count(*) = 0", &["1"]),
    ] {
        assert_eq!(answer(text).await, wanted, "{text}");
    }
    for (text, code) in [
        ("SELECT i.no_such FROM pg_catalog.pg_index i", "42703"),
        (
            "SELECT json_agg(indrelid) FROM pg_catalog.pg_index",
            "42883",
        ),
        (
            "SELECT 1 FROM nowhere.pg_index WHERE pg_is_in_recovery()",
            "42P01",
        ),
    ] {
        assert_eq!(refusal(text).await, code, "{text}");
    }
}

#[tokio::test]
async fn queries_that_stand_for_values_have_one_row_and_others_as_many_as_they_have() {
    for (text, wanted) in [
        (
            "SELECT count(*) FROM pg_class WHERE relname = ANY (SELECT relname FROM pg_class)",
            &["4"][..],
        ),
        (
            "SELECT count(*) FROM pg_class WHERE relname = SOME (SELECT 'seen')",
            &["1"],
        ),
        (
            "SELECT relname FROM pg_class WHERE relname <> ALL (SELECT relname FROM pg_class WHERE relname <> 'seen')",
            &["seen"],
        ),
        (
            "SELECT (SELECT DISTINCT relnamespace FROM pg_class) AS n",
            &["2200"],
        ),
        (
            "SELECT (SELECT relname FROM pg_class WHERE relname = 'none') IS NULL AS n",
            &["true"],
        ),
    ] {
        assert_eq!(answer(text).await, wanted, "{text}");
    }
    for (text, code) in [
        ("SELECT (SELECT relname FROM pg_class)", "21000"),
        (
            "SELECT n.nspname, (SELECT c.relname FROM pg_class c WHERE c.relnamespace = n.oid) FROM pg_namespace n",
            "21000",
        ),
        (
            "SELECT 1 FROM pg_class WHERE oid > ALL (SELECT oid FROM pg_class)",
            "0A000",
        ),
    ] {
        assert_eq!(refusal(text).await, code, "{text}");
    }
}

#[tokio::test]
async fn functions_refuse_what_they_do_not_know() {
    for (text, code) in [
        ("SELECT current_schemas()", "42883"),
        ("SELECT version(1)", "42883"),
        ("SELECT current_setting('nope')", "42704"),
        ("SELECT has_table_privilege('nope', 'select')", "42P01"),
        ("SELECT has_table_privilege('people', 'look')", "22023"),
        (
            "SELECT has_table_privilege('nobody', 'people', 'select')",
            "42704",
        ),
        ("SELECT has_schema_privilege('nope', 'usage')", "3F000"),
        ("SELECT has_database_privilege('nope', 'connect')", "3D000"),
    ] {
        assert_eq!(refusal(text).await, code, "{text}");
    }
    let text = "SELECT current_setting('nope', true) IS NULL, has_table_privilege('public.people', 'select'), \
        has_table_privilege(1, 'select') IS NULL, has_table_privilege('me@Org', 'pg_class', 'insert, select'), \
        has_table_privilege('people', 'insert'), has_schema_privilege('public', 'usage'), \
        has_database_privilege(current_database(), 'connect')";
    assert_eq!(answer(text).await, ["true|true|true|true|false|true|true"]);
}

#[tokio::test]
async fn a_table_whose_columns_can_not_be_told_keeps_nobody_out() {
    let mut all = relations();
    all[1].columns = None;
    for text in [
        "SELECT DISTINCT relname FROM pg_attribute JOIN pg_class c ON attrelid = c.oid WHERE relkind IN ('r', 'v')",
        "SELECT DISTINCT table_name FROM information_schema.columns",
    ] {
        let found = rows_of(text, &all, MEMORY).await;
        assert_eq!(found.expect("columns").1, ["people"], "{text}");
    }
    let told = "SELECT obj_description('seen'::regclass, 'pg_class') LIKE 'about seen; its columns are not listed%store verify'";
    assert_eq!(
        rows_of(told, &all, MEMORY).await.expect("a word").1,
        ["true"]
    );
    let found = rows_of(
        "SELECT relname FROM pg_class WHERE relkind = 'v'",
        &all,
        MEMORY,
    )
    .await;
    assert_eq!(found.expect("names").1, ["seen"]);
}

#[tokio::test]
async fn no_statement_takes_the_stack_or_the_memory() {
    let chain = |link: &str, links: usize| format!("SELECT version(), 1{}", link.repeat(links));
    for text in [
        chain("+1", 100_000),
        chain("=1", 40_000),
        chain("::int", 20_000),
        format!(
            "SELECT version(), {}1{}",
            "(".repeat(5000),
            ")".repeat(5000)
        ),
    ] {
        assert_eq!(refusal(&text).await, "54001");
    }
    // As long as they may be.
    assert_eq!(answer(&chain("+1", 499)).await.len(), 1);
    let text = "SELECT array_agg(concat(a.attname, b.typname, c.typname, d.typname)) \
        FROM pg_attribute a, pg_type b, pg_type c, pg_type d";
    match rows_of(text, &relations(), 1 << 20).await {
        Err(Problem::Refused(refusal)) => assert_eq!(refusal.code, "53400", "{refusal:?}"),
        other => panic!("{other:?}"),
    }
    assert_eq!(
        refusal("SELECT repeat('x', 1000000000000), version()").await,
        "42883"
    );
}

/// Where there is one thread, whoever lets others have no turn is not ended.
#[tokio::test]
async fn a_statement_can_be_ended() {
    let tables: Vec<String> = (0..6).map(|one| format!("pg_type t{one}")).collect();
    let text = format!(
        "SELECT count(*) FROM {} WHERE concat(t0.typname, t1.typname, t2.typname, t3.typname, t4.typname, t5.typname) = 'x'",
        tables.join(", ")
    );
    let begun = std::time::Instant::now();
    let ended = tokio::time::timeout(std::time::Duration::from_millis(300), rows(&text)).await;
    assert!(ended.is_err(), "it is too short for this test");
    assert!(begun.elapsed() < std::time::Duration::from_secs(10));
}

#[tokio::test]
async fn two_columns_may_have_one_name() {
    let (names, found) =
        rows("SELECT n.oid, n.oid, n.nspname AS oid FROM pg_namespace n WHERE n.oid = 2200")
            .await
            .expect("rows");
    assert_eq!(names, ["oid", "oid", "oid"]);
    assert_eq!(found, ["2200|2200|public"]);
}

#[tokio::test]
async fn what_can_not_be_planned_is_refused_and_told() {
    for (text, code) in [
        ("SELECT * FROM pg_catalog.pg_no_such", "42P01"),
        ("SELECT pg_catalog.no_such(1)", "42883"),
        ("SELECT 'nowhere'::pg_catalog.regclass", "42P01"),
        ("SELECT 'nothing'::pg_catalog.regtype", "42704"),
        ("SELECT FROM pg_catalog.pg_class WHERE", "42601"),
    ] {
        match rows(text).await {
            Err(Problem::Refused(refusal)) => assert_eq!(refusal.code, code, "{text}: {refusal:?}"),
            other => panic!("{text}: {other:?}"),
        }
    }
}

#[test]
fn a_column_that_is_called_like_a_function_is_none() {
    let piece = &split("SELECT version, current_user FROM people").expect("one")[0];
    assert!(!concerns(piece));
    let piece = &split("SELECT version()").expect("one")[0];
    assert!(concerns(piece));
    let piece = &split("SELECT 'pg_class' FROM people").expect("one")[0];
    assert!(!concerns(piece));
}
