//! What statements give, in the form that is asked for.

use std::collections::HashSet;
use std::io::{BufWriter, IsTerminal, Write, stdout};
use std::path::Path;
use std::sync::Arc;

use profile_export::arrow::array::RecordBatch;
use profile_export::arrow::datatypes::{Field, Schema, SchemaRef};
use profile_export::export::{Compression, FileWriter, Format, WriterOptions, json_values};
use profile_export::platform::whole_file;
use serde_json::{Map, Value};

use crate::args::{Arguments, SqlArgs};
use crate::failure::Failure;
use crate::goal::Goal;
use crate::message::{say, shown};
use crate::output::{aligned, count, print, short, whether_printed};

/// Prints the rows of statements.
pub(super) struct Printer<'a> {
    arguments: &'a Arguments,
    form: Form<'a>,
    replaces: bool,
}

/// What rows are printed as.
enum Form<'a> {
    /// For people: columns side by side, long values cut.
    Table,
    /// Tabs between the values, which are whole.
    Tabs,
    /// One list of objects.
    Json,
    /// Files' formats, to standard output.
    Text(WriterOptions),
    /// The same into a file.
    File(&'a Path, WriterOptions),
}

type Rows<'r> = &'r mut dyn Iterator<Item = Result<RecordBatch, Failure>>;

impl<'a> Printer<'a> {
    pub(super) fn new(arguments: &'a Arguments, command: &'a SqlArgs) -> Result<Self, Failure> {
        let goal = Goal::of(command.out.as_deref());
        if command.files.name_template.is_some() || command.files.max_rows_per_file.is_some() {
            return Err(Failure::usage(
                "--name-template and --max-rows-per-file are for exports; a statement's rows are one file",
            ));
        }
        let text = |format| {
            Form::Text(WriterOptions {
                format,
                ..WriterOptions::default()
            })
        };
        let plain = Compression::None;
        let form = match goal {
            Goal::File(path) => Form::File(path, goal.writer(&command.files)?),
            Goal::Standard => Form::Text(goal.writer(&command.files)?),
            Goal::Folder(_) | Goal::Bucket(_) => {
                return Err(Failure::usage(
                    "--out of a statement is a file: NAME.parquet, NAME.ndjson, NAME.csv, with .gz or .zst behind them, or -",
                ));
            }
            Goal::Store if command.csv => text(Format::Csv(plain, Default::default())),
            Goal::Store if arguments.jsonl => text(Format::Ndjson(plain)),
            Goal::Store if arguments.json => Form::Json,
            Goal::Store if arguments.tsv || !stdout().is_terminal() => Form::Tabs,
            Goal::Store => Form::Table,
        };
        Ok(Self {
            arguments,
            form,
            replaces: command.replace,
        })
    }

    /// Refuses several statements where their rows would have to be one file.
    pub(super) fn check(&self, statements: usize) -> Result<(), Failure> {
        match self.form {
            Form::File(..) if statements > 1 => Err(Failure::usage(
                "--out takes the rows of one statement, and here are several",
            )),
            _ => Ok(()),
        }
    }

    /// Prints the rows of one statement.
    pub(super) fn print(
        &self,
        schema: &SchemaRef,
        mut rows: impl Iterator<Item = Result<RecordBatch, Failure>>,
    ) -> Result<(), Failure> {
        let rows: Rows<'_> = &mut rows;
        let printed = match &self.form {
            Form::Table => table(schema, rows)?,
            Form::Tabs => tabs(schema, rows)?,
            Form::Json => json(schema, rows)?,
            Form::Text(options) => {
                one_name_each(schema)?;
                let sink = BufWriter::new(stdout().lock());
                let (mut sink, rows) = written(sink, schema, rows, options)?;
                whether_printed(sink.flush())?;
                rows
            }
            Form::File(path, options) => {
                one_name_each(schema)?;
                whole_file(path, self.replaces, |file| {
                    Ok::<_, Failure>(written(file, schema, rows, options)?.1)
                })?
            }
        };
        say(self.arguments, &format!("{} rows", count(printed)));
        Ok(())
    }
}

