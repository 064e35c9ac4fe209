//! The beginning of a connection: who comes, and whether they may.

use std::sync::Arc;

use profile_export::store::Scope;
use server::{Admitted, Denied, LONGEST_NAME};
use tokio::io::AsyncRead;

use crate::connection::Wire;
use crate::front::Shared;
use crate::refusal::{
    BAD_PASSWORD, NO_DATABASE, NOT_FOR_YOU, NOT_SUPPORTED, PROTOCOL, Problem, Refusal,
};
use crate::settings::Settings;
use crate::wire::{Hello, Message, password};

/// Somebody who signed in, and with what.
pub(crate) struct Guest {
    pub(crate) scope: Scope,
    /// What was said as the password: it is looked at again for each statement.
    token: String,
    pub(crate) database: String,
    /// Whether objects are columns of their own.
    pub(crate) flatten: bool,
    pub(crate) settings: Settings,
}

impl Guest {
    /// Whether they still may come in: tokens are taken from the file while sessions last.
    ///
    /// # Errors
    ///
    /// They may not.
    pub(crate) fn admitted(&self, shared: &Shared) -> Result<Admitted, Problem> {
        let admitted = shared.gate.admit(&self.scope, &self.token);
        admitted.map_err(|denied| {
            let code = match &denied {
                Denied::UnknownToken => BAD_PASSWORD,
                Denied::Organisation(_) | Denied::Sandbox(_) => NOT_FOR_YOU,
                _ => "58000",
            };
            Problem::Fatal(Refusal::new(code, denied.to_string()))
        })
    }
}

/// Reads who somebody is, up to where they may come in; `None` where that was all that they wanted.
///
/// # Errors
///
/// They may not come in, or speak something else.
pub(crate) async fn sign_in(
    shared: &Arc<Shared>,
    hello: Result<Hello, Refusal>,
    has_tls: bool,
    reader: &mut (impl AsyncRead + Unpin),
    wire: &mut Wire,
) -> Result<Option<Guest>, Problem> {
    match hello.map_err(Problem::Fatal)? {
        // As in PostgreSQL it may come in the clear: clients of older versions send it so whatever their session is.
        Hello::Cancel { process, key } => {
            shared.cancels.cancel(process, key);
            Ok(None)
        }
        Hello::Version(major) => Err(fatal(
            NOT_SUPPORTED,
            format!("version {major} of the protocol is not spoken here: 3 is"),
        )),
        // Before a password is asked for, which would cross the network in the clear.
        Hello::Session { .. } if shared.options.tls.is_some() && !has_tls => {
            let refusal = Refusal::new(
                NOT_FOR_YOU,
                "sessions are within TLS here, and this one is not",
            );
            Err(Problem::Fatal(
                refusal.with_hint("sslmode=require, or a mode above"),
            ))
        }
        Hello::Session { minor, parameters } => session(shared, reader, wire, minor, parameters)
            .await
            .map(Some),
        Hello::Tls | Hello::Gss => Err(fatal(PROTOCOL, "a session was expected".to_owned())),
    }
}

async fn session(
    shared: &Arc<Shared>,
    reader: &mut (impl AsyncRead + Unpin),
    wire: &mut Wire,
    minor: u16,
    parameters: Vec<(String, String)>,
) -> Result<Guest, Problem> {
    let unknown: Vec<&str> = parameters
        .iter()
        .map(|(name, _)| name.as_str())
        .filter(|name| name.starts_with("_pq_."))
        .collect();
    if minor > 0 || !unknown.is_empty() {
        wire.out.negotiate(&unknown);
    }
    let mut guest = guest(&parameters)?;
    if !shared.gate.is_open() {
        wire.out.ask_password();
        wire.flush().await?;
        let Some(message) = password(reader).await? else {
            return Err(Problem::Gone);
        };
        match message.map_err(|malformed| fatal(PROTOCOL, malformed.to_string()))? {
            Message::Password(password) => guest.token = password,
            Message::Terminate => return Err(Problem::Gone),
            _ => {
                return Err(fatal(
                    NOT_FOR_YOU,
                    "a password in the clear was expected".to_owned(),
                ));
            }
        }
    }
    let shared = Arc::clone(shared);
    // The first time it opens the store.
    let checked = tokio::task::spawn_blocking(move || {
        guest.admitted(&shared)?;
        Ok(guest)
    });
    match checked.await {
        Ok(checked) => checked,
        Err(panic) => Err(fatal("58000", format!("signing in broke off: {panic}"))),
    }
}

fn guest(parameters: &[(String, String)]) -> Result<Guest, Problem> {
    let mut settings = Settings::default();
    let mut user = None;
    let mut database = None;
    for (name, value) in parameters {
        match name.as_str() {
            "user" => user = Some(value.clone()),
            "database" => database = Some(value.clone()),
            "options" => {
                for (name, value) in options(value)? {
                    told(&mut settings, &name, &value)?;
                }
            }
            "replication" if ["false", "off", "no", "0"].contains(&value.as_str()) => {}
            "replication" => {
                return Err(fatal("0A000", "replication: not supported".to_owned()));
            }
            name if name.starts_with("_pq_.") => {}
            name => told(&mut settings, name, value)?,
        }
    }
    settings.sign_in();
    let user = user.filter(|user| !user.is_empty());
    let org = user.ok_or_else(|| {
        fatal(
            NOT_FOR_YOU,
            "the user is missing: it is the organisation".to_owned(),
        )
    })?;
    let database = database.unwrap_or_else(|| org.clone());
    let (sandbox, flatten) = sandbox(&database)?;
    for (what, name) in [("user", &org), ("database", &sandbox)] {
        let is_name =
            !name.trim().is_empty() && name.bytes().all(|byte| (b' '..=b'~').contains(&byte));
        if !is_name || name.len() > LONGEST_NAME {
            let message =
                format!("{what}: a name is up to {LONGEST_NAME} printable ASCII characters");
            return Err(fatal(NOT_FOR_YOU, message));
        }
    }
    Ok(Guest {
        scope: Scope { org, sandbox },
        token: String::new(),
        database,
        flatten,
        settings,
    })
}

