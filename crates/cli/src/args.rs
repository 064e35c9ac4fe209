use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use clap_complete::engine::{ArgValueCandidates, ArgValueCompleter};
use profile_export::jobs::NameTemplate;
use profile_export::request::SinceJob;
use profile_export::store::BadRecordLimit;
use profile_export::xdm::Identity;

use crate::candidates;
use crate::values::{
    bad_record_limit, delimiter, identity, local_folder, output, pair, since_job, socket_address,
    umask,
};

/// Export customer profiles from local data, as Adobe Experience Platform's export jobs do.
///
/// Results go to standard output, progress and messages to standard error.
/// Exit codes: 0 done, 1 failed, 2 wrong usage or a bad request, 3 not found, 4 done, but empty or with rejected
/// records where --fail-if-empty or --fail-on-rejects asks, 5 a conflict, 130 interrupted.
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

    /// Print lists as JSON, an entry a line, and no messages
    #[arg(long, global = true, conflicts_with = "json")]
    pub jsonl: bool,

    /// Print tables with tabs between their cells
    #[arg(long, global = true, conflicts_with_all = ["json", "jsonl"])]
    pub tsv: bool,

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
        default_value = "default",
        add = ArgValueCandidates::new(candidates::orgs)
    )]
    pub org: String,

    /// The sandbox whose data this is about
    #[arg(
        long,
        global = true,
        env = "PROFILE_EXPORT_SANDBOX",
        default_value = "prod",
        add = ArgValueCandidates::new(candidates::sandboxes)
    )]
    pub sandbox: String,
}

impl Arguments {
    /// Whether results are for programs, and nothing else is to be said.
    pub fn is_for_machines(&self) -> bool {
        self.json || self.jsonl
    }
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Export an audience: to a file, to a folder, or into the store
    Export(ExportArgs),
    /// Say what an export would give: profiles, events and bytes of each batch, policy and fields; with --shards write
    /// down all that it takes to make it in parts, on many machines
    Plan(PlanArgs),
    /// Make a shard of a plan: any number of times and anywhere, commit takes one attempt that came to its end
    RunShard(RunShardArgs),
    /// Show the export of a plan whose shards are all made, at once
    Commit(CommitArgs),
    /// Give a plan up: what its shards wrote goes, and the store need not keep what it reads
    Abort(AbortArgs),
    /// Show the first profiles of an export
    Preview(PreviewArgs),
    /// Say why a profile is in an export or not: filters, fragments, the winner of each field, memberships, events
    Explain(ExplainArgs),
    /// Create an export job from a request, run it, print it when it is finished
    Run(RunArgs),
    /// Load records into a store
    Ingest(IngestArgs),
    /// Create, list, show and delete datasets
    #[command(subcommand)]
    Datasets(DatasetsCommand),
    /// Create, update, list, show and delete merge policies
    #[command(subcommand)]
    MergePolicies(MergePoliciesCommand),
    /// Look one profile up, as it is merged, with its events and where its fields are from
    #[command(subcommand)]
    Profiles(ProfilesCommand),
    /// Keep segment definitions, check their expressions, and see whom they take
    #[command(subcommand)]
    Segments(SegmentsCommand),
    /// Create, run, watch, list and cancel export jobs
    #[command(subcommand)]
    Jobs(JobsCommand),
    /// List, show and delete the batches that jobs wrote
    #[command(subcommand)]
    Batches(BatchesCommand),
    /// Ask by SQL, in the dialect of the platform's Query Service: datasets, merged profiles, what exports wrote
    Sql(SqlArgs),
    /// Look after a store
    #[command(subcommand)]
    Store(StoreCommand),
    /// Answer the platform's HTTP API, and run the jobs that wait
    Serve(ServeArgs),
    /// Make tokens for those who may use the server
    #[command(subcommand)]
    Tokens(TokensCommand),
    /// Compare a folder of exports with its manifest, every byte: a copy of it too, without a store
    VerifyManifest {
        /// The folder with _manifest.json
        #[arg(value_parser = local_folder())]
        folder: PathBuf,
    },
    /// Show the settings, and where each is from
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Print a script that completes this program's commands, options and values in a shell
    Completions(CompletionsArgs),
}

impl Command {
    /// Whether its result is a list.
    pub fn is_list(&self) -> bool {
        matches!(
            self,
            Self::Datasets(DatasetsCommand::List { .. })
                | Self::MergePolicies(MergePoliciesCommand::List { .. })
                | Self::Segments(SegmentsCommand::List { .. })
                | Self::Jobs(JobsCommand::List { .. })
                | Self::Batches(BatchesCommand::List { .. } | BatchesCommand::Files { .. })
                | Self::Sql(_)
                | Self::Store(StoreCommand::Forget { .. } | StoreCommand::Plans { .. })
        )
    }
}

