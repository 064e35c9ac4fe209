use std::io::{IsTerminal, stdin};
use std::sync::Arc;

use futures_util::StreamExt;
use profile_export::export::Progress;
use sql::dialect::{Code, Error, Statement};
use sql::{Options, Outcome, Session};
use tokio::runtime::Runtime;

use super::answer::Printer;
use super::prompt;
use super::work::unless_stopped;
use crate::args::{Arguments, SqlArgs};
use crate::failure::Failure;
use crate::interrupt::{Work, at_work};
use crate::message::say;
use crate::output::read;
use crate::stores::open;
use crate::threads;

/// Runs statements, or asks for them where there are none and somebody is there to type them.
pub fn run(arguments: &Arguments, command: &SqlArgs) -> Result<(), Failure> {
    let text = match (&command.statement, &command.file) {
        (Some(statement), _) => Some(statement.clone()),
        (None, Some(file)) => Some(text_of(file)?),
        (None, None) if stdin().is_terminal() => None,
        (None, None) => Some(text_of("-")?),
    };
    let printer = Printer::new(arguments, command)?;
    if text.is_none() {
        printer.check(None)?;
    }
    let store = Arc::new(open(arguments, &command.store.store)?);
    let options = Options {
        partitions: arguments.threads,
        read_only: command.read_only,
        ..Options::default()
    };
    let runner = Runner::new(Session::new(store, &options)?)?;
    match text {
        None => prompt::ask(arguments, &runner, &printer),
        Some(text) => {
            let statements = runner.session.parse(&text)?;
            if statements.is_empty() {
                return Err(Failure::usage("found no statement"));
            }
            printer.check(Some(&statements))?;
            for statement in &statements {
                runner.run(arguments, statement, &printer)?;
            }
            Ok(())
        }
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
        Ok(Self {
            session,
            runtime: threads::runtime()?,
        })
    }

    /// Runs a statement and prints what it gives. Ctrl-C ends the statement, and what it made so far goes.
    pub(super) fn run(
        &self,
        arguments: &Arguments,
        statement: &Statement,
        printer: &Printer<'_>,
    ) -> Result<(), Failure> {
        let progress = Arc::new(Progress::default());
        at_work(Some(Work {
            progress: Arc::clone(&progress),
            // Asked for the second time the process ends, whatever it is at.
            patience: None,
        }));
        let done = self.run_until(arguments, statement, printer, &progress);
        at_work(None);
        done
    }

    fn run_until(
        &self,
        arguments: &Arguments,
        statement: &Statement,
        printer: &Printer<'_>,
        progress: &Progress,
    ) -> Result<(), Failure> {
        let outcome = match self.wait(progress, self.session.run(statement))? {
            Err(error) if error.code == Code::Cancelled && progress.is_cancelled() => {
                return Err(Failure::interrupted("interrupted; nothing is written"));
            }
            outcome => outcome?,
        };
        match outcome {
            Outcome::Done(what) => {
                say(arguments, what);
                Ok(())
            }
            Outcome::Written(written) => {
                say(arguments, &written.to_string());
                if written.dropped > 0 {
                    let dropped = written.dropped;
                    say(
                        arguments,
                        &format!("{dropped} rows were there already, or later ones replace them"),
                    );
                }
                Ok(())
            }
            Outcome::Rows(mut rows) => {
                let schema = rows.schema();
                let next = || match self.wait(progress, rows.next()) {
                    Ok(next) => Some(next?.map_err(|error| Error::from(error).into())),
                    Err(interrupted) => Some(Err(interrupted)),
                };
                printer.print(&schema, std::iter::from_fn(next))
            }
        }
    }

    /// Waits for what is worked out, or for the user to have enough; what is written then says itself whether it is.
    fn wait<T>(&self, progress: &Progress, work: impl Future<Output = T>) -> Result<T, Failure> {
        let done = unless_stopped(&self.session, || progress.is_cancelled(), work);
        let done = self.runtime.block_on(done);
        done.ok_or_else(|| Failure::interrupted("interrupted"))
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let is_refusal = error.code != Code::System;
        Self::of_statement(is_refusal, error.with_place(), error.code.sqlstate())
    }
}
