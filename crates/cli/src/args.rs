use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use profile_export::store::BadRecordLimit;

use crate::values::{bad_record_limit, local_file, local_folder, socket_address, umask};

/// Export customer profiles from local data, as Adobe Experience Platform's export jobs do.
///
/// Results go to standard output, progress and messages to standard error.
/// Exit codes: 0 done, 1 the job failed, 2 wrong usage or bad request, 130 interrupted.
#[derive(Debug, Parser)]
#[command(name = "profile-export", version, max_term_width = 100)]
pub struct Arguments {
    #[command(subcommand)]
    pub command: Command,

    /// Number of threads [default: one a core]
    #[arg(long, global = true, value_name = "N", value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..=1024))]
    pub threads: Option<usize>,

    /// Print results as JSON, and no messages
    #[arg(long, global = true)]
    pub json: bool,

    /// Print no progress and no messages
    #[arg(long, short, global = true)]
    pub quiet: bool,

    /// The rights that files and folders are made without, as for the shell's umask: 077 keeps them to their
    /// owner, 027 lets the group read them
    #[arg(
        long,
        global = true,
        value_name = "MODE",
        env = "PROFILE_EXPORT_UMASK",
        default_value = "077",
        value_parser = umask
    )]
    pub umask: u32,

    /// The organisation whose data this is about
    #[arg(
        long,
        global = true,
        env = "PROFILE_EXPORT_ORG",
        default_value = "default"
    )]
    pub org: String,

    /// The sandbox whose data this is about
    #[arg(
        long,
        global = true,
        env = "PROFILE_EXPORT_SANDBOX",
        default_value = "prod"
    )]
    pub sandbox: String,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Create an export job, run it, print it when it is finished
    Run(RunArgs),
    /// Load records into a store
    Ingest(IngestArgs),
    /// Create, list, show and delete datasets
    #[command(subcommand)]
    Datasets(DatasetsCommand),
    /// Create, update, list, show and delete merge policies
    #[command(subcommand)]
    MergePolicies(DocumentsCommand),
    /// Create, update, list, show and delete segment definitions
    #[command(subcommand)]
    Segments(DocumentsCommand),
    /// Create, run, watch, list and cancel export jobs
    #[command(subcommand)]
    Jobs(JobsCommand),
    /// List, show and delete the batches that jobs wrote
    #[command(subcommand)]
    Batches(BatchesCommand),
    /// Look after a store
    #[command(subcommand)]
    Store(StoreCommand),
    /// Answer the platform's HTTP API, and run the jobs that wait
    Serve(ServeArgs),
    /// Make tokens for those who may use the server
    #[command(subcommand)]
    Tokens(TokensCommand),
    /// Print a script that completes this program's arguments in a shell
    Completions {
        /// Which shell
        shell: Shell,
    },
}

#[derive(Debug, Args)]
pub struct RunArgs {
    /// The job's request: the body of POST /export/jobs; - is standard input
    pub request: String,
    /// Export from this store
    #[arg(
        long,
        value_name = "DIR",
        value_parser = local_folder(),
        required_unless_present = "from",
        conflicts_with = "from"
    )]
    pub store: Option<PathBuf>,
    /// Export straight from this source folder, without a store
    #[arg(long, value_name = "DIR", value_parser = local_folder(), requires = "out")]
    pub from: Option<PathBuf>,
    /// Publish the batches in this folder, which may be on another disk, instead of the store's own
    #[arg(long, value_name = "DIR", value_parser = local_folder())]
    pub out: Option<PathBuf>,
    /// Begin a new file of a batch after this many rows
    #[arg(long, value_name = "N", value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..))]
    pub max_rows_per_file: Option<usize>,
    /// Leave out profiles of more identities than this, by the identity graph of the merge policy
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub max_identities: Option<u32>,
    #[command(flatten)]
    pub loading: LoadArgs,
}

