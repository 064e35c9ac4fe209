use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use catalog::BatchFile;
use decode::{Phase, Progress};
use export::{Export, ExportRequest, Plan, RequestError, Shard, UnionSchemas};
use merge::MergePolicy;
use run::{Run, RunFiles, Snapshot};
use serde::{Deserialize, Serialize};
use store::{Layout, Store, StoreError};
use writer::WriterOptions;
use xdm::{Class, Dataset, Fields, Namespaces, Timestamp};

use super::planning::PlanOptions;
use crate::error::{Error, Result};
use crate::export_file::Prepared;
use crate::jobs::JobSegment;
use crate::manifest::{is_inside, schema_digest, write_whole};

/// The version of the form.
const VERSION: u32 = 1;
/// That of the program: all machines must make the same rows of the same bytes.
pub(crate) const PROGRAM: &str = env!("CARGO_PKG_VERSION");

/// What every version of the form says of itself.
#[derive(Deserialize)]
pub(crate) struct Versioned {
    pub version: u32,
    #[serde(default)]
    pub program: String,
}

/// All that it takes to make any shard of an export, as it stood when it was planned.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ShardPlan {
    /// The version of this form.
    version: u32,
    /// The version of the program that made it.
    program: String,
    /// Its own, 24 hex digits.
    pub id: String,
    /// When it was made: RFC 3339, UTC.
    pub created: String,
    /// Until when the store keeps what it reads: RFC 3339, UTC.
    pub expires: String,
    /// The store's folder, where the plan was made.
    pub store: PathBuf,
    /// The organisation whose data it is about.
    pub org: String,
    /// And the sandbox.
    pub sandbox: String,
    /// The store's generation that it reads.
    pub generation: i64,
    /// The request, with IDs where it had names, and a target dataset.
    pub request: ExportRequest,
    /// The merge policy that it uses.
    pub merge_policy: MergePolicy,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    max_identities: Option<u32>,
    /// How files are written.
    pub(crate) writer: WriterOptions,
    /// The digest of the columns' names and types, as a manifest has it.
    pub schema_digest: String,
    /// Segments of the request that no record names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unknown_segments: Vec<JobSegment>,
    profile_union: Fields,
    event_union: Fields,
    namespaces: Vec<String>,
    datasets: Vec<Dataset>,
    runs: Vec<PlannedRun>,
    /// The ranges of keys.
    pub shards: Vec<Shard>,
    /// The XXH3-128 digest of the rest.
    pub(crate) digest: String,
}

/// A run that a plan reads.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct PlannedRun {
    folder: String,
    dataset: String,
    class: Class,
    files: RunFiles,
}

/// Plans what a generation has that is pinned.
pub(super) fn plan_pinned(
    store: &Store,
    (request, generation): (&ExportRequest, i64),
    options: &PlanOptions,
    (id, created, expires): (String, Timestamp, Timestamp),
    progress: &Arc<Progress>,
) -> Result<ShardPlan> {
    let of = (request.clone(), Some(generation));
    let prepared = Prepared::by_ids(store, of, options.max_identities, progress)?;
    let catalog = store.catalog();
    let root = store.layout().root();
    let runs = catalog.runs(generation)?.into_iter();
    let unknown = prepared.export.unknown_segments()?;
    let mut plan = ShardPlan {
        version: VERSION,
        program: PROGRAM.to_owned(),
        id,
        created: created.to_string(),
        expires: expires.to_string(),
        store: fs::canonicalize(root).map_err(StoreError::io(root))?,
        org: catalog.scope().org.clone(),
        sandbox: catalog.scope().sandbox.clone(),
        generation,
        request: prepared.request.clone(),
        merge_policy: prepared.policy.clone(),
        max_identities: options.max_identities,
        writer: options.writer.clone(),
        schema_digest: schema_digest(&prepared.export.schema()),
        unknown_segments: unknown.into_iter().map(JobSegment::from).collect(),
        profile_union: catalog.union(Class::Profile, Some(generation))?,
        event_union: catalog.union(Class::Event, Some(generation))?,
        namespaces: catalog.namespaces()?.codes().to_vec(),
        datasets: catalog.datasets_ever()?,
        runs: runs
            .map(|run| PlannedRun {
                folder: run.folder,
                dataset: run.dataset.id,
                class: run.dataset.class,
                files: run.files,
            })
            .collect(),
        shards: Vec::new(),
        digest: String::new(),
    };
    plan.shards = plan.plan()?.shards(options.shards)?;
    plan.digest = plan.digest_of_rest()?;
    Ok(plan)
}

