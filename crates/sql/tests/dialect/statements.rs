//! Statements other than queries, and what no file of statements can say.

use profile_export_sql::dialect::{self, Code, Error, QueryLimits, Statement};

use crate::golden::{batches, cases, query};

fn one(sql: &str) -> Result<Statement, Error> {
    let mut all = dialect::parse(sql)?;
    assert_eq!(all.len(), 1, "{sql}");
    Ok(all.remove(0))
}

fn rows(sql: &str, limits: QueryLimits) -> Result<usize, Error> {
    let batches = batches(&query(sql)?.with_limits(limits)?)?;
    Ok(batches.iter().map(|batch| batch.num_rows()).sum())
}

#[test]
fn several_statements_stand_in_one_text() {
    let all = dialect::parse("BEGIN; SELECT 1; ; ROLLBACK;").expect("statements");
    assert!(
        matches!(
            all.as_slice(),
            [Statement::Begin, Statement::Query(_), Statement::Rollback]
        ),
        "{all:?}"
    );
}

#[test]
fn statements_are_known_by_their_kind() {
    let select = "SELECT id FROM t";
    let of = query(select).expect("a query");
    let cases = [
        (
            format!("EXPLAIN {select}"),
            Statement::Explain {
                analyze: false,
                query: of.clone(),
            },
        ),
        (
            format!(
                "CREATE TABLE My WITH (schema = 'orders', rowvalidation = 'false') AS {select}"
            ),
            Statement::CreateTable {
                name: "my".to_owned(),
                temporary: false,
                if_not_exists: false,
                options: vec![
                    ("schema".to_owned(), "orders".to_owned()),
                    ("rowvalidation".to_owned(), "false".to_owned()),
                ],
                query: of.clone(),
            },
        ),
        (
            format!("CREATE TEMP TABLE IF NOT EXISTS my AS {select}"),
            Statement::CreateTable {
                name: "my".to_owned(),
                temporary: true,
                if_not_exists: true,
                options: Vec::new(),
                query: of.clone(),
            },
        ),
        (
            format!("INSERT INTO My (Id) {select}"),
            Statement::Insert {
                table: "my".to_owned(),
                columns: vec!["Id".to_owned()],
                query: of.clone(),
            },
        ),
        (
            format!("CREATE OR REPLACE VIEW v AS {select}"),
            Statement::CreateView {
                name: "v".to_owned(),
                or_replace: true,
                columns: Vec::new(),
                query: of.clone(),
            },
        ),
        (
            "DROP TABLE IF EXISTS A, b".to_owned(),
            Statement::Drop {
                view: false,
                names: vec!["a".to_owned(), "b".to_owned()],
                if_exists: true,
            },
        ),
        (
            "DROP VIEW v".to_owned(),
            Statement::Drop {
                view: true,
                names: vec!["v".to_owned()],
                if_exists: false,
            },
        ),
        ("SHOW TABLES".to_owned(), Statement::ShowTables),
        ("SHOW VIEWS".to_owned(), Statement::ShowViews),
        (
            "SHOW transaction isolation level".to_owned(),
            Statement::Show("transaction isolation level".to_owned()),
        ),
        (
            "SET auto_to_json = true".to_owned(),
            Statement::Set {
                name: "auto_to_json".to_owned(),
                value: Some("true".to_owned()),
            },
        ),
        (
            "SET TIME ZONE 'UTC'".to_owned(),
            Statement::Set {
                name: "timezone".to_owned(),
                value: Some("UTC".to_owned()),
            },
        ),
        (
            "SET DateStyle TO DEFAULT".to_owned(),
            Statement::Set {
                name: "datestyle".to_owned(),
                value: None,
            },
        ),
        ("BEGIN TRANSACTION".to_owned(), Statement::Begin),
        ("COMMIT".to_owned(), Statement::Commit),
        (
            format!("PREPARE p AS {select}"),
            Statement::Prepare {
                name: "p".to_owned(),
                query: of.clone(),
            },
        ),
        ("DEALLOCATE ALL".to_owned(), Statement::Deallocate(None)),
        (
            "DEALLOCATE PREPARE P".to_owned(),
            Statement::Deallocate(Some("p".to_owned())),
        ),
        (
            format!("DECLARE c CURSOR FOR {select}"),
            Statement::Declare {
                cursor: "c".to_owned(),
                query: of.clone(),
            },
        ),
        (
            "FETCH 100 FROM c".to_owned(),
            Statement::Fetch {
                cursor: "c".to_owned(),
                rows: Some(100),
            },
        ),
        (
            "FETCH ALL FROM c".to_owned(),
            Statement::Fetch {
                cursor: "c".to_owned(),
                rows: None,
            },
        ),
        ("CLOSE c".to_owned(), Statement::Close(Some("c".to_owned()))),
    ];
    for (sql, wanted) in cases {
        assert_eq!(one(&sql).expect(&sql), wanted, "{sql}");
    }
}

#[test]
fn other_statements_are_refused_by_name() {
    let cases = [
        ("UPDATE t SET n = 1", "UPDATE"),
        ("DELETE FROM t", "DELETE"),
        ("CREATE TABLE t (a int)", "columns of its own"),
        ("CREATE OR REPLACE TABLE t AS SELECT 1", "OR REPLACE"),
        ("INSERT OVERWRITE t SELECT 1", "replaces"),
        ("DROP SCHEMA s", "DROP SCHEMA"),
        ("$$BEGIN SET @v = SELECT 1; END$$", "Anonymous blocks"),
        ("EXPLAIN DROP TABLE t", "EXPLAIN of DROP TABLE"),
    ];
    for (sql, words) in cases {
        let error = one(sql).expect_err(sql);
        assert_eq!(error.code, Code::NotSupported, "{sql}: {error}");
        assert!(error.message.contains(words), "{sql}: {error}");
    }
}