#[derive(Debug, Args)]
pub struct RunArgs {
    /// The job's request: the body of POST /export/jobs; - is standard input
    pub request: String,
    #[command(flatten)]
    pub origin: OriginArgs,
    /// Publish the batches in this folder, which may be on another disk, instead of the store's own
    #[arg(long, value_name = "DIR", value_parser = local_folder())]
    pub out: Option<PathBuf>,
    #[command(flatten)]
    pub files: FileArgs,
    /// Leave out profiles of more identities than this, by the identity graph of the merge policy
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub max_identities: Option<u32>,
    #[command(flatten)]
    pub loading: LoadArgs,
    #[command(flatten)]
    pub keep: KeepArgs,
    #[command(flatten)]
    pub demands: DemandArgs,
}

/// Where records come from.
#[derive(Debug, Args)]
pub struct OriginArgs {
    /// Export from this store [env: PROFILE_EXPORT_STORE]
    #[arg(long, value_name = "DIR", value_parser = local_folder(), conflicts_with = "from")]
    pub store: Option<PathBuf>,
    /// Export straight from this source folder, without a store
    #[arg(long, value_name = "DIR", value_parser = local_folder())]
    pub from: Option<PathBuf>,
}

/// What is kept in the store behind a job that succeeded.
#[derive(Debug, Args)]
pub struct KeepArgs {
    /// Keep so many finished jobs of each request, the newest, and forget older ones with their batches, as store forget
    /// does [default: all]
    #[arg(long, value_name = "N", env = "PROFILE_EXPORT_KEEP_LAST", value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..))]
    pub keep_last: Option<usize>,
    /// And the newest of each of so many days (UTC) that have one
    #[arg(long, value_name = "N", env = "PROFILE_EXPORT_KEEP_DAILY", value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..))]
    pub keep_daily: Option<usize>,
}

/// What must hold of an export that went well.
#[derive(Debug, Args)]
pub struct DemandArgs {
    /// End with 4 where a batch has no profile
    #[arg(long)]
    pub fail_if_empty: bool,
    /// End with 4 where so many records or more were rejected
    #[arg(long, value_name = "N", num_args = 0..=1, require_equals = true, default_missing_value = "1", value_parser = clap::value_parser!(u64).range(1..))]
    pub fail_on_rejects: Option<u64>,
}