impl ShardPlan {
    /// The plan in a file.
    ///
    /// # Errors
    /// It can't be read, is none, was changed, or is of another program.
    pub fn read(path: &Path) -> Result<Self> {
        let text = fs::read(path).map_err(StoreError::io(path))?;
        Self::from_json(&text).map_err(|problem| Error::Source {
            path: path.to_owned(),
            problem,
        })
    }

    /// A plan's text.
    ///
    /// # Errors
    /// In words: it is none, was changed, or is of another program.
    pub fn from_json(text: &[u8]) -> Result<Self, String> {
        let none = |error: serde_json::Error| format!("no plan of an export: {error}");
        let Versioned { version, program } = serde_json::from_slice(text).map_err(none)?;
        if version != VERSION {
            return Err(format!(
                "a plan of version {version}, of another program; plan again"
            ));
        }
        if program != PROGRAM {
            return Err(format!(
                "a plan by version {program:?} of this program, and this is {PROGRAM}: use one version on all machines, or \
                 plan again"
            ));
        }
        let plan: Self = serde_json::from_slice(text).map_err(none)?;
        // Whoever can write a plan can write its digest.
        if let Some(run) = plan.runs.iter().find(|run| !is_one_name(&run.folder)) {
            return Err(format!(
                "found run {:?}; a run is a folder of the store's, by its name alone",
                run.folder
            ));
        }
        match plan.digest_of_rest() {
            Ok(digest) if digest == plan.digest && Dataset::is_id(&plan.id) => Ok(plan),
            Ok(_) => Err("it was changed since it was made; plan again".to_owned()),
            Err(error) => Err(error.to_string()),
        }
    }

    /// Its text.
    ///
    /// # Errors
    /// A mistake of ours.
    pub fn to_json(&self) -> Result<Vec<u8>> {
        serde_json::to_vec(self).map_err(|error| Error::Panic(error.to_string()))
    }

    /// Writes it into a file, in the place of one that is there.
    ///
    /// # Errors
    /// There is something else than a file; it can't be written.
    pub fn write(&self, path: &Path) -> Result<()> {
        let folder = path.parent().filter(|p| !p.as_os_str().is_empty());
        let name = path.file_name().and_then(|name| name.to_str());
        let name = name.ok_or_else(|| Error::out(path, "no name of a file, in UTF-8"))?;
        if path == Path::new("-") {
            let problem = "a stream, where a file is wanted: machines read the plan by its name";
            return Err(Error::out(path, problem));
        }
        // The rename would put a file in the place of a link, and of what somebody reads from.
        if fs::symlink_metadata(path).is_ok_and(|found| !found.is_file()) {
            let problem =
                "there is a link, a pipe or a folder of this name, and no file; give another name";
            return Err(Error::out(path, problem));
        }
        write_whole(folder.unwrap_or(Path::new(".")), name, &self.to_json()?)
    }

    /// The schema of the rows, known before the first one.
    ///
    /// # Errors
    /// The program understands the request otherwise than the one that planned it.
    pub fn schema(&self) -> Result<SchemaRef> {
        let schema = self.plan()?.schema();
        match schema_digest(&schema) == self.schema_digest {
            true => Ok(schema),
            false => Err(catalog::Error::Conflict(
                "this program makes other columns than the one that planned the export: use the same version".to_owned(),
            )
            .into()),
        }
    }

    /// Refuses a store that has another organisation and sandbox at hand than those that the plan is of.
    ///
    /// # Errors
    /// They differ.
    pub fn check_scope(&self, store: &Store) -> Result<()> {
        let scope = store.catalog().scope();
        if (&scope.org, &scope.sandbox) == (&self.org, &self.sandbox) {
            return Ok(());
        }
        let problem = format!(
            "plan {} is of organisation {:?} and sandbox {:?}, and this is {:?} and {:?}",
            self.id, self.org, self.sandbox, scope.org, scope.sandbox
        );
        Err(catalog::Error::Conflict(problem).into())
    }

