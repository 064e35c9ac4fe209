//! Texts of the dialect's words in any order: an error or a plan, never a panic.

use datafusion::prelude::SessionContext;
use profile_export_sql::dialect;
use proptest::prelude::*;

use crate::tables::tables;

const WORDS: &[&str] = &[
    "SELECT",
    "FROM",
    "WHERE",
    "GROUP BY",
    "ORDER BY",
    "HAVING",
    "LIMIT",
    "AS",
    "t",
    "words",
    "a",
    "id",
    "n",
    "k",
    "tags",
    "items",
    "scores",
    "ids",
    "person",
    "person.name",
    "items.sku",
    "ids['ECID'][0].id",
    "*",
    "t.*",
    ",",
    "(",
    ")",
    "[",
    "]",
    ".",
    "'x'",
    "1",
    "0",
    "null",
    "+",
    "-",
    "/",
    "=",
    "<=>",
    "::int",
    "AND",
    "NOT",
    "IN",
    "BETWEEN",
    "LIKE",
    "CASE WHEN",
    "THEN",
    "ELSE",
    "END",
    "explode(",
    "inline(items)",
    "LATERAL VIEW",
    "LATERAL VIEW OUTER explode(tags) v AS tag",
    "transform(tags,",
    "aggregate(items, 0,",
    "(x, y) ->",
    "x -> x",
    "count(",
    "DISTINCT",
    "sum(n)",
    "row_number() OVER (",
    "PARTITION BY",
    "UNION ALL",
    "MINUS",
    "WITH a AS (",
    "JOIN words ON",
    "USING (k)",
    "SNAPSHOT SINCE",
    "SNAPSHOT AS OF",
    "HEAD",
    "history_meta('t')",
    "\"quoted\"",
    "`order`",
    "INTERVAL 1 DAY",
    "date_format(at, 'yyyy')",
    "struct(n AS",
    "EXISTS(",
    ";",
    "$1",
    "-- comment\n",
];

/// Pieces that more often than not make a statement together.
const ITEMS: &[&str] = &[
    "*",
    "id",
    "n + 1 AS m",
    "m * 2",
    "explode(tags)",
    "posexplode_outer(scores) AS (p, q, r)",
    "tags[n]",
    "transform(items, i -> i.priceTotal / n)",
    "aggregate(nested[0], 0, (s, x) -> s + x, s -> s || 'x')",
    "count(*)",
    "collect_list(person)",
    "row_number() OVER (PARTITION BY flag ORDER BY n)",
    "ids.ECID.id",
    "element_at(scores, 'x')",
    "cast(at AS string)",
    "born + n",
    "nested",
    "max(n) OVER ()",
    "(SELECT max(k) FROM words)",
    "struct(n, x AS y).y",
    "filter(tags, (x, i) -> i > 0)",
    "concat(tags, tags)",
    "person.*",
    "map('a', n)[id]",
];
const TAILS: &[&str] = &[
    "",
    "WHERE n > 0",
    "WHERE tags IS NULL",
    "GROUP BY 1",
    "GROUP BY ALL",
    "GROUP BY id HAVING count(*) > 0",
    "ORDER BY 1",
    "ORDER BY id DESC LIMIT 0",
    "LATERAL VIEW explode(ids) e",
    "UNION SELECT 1",
    "LIMIT 1",
    "WHERE EXISTS (SELECT 1 FROM words WHERE k = n)",
];

fn tried(sql: &str) {
    let context = SessionContext::new();
    let Ok(statements) = dialect::parse(sql) else {
        return;
    };
    for statement in statements {
        let dialect::Statement::Query(query) = statement else {
            continue;
        };
        let Ok(plan) = dialect::plan(&query, tables(), &context.state()) else {
            continue;
        };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .expect("a runtime");
        // Whatever the optimizer and the rows say: no panic.
        let _ =
            runtime.block_on(async { context.execute_logical_plan(plan).await?.collect().await });
    }
}