/// Who is exported, and what of them.
#[derive(Debug, Args)]
pub struct AudienceArgs {
    /// A request: the body of POST /export/jobs, instead of the options below; - is standard input
    pub request: Option<String>,
    /// Members of this segment, by ID or name; of one of them, where it comes several times
    #[arg(long, value_name = "SEGMENT", add = ArgValueCandidates::new(candidates::segments))]
    pub segment: Vec<String>,
    /// The namespace of the segments [default: any]
    #[arg(long, value_name = "NAMESPACE", requires = "segment", add = ArgValueCandidates::new(candidates::segment_namespaces))]
    pub segment_ns: Option<String>,
    /// Which memberships count: realized, existing, exited [default: realized,existing]
    #[arg(
        long,
        value_name = "STATUS",
        value_delimiter = ',',
        requires = "segment",
        add = ArgValueCandidates::new(candidates::statuses)
    )]
    pub status: Vec<String>,
    /// Qualified at this time or later: RFC 3339, or a date (its start in UTC)
    #[arg(long, value_name = "TIME")]
    pub qualified_since: Option<String>,
    /// Qualified at this time or before; a date is its end in UTC
    #[arg(long, value_name = "TIME")]
    pub qualified_until: Option<String>,
    /// Profiles of which a record came in later than this
    #[arg(long, value_name = "TIME")]
    pub ingested_since: Option<String>,
    /// Those too of whom there are only events
    #[arg(long)]
    pub empty_profiles: bool,
    /// The fields, separated by commas [default: all]
    #[arg(long, value_name = "FIELDS", add = ArgValueCompleter::new(candidates::fields))]
    pub fields: Option<String>,
    /// Leave out profiles that lack one of these fields, which must be among the exported
    #[arg(long, value_name = "FIELDS", value_delimiter = ',', add = ArgValueCompleter::new(candidates::fields))]
    pub require: Vec<String>,
    /// Of profiles with the same values of these fields, keep the one that was qualified last; identityMap.Email is
    /// the first identity of a namespace
    #[arg(long, value_name = "FIELDS", value_delimiter = ',', add = ArgValueCompleter::new(candidates::fields))]
    pub dedupe: Vec<String>,
    /// A row for each identity of this namespace, in the column identity
    #[arg(long, value_name = "NAMESPACE")]
    pub row_per_identity: Option<String>,
    /// Who entered, changed or left since an earlier job of the same request, in the columns change and primaryIdentity;
    /// everybody at first
    #[arg(long, value_name = "ID|last", value_parser = since_job, add = ArgValueCandidates::new(candidates::since_jobs))]
    pub since_job: Option<SinceJob>,
    /// How namespaces are spelled as keys of maps [default: one-spelling]
    #[arg(long, value_enum, value_name = "HOW")]
    pub map_keys: Option<MapKeysArg>,
    /// Their events, with these fields [default: all fields]
    #[arg(long, value_name = "FIELDS", num_args = 0..=1, default_missing_value = "", add = ArgValueCompleter::new(candidates::event_fields))]
    pub events: Option<String>,
    /// Events that came in later than this
    #[arg(long, value_name = "TIME", requires = "events")]
    pub events_since: Option<String>,
    /// Events that came in at this time or before
    #[arg(long, value_name = "TIME", requires = "events")]
    pub events_until: Option<String>,
    /// The merge policy, by ID or name [default: the segments' or the sandbox's]
    #[arg(long, value_name = "POLICY", add = ArgValueCandidates::new(candidates::policies))]
    pub merge_policy: Option<String>,
    /// A batch for each segment
    #[arg(long, requires = "segment")]
    pub segment_per_batch: bool,
    /// Evaluate the segments first, all definitions where none is named, and write who is in them into the store
    #[arg(long)]
    pub evaluate: bool,
    /// Leave out profiles of more identities than this, by the identity graph of the merge policy
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub max_identities: Option<u32>,
}