    /// How many batches there are: one, or one for each segment.
    ///
    /// # Errors
    /// As for [`ShardPlan::schema`].
    pub fn batch_count(&self) -> Result<usize> {
        Ok(self.plan()?.batches.len())
    }

    /// The shard with this number.
    ///
    /// # Errors
    /// There is none.
    pub fn shard(&self, number: usize) -> Result<Shard> {
        let shard = self.shards.get(number).copied();
        shard.ok_or_else(|| {
            let text = format!(
                "found {number}; the plan has {} shards, counted from 0",
                self.shards.len()
            );
            RequestError::new("shard", text).into()
        })
    }

    /// The rows of all shards, read from the files of the runs alone: in this folder of the store, or that which the plan
    /// names.
    ///
    /// # Errors
    /// The store does not have the runs any more; a damaged one.
    pub fn export(&self, store: Option<&Path>, progress: &Arc<Progress>) -> Result<Export> {
        progress.begin(Phase::Prepare);
        // Refuses programs that differ.
        self.schema()?;
        let layout = Layout::new(store.unwrap_or(&self.store));
        let mut runs = Vec::new();
        for run in &self.runs {
            let folder = layout.run(&run.folder);
            if !folder.try_exists().map_err(StoreError::io(&folder))? {
                return Err(self.gone(&folder));
            }
            let opened = Run::open(&folder, &run.dataset, run.class, &run.files);
            runs.push(Arc::new(opened.map_err(StoreError::from)?));
        }
        let snapshot = Snapshot {
            generation: self.generation,
            profile_union: self.profile_union.clone(),
            event_union: self.event_union.clone(),
            namespaces: self.spelled(),
            datasets: self.datasets.clone(),
            runs,
        };
        let export = Export::watched(&snapshot, &self.plan()?, Arc::clone(progress))?;
        progress.begin(Phase::Export);
        Ok(export)
    }

    fn gone(&self, run: &Path) -> Error {
        let text = format!(
            "the store is not as plan {} needs it, generation {}: {} is not there. The store keeps it until the plan is \
             committed or aborted, at the longest until {}: plan again, or give the store's folder as this machine sees it",
            self.id,
            self.generation,
            run.display(),
            self.expires
        );
        catalog::Error::Conflict(text).into()
    }

    pub(crate) fn plan(&self) -> Result<Plan> {
        let unions = UnionSchemas {
            profile: self.profile_union.clone(),
            event: self.event_union.clone(),
            namespaces: self.spelled(),
        };
        let plan = Plan::new(
            &self.request.evaluated(),
            self.merge_policy.clone(),
            &unions,
        )?;
        Ok(Plan {
            max_identities: self.max_identities,
            ..plan
        })
    }

    fn spelled(&self) -> Namespaces {
        let mut namespaces = Namespaces::default();
        for code in &self.namespaces {
            namespaces.add(code);
        }
        namespaces
    }

    fn digest_of_rest(&self) -> Result<String> {
        let rest = Self {
            digest: String::new(),
            ..self.clone()
        };
        Ok(BatchFile::digest_text(xdm::digest128(&rest.to_json()?)))
    }

    /// What attempts left in the folder of the export, where something is there: behind a commit it is what could not be
    /// removed.
    #[must_use]
    pub fn left_in(&self, out: &Path) -> Option<PathBuf> {
        Some(out.join(self.left_below())).filter(|staging| staging.exists())
    }

    /// Below which name attempts put what they make, from the place of the export on.
    #[must_use]
    pub fn left_below(&self) -> String {
        staging_of(&self.id)
    }
}

/// The hidden folder, in the place of the export, that attempts at the shards of the plan with this ID write in. Exports to
/// that place leave it alone, as they would not what begins as their own.
pub(crate) fn staging_of(id: &str) -> String {
    format!(".plan-{id}")
}

/// Whether a word is the name of something in a folder, and no way out of it.
fn is_one_name(word: &str) -> bool {
    is_inside(word) && Path::new(word).components().count() == 1
}

/// Where attempts at a shard of that plan are, from the place of the export on.
pub(crate) fn shard_folder(id: &str, number: usize) -> String {
    format!("{}/shard-{number:05}", staging_of(id))
}
