use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::error::{AtPath, Result, StoreError};
use crate::publish::make_folder;

/// Where everything in a store's folder is.
///
/// ```text
/// STORE/
///   catalog.sqlite   what is part of the store
///   store.json       whose catalog that is
///   backups/         copies of the catalog as it was after the latest changes of the records
///   set-aside/       what a return to such a copy left over
///   reserve          room for what frees a full disk
///   runs/            the records: a folder for each run, see the crate `run`
///   batches/         the exports: a folder for each batch
///   staging/         batches that are being written: a folder and a lock for each running job
///   incoming/        files of batches that are being uploaded: a folder for each batch
///   states/          what exports had of whom, for later ones to be told since them: a folder for each batch
///   evaluation/      what an evaluation of segments found, until it is loaded
///   load.lock        held by whoever changes the runs
///   evaluation.lock  held by whoever evaluates segments
///   serve.lock       held by the server that works off the queue
/// ```
#[derive(Clone, Debug)]
pub struct Layout {
    root: PathBuf,
}

impl Layout {
    /// The layout of the store in a folder.
    #[must_use]
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// The store's folder.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The catalog's file.
    #[must_use]
    pub fn catalog(&self) -> PathBuf {
        self.root.join("catalog.sqlite")
    }

    /// The file that says which catalog is the store's.
    #[must_use]
    pub fn identity(&self) -> PathBuf {
        self.root.join("store.json")
    }

    /// The folder of the catalog's copies.
    #[must_use]
    pub fn backups(&self) -> PathBuf {
        self.root.join("backups")
    }

    /// The folder of what is kept though nothing names it.
    #[must_use]
    pub fn set_aside(&self) -> PathBuf {
        self.root.join("set-aside")
    }

    /// The file whose room is there when the disk is full.
    #[must_use]
    pub fn reserve(&self) -> PathBuf {
        self.root.join("reserve")
    }

    /// The folder of all runs.
    #[must_use]
    pub fn runs(&self) -> PathBuf {
        self.root.join("runs")
    }

    /// The folder of one run.
    #[must_use]
    pub fn run(&self, name: &str) -> PathBuf {
        self.runs().join(name)
    }

    /// The folder that batches are published in.
    #[must_use]
    pub fn batches(&self) -> PathBuf {
        self.root.join("batches")
    }

    /// The folder of the jobs that run.
    #[must_use]
    pub fn staging(&self) -> PathBuf {
        self.root.join("staging")
    }

    /// The folder that a running job writes in.
    #[must_use]
    pub fn job(&self, id: i64) -> PathBuf {
        self.staging().join(id.to_string())
    }

    /// The lock that a job's process holds.
    #[must_use]
    pub fn job_lock(&self, id: i64) -> PathBuf {
        self.staging().join(format!("{id}.lock"))
    }

    /// The folder that a statement writes the rows of a batch in.
    #[must_use]
    pub fn rows(&self, batch: &str) -> PathBuf {
        self.staging().join(format!("rows-{batch}"))
    }

    /// The lock that a process holds which writes the rows of a batch.
    #[must_use]
    pub fn rows_lock(&self, batch: &str) -> PathBuf {
        self.staging().join(format!("rows-{batch}.lock"))
    }

    /// The lock that a process holds which commits or aborts a plan that is to become no job.
    #[must_use]
    pub fn plan_lock(&self, plan: &str) -> PathBuf {
        self.staging().join(format!("plan-{plan}.lock"))
    }

    /// The folder of the batches that come in.
    #[must_use]
    pub fn incoming(&self) -> PathBuf {
        self.root.join("incoming")
    }

    /// The folder that the files of a batch that comes in wait in.
    #[must_use]
    pub fn incoming_batch(&self, id: &str) -> PathBuf {
        self.incoming().join(id)
    }

    /// The lock of whoever changes the runs.
    #[must_use]
    pub fn load_lock(&self) -> PathBuf {
        self.root.join("load.lock")
    }

    /// The folder of what exports had of whom.
    #[must_use]
    pub fn states(&self) -> PathBuf {
        self.root.join("states")
    }

    /// The folder of what a batch had of whom.
    #[must_use]
    pub fn state(&self, batch: &str) -> PathBuf {
        self.states().join(batch)
    }

    /// The folder of what an evaluation of segments found, until it is loaded.
    #[must_use]
    pub fn evaluation(&self) -> PathBuf {
        self.root.join("evaluation")
    }

    /// The lock of whoever evaluates segments.
    #[must_use]
    pub fn evaluation_lock(&self) -> PathBuf {
        self.root.join("evaluation.lock")
    }

    /// The lock of the server that works off the queue.
    #[must_use]
    pub fn serve_lock(&self) -> PathBuf {
        self.root.join("serve.lock")
    }

    /// Refuses a folder that is no store and has what no store has: a store in it would be in among others' files.
    pub(crate) fn check_ours(&self) -> Result<()> {
        const OWN: [&str; 14] = [
            "catalog.sqlite",
            "store.json",
            "backups",
            "set-aside",
            "reserve",
            "runs",
            "batches",
            "staging",
            "incoming",
            "states",
            "evaluation",
            "load.lock",
            "evaluation.lock",
            "serve.lock",
        ];
        let entries = match fs::read_dir(&self.root) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            entries => entries.at(&self.root)?,
        };
        if self.catalog().try_exists().at(self.catalog())? {
            return Ok(());
        }
        for entry in entries {
            let name = entry.at(&self.root)?.file_name();
            let name = name.to_string_lossy();
            // What systems put anywhere is nobody's.
            let is_system = name.starts_with('.') || name == "lost+found";
            if !is_system
                && !OWN.iter().any(|own| {
                    // With what SQLite and renames put behind them.
                    name.strip_prefix(own)
                        .is_some_and(|rest| rest.is_empty() || rest.starts_with(['-', '.']))
                })
            {
                return Err(StoreError::NotEmpty {
                    path: self.root.clone(),
                    name: name.into_owned(),
                });
            }
        }
        Ok(())
    }

    /// Makes the folders that are missing.
    pub(crate) fn create(&self, durable: bool) -> Result<()> {
        for folder in [self.runs(), self.batches(), self.staging(), self.incoming()] {
            if durable {
                make_folder(&folder)?;
            } else {
                fs::create_dir_all(&folder).at(&folder)?;
            }
        }
        Ok(())
    }
}