#[derive(Debug, Args)]
pub struct ExportArgs {
    #[command(flatten)]
    pub audience: AudienceArgs,
    #[command(flatten)]
    pub origin: OriginArgs,
    /// Where to: a file that ends in .parquet, .ndjson, .json, .jsonl or .csv (or those with .gz or .zst), - for
    /// standard output, or a folder for the batches' folders, which may be in a bucket (s3://, gs://, az://, abfss://)
    /// [default: the store]
    #[arg(long, short, value_name = "FILE|DIR|URL|-", value_parser = output())]
    pub out: Option<PathBuf>,
    /// What becomes of exports that are there already
    #[arg(long, value_enum, default_value = "fail")]
    pub if_exists: IfExistsArg,
    /// The dataset that the batches are part of, by ID or name [default: Profile exports]
    #[arg(long, value_name = "DATASET", add = ArgValueCandidates::new(candidates::datasets))]
    pub dataset: Option<String>,
    #[command(flatten)]
    pub files: FileArgs,
    /// Print the body of POST /export/jobs for this export, and do nothing
    #[arg(long)]
    pub print_request: bool,
    /// Say what there would be, as plan does, and write nothing
    #[arg(long, conflicts_with = "print_request")]
    pub dry_run: bool,
    #[command(flatten)]
    pub loading: LoadArgs,
    #[command(flatten)]
    pub keep: KeepArgs,
    #[command(flatten)]
    pub demands: DemandArgs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum IfExistsArg {
    /// They stay, and nothing is exported
    Fail,
    /// They go when the new one is there
    Replace,
    /// They stay beside the new one, in a folder
    Append,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum MapKeysArg {
    /// Each in one way: standard ones as the platform does, others as they were first loaded
    OneSpelling,
    /// As the records have them
    AsIs,
}

/// What the files of an export are.
#[derive(Debug, Args)]
pub struct FileArgs {
    /// The format of the files [default: as the name of --out ends, else parquet; ndjson on standard output]
    #[arg(long, value_enum)]
    pub format: Option<FormatArg>,
    /// How they are compressed [default: as the name ends; Parquet's pages with zstd, text not at all]
    #[arg(long, value_enum)]
    pub compression: Option<CompressionArg>,
    /// Which readers Parquet files are for
    #[arg(long, value_enum, value_name = "PROFILE", default_value = "modern")]
    pub parquet_profile: ParquetProfile,
    /// What stands between the values of a CSV file: one character, or tab [default: a comma]
    #[arg(long, value_name = "CHARACTER", value_parser = delimiter)]
    pub csv_delimiter: Option<u8>,
    /// What stands for null in a CSV file [default: null]
    #[arg(long, value_name = "TEXT")]
    pub csv_null: Option<String>,
    /// What stands before a quote in a quoted value of a CSV file [default: quote]
    #[arg(long, value_enum)]
    pub csv_escape: Option<CsvEscape>,
    /// Call a column of a CSV file otherwise: person.name.firstName=first_name
    #[arg(long, value_name = "PATH=NAME", value_delimiter = ',', value_parser = pair)]
    pub csv_header: Vec<(String, String)>,
    /// What files are called below the folder, or address, of --out, such as {segment.name}/{date}.{ext}; in braces
    /// stand segment.name, segment.id, date, time, job.id, batch.id, n (the number of a batch's file) and ext (the
    /// format's ending)
    #[arg(long, value_name = "TEMPLATE")]
    pub name_template: Option<NameTemplate>,
    /// Begin a new file of a batch after this many rows
    #[arg(long, value_name = "N", value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..))]
    pub max_rows_per_file: Option<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum FormatArg {
    /// Parquet
    Parquet,
    /// A JSON object a line
    #[value(alias = "json", alias = "jsonl")]
    Ndjson,
    /// A line a row, a column a leaf; lists and maps as JSON
    Csv,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum CompressionArg {
    /// Not at all
    None,
    /// With Snappy: Parquet alone
    Snappy,
    /// With gzip
    #[value(alias = "gz")]
    Gzip,
    /// With zstd
    #[value(alias = "zst")]
    Zstd,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ParquetProfile {
    /// Those that know zstd and delta encodings: DuckDB, pyarrow, Polars, Spark 3 and later
    Modern,
    /// All: Snappy, plain values and dictionaries, pages of version 1
    Compatible,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum CsvEscape {
    /// Another quote, as pandas, DuckDB, Polars and Excel read it
    Quote,
    /// A backslash, as Spark writes it
    Backslash,
}

/// What is looked at.
#[derive(Debug, Args)]
pub struct LookArgs {
    #[command(flatten)]
    pub audience: AudienceArgs,
    #[command(flatten)]
    pub origin: OriginArgs,
    #[command(flatten)]
    pub loading: LoadArgs,
}

#[derive(Debug, Args)]
pub struct PlanArgs {
    #[command(flatten)]
    pub look: LookArgs,
    #[command(flatten)]
    pub files: FileArgs,
    /// Cut the export into so many parts of about the same size
    #[arg(long, value_name = "N", requires = "plan", value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..=100_000))]
    pub shards: Option<usize>,
    /// Write the plan of the shards into this file
    #[arg(long, short = 'o', value_name = "FILE", requires = "shards")]
    pub plan: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct RunShardArgs {
    /// The plan: what plan --shards wrote
    #[arg(long, value_name = "FILE")]
    pub plan: PathBuf,
    /// Which shard, counted from 0
    #[arg(long, value_name = "I")]
    pub shard: usize,
    /// What this attempt is called
    #[arg(long, value_name = "NAME", default_value = "0")]
    pub attempt: String,
    /// The folder of the export, which all machines see, or its address in a bucket (s3://, gs://, az://, abfss://)
    #[arg(long, value_name = "DIR", value_parser = output())]
    pub out: PathBuf,
    /// The store as this machine sees it [default: where the plan was made]
    #[arg(long, value_name = "DIR", value_parser = local_folder())]
    pub store: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct CommitArgs {
    /// The plan: what plan --shards wrote
    #[arg(long, value_name = "FILE")]
    pub plan: PathBuf,
    /// The folder of the export, that the shards were made in, or its address in a bucket
    #[arg(long, value_name = "DIR", value_parser = output())]
    pub out: PathBuf,
    /// What becomes of exports that are there already
    #[arg(long, value_enum, default_value = "fail")]
    pub if_exists: IfExistsArg,
    /// The store as this machine sees it [default: where the plan was made]
    #[arg(long, value_name = "DIR", value_parser = local_folder())]
    pub store: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct AbortArgs {
    /// The plan: what plan --shards wrote
    #[arg(long, value_name = "FILE", required_unless_present = "plan_id")]
    pub plan: Option<PathBuf>,
    /// Or its ID, where that file is gone: store plans lists them
    #[arg(long, value_name = "ID", requires = "store", conflicts_with = "plan")]
    pub plan_id: Option<String>,
    /// The folder that shards were made in, or its address in a bucket [default: none was]
    #[arg(long, value_name = "DIR", value_parser = output())]
    pub out: Option<PathBuf>,
    /// The store as this machine sees it [default: where the plan was made]
    #[arg(long, value_name = "DIR", value_parser = local_folder())]
    pub store: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct PreviewArgs {
    #[command(flatten)]
    pub look: LookArgs,
    /// How many profiles
    #[arg(long, value_name = "N", default_value = "10", value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..))]
    pub limit: usize,
}

#[derive(Debug, Args)]
pub struct SqlArgs {
    /// The statement, or several with ; between them; where none is given they are read from standard input, which on a
    /// terminal is asked for them
    pub statement: Option<String>,
    /// Read the statements from this file; - is standard input
    #[arg(long, short, value_name = "FILE", conflicts_with = "statement")]
    pub file: Option<String>,
    /// Refuse statements that change the store
    #[arg(long)]
    pub read_only: bool,
    /// Print the rows as CSV
    #[arg(long, conflicts_with_all = ["json", "jsonl", "tsv", "out"])]
    pub csv: bool,
    /// Write the rows to this file instead, in the format that its name ends in
    #[arg(long, value_name = "FILE", value_parser = output())]
    pub out: Option<PathBuf>,
    /// Replace that file, if it is there
    #[arg(long, requires = "out")]
    pub replace: bool,
    #[command(flatten)]
    pub files: FileArgs,
    #[command(flatten)]
    pub store: StoreArg,
}

#[derive(Debug, Args)]
pub struct ExplainArgs {
    /// Whose profile, such as Email:ann@example.com: a primary identity, or with a merge policy that has an identity graph
    /// any that records link
    #[arg(long, value_name = "NAMESPACE:ID", value_parser = identity)]
    pub identity: Identity,
    #[command(flatten)]
    pub look: LookArgs,
}

#[derive(Debug, Args)]
pub struct LoadArgs {
    /// What becomes of a bad record
    #[arg(long, value_enum, default_value = "fail")]
    pub on_bad_record: BadRecord,
    /// Where skipped records go, with file, line and reason
    #[arg(long, value_name = "FILE", value_parser = output(), default_value = "rejects.ndjson")]
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
    #[arg(long, value_name = "DIR", env = "PROFILE_EXPORT_STORE", value_parser = local_folder())]
    pub store: PathBuf,
    /// Load this source folder: a folder per dataset with a dataset.json and data files
    #[arg(long, value_name = "DIR", value_parser = local_folder(), conflicts_with_all = ["dataset", "files"], required_unless_present = "dataset")]
    pub from: Option<PathBuf>,
    /// Load files into the dataset of this name or ID; it is made where it is missing
    #[arg(long, value_name = "NAME", requires = "files", add = ArgValueCandidates::new(candidates::datasets))]
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
    /// Answer SQL, too, at this address and port: PostgreSQL's protocol, for a program that has SQL
    #[arg(long, value_name = "ADDRESS", value_parser = socket_address)]
    pub sql: Option<SocketAddr>,
    /// SQL within TLS alone: the certificate in PEM form, with those that lead to its authority behind it
    #[arg(long, value_name = "FILE", requires_all = ["sql", "sql_tls_key"])]
    pub sql_tls_cert: Option<PathBuf>,
    /// The key of --sql-tls-cert, in PEM form and without a password
    #[arg(long, value_name = "FILE", requires = "sql_tls_cert")]
    pub sql_tls_key: Option<PathBuf>,
    /// SQL beyond this machine without TLS, too: tokens and data cross the network in the clear
    #[arg(long, requires = "sql")]
    pub sql_allow_clear_text: bool,
    /// SQL alone: no HTTP, and nothing that waits is worked off
    #[arg(long, requires = "sql", conflicts_with = "listen")]
    pub no_http: bool,
    /// Who may come in (see: tokens create) [default: everybody on this machine]
    #[arg(long, value_name = "FILE")]
    pub token_file: Option<PathBuf>,
    /// A folder of XDM documents (*.json), such as field groups, that declared schemas may refer to
    #[arg(long, value_name = "DIR")]
    pub schemas: Option<PathBuf>,
    /// How many export jobs run side by side
    #[arg(long, value_name = "N", default_value = "2", value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..=64))]
    pub workers: usize,
    /// How many export jobs of one sandbox may wait, and how many queries; more are told to come back
    #[arg(long, value_name = "N", default_value = "1000")]
    pub max_waiting_jobs: u32,
    /// The largest file of an incoming batch, in MiB
    #[arg(long, value_name = "MIB", default_value = "4096", value_parser = clap::value_parser!(u64).range(1..1 << 40))]
    pub max_upload: u64,
    /// How long a request may take to arrive, in seconds
    #[arg(long, value_name = "SECONDS", default_value = "30", value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub request_timeout: u64,
    /// How long a deletion may take, with what it waits for, in seconds
    #[arg(long, value_name = "SECONDS", default_value = "3600", value_parser = clap::value_parser!(u64).range(1..=86400))]
    pub deletion_timeout: u64,
    /// How long a query of the query service may run, in seconds
    #[arg(long, value_name = "SECONDS", default_value = "600", value_parser = clap::value_parser!(u64).range(1..=86400))]
    pub query_timeout: u64,
    /// How long running jobs may go on after SIGTERM, in seconds, before they are cancelled
    #[arg(long, value_name = "SECONDS", default_value = "20")]
    pub grace: u64,
    #[command(flatten)]
    pub keep: KeepArgs,
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
    #[arg(long, value_name = "DIR", env = "PROFILE_EXPORT_STORE", value_parser = local_folder())]
    pub store: PathBuf,
}

#[derive(Debug, Args)]
pub struct CompletionsArgs {
    /// Which shell [default: that of SHELL]
    pub shell: Option<Shell>,
    /// Put it where the shell looks for it, and the manual's pages where man does, for this user
    #[arg(long)]
    pub install: bool,
    /// Write the manual's pages into this folder instead
    #[arg(long, value_name = "DIR", conflicts_with_all = ["shell", "install"])]
    pub man_pages: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Show each setting as it counts here: flags come before the environment, that before profile-export.toml of
    /// this folder or one above, that before the user's profile-export/config.toml
    Show {
        /// Say where each is from, too
        #[arg(long)]
        origin: bool,
    },
}

#[derive(Debug, Subcommand)]
pub enum ProfilesCommand {
    /// Show the profile of an identity as JSON: a primary identity, or with a merge policy that has an identity graph any that
    /// records link
    Get {
        /// Whose, such as Email:ann@example.com
        #[arg(value_name = "NAMESPACE:ID", value_parser = identity)]
        identity: Identity,
        /// Field paths, separated by commas [default: all fields]
        #[arg(long, value_name = "FIELDS", add = ArgValueCompleter::new(candidates::fields))]
        fields: Option<String>,
        /// Its events, with these fields [default: all fields]
        #[arg(long, value_name = "FIELDS", num_args = 0..=1, require_equals = true, default_missing_value = "", add = ArgValueCompleter::new(candidates::event_fields))]
        events: Option<String>,
        /// Its fragments, too, and which of them each field is from
        #[arg(long)]
        fragments: bool,
        /// The merge policy, by ID or name [default: the sandbox's]
        #[arg(long, value_name = "POLICY", add = ArgValueCandidates::new(candidates::policies))]
        merge_policy: Option<String>,
        #[command(flatten)]
        store: StoreArg,
    },
    /// Delete somebody's records: fragments and events that bear an identity, as the primary one or in identityMap
    ///
    /// With --everywhere all else goes, too, that the store holds of them: their ids are off the disk when it returns, or
    /// it fails and names the files that still hold one.
    Delete {
        /// Whose, such as Email:ann@example.com
        #[arg(value_name = "NAMESPACE:ID", value_parser = identity)]
        identity: Identity,
        /// The export batches that hold the id and jobs that name it, too, and copies of the catalog; then look at every
        /// file of the store
        #[arg(long)]
        everywhere: bool,
        /// The records of all identities of the profile, by the identity graph of this merge policy [default: of this
        /// identity alone]
        #[arg(long, value_name = "POLICY", add = ArgValueCandidates::new(candidates::policies))]
        merge_policy: Option<String>,
        #[command(flatten)]
        store: StoreArg,
    },
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
        #[arg(add = ArgValueCandidates::new(candidates::datasets))]
        id: String,
        #[command(flatten)]
        store: StoreArg,
    },
    /// Delete one with its records
    Delete {
        /// Its ID or name
        #[arg(add = ArgValueCandidates::new(candidates::datasets))]
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
        /// Its ID or name
        #[arg(add = ArgValueCandidates::new(candidates::documents))]
        id: String,
        /// An object
        body: String,
        #[command(flatten)]
        store: StoreArg,
    },
    /// Show one
    Get {
        /// Its ID or name
        #[arg(add = ArgValueCandidates::new(candidates::documents))]
        id: String,
        #[command(flatten)]
        store: StoreArg,
    },
    /// Delete one
    Delete {
        /// Its ID or name
        #[arg(add = ArgValueCandidates::new(candidates::documents))]
        id: String,
        #[command(flatten)]
        store: StoreArg,
    },
}

#[derive(Debug, Subcommand)]
pub enum MergePoliciesCommand {
    #[command(flatten)]
    Documents(DocumentsCommand),
    /// List all
    List {
        #[command(flatten)]
        store: StoreArg,
    },
}

#[derive(Debug, Subcommand)]
pub enum SegmentsCommand {
    #[command(flatten)]
    Definitions(DocumentsCommand),
    /// List all definitions
    List {
        /// Count their members by status, too: who is in them by the default merge policy, of all namespaces; it takes as
        /// long as an export of them
        #[arg(long)]
        counts: bool,
        #[command(flatten)]
        store: StoreArg,
    },
    /// Check an expression, or the definitions that it is in: a store's fields too, where there is one
    Check {
        /// A file with an expression's text or JSON, or with definitions; - is standard input
        file: String,
        /// The store whose fields the expression is about [env: PROFILE_EXPORT_STORE]
        #[arg(long, value_name = "DIR", env = "PROFILE_EXPORT_STORE", hide_env = true, value_parser = local_folder())]
        store: Option<PathBuf>,
    },
    /// Count the people whom an expression, or the expressions of definitions, take now; nothing is written
    Estimate {
        /// The expression, in PQL
        #[arg(required_unless_present_any = ["segment", "all"], conflicts_with_all = ["segment", "all"])]
        expression: Option<String>,
        /// That of this definition, by ID or name; several times for several
        #[arg(long, value_name = "SEGMENT", conflicts_with = "all", add = ArgValueCandidates::new(candidates::segments))]
        segment: Vec<String>,
        /// Those of all definitions
        #[arg(long)]
        all: bool,
        /// Count them by the namespaces of their identities, too
        #[arg(long)]
        by_namespace: bool,
        #[command(flatten)]
        at: EvaluationArgs,
    },
    /// Evaluate definitions, and write who is in them: memberships that exports, and other expressions, read
    Evaluate {
        /// The definitions, by ID or name
        #[arg(required_unless_present = "all", conflicts_with = "all", add = ArgValueCandidates::new(candidates::segments))]
        segment: Vec<String>,
        /// All definitions that have an expression
        #[arg(long)]
        all: bool,
        /// The moment that now, today and the like mean, at which people enter and leave: RFC 3339, or a date (its
        /// start in UTC) [default: this one]
        #[arg(long, value_name = "TIME")]
        now: Option<String>,
        #[command(flatten)]
        store: StoreArg,
    },
    /// Count the people in each two of some definitions, as they are now; nothing is written
    Overlap {
        /// The definitions, by ID or name
        #[arg(required_unless_present = "all", conflicts_with = "all", add = ArgValueCandidates::new(candidates::segments))]
        segment: Vec<String>,
        /// All definitions
        #[arg(long)]
        all: bool,
        #[command(flatten)]
        at: EvaluationArgs,
    },
    /// Say why a profile is in a segment or not: each part of the expression, and what it saw
    Explain {
        /// The definition, by ID or name
        #[arg(add = ArgValueCandidates::new(candidates::segments))]
        segment: String,
        /// Whose profile: a primary identity, such as Email:ann@example.com
        #[arg(long, value_name = "NAMESPACE:ID", value_parser = identity)]
        identity: Identity,
        #[command(flatten)]
        at: EvaluationArgs,
    },
    /// Show the first people whom an expression takes, with the fields that it reads
    Preview {
        /// The expression, in PQL
        expression: String,
        /// How many
        #[arg(long, value_name = "N", default_value = "10", value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..=10_000))]
        limit: usize,
        #[command(flatten)]
        at: EvaluationArgs,
    },
}

/// How expressions are evaluated.
#[derive(Debug, Args)]
pub struct EvaluationArgs {
    /// The merge policy, by ID or name [default: the definition's or the sandbox's]
    #[arg(long, value_name = "POLICY", add = ArgValueCandidates::new(candidates::policies))]
    pub merge_policy: Option<String>,
    /// The moment that now, today and the like mean: RFC 3339, or a date (its start in UTC) [default: this one]
    #[arg(long, value_name = "TIME")]
    pub now: Option<String>,
    #[command(flatten)]
    pub store: StoreArg,
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
        #[arg(required_unless_present_any = ["next", "all"], conflicts_with_all = ["next", "all"],
            add = ArgValueCandidates::new(candidates::jobs))]
        id: Option<i64>,
        /// The oldest that waits, if there is one
        #[arg(long, conflicts_with = "all")]
        next: bool,
        /// All that wait, one after the other
        #[arg(long)]
        all: bool,
        #[command(flatten)]
        keep: KeepArgs,
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
        #[arg(long, add = ArgValueCandidates::new(candidates::job_statuses))]
        status: Option<String>,
        /// createdTime or updateTime, with :asc or :desc
        #[arg(long, add = ArgValueCandidates::new(candidates::job_orders))]
        sort: Option<String>,
        #[command(flatten)]
        store: StoreArg,
    },
    /// Show one
    Get {
        /// The job's ID
        #[arg(add = ArgValueCandidates::new(candidates::jobs))]
        id: i64,
        #[command(flatten)]
        store: StoreArg,
    },
    /// Follow one until it is finished, and print it
    Watch {
        /// The job's ID
        #[arg(add = ArgValueCandidates::new(candidates::jobs))]
        id: i64,
        #[command(flatten)]
        store: StoreArg,
    },
    /// Run the request of a finished job again, as a new job whose batches are in the store
    ///
    /// What is no part of a request is not repeated: --out, --format and the like, --max-identities.
    Retry {
        /// Leave out profiles of more identities than this, by the identity graph of the merge policy
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
        max_identities: Option<u32>,
        /// The job's ID
        #[arg(add = ArgValueCandidates::new(candidates::jobs))]
        id: i64,
        #[command(flatten)]
        keep: KeepArgs,
        #[command(flatten)]
        store: StoreArg,
    },
    /// Delete one that is finished, with its batches; files in folders outside of the store stay
    Delete {
        /// The job's ID
        #[arg(add = ArgValueCandidates::new(candidates::jobs))]
        id: i64,
        #[command(flatten)]
        store: StoreArg,
    },
    /// Cancel one that waits or runs
    Cancel {
        /// The job's ID
        #[arg(add = ArgValueCandidates::new(candidates::jobs))]
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
        #[arg(long, value_name = "ID|NAME", add = ArgValueCandidates::new(candidates::datasets))]
        dataset: Option<String>,
        #[command(flatten)]
        store: StoreArg,
    },
    /// Show one
    Get {
        /// Its ID
        #[arg(add = ArgValueCandidates::new(candidates::batches))]
        id: String,
        #[command(flatten)]
        store: StoreArg,
    },
    /// List the files of one: path, length, rows and digest
    Files {
        /// Its ID
        #[arg(add = ArgValueCandidates::new(candidates::batches))]
        id: String,
        #[command(flatten)]
        store: StoreArg,
    },
    /// Delete one with its files
    Delete {
        /// Its ID
        #[arg(add = ArgValueCandidates::new(candidates::batches))]
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
    /// List the plans of exports in shards that were not committed or aborted: what they read is kept until they expire
    Plans {
        #[command(flatten)]
        store: StoreArg,
    },
    /// Merge all runs of each dataset, without the fragments that later ones replaced
    Compact {
        #[command(flatten)]
        store: StoreArg,
    },
    /// Make an empty store
    Init {
        #[command(flatten)]
        store: StoreArg,
    },
    /// Delete finished jobs of which newer ones of the same request are kept, whatever its times, with their batches
    ///
    /// Batches in folders outside of the store (--out) stay where they are, and only the store forgets them.
    Forget {
        /// Keep so many of each, the newest
        #[arg(
            long,
            value_name = "N",
            required_unless_present = "keep_daily",
            default_value = "0"
        )]
        keep_last: usize,
        /// And the newest of each of so many days (UTC) that have one
        #[arg(long, value_name = "N", default_value = "0")]
        keep_daily: usize,
        /// Say what would go, and delete nothing
        #[arg(long)]
        dry_run: bool,
        #[command(flatten)]
        store: StoreArg,
    },
    /// Check the catalog and every byte of every file
    Verify {
        /// Look for the id of an identity instead, such as Email:ann@example.com, in every file of the store, whoever's it
        /// is: fail where one holds it, or can't be read. Texts and integers are looked at; a common id such as 2018 is held
        /// where it stands alone, and only mentioned within a longer text or as a number (docs/deletion.md)
        #[arg(long, value_name = "NAMESPACE:ID", value_parser = identity)]
        gone: Vec<Identity>,
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
