//! The program `profile-export`: parses its arguments, calls the engine, prints.

mod args;
mod audience;
mod batches;
mod catalog;
mod export;
mod failure;
mod ingest;
mod interrupt;
mod jobs;
mod loading;
mod message;
mod origin;
mod output;
mod panics;
mod plan;
mod progress;
mod serve;
mod store_command;
mod stores;
mod values;

use std::process::ExitCode;

use clap::{CommandFactory, Parser};

use args::{Arguments, Command};
use failure::Failure;

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            // Help goes to standard output and is no mistake; anything else is wrong usage.
            let printed = message::of_arguments(&error);
            return match error.use_stderr() {
                true => ExitCode::from(failure::USAGE),
                false => output::whether_printed(printed)
                    .map_or_else(Failure::report, |()| ExitCode::SUCCESS),
            };
        }
    };
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

fn run(arguments: &Arguments) -> Result<(), Failure> {
    panics::hush_readers();
    // Before anything is written: all of it is customers' data.
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(arguments.umask));
    if let Some(threads) = arguments.threads {
        rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build_global()
            .map_err(|e| Failure::usage(e.to_string()))?;
    }
    if !matches!(arguments.command, Command::Serve(_)) {
        interrupt::listen().map_err(|e| Failure::failed(format!("signals: {e}")))?;
    }
    match &arguments.command {
        Command::Export(export) => export::export(arguments, export),
        Command::Plan(plan) => plan::plan(arguments, plan),
        Command::Preview(preview) => plan::preview(arguments, preview),
        Command::Run(run) => export::run(arguments, run),
        Command::Ingest(ingest) => ingest::run(arguments, ingest),
        Command::Datasets(command) => catalog::datasets(arguments, command),
        Command::MergePolicies(command) => catalog::merge_policies(arguments, command),
        Command::Segments(command) => catalog::segments(arguments, command),
        Command::Jobs(command) => jobs::run(arguments, command),
        Command::Batches(command) => batches::run(arguments, command),
        Command::Store(command) => store_command::run(arguments, command),
        Command::Serve(command) => serve::run(arguments, command),
        Command::Tokens(command) => serve::tokens(arguments, command),
        Command::Completions { shell } => {
            let mut command = Arguments::command();
            let mut script = Vec::new();
            clap_complete::generate(*shell, &mut command, "profile-export", &mut script);
            output::print(&String::from_utf8_lossy(&script))
        }
    }
}
