//! The PostgreSQL front of Profile Export: SQL over a profile store for PostgreSQL's clients, as the platform's Query
//! Service has it.
//!
//! [`Front::bind`] takes a port, [`Front::run`] answers clients until it is told to stop: the user is the organisation,
//! the database `SANDBOX:all`, the password a token of the server's file. Statements are those of
//! [`profile-export-sql`](sql); the door is [`server::Gate`], the same as HTTP's.
//!
//! ```no_run
//! # async fn run(work: tokio::runtime::Handle) -> Result<(), profile_export_pg::FrontError> {
//! use profile_export_pg::{Front, Options};
//!
//! let gate = server::Gate::open("store".as_ref(), None).expect("a store");
//! let front = Front::bind(gate, Options::new(([127, 0, 0, 1], 5433).into()), work).await?;
//! front.run(async { tokio::signal::ctrl_c().await.unwrap_or(()) }).await;
//! # Ok(())
//! # }
//! ```
//!
//! With a certificate ([`Tls`]) sessions are within TLS. Without, none but this machine's are let in unless somebody says so.

mod catalog;
mod client;
mod command;
mod connection;
mod copy;
mod copy_form;
mod front;
mod interrupt;
mod opening;
mod refusal;
mod rows;
mod settings;
mod sign_in;
mod split;
mod tls;
mod tokens;
mod transaction;
mod value;
mod wire;
mod work;

pub use front::{Front, FrontError, Options};
pub use tls::{Tls, TlsError};