#[derive(Debug, Args)]
pub struct LoadArgs {
    /// What becomes of a bad record
    #[arg(long, value_enum, default_value = "fail")]
    pub on_bad_record: BadRecord,
    /// Where skipped records go, with file, line and reason
    #[arg(long, value_name = "FILE", value_parser = local_file(), default_value = "rejects.ndjson")]
    pub rejects: PathBuf,
    /// How many bad records may be skipped, as a number or in percent (5%); more fail the load, as do the
    /// records of a dataset when all are bad
    #[arg(long, value_name = "N|N%", value_parser = bad_record_limit)]
    pub max_bad_records: Option<BadRecordLimit>,
    /// How JSON stands in the files
    #[arg(long, value_enum, default_value = "auto")]
    pub json_form: JsonFormArg,
    /// The longest line or JSON document, in MiB
    #[arg(long, value_name = "MIB", default_value = "16", value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..=1024))]
    pub max_line: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum JsonFormArg {
    /// As each file's beginning says
    Auto,
    /// A record is a line (NDJSON)
    Lines,
    /// Records over any lines, one after the other or in lists
    Documents,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum BadRecord {
    /// The whole load fails and the store stays as it was
    Fail,
    /// It goes to the rejects file and the good ones load
    Skip,
}

#[derive(Debug, Args)]
pub struct IngestArgs {
    /// The store; it is made where it is missing
    #[arg(long, value_name = "DIR", value_parser = local_folder())]
    pub store: PathBuf,
    /// Load this source folder: a folder per dataset with a dataset.json and data files
    #[arg(long, value_name = "DIR", value_parser = local_folder(), conflicts_with_all = ["dataset", "files"], required_unless_present = "dataset")]
    pub from: Option<PathBuf>,
    /// Load files into the dataset of this name or ID; it is made where it is missing
    #[arg(long, value_name = "NAME", requires = "files")]
    pub dataset: Option<String>,
    /// Files and globs, NDJSON or Parquet, plain, .gz or .zst; - is standard input
    #[arg(value_name = "FILE")]
    pub files: Vec<String>,
    /// The class of a dataset that is made [default: profile]
    #[arg(long, value_enum)]
    pub class: Option<ClassArg>,
    /// Where a dataset that is made has its primary identity, if not in identityMap, such as
    /// personalEmail.address=Email
    #[arg(long, value_name = "PATH=NAMESPACE")]
    pub primary_identity: Option<String>,
    /// When the records came in, as RFC 3339 [default: now]
    #[arg(long, value_name = "TIME", conflicts_with = "ingested_at_field")]
    pub ingested_at: Option<String>,
    /// The field of a dataset that is made which says when a record came in
    #[arg(long, value_name = "PATH")]
    pub ingested_at_field: Option<String>,
    /// The XDM schema of a dataset that is made, as JSON Schema
    #[arg(long, value_name = "FILE")]
    pub schema: Option<PathBuf>,
    #[command(flatten)]
    pub loading: LoadArgs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ClassArg {
    /// XDM Individual Profile
    Profile,
    /// XDM ExperienceEvent
    Event,
}

#[derive(Debug, Args)]
pub struct ServeArgs {
    #[command(flatten)]
    pub store: StoreArg,
    /// The address, or name, and port to listen on; port 0 takes any that is free
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8080", value_parser = socket_address)]
    pub listen: SocketAddr,
    /// Who may come in (see: tokens create) [default: everybody on this machine]
    #[arg(long, value_name = "FILE")]
    pub token_file: Option<PathBuf>,
    /// How many export jobs run side by side
    #[arg(long, value_name = "N", default_value = "2", value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..=64))]
    pub workers: usize,
    /// How many export jobs of one sandbox may wait; more are told to come back
    #[arg(long, value_name = "N", default_value = "1000")]
    pub max_waiting_jobs: u32,
    /// The largest file of an incoming batch, in MiB
    #[arg(long, value_name = "MIB", default_value = "4096", value_parser = clap::value_parser!(u64).range(1..1 << 40))]
    pub max_upload: u64,
    /// How long a request may take to arrive, in seconds
    #[arg(long, value_name = "SECONDS", default_value = "30", value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub request_timeout: u64,
    /// How long running jobs may go on after SIGTERM, in seconds, before they are cancelled
    #[arg(long, value_name = "SECONDS", default_value = "20")]
    pub grace: u64,
    /// The form of the log on standard error
    #[arg(long, value_enum, default_value = "text")]
    pub log: LogForm,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogForm {
    /// A line for people
    Text,
    /// A JSON object a line
    Json,
}

#[derive(Debug, Subcommand)]
pub enum TokensCommand {
    /// Make a token for --org and --sandbox (* is all), and print it; the file keeps its digest only
    Create {
        /// What to call it
        name: String,
        /// The file; it is made where it is missing
        #[arg(long, value_name = "FILE")]
        token_file: PathBuf,
        /// Its holder may only read
        #[arg(long)]
        read_only: bool,
    },
}

#[derive(Debug, Args)]
pub struct StoreArg {
    /// The store
    #[arg(long, value_name = "DIR", value_parser = local_folder())]
    pub store: PathBuf,
}

#[derive(Debug, Subcommand)]
pub enum DatasetsCommand {
    /// Create a dataset from the body of the platform's POST /dataSets; - is standard input
    Create {
        /// The body
        body: String,
        #[command(flatten)]
        store: StoreArg,
    },
    /// List all, newest first
    List {
        #[command(flatten)]
        store: StoreArg,
    },
    /// Show one
    Get {
        /// Its ID or name
        id: String,
        #[command(flatten)]
        store: StoreArg,
    },
    /// Delete one with its records
    Delete {
        /// Its ID
        id: String,
        #[command(flatten)]
        store: StoreArg,
    },
}

#[derive(Debug, Subcommand)]
pub enum DocumentsCommand {
    /// Create one or more from their JSON; - is standard input
    Create {
        /// An object or a list of objects
        body: String,
        #[command(flatten)]
        store: StoreArg,
    },
    /// Replace one; a merge policy gets a new version
    Update {
        /// Its ID
        id: String,
        /// An object
        body: String,
        #[command(flatten)]
        store: StoreArg,
    },
    /// List all
    List {
        #[command(flatten)]
        store: StoreArg,
    },
    /// Show one
    Get {
        /// Its ID
        id: String,
        #[command(flatten)]
        store: StoreArg,
    },
    /// Delete one
    Delete {
        /// Its ID
        id: String,
        #[command(flatten)]
        store: StoreArg,
    },
}

#[derive(Debug, Subcommand)]
pub enum JobsCommand {
    /// Create a job that waits to be run, and print it
    Create {
        /// The body of POST /export/jobs; - is standard input
        request: String,
        #[command(flatten)]
        store: StoreArg,
    },
    /// Run jobs that wait
    Run {
        /// The job's ID
        #[arg(required_unless_present_any = ["next", "all"], conflicts_with_all = ["next", "all"])]
        id: Option<i64>,
        /// The oldest that waits, if there is one
        #[arg(long, conflicts_with = "all")]
        next: bool,
        /// All that wait, one after the other
        #[arg(long)]
        all: bool,
        #[command(flatten)]
        store: StoreArg,
    },
    /// List jobs, newest first, in the platform's page form
    List {
        /// At the most this many [default: all]
        #[arg(long, value_name = "N")]
        limit: Option<u32>,
        /// A number of jobs to skip, or the page.pageOffset of the page before
        #[arg(long, value_name = "N|CURSOR")]
        offset: Option<String>,
        /// NEW, PROCESSING, SUCCEEDED, FAILED or CANCELLED
        #[arg(long)]
        status: Option<String>,
        /// createdTime or updateTime, with :asc or :desc
        #[arg(long)]
        sort: Option<String>,
        #[command(flatten)]
        store: StoreArg,
    },
    /// Show one
    Get {
        /// The job's ID
        id: i64,
        #[command(flatten)]
        store: StoreArg,
    },
    /// Follow one until it is finished, and print it
    Watch {
        /// The job's ID
        id: i64,
        #[command(flatten)]
        store: StoreArg,
    },
    /// Cancel one that waits or runs
    Cancel {
        /// The job's ID
        id: i64,
        #[command(flatten)]
        store: StoreArg,
    },
}

#[derive(Debug, Subcommand)]
pub enum BatchesCommand {
    /// List all, newest first
    List {
        /// Only those of this dataset
        #[arg(long, value_name = "ID")]
        dataset: Option<String>,
        #[command(flatten)]
        store: StoreArg,
    },
    /// Show one
    Get {
        /// Its ID
        id: String,
        #[command(flatten)]
        store: StoreArg,
    },
    /// List the files of one: path, length, rows and digest
    Files {
        /// Its ID
        id: String,
        #[command(flatten)]
        store: StoreArg,
    },
    /// Delete one with its files
    Delete {
        /// Its ID
        id: String,
        #[command(flatten)]
        store: StoreArg,
    },
}

#[derive(Debug, Subcommand)]
pub enum StoreCommand {
    /// Say what the store holds
    Stats {
        #[command(flatten)]
        store: StoreArg,
    },
    /// Merge all runs of each dataset, without the fragments that later ones replaced
    Compact {
        #[command(flatten)]
        store: StoreArg,
    },
    /// Check the catalog and every byte of every file
    Verify {
        #[command(flatten)]
        store: StoreArg,
    },
    /// Go back to the newest copy of the catalog that is whole
    ///
    /// For a catalog that is damaged or lost. What that copy does not name is set aside.
    Restore {
        #[command(flatten)]
        store: StoreArg,
    },
}
