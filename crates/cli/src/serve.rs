use std::sync::Arc;
use std::time::Duration;

use server::{Gate, NewToken, Rights, Server, ServerError, Settings, Tokens};
use tokio::runtime::Handle;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use crate::args::{Arguments, LogForm, ServeArgs, TokensCommand};
use crate::failure::Failure;
use crate::message::say;
use crate::output::print;
use crate::sql::Front;
use crate::threads;

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
        #[cfg(feature = "sql")]
        sql: Some(std::sync::Arc::new(crate::sql::QueryRunner::new(
            arguments.threads,
            Duration::from_secs(serve.query_timeout),
        )?)),
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
    let for_sql = serve.sql.map(|_| threads::runtime()).transpose()?;
    let on = for_sql.as_ref().map(|runtime| runtime.handle().clone());
    let served = threads::runtime()?.block_on(serve_all(arguments, serve, settings, on.as_ref()));
    // What still runs there has nobody to give it to.
    if let Some(runtime) = for_sql {
        runtime.shutdown_background();
    }
    served
}

async fn serve_all(
    arguments: &Arguments,
    serve: &ServeArgs,
    settings: Settings,
    for_sql: Option<&Handle>,
) -> Result<(), Failure> {
    // Before anybody knows that there is a server to be stopped.
    let listen = |kind| signal(kind).map_err(|e| Failure::failed(format!("signals: {e}")));
    let mut terminate = listen(SignalKind::terminate())?;
    let mut interrupt = listen(SignalKind::interrupt())?;
    let postgres = Arc::clone(&settings.postgres);
    let (server, gate) = match serve.no_http {
        false => {
            let server = Server::bind(settings).await.map_err(failure)?;
            let gate = server.gate();
            (Some(server), gate)
        }
        true => {
            let gate = Gate::open(&serve.store.store, serve.token_file.as_deref());
            (None, gate.map_err(failure)?)
        }
    };
    let is_open = gate.is_open();
    let front = match (serve.sql, for_sql) {
        (Some(address), Some(on)) => {
            let front = Front::bind(gate.clone(), address, serve, arguments.threads, on).await?;
            // Nobody else says so.
            let _ = postgres.set(front.address());
            Some(front)
        }
        _ => None,
    };
    // The first lines of standard output, for programs that start a server.
    if let Some(server) = &server {
        print(&format!("http://{}", server.address()))?;
    }
    if let Some(front) = &front {
        print(&format!("postgresql://{}", front.address()))?;
    }
    if is_open {
        let note = "no token file: everybody on this machine may read and write this store";
        say(arguments, note);
    }
    let (stop, stopped) = watch::channel(false);
    let is_stopped = || {
        let mut stopped = stopped.clone();
        async move {
            let _ = stopped.wait_for(|stop| *stop).await;
        }
    };
    let signalled = async {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        stop.send_replace(true);
        // Until what was told so has ended.
        std::future::pending().await
    };
    let http = async {
        let ended = match server {
            Some(server) => server.run(is_stopped()).await.map_err(failure),
            None => {
                // Nobody else looks whether tokens are taken away.
                tokio::select! {
                    () = is_stopped() => Ok(()),
                    never = gate.watch() => never,
                }
            }
        };
        stop.send_replace(true);
        ended
    };
    let sql = async {
        if let Some(front) = front {
            front.run(is_stopped()).await;
        }
    };
    tokio::select! {
        (ended, ()) = async { tokio::join!(http, sql) } => ended,
        never = signalled => never,
    }
}

fn failure(error: ServerError) -> Failure {
    match error {
        ServerError::Store(error) => error.into(),
        ServerError::Platform(error) => error.into(),
        ServerError::Tokens(_) | ServerError::Exposed(_) => Failure::usage(error.to_string()),
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