/// Expressions of expressions, with spaces that no printer makes.
fn expression() -> impl Strategy<Value = String> {
    let leaf = prop::sample::select(vec![
        "n",
        "t.id",
        "tags[0]",
        "person.name",
        "ids['ECID'][0].id",
        "'it''s'",
        "'a\\\\b'",
        "1.5",
        "null",
        "true",
        "`order`",
        "\"quoted name\"",
        "date '2020-01-01'",
        "INTERVAL 1 DAY",
        "-n",
        "NOT flag",
        "x::string",
        "count(*)",
    ]);
    leaf.prop_map(str::to_owned)
        .prop_recursive(4, 24, 3, |inner| {
            let two = (inner.clone(), inner.clone());
            let operators = prop::sample::select(vec![
                "+", "-", "*", "/", "%", "||", "=", "<=>", "!=", "<", "AND", "OR", "LIKE", "RLIKE",
                "DIV", "~~",
            ]);
            prop_oneof![
                (two.clone(), operators).prop_map(|((a, b), o)| format!("{a}  {o} {b}")),
                two.clone().prop_map(|(a, b)| format!("({a}) IN ({b}, 1)")),
                two.clone()
                    .prop_map(|(a, b)| format!("CASE WHEN {a} THEN {b} ELSE 'x' END")),
                two.clone()
                    .prop_map(|(a, b)| format!("transform({a}, v -> {b})")),
                two.clone()
                    .prop_map(|(a, b)| format!("struct({a} AS a, {b})")),
                two.clone()
                    .prop_map(|(a, b)| format!("({a}) BETWEEN {b} AND 3")),
                two.prop_map(|(a, b)| format!("sum({a}) OVER (PARTITION BY {b} ORDER BY 1 DESC)")),
                inner.clone().prop_map(|a| format!("cast({a} AS bigint)")),
                inner.clone().prop_map(|a| format!("({a}) IS NOT NULL")),
                inner.prop_map(|a| format!("(SELECT max(k) FROM words WHERE k = {a})")),
            ]
        })
}

/// What was printed is read again, and printed alike.
fn printed_alike(sql: &str) {
    let Ok(statements) = dialect::parse(sql) else {
        return;
    };
    for statement in statements {
        let dialect::Statement::Query(query) = statement else {
            continue;
        };
        let printed = query.to_string();
        let again = dialect::parse(&printed);
        match again.as_deref() {
            Ok([dialect::Statement::Query(again)]) => {
                assert_eq!(again.to_string(), printed, "{sql}");
            }
            other => panic!("{sql}\n{printed}\n{other:?}"),
        }
    }
}

fn config() -> ProptestConfig {
    let deep = std::env::var_os("PROFILE_EXPORT_DEEP_TESTS").is_some();
    ProptestConfig::with_cases(if deep { 5_000 } else { 150 })
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn no_order_of_words_panics(words in prop::collection::vec(prop::sample::select(WORDS), 0..24)) {
        tried(&words.join(" "));
    }

    #[test]
    fn no_select_of_known_pieces_panics(
        items in prop::collection::vec(prop::sample::select(ITEMS), 1..5),
        tails in prop::collection::vec(prop::sample::select(TAILS), 0..3),
    ) {
        let sql = format!("SELECT {} FROM t {}", items.join(", "), tails.join(" "));
        tried(&sql);
        printed_alike(&sql);
    }

    #[test]
    fn what_is_printed_is_read_again_and_printed_alike(
        items in prop::collection::vec(expression(), 1..4),
        condition in expression(),
        tails in prop::collection::vec(prop::sample::select(TAILS), 0..2),
    ) {
        let sql = format!("SELECT {} FROM t WHERE {condition} {}", items.join(", "), tails.join(" "));
        printed_alike(&sql);
        printed_alike(&format!("WITH a AS ({sql}) SELECT DISTINCT * FROM a LATERAL VIEW explode(tags) v ORDER BY 1"));
    }
}