#[test]
fn parameters_are_filled_in() {
    let Statement::Prepare { query, .. } =
        one("PREPARE p AS SELECT n FROM t WHERE id = $1 AND n > $2").expect("a statement")
    else {
        panic!("it is a PREPARE");
    };
    let Statement::Execute { name, parameters } = one("EXECUTE P('a', 3)").expect("a statement")
    else {
        panic!("it is an EXECUTE");
    };
    assert_eq!(name, "p");
    let filled = query.with_parameters(&parameters).expect("a query");
    assert_eq!(
        filled.to_string(),
        "SELECT n FROM t WHERE id = 'a' AND n > 3"
    );
    let missing = query
        .with_parameters(&parameters[..1])
        .expect_err("one is missing");
    assert_eq!(missing.code, Code::Syntax);
    let none = batches(&query).expect_err("none at all");
    assert!(none.message.contains("parameter $1"), "{none}");
}

#[test]
fn limits_are_the_callers() {
    let platform = QueryLimits {
        unless_said: Some(3),
        at_most: Some(5),
    };
    let all = "SELECT * FROM words";
    assert_eq!(rows(all, QueryLimits::default()), Ok(7));
    assert_eq!(rows(all, platform), Ok(3));
    assert_eq!(rows(&format!("{all} LIMIT 4"), platform), Ok(4));
    assert_eq!(rows(&format!("{all} LIMIT 0"), platform), Ok(7));
    assert_eq!(rows(&format!("{all} OFFSET 5"), platform), Ok(2));
    let above = rows(&format!("{all} LIMIT 6"), platform).expect_err("above what may be");
    assert_eq!(above.code.sqlstate(), "53400");
}

#[test]
fn errors_have_the_place_in_the_text() {
    let place = |sql: &str| {
        let error = query(sql).and_then(|query| batches(&query)).expect_err(sql);
        error.position.map(|at| (at.line, at.column))
    };
    assert_eq!(place("SELECT id,\n  nam FROM t"), Some((2, 3)));
    assert_eq!(place("SELECT 1 FROM nowhere"), Some((1, 15)));
    assert_eq!(place("SELECT id FROM t WHERE nosuch(id)"), Some((1, 24)));
    assert_eq!(place("SELECT id FROM t WHERE WHERE"), Some((1, 24)));
}

/// What was printed is parsed again, and printed alike.
#[test]
fn printed_queries_are_the_same_queries() {
    for case in cases() {
        let Ok(query) = query(&case.sql) else {
            continue;
        };
        let printed = query.to_string();
        let again = self::query(&printed)
            .unwrap_or_else(|error| panic!("{}: {printed}: {error}", case.place));
        assert_eq!(again.to_string(), printed, "{}", case.place);
    }
}

#[test]
fn deep_and_long_texts_are_refused() {
    let cases = [
        format!("SELECT {}1{}", "(".repeat(500), ")".repeat(500)),
        format!(
            "SELECT * FROM {}t{}",
            "(SELECT * FROM ".repeat(200),
            ")".repeat(200)
        ),
        format!("SELECT {}1", "1 + ".repeat(600)),
    ];
    for sql in cases {
        let error = query(&sql)
            .and_then(|query| batches(&query))
            .expect_err("too deep");
        assert_eq!(error.code, Code::TooComplex, "{error}");
    }
    // As long as texts may be, and as deep as it is long.
    let chain = format!(
        "SELECT count(*) FROM t WHERE {} n = 7",
        "n = 1 OR ".repeat(400)
    );
    assert_eq!(rows(&chain, QueryLimits::default()), Ok(1));
}

#[test]
fn queries_of_with_that_name_each_other_twice_are_refused_before_they_grow_out_of_bounds() {
    let doubled = |steps: usize| {
        let queries = (1..=steps).map(|step| {
            let before = step - 1;
            format!("q{step} AS (SELECT a.x FROM q{before} a CROSS JOIN q{before} b)")
        });
        let queries: Vec<String> = queries.collect();
        format!(
            "WITH q0 AS (SELECT 1 AS x), {} SELECT x FROM q{steps}",
            queries.join(", ")
        )
    };
    assert_eq!(rows(&doubled(4), QueryLimits::default()).ok(), Some(1));
    let refused = rows(&doubled(40), QueryLimits::default());
    assert_eq!(refused.map_err(|error| error.code), Err(Code::TooComplex));
}

#[test]
fn of_a_long_chain_of_texts_few_calls_are_within_each_other() {
    let chain = format!("SELECT length('a'{}) AS n", " || 'b'".repeat(499));
    let context = datafusion::prelude::SessionContext::new();
    let query = query(&chain).expect("a query");
    let plan = dialect::plan(&query, crate::tables::tables(), &context.state()).expect("a plan");
    assert_eq!(
        plan.display_indent()
            .to_string()
            .matches("spark_concat")
            .count(),
        16
    );
    let answer = crate::golden::run(&chain).expect("rows");
    assert_eq!(answer.rows, ["500"]);
    let mixed = crate::golden::run("SELECT 1 || 'a' || null AS x, 'a' || ('b' || 2) || true AS y")
        .expect("rows");
    assert_eq!(mixed.rows, ["null | ab2true"]);
}
