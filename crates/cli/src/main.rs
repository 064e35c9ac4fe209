//! The program `profile-export`: parses its arguments, calls the engine, prints.

mod args;
mod audience;
mod batches;
mod bucket;
mod candidates;
mod card;
mod catalog;
mod completions;
mod explain;
mod export;
mod failure;
mod goal;
mod gone;
mod ingest;
mod interrupt;
mod jobs;
mod keep;
mod listing;
mod loading;
mod manifest;
mod message;
mod names;
mod origin;
mod output;
mod panics;
mod plan;
mod profiles;
mod progress;
mod segments;
mod serve;
mod settings;
mod shards;
mod sql;
mod store_command;
mod stores;
mod threads;
mod told;
mod values;

use std::process::ExitCode;

use clap::FromArgMatches;
use clap_complete::CompleteEnv;

use args::{Arguments, Command, ConfigCommand};
use failure::Failure;
use settings::Settings;

fn main() -> ExitCode {
    let (settings, problem) = match Settings::load() {
        Ok(settings) => (settings, None),
        Err(failure) => (Settings::default(), Some(failure)),
    };
    // A shell that asks for completions gets them, and that is all.
    CompleteEnv::with_factory(|| settings.command())
        .var(completions::VARIABLE)
        .complete();
    let parsed = settings.command().try_get_matches();
    let parsed = parsed.and_then(|matches| Ok((Arguments::from_arg_matches(&matches)?, matches)));
    let (arguments, matches) = match parsed {
        Ok(parsed) => parsed,
        Err(error) => {
            // What is missing may stand in the settings that can't be read.
            if let Some(failure) = problem.filter(|_| error.use_stderr()) {
                return failure.report();
            }
            // Help goes to standard output and is no mistake; anything else is wrong usage.
            let printed = message::of_arguments(&error);
            return match error.use_stderr() {
                true => ExitCode::from(failure::USAGE),
                false => output::whether_printed(printed)
                    .map_or_else(Failure::report, |()| ExitCode::SUCCESS),
            };
        }
    };
    // Help and the version are there without them.
    if let Some(failure) = problem {
        return failure.report();
    }
    let done = match &arguments.command {
        Command::Config(ConfigCommand::Show { origin }) => {
            settings::show(&arguments, &settings, &matches, *origin)
        }
        _ => panics::told(|| run(&arguments, &settings)),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

fn run(arguments: &Arguments, settings: &Settings) -> Result<(), Failure> {
    if arguments.tsv && !arguments.command.is_list() {
        return Err(Failure::usage(
            "--tsv is for lists; --json and --jsonl are for all results",
        ));
    }
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
        Command::Export(export) => export::export(arguments, settings, export),
        Command::Plan(plan) => plan::plan(arguments, settings, plan),
        Command::RunShard(shard) => shards::run(arguments, shard),
        Command::Commit(commit) => shards::commit(arguments, commit),
        Command::Abort(abort) => shards::abort(arguments, abort),
        Command::Preview(preview) => plan::preview(arguments, settings, preview),
        Command::Explain(explain) => explain::explain(arguments, settings, explain),
        Command::Run(run) => export::run(arguments, settings, run),
        Command::Ingest(ingest) => ingest::run(arguments, ingest),
        Command::Datasets(command) => catalog::datasets(arguments, command),
        Command::MergePolicies(command) => catalog::merge_policies(arguments, command),
        Command::Profiles(command) => profiles::profiles(arguments, command),
        Command::Segments(command) => segments::segments(arguments, command),
        Command::Jobs(command) => jobs::run(arguments, command),
        Command::Batches(command) => batches::run(arguments, command),
        Command::Sql(command) => sql::run(arguments, command),
        Command::Store(command) => store_command::run(arguments, command),
        Command::Serve(command) => serve::run(arguments, command),
        Command::Tokens(command) => serve::tokens(arguments, command),
        Command::VerifyManifest { folder } => manifest::verify(arguments, folder),
        Command::Config(_) => unreachable!("it was shown"),
        Command::Completions(completions) => completions::run(arguments, completions),
    }
}
