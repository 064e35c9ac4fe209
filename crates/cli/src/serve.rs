use std::time::Duration;

use server::{NewToken, Rights, Server, ServerError, Settings, Tokens};
use tokio::signal::unix::{SignalKind, signal};

use crate::args::{Arguments, LogForm, ServeArgs, TokensCommand};
use crate::failure::Failure;
use crate::message::say;
use crate::output::print;

pub fn run(arguments: &Arguments, serve: &ServeArgs) -> Result<(), Failure> {
    // A log that can't be written is no reason to stop, and there is nobody to tell.
    let log = tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .log_internal_errors(false);
    let level = match arguments.quiet {
        true => tracing_subscriber::filter::LevelFilter::WARN,
        false => tracing_subscriber::filter::LevelFilter::INFO,
    };
    match serve.log {
        LogForm::Text => log.with_max_level(level).with_ansi(false).init(),
        LogForm::Json => log.with_max_level(level).json().init(),
    }
    let settings = Settings {
        token_file: serve.token_file.clone(),
        schemas: serve.schemas.clone(),
        workers: serve.workers,
        max_waiting_jobs: serve.max_waiting_jobs,
        keep: serve.keep.keep(),
        max_upload: serve.max_upload << 20,
        deletion_timeout: Duration::from_secs(serve.deletion_timeout),
        request_timeout: Duration::from_secs(serve.request_timeout),
        grace: Duration::from_secs(serve.grace),
        ..Settings::new(&serve.store.store, serve.listen)
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|e| Failure::failed(e.to_string()))?;
    runtime.block_on(async {
        // Before anybody knows that there is a server to be stopped.
        let listen = |kind| signal(kind).map_err(|e| Failure::failed(format!("signals: {e}")));
        let mut terminate = listen(SignalKind::terminate())?;
        let mut interrupt = listen(SignalKind::interrupt())?;
        let server = Server::bind(settings).await.map_err(failure)?;
        // The first line of standard output, for programs that start a server.
        print(&format!("http://{}", server.address()))?;
        if server.is_open() {
            let note = "no token file: everybody on this machine may read and write this store";
            say(arguments, note);
        }
        let stop = async {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
        };
        server.run(stop).await.map_err(failure)
    })
}

fn failure(error: ServerError) -> Failure {
    match error {
        ServerError::Store(error) => error.into(),
        ServerError::Platform(error) => error.into(),
        ServerError::Tokens(_) | ServerError::Open(_) => Failure::usage(error.to_string()),
        other => Failure::failed(other.to_string()),
    }
}

pub fn tokens(arguments: &Arguments, command: &TokensCommand) -> Result<(), Failure> {
    let TokensCommand::Create {
        name,
        token_file,
        read_only,
    } = command;
    let new = NewToken {
        name: name.clone(),
        org: arguments.org.clone(),
        sandbox: arguments.sandbox.clone(),
        rights: if *read_only {
            Rights::Read
        } else {
            Rights::Write
        },
    };
    let token = Tokens::create(token_file, new).map_err(|e| Failure::usage(e.to_string()))?;
    print(&token)
}
