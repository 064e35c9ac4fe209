use std::io::{IsTerminal, stdin};
use std::sync::Arc;

use sql::{Error, Options, Outcome, Session, Statement};
use tokio::runtime::{Builder, Runtime};

use super::answer::Printer;
use super::prompt;
use crate::args::{Arguments, SqlArgs};
use crate::failure::Failure;
use crate::message::say;
use crate::output::read;
use crate::stores::open;

/// Runs statements, or asks for them where there are none and somebody is there to type them.
pub fn run(arguments: &Arguments, command: &SqlArgs) -> Result<(), Failure> {
    let text = match (&command.statement, &command.file) {
        (Some(statement), _) => Some(statement.clone()),
        (None, Some(file)) => Some(text_of(file)?),
        (None, None) if stdin().is_terminal() => None,
        (None, None) => Some(text_of("-")?),
    };
    let printer = Printer::new(arguments, command)?;
    let store = Arc::new(open(arguments, &command.store.store)?);
    let runner = Runner::new(Session::new(store, &options(arguments))?)?;
    match text {
        None => prompt::ask(arguments, &runner, &printer),
        Some(text) => {
            let statements = runner.session.parse(&text)?;
            if statements.is_empty() {
                return Err(Failure::usage("found no statement"));
            }
            printer.check(statements.len())?;
            for statement in &statements {
                runner.run(arguments, statement, &printer)?;
            }
            Ok(())
        }
    }
}

fn options(arguments: &Arguments) -> Options {
    Options {
        partitions: arguments.threads,
        ..Options::default()
    }
}

fn text_of(file: &str) -> Result<String, Failure> {
    String::from_utf8(read(file)?)
        .map_err(|error| Failure::usage(format!("{file}: no UTF-8 text: {error}")))
}

/// A session, and what its statements run on.
pub(super) struct Runner {
    pub(super) session: Session,
    runtime: Runtime,
}

impl Runner {
    fn new(session: Session) -> Result<Self, Failure> {
        let runtime = Builder::new_multi_thread().enable_all().build();
        Ok(Self {
            session,
            runtime: runtime.map_err(|error| Failure::failed(format!("threads: {error}")))?,
        })
    }

    /// Runs a statement and prints what it gives.
    pub(super) fn run(
        &self,
        arguments: &Arguments,
        statement: &Statement,
        printer: &Printer<'_>,
    ) -> Result<(), Failure> {
        let outcome = self.runtime.block_on(self.session.run(statement))?;
        match outcome {
            Outcome::Done(what) => {
                if !arguments.quiet && !arguments.is_for_machines() {
                    say(&what);
                }
                Ok(())
            }
            Outcome::Rows(rows) => {
                let schema = rows.schema();
                let batches = futures_util::stream::StreamExt::map(rows, |rows| {
                    rows.map_err(|error| Failure::from(Error::from(error)))
                });
                let mut batches = Box::pin(batches);
                let next = || {
                    let next = futures_util::stream::StreamExt::next(&mut batches);
                    self.runtime.block_on(next)
                };
                printer.print(&schema, std::iter::from_fn(next))
            }
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::of_statement(error.is_refusal(), error.to_string(), error.code())
    }
}