/// Objects can't have two fields of one name.
fn one_name_each(schema: &Schema) -> Result<(), Failure> {
    let mut names = HashSet::new();
    let mut all = schema.fields().iter();
    match all.find(|field| !names.insert(field.name())) {
        None => Ok(()),
        Some(field) => Err(Failure::usage(format!(
            "two columns are called {:?}; give one of them another name by AS",
            field.name()
        ))),
    }
}

fn written<W: Write + Send>(
    sink: W,
    schema: &SchemaRef,
    rows: Rows<'_>,
    options: &WriterOptions,
) -> Result<(W, u64), Failure> {
    let failed = |error| Failure::failed(format!("writing rows: {error}"));
    let mut writer = FileWriter::new(sink, schema, options).map_err(failed)?;
    for batch in rows {
        writer.push(batch?).map_err(failed)?;
    }
    let rows = writer.rows();
    let (sink, _) = writer.finish().map_err(failed)?;
    Ok((sink, rows))
}

fn json(schema: &SchemaRef, rows: Rows<'_>) -> Result<u64, Failure> {
    one_name_each(schema)?;
    let mut printed = 0;
    print("[")?;
    for batch in rows {
        for values in values_of(&batch?)? {
            let names = schema.fields().iter().map(|field| field.name().clone());
            let object: Map<String, Value> = names.zip(values).collect();
            let comma = if printed == 0 { "" } else { "," };
            print(&format!("{comma}\n  {}", Value::Object(object)))?;
            printed += 1;
        }
    }
    print(if printed == 0 { "]\n" } else { "\n]\n" })?;
    Ok(printed)
}

fn tabs(schema: &Schema, rows: Rows<'_>) -> Result<u64, Failure> {
    let line = |cells: Vec<String>| {
        let cells: Vec<_> = cells.iter().map(|cell| shown(cell)).collect();
        print(&format!("{}\n", cells.join("\t")))
    };
    line(names(schema))?;
    let mut printed = 0;
    for batch in rows {
        for values in values_of(&batch?)? {
            line(values.iter().map(text).collect())?;
            printed += 1;
        }
    }
    Ok(printed)
}

fn table(schema: &Schema, rows: Rows<'_>) -> Result<u64, Failure> {
    let mut lines = vec![names(schema)];
    for batch in rows {
        for values in values_of(&batch?)? {
            lines.push(values.iter().map(|value| short(&text(value))).collect());
        }
    }
    let printed = lines.len() as u64 - 1;
    let cells = lines
        .iter()
        .map(|line| line.iter().map(|cell| shown(cell)).collect());
    print(&aligned(cells.collect()))?;
    Ok(printed)
}

fn names(schema: &Schema) -> Vec<String> {
    let fields = schema.fields().iter();
    fields.map(|field| field.name().clone()).collect()
}

/// The values of each row by their places, as two columns may have one name.
fn values_of(batch: &RecordBatch) -> Result<Vec<Vec<Value>>, Failure> {
    let failed = |error: &dyn std::fmt::Display| Failure::failed(format!("showing rows: {error}"));
    let schema = batch.schema();
    let fields = schema.fields().iter().zip(0..);
    let numbered = fields.map(|(field, i)| Field::clone(field).with_name(i.to_string()));
    let numbered = Arc::new(Schema::new(numbered.collect::<Vec<_>>()));
    let columns = batch.num_columns();
    let batch = RecordBatch::try_new(numbered, batch.columns().to_vec());
    let rows = json_values(&batch.map_err(|error| failed(&error))?);
    let rows = rows.map_err(|error| failed(&error))?;
    let of_row = |mut row: Value| {
        let value = |i: usize| row.get_mut(i.to_string()).map(Value::take);
        (0..columns)
            .map(value)
            .map(Option::unwrap_or_default)
            .collect()
    };
    Ok(rows.into_iter().map(of_row).collect())
}

/// A value as a cell: nothing for null, JSON for what is nested.
fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
