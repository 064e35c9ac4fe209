//! What statements give, in the form that is asked for.

use std::collections::HashSet;
use std::io::{self, BufWriter, ErrorKind, IsTerminal, Stdout, Write, stdout};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use profile_export::arrow::datatypes::{Schema, SchemaRef};
use profile_export::export::{Compression, FileWriter, Format, WriterOptions, json_rows};
use profile_export::platform::whole_file;
use sql::dialect::Statement;

use super::cells::{Rows, cells, names};
use crate::args::{Arguments, FileArgs, ParquetProfile, SqlArgs};
use crate::failure::Failure;
use crate::goal::Goal;
use crate::message::{say, shown};
use crate::output::{aligned, count, escaped, short, whether_printed};

/// How many rows are laid out as a table at a time.
const PAGE: usize = 1000;

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

impl<'a> Printer<'a> {
    pub(super) fn new(arguments: &'a Arguments, command: &'a SqlArgs) -> Result<Self, Failure> {
        let files = &command.files;
        if files.name_template.is_some() || files.max_rows_per_file.is_some() {
            return Err(Failure::usage(
                "--name-template and --max-rows-per-file are for exports; a statement's rows are one file",
            ));
        }
        let goal = Goal::of(command.out.as_deref());
        if goal == Goal::Store && says_how(files) {
            return Err(Failure::usage(
                "--format, --compression, --parquet-profile and --csv-… are for --out FILE, or --out -",
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
            Goal::File(path) => Form::File(path, goal.writer(files)?),
            Goal::Standard => Form::Text(goal.writer(files)?),
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

    /// Refuses what could not be one file, where the rows are to be one: `None` stands for whatever somebody types.
    pub(super) fn check(&self, statements: Option<&[Statement]>) -> Result<(), Failure> {
        let last_alone = |statements: &[Statement]| {
            let (last, others) = statements.split_last()?;
            let gives_rows = |one: &Statement| {
                matches!(
                    one,
                    Statement::Query(_)
                        | Statement::Explain { .. }
                        | Statement::Execute { .. }
                        | Statement::Fetch { .. }
                        | Statement::Show(_)
                        | Statement::ShowTables
                        | Statement::ShowViews
                )
            };
            (gives_rows(last) && !others.iter().any(gives_rows)).then_some(())
        };
        match self.form {
            Form::File(..) if statements.and_then(last_alone).is_none() => Err(Failure::usage(
                "--out takes the rows of one query, which is the last statement",
            )),
            _ => Ok(()),
        }
    }

    /// Prints the rows of one statement.
    pub(super) fn print(
        &self,
        schema: &SchemaRef,
        mut rows: impl Iterator<Item = Rows>,
    ) -> Result<(), Failure> {
        let rows: &mut dyn Iterator<Item = Rows> = &mut rows;
        let printed = match &self.form {
            Form::File(path, options) => {
                one_name_each(schema)?;
                whole_file(path, self.replaces, |file| {
                    Ok::<_, Failure>(written(file, schema, rows, options)?.1)
                })?
            }
            form => {
                let reader_left = Arc::new(AtomicBool::new(false));
                let mut sink = BufWriter::new(Standard {
                    out: stdout(),
                    reader_left: Arc::clone(&reader_left),
                });
                let printed = match form {
                    Form::Table => table(&mut sink, schema, rows),
                    Form::Tabs => tabs(&mut sink, schema, rows),
                    Form::Json => json(&mut sink, schema, rows),
                    Form::Text(options) => one_name_each(schema)
                        .and_then(|()| Ok(written(&mut sink, schema, rows, options)?.1)),
                    Form::File(..) => unreachable!("it was written"),
                };
                let printed = printed.and_then(|n| whether_printed(sink.flush()).map(|()| n));
                // Whoever has seen enough is no failure.
                if reader_left.load(Ordering::Relaxed) {
                    // What is left in the buffer has nowhere to go.
                    let _ = sink.into_parts();
                    return Ok(());
                }
                printed?
            }
        };
        say(self.arguments, &format!("{} rows", count(printed)));
        Ok(())
    }
}

fn says_how(files: &FileArgs) -> bool {
    files.format.is_some()
        || files.compression.is_some()
        || files.parquet_profile != ParquetProfile::Modern
        || files.csv_delimiter.is_some()
        || files.csv_null.is_some()
        || files.csv_escape.is_some()
        || !files.csv_header.is_empty()
}

/// Standard output, which notes when its reader has gone away.
struct Standard {
    out: Stdout,
    reader_left: Arc<AtomicBool>,
}

impl Standard {
    fn note<T>(&self, done: io::Result<T>) -> io::Result<T> {
        if done
            .as_ref()
            .is_err_and(|error| error.kind() == ErrorKind::BrokenPipe)
        {
            self.reader_left.store(true, Ordering::Relaxed);
        }
        done
    }
}

impl Write for Standard {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.out.write(bytes);
        self.note(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        let flushed = self.out.flush();
        self.note(flushed)
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

fn failed(error: impl std::fmt::Display) -> Failure {
    Failure::failed(format!("writing rows: {error}"))
}

fn written<W: Write + Send>(
    sink: W,
    schema: &SchemaRef,
    rows: &mut dyn Iterator<Item = Rows>,
    options: &WriterOptions,
) -> Result<(W, u64), Failure> {
    let mut writer = FileWriter::new(sink, schema, options).map_err(failed)?;
    for batch in rows {
        writer.push(batch?).map_err(failed)?;
    }
    let rows = writer.rows();
    let (sink, _) = writer.finish().map_err(failed)?;
    Ok((sink, rows))
}

/// The objects are those of `--jsonl`: without what is null.
fn json(
    sink: &mut impl Write,
    schema: &Schema,
    rows: &mut dyn Iterator<Item = Rows>,
) -> Result<u64, Failure> {
    one_name_each(schema)?;
    let mut printed = 0;
    sink.write_all(b"[").map_err(failed)?;
    for batch in rows {
        let lines = json_rows(&batch?).map_err(failed)?;
        let lines = String::from_utf8(lines).map_err(failed)?;
        for line in lines.lines() {
            let comma = if printed == 0 { "" } else { "," };
            write!(sink, "{comma}\n  {}", escaped(line)).map_err(failed)?;
            printed += 1;
        }
    }
    let end: &[u8] = if printed == 0 { b"]\n" } else { b"\n]\n" };
    sink.write_all(end).map_err(failed)?;
    Ok(printed)
}

fn tabs(
    sink: &mut impl Write,
    schema: &Schema,
    rows: &mut dyn Iterator<Item = Rows>,
) -> Result<u64, Failure> {
    let mut line = |cells: &[String]| {
        let cells: Vec<_> = cells.iter().map(|cell| shown(cell)).collect();
        writeln!(sink, "{}", cells.join("\t")).map_err(failed)
    };
    line(&names(schema))?;
    let mut printed = 0;
    for batch in rows {
        for row in cells(&batch?)? {
            line(&row)?;
            printed += 1;
        }
    }
    Ok(printed)
}

/// Page by page, each with the widths of its own cells. What is alone in its row is not cut.
fn table(
    sink: &mut impl Write,
    schema: &Schema,
    rows: &mut dyn Iterator<Item = Rows>,
) -> Result<u64, Failure> {
    let fits = |cell: &String| match schema.fields().len() {
        1 => cell.clone(),
        _ => short(cell),
    };
    let mut page = |lines: &[Vec<String>]| {
        let cells = lines
            .iter()
            .map(|line| line.iter().map(|cell| shown(cell)).collect());
        write!(sink, "{}", aligned(cells.collect())).map_err(failed)
    };
    let mut lines = vec![names(schema)];
    let mut printed = 0;
    for batch in rows {
        for row in cells(&batch?)? {
            lines.push(row.iter().map(fits).collect());
            printed += 1;
            if lines.len() > PAGE {
                page(&lines)?;
                lines.clear();
            }
        }
    }
    page(&lines)?;
    Ok(printed)
}
