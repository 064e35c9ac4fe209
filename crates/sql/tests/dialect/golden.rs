//! Statements with their rows in files: `tests/statements/*.sql`.
//!
//! A case is a block of lines between blank ones: `-- what it shows`, the statement, and what comes of it:
//! `# the | columns`, `> a | row` for each row (in order if the statement has an ORDER BY), or `! 42703 words of the
//! message`.

use std::path::Path;

use arrow::array::RecordBatch;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion::prelude::{SessionConfig, SessionContext};
use profile_export_sql::dialect::{self, Error, Query, Statement};

use crate::tables::tables;

/// Columns and rows of a query, as texts.
#[derive(Debug, PartialEq)]
pub struct Answer {
    pub columns: Vec<String>,
    pub rows: Vec<String>,
}

pub fn query(sql: &str) -> Result<Query, Error> {
    let mut statements = dialect::parse(sql)?;
    match (statements.pop(), statements.is_empty()) {
        (Some(Statement::Query(query)), true) => Ok(query),
        other => panic!("{sql}: {other:?} is no query"),
    }
}

pub fn batches(query: &Query) -> Result<Vec<RecordBatch>, Error> {
    let context = SessionContext::new_with_config(SessionConfig::new().with_target_partitions(2));
    let plan = dialect::plan(query, tables(), &context.state())?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let frame = context.execute_logical_plan(plan).await?;
        let schema = std::sync::Arc::new(frame.schema().as_arrow().clone());
        let mut batches = frame.collect().await?;
        if batches.is_empty() {
            batches.push(RecordBatch::new_empty(schema));
        }
        Ok(batches)
    })
}

pub fn run(sql: &str) -> Result<Answer, Error> {
    let batches = batches(&query(sql)?)?;
    let schema = batches[0].schema();
    let columns = schema
        .fields()
        .iter()
        .map(|field| field.name().clone())
        .collect();
    let options = FormatOptions::new()
        .with_null("null")
        .with_timestamp_format(Some("%Y-%m-%d %H:%M:%S%.f"))
        .with_timestamp_tz_format(Some("%Y-%m-%d %H:%M:%S%.f"));
    let mut rows = Vec::new();
    for batch in &batches {
        let formatters: Vec<_> = batch
            .columns()
            .iter()
            .map(|column| ArrayFormatter::try_new(column, &options).expect("a formatter"))
            .collect();
        for row in 0..batch.num_rows() {
            let cells: Vec<_> = formatters
                .iter()
                .map(|formatter| formatter.value(row).to_string())
                .collect();
            rows.push(cells.join(" | "));
        }
    }
    Ok(Answer { columns, rows })
}

/// One block of a file.
pub struct Case {
    pub place: String,
    pub sql: String,
    columns: Option<String>,
    rows: Vec<String>,
    error: Option<String>,
}

pub fn cases() -> Vec<Case> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/statements");
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .expect("a folder")
        .map(|entry| entry.expect("a file").path())
        .collect();
    files.sort();
    files.iter().flat_map(|file| of_file(file)).collect()
}

fn of_file(file: &Path) -> Vec<Case> {
    let text = std::fs::read_to_string(file).expect("a file");
    let name = file
        .file_name()
        .expect("a name")
        .to_string_lossy()
        .into_owned();
    let mut cases = Vec::new();
    let mut line = 1;
    for block in text.split("\n\n") {
        let mut case = Case {
            place: format!("{name}:{line}"),
            sql: String::new(),
            columns: None,
            rows: Vec::new(),
            error: None,
        };
        for row in block.lines() {
            match row.split_at_checked(2) {
                Some(("--", _)) => {}
                Some(("# ", columns)) => case.columns = Some(columns.to_owned()),
                Some(("> ", row)) => case.rows.push(row.to_owned()),
                _ if row == ">" => case.rows.push(String::new()),
                Some(("! ", error)) => case.error = Some(error.to_owned()),
                _ => case.sql.push_str(&format!("{row}\n")),
            }
        }
        line += block.matches('\n').count() + 2;
        if !case.sql.trim().is_empty() {
            cases.push(case);
        }
    }
    cases
}

impl Case {
    /// What is wrong with the answer, if something is.
    fn check(&self) -> Option<String> {
        let mut answer = match (run(&self.sql), &self.error) {
            (Err(error), Some(wanted)) => {
                let (code, words) = wanted.split_once(' ').unwrap_or((wanted, ""));
                let fine = error.code.sqlstate() == code && error.message.contains(words);
                return (!fine).then(|| format!("{error}, not {wanted}"));
            }
            (Err(error), None) => return Some(error.to_string()),
            (Ok(answer), Some(wanted)) => return Some(format!("{:?}, not {wanted}", answer.rows)),
            (Ok(answer), None) => answer,
        };
        let mut rows = self.rows.clone();
        if !self.sql.to_lowercase().contains("order by") {
            rows.sort();
            answer.rows.sort();
        }
        if let Some(columns) = &self.columns
            && answer.columns.join(" | ") != *columns
        {
            return Some(format!(
                "the columns {}, not {columns}",
                answer.columns.join(" | ")
            ));
        }
        (answer.rows != rows).then(|| {
            format!(
                "the rows\n> {}\nnot\n> {}",
                answer.rows.join("\n> "),
                rows.join("\n> ")
            )
        })
    }
}

#[test]
fn statements_give_the_rows_that_are_written_beside_them() {
    let wrong: Vec<_> = cases()
        .iter()
        .filter_map(|case| {
            case.check()
                .map(|found| format!("{}\n{}{found}\n", case.place, case.sql))
        })
        .collect();
    assert!(
        wrong.is_empty(),
        "{} statements:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}