/// The sandbox of `SANDBOX:all`, and whether `?FLATTEN` stands behind it.
fn sandbox(database: &str) -> Result<(String, bool), Problem> {
    let right = "it is SANDBOX:all, such as prod:all, or SANDBOX:all?FLATTEN";
    let refuse =
        |code, message: String| Err(Problem::Fatal(Refusal::new(code, message).with_hint(right)));
    let (name, option) = match database.split_once('?') {
        None => (database, None),
        Some((name, option)) => (name, Some(option)),
    };
    match name.split_once(':') {
        Some((sandbox, "all")) if !sandbox.is_empty() => match option {
            None => Ok((sandbox.to_owned(), false)),
            Some(option) if option.eq_ignore_ascii_case("FLATTEN") => {
                Ok((sandbox.to_owned(), true))
            }
            Some(option) => refuse(
                NOT_SUPPORTED,
                format!("database {database:?}: the option {option:?} is not supported"),
            ),
        },
        Some((sandbox, _)) if !sandbox.is_empty() => refuse(
            NOT_SUPPORTED,
            format!("database {database:?}: parts of a sandbox are not supported"),
        ),
        _ => refuse(NO_DATABASE, format!("there is no database {database:?}")),
    }
}

/// `-c name=value`, `--name=value`, as clients say it in `options`.
fn options(text: &str) -> Result<Vec<(String, String)>, Problem> {
    let mut words = text.split_whitespace();
    let mut all = Vec::new();
    while let Some(word) = words.next() {
        let pair = match word {
            "-c" => words.next(),
            word => word.strip_prefix("--").or_else(|| word.strip_prefix("-c")),
        };
        let Some((name, value)) = pair.and_then(|pair| pair.split_once('=')) else {
            let message = format!("options: {word:?} is none; -c name=value is");
            return Err(fatal("42601", message));
        };
        all.push((name.to_owned(), value.to_owned()));
    }
    Ok(all)
}

fn told(settings: &mut Settings, name: &str, value: &str) -> Result<(), Problem> {
    // Whoever comes in with a time zone of their own has not asked for a notice.
    let changed = settings.set(name, value);
    changed
        .map(drop)
        .map_err(|error| Problem::Fatal(error.into()))
}

fn fatal(code: &'static str, message: String) -> Problem {
    Problem::Fatal(Refusal::new(code, message))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(pairs: &[(&str, &str)]) -> Result<Guest, Refusal> {
        let owned: Vec<_> = pairs
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect();
        guest(&owned).map_err(|problem| match problem {
            Problem::Fatal(refusal) => refusal,
            other => panic!("{other:?}"),
        })
    }

    #[test]
    fn the_user_is_the_organisation_and_the_database_the_sandbox() {
        let options = "-c statement_timeout=5s --extra_float_digits=3";
        let guest = of(&[
            ("user", "me@Org"),
            ("database", "prod:all"),
            ("options", options),
        ])
        .expect("a guest");
        assert_eq!(
            (guest.scope.org.as_str(), guest.scope.sandbox.as_str()),
            ("me@Org", "prod")
        );
        assert_eq!(guest.settings.get("statement_timeout"), Ok("5000"));
    }

    #[test]
    fn what_is_no_database_here_is_refused_by_name() {
        for (database, code) in [
            ("prod", NO_DATABASE),
            (":all", NO_DATABASE),
            ("prod:all?FLAT", NOT_SUPPORTED),
            ("prod:5e4ec4a8b5b8e318a8a5a9d8?FLATTEN", NOT_SUPPORTED),
            (":all?FLATTEN", NO_DATABASE),
            ("prod:5e4ec4a8b5b8e318a8a5a9d8", "0A000"),
            ("pröd:all", NOT_FOR_YOU),
        ] {
            let refusal = of(&[("user", "me"), ("database", database)])
                .err()
                .expect(database);
            assert_eq!(refusal.code, code, "{database}");
        }
        assert_eq!(
            of(&[("database", "prod:all")]).err().map(|r| r.code),
            Some(NOT_FOR_YOU)
        );
        for (database, flatten) in [("prod:all", false), ("prod:all?FLATTEN", true)] {
            let guest = of(&[("user", "me"), ("database", database)]).expect(database);
            assert_eq!(
                (guest.scope.sandbox.as_str(), guest.flatten),
                ("prod", flatten)
            );
        }
        let refusal = of(&[("user", "me"), ("database", "prod:all"), ("no_such", "1")]);
        assert_eq!(refusal.err().map(|refusal| refusal.code), Some("42704"));
    }
}
