//! The platform's own HTTP API on localhost: a thin front over the engine and its catalog.
//!
//! [`Server::bind`] opens a store and a port, [`Server::run`] answers requests and works off the queue
//! of export jobs and incoming batches until it is told to stop.
//!
//! ```no_run
//! # async fn run() -> Result<(), profile_export_server::ServerError> {
//! use profile_export_server::{Server, Settings};
//!
//! let settings = Settings::new("store", ([127, 0, 0, 1], 8080).into());
//! let server = Server::bind(settings).await?;
//! println!("http://{}", server.address());
//! server.run(async { tokio::signal::ctrl_c().await.unwrap_or(()) }).await
//! # }
//! ```
//!
//! Requests carry the platform's headers (`Authorization: Bearer`, `x-api-key`, `x-gw-ims-org-id`,
//! `x-sandbox-name`); each organisation and sandbox sees its own data alone. It is no gateway: put one
//! in front where TLS or other ways to sign in are needed.

mod app;
mod audiences;
mod auth;
mod batches;
mod body;
mod catalog_query;
mod children;
mod clusters;
mod data_access;
mod dataset_changes;
mod datasets;
mod definitions;
mod descriptors;
mod elsewhere;
mod entities;
mod entity_body;
mod exposure;
mod gate;
mod host;
mod identity_schemas;
mod import;
mod ims;
mod jobs;
mod json_patch;
mod listen;
mod local;
mod merge_policies;
mod metrics;
mod namespaces;
mod nowhere;
mod openapi;
mod operation;
mod page;
mod parameters;
mod path;
mod preview_body;
mod preview_list;
mod previews;
mod problem;
mod profile_report_schemas;
mod profile_reports;
mod projection_schemas;
mod projections;
mod query;
mod query_lists;
mod query_schedules;
mod query_schemas;
mod query_service;
mod query_templates;
mod queue;
mod reference;
mod registry;
mod registry_form;
mod registry_list;
mod registry_schemas;
mod retry;
mod routes;
mod sandboxes;
mod scheduler;
mod schedules;
mod schemas;
mod segment_jobs;
mod segments;
mod server;
mod settings;
mod sql_runner;
mod stores;
mod system_jobs;
mod table_names;
mod timed_writes;
mod token_file;
mod tokens;
mod unread;
mod uploads;
mod work;
mod workers;

pub use exposure::{Door, Exposed};
pub use gate::{Admitted, Denied, Gate, LONGEST_NAME};
pub use listen::accepted;
pub use server::{Server, ServerError};
pub use settings::Settings;
pub use sql_runner::SqlRunner;
pub use tokens::{NewToken, Rights, TokenError, Tokens};
