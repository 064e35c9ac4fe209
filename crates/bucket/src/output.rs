//! An address that an export is to go to, with a manifest of what it holds.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use catalog::Error as CatalogError;
use object_store::UpdateVersion;
use platform::{
    BatchNames, Error, IfExists, MANIFEST, Manifest, ManifestBatch, ManifestExport, Outcome,
    PlannedBatch, Prepared, Result, SUCCESS,
};
use store::StoreError;
use writer::{WriteError, WriterOptions};

use crate::connection::{Connection, Put};

/// How many objects are named that could not be deleted.
const MOST_NAMED: usize = 10;

/// An address that an export is to go to.
pub struct BucketOutput {
    connection: Arc<Connection>,
    before: Manifest,
    /// What says that the manifest is still as it was found, if there was one.
    found: Option<UpdateVersion>,
    replaces: bool,
    was_whole: bool,
    /// Whether an export is gone on with that has objects there.
    goes_on: bool,
    /// The names of batches that were there, those of an export that is gone on with excepted.
    batches: Vec<String>,
}

/// What an export put below an address.
#[derive(Clone, Debug)]
pub struct WrittenBatches {
    /// Its batches, in the order of the request's segments.
    pub batches: Vec<(ManifestBatch, Outcome)>,
    /// Whether all exports there have the same columns and format.
    pub has_one_form: bool,
}

impl BucketOutput {
    /// Looks what is there.
    ///
    /// # Errors
    /// No address of an object store, or one that can't be reached; it has something, and that is not allowed, or what
    /// no export wrote.
    pub fn open(address: &str, if_exists: IfExists) -> Result<Self> {
        Self::look(Arc::new(Connection::open(address)?), if_exists, |_| false)
    }

    /// The same, where batches of these IDs are the export's own: it was begun before.
    pub(crate) fn look(
        connection: Arc<Connection>,
        if_exists: IfExists,
        is_own: impl Fn(&str) -> bool,
    ) -> Result<Self> {
        let refused = |problem: String| Error::Out {
            path: PathBuf::from(connection.address()),
            problem,
        };
        let mut names = connection.names()?;
        let all = names.len();
        names.retain(|name| !Manifest::batch_of(name).is_some_and(&is_own));
        let goes_on = names.len() < all;
        let (manifest, found) = match connection.get(MANIFEST)? {
            Some((text, version)) => {
                let manifest = Manifest::from_json(&text).map_err(refused)?;
                (manifest, Some(version))
            }
            None => (Manifest::empty(), None),
        };
        let before = manifest.admit(&names, if_exists).map_err(refused)?;
        Ok(Self {
            was_whole: names.iter().any(|name| name == SUCCESS),
            goes_on,
            batches: names
                .into_iter()
                .filter(|name| Manifest::batch_of(name).is_some())
                .collect(),
            before,
            found,
            replaces: if_exists == IfExists::Replace,
            connection,
        })
    }

    /// Does what comes behind the manifest, where the export of a plan broke off there: all else is replaced, if anything is.
    pub(crate) fn complete(
        connection: Arc<Connection>,
        if_exists: IfExists,
        plan: &str,
    ) -> Result<()> {
        let there = Self::look(Arc::clone(&connection), IfExists::Replace, |_| false)?;
        if there.was_whole {
            return Ok(());
        }
        let refused = |problem: String| Error::Out {
            path: PathBuf::from(connection.address()),
            problem,
        };
        if if_exists == IfExists::Replace
            && let Some(own) = there.before.alone(plan).map_err(refused)?
        {
            there.delete_others(&own)?;
            if there.before.exports.len() > 1 {
                there.put_manifest(&own, there.found.clone())?;
            }
        }
        // Whatever else is there its manifest has to name.
        let whole = Self::look(connection, IfExists::Append, |_| false)?;
        whole.connection.put(SUCCESS, Bytes::new())
    }

    /// Says again that all is there, where an export was taken back that had taken that away.
    pub(crate) fn say_again(connection: Arc<Connection>) -> Result<()> {
        match Self::look(connection, IfExists::Append, |_| false) {
            Ok(there) if there.found.is_some() && !there.was_whole => {
                there.connection.put(SUCCESS, Bytes::new())
            }
            Ok(_) | Err(Error::Out { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Writes all batches of an export, then the manifest that names them, then `_SUCCESS`; what it replaces goes
    /// between those.
    ///
    /// # Errors
    /// The store takes no more, another export was there sooner, the source is damaged, the work was cancelled: then
    /// the objects that it made are deleted, and what was there before is there still. Behind the manifest the export is
    /// there, and the error says so.
    pub fn write(
        self,
        prepared: &Prepared,
        names: &BatchNames,
        options: &WriterOptions,
    ) -> Result<WrittenBatches> {
        let connection = &self.connection;
        let planned = prepared.planned(Path::new(connection.address()), names, options)?;
        self.check_free(names, &planned)?;
        self.begin()?;
        let begun = RefCell::new(Vec::new());
        let open = |path: &str| {
            let upload = connection.upload(path)?;
            begun.borrow_mut().push(path.to_owned());
            Ok(upload)
        };
        let written = prepared.write_batches(planned, options, open, |upload| upload.close());
        let batches = match written {
            Ok(batches) => batches,
            Err(error) => return Err(self.take_back(&begun.take(), error)),
        };
        let named = batches.iter().map(|(batch, _)| batch.clone()).collect();
        let export = ManifestExport::of_prepared(prepared, named)?;
        let has_one_form = self.show(export, &begun.take())?;
        Ok(WrittenBatches {
            batches,
            has_one_form,
        })
    }

    /// Takes away what says that all is there: from now on batches come and go.
    pub(crate) fn begin(&self) -> Result<()> {
        let connection = &self.connection;
        // One that has come meanwhile has its own `_SUCCESS`.
        if !self.is_as_found()? {
            return Err(self.taken());
        }
        match self.was_whole {
            true => connection.delete(&connection.key(SUCCESS)?),
            false => Ok(()),
        }
    }

    /// Names an export in the manifest whose objects, `made`, are all there, and does what comes behind that. Returns whether
    /// all exports there have the same columns and format.
    pub(crate) fn show(&self, export: ManifestExport, made: &[String]) -> Result<bool> {
        let connection = &self.connection;
        let mut manifest = match self.replaces {
            true => Manifest::empty(),
            false => self.before.clone(),
        };
        let plan = export.plan_id.clone();
        manifest.exports.push(export);
        let mut first = manifest.clone();
        if self.replaces_among_others() {
            // Nothing but the manifest says that their objects are no stranger's: it names them until they are gone.
            first
                .exports
                .splice(0..0, self.before.exports.iter().cloned());
        }
        if let Err(error) = self.put_manifest(&first, self.found.clone()) {
            return Err(match connection.get(MANIFEST) {
                // Commits of a plan give objects the same names: what another one's manifest names stays.
                Ok(Some((there, _))) if names_plan(&there, plan.as_deref()) => {
                    let problem = format!(
                        "{}: an earlier commit of this plan came to its manifest meanwhile; commit again completes it",
                        connection.address()
                    );
                    CatalogError::Conflict(problem).into()
                }
                Ok(_) => self.take_back(made, error),
                Err(_) => self.unclear(&error),
            });
        }
        self.settle(&first, &manifest).map_err(|error| match error {
            Error::Store(StoreError::Catalog(CatalogError::Conflict(_))) => error,
            error => self.failed(format!(
                "the export is there, and its manifest names it; but what it replaces may be there too, and {SUCCESS} \
                 is missing: {error}; --if-exists replace puts it right"
            )),
        })?;
        Ok(manifest.has_one_form())
    }

    /// Puts a manifest where it is as it was found.
    fn put_manifest(&self, manifest: &Manifest, found: Option<UpdateVersion>) -> Result<()> {
        let text = Bytes::from(manifest.to_json()?);
        let error = match self.connection.put_if(MANIFEST, text, found) {
            Ok(Put::Done) => return Ok(()),
            Ok(Put::Taken) => self.taken(),
            Err(error) => error,
        };
        // The store may have it although its answer was lost; where it was sent once more, that met itself.
        self.version_of(manifest).map(drop).map_err(|_| error)
    }

    /// What says that a manifest is still there.
    fn version_of(&self, manifest: &Manifest) -> Result<UpdateVersion> {
        let text = manifest.to_json()?;
        match self.connection.get(MANIFEST)? {
            Some((there, version)) if there == text => Ok(version),
            _ => Err(self.taken()),
        }
    }

    /// Refuses names that objects have: they would be gone before the new ones are all there. Those in folders of their
    /// batches are nobody's.
    fn check_free(&self, names: &BatchNames, planned: &[PlannedBatch]) -> Result<()> {
        if !matches!(names, BatchNames::Template(_)) {
            return Ok(());
        }
        for batch in planned {
            if self.connection.has(&batch.path)? {
                let path = format!("{}/{}", self.connection.address(), batch.path);
                return Err(Error::Out {
                    path: PathBuf::from(path),
                    problem: "it exists, and an object can't give way to another one at the end of an export; give a \
                              template with {date}, {time} or {batch.id}"
                        .to_owned(),
                });
            }
        }
        Ok(())
    }

    /// What comes behind the manifest that was put `first`.
    fn settle(&self, first: &Manifest, manifest: &Manifest) -> Result<()> {
        if self.replaces {
            self.delete_others(manifest)?;
        }
        if self.replaces_among_others() {
            self.put_manifest(manifest, Some(self.version_of(first)?))?;
        }
        // Another export that has come meanwhile has its own `_SUCCESS`.
        self.version_of(manifest)?;
        self.connection.put(SUCCESS, Bytes::new())
    }

    /// Whether what is replaced has objects that are in no folder of their batch.
    fn replaces_among_others(&self) -> bool {
        self.replaces && self.before.spread_files().next().is_some()
    }

    /// Whether the manifest is the one that was found.
    fn is_as_found(&self) -> Result<bool> {
        let there = self.connection.get(MANIFEST)?;
        let there = there.map(|(_, version)| (version.e_tag, version.version));
        let found = self
            .found
            .clone()
            .map(|version| (version.e_tag, version.version));
        Ok(there == found)
    }

    fn taken(&self) -> Error {
        let problem = format!(
            "another export went to {} meanwhile",
            self.connection.address()
        );
        CatalogError::Conflict(problem).into()
    }

    /// That something is left there: no refusal, after which nothing is.
    fn failed(&self, problem: String) -> Error {
        Error::Write(WriteError::Io {
            path: PathBuf::from(self.connection.address()),
            source: io::Error::other(problem),
        })
    }

    fn unclear(&self, error: &Error) -> Error {
        self.failed(format!(
            "{error}; whether the manifest names the new batches is not known: look at {MANIFEST}, and --if-exists \
             replace puts it right"
        ))
    }

    /// Deletes the batches that were there and that a manifest does not name. Those that come meanwhile are another export's.
    fn delete_others(&self, manifest: &Manifest) -> Result<()> {
        let files = manifest.batches().flat_map(|batch| &batch.files);
        let kept: BTreeSet<&str> = files.map(|file| &*file.path).collect();
        for path in self
            .before
            .spread_files()
            .filter(|path| !kept.contains(path))
        {
            self.connection.delete(&self.connection.key(path)?)?;
        }
        for name in &self.batches {
            let is_named = |batch: &ManifestBatch| {
                (batch.files.iter()).any(|file| file.path.split('/').next() == Some(name))
            };
            if !manifest.batches().any(is_named) {
                self.connection.delete_below(name)?;
            }
        }
        Ok(())
    }

    /// Deletes what a failed export made; returns its error, with what could not be deleted.
    pub(crate) fn take_back(&self, begun: &[String], error: Error) -> Error {
        let connection = &self.connection;
        let delete = |path: &str| connection.key(path).and_then(|key| connection.delete(&key));
        let left: Vec<&str> = (begun.iter().map(String::as_str))
            .filter(|path| delete(path).is_err())
            .collect();
        if self.was_whole && matches!(self.is_as_found(), Ok(true)) {
            // Where it can't be said again, it is told as not whole, which is no loss.
            let _ = connection.put(SUCCESS, Bytes::new());
        } else if self.goes_on && left.is_empty() {
            let _ = Self::say_again(Arc::clone(connection));
        }
        if left.is_empty() {
            return error;
        }
        let named = left
            .iter()
            .take(MOST_NAMED)
            .copied()
            .collect::<Vec<_>>()
            .join(", ");
        let more = match left.len().saturating_sub(MOST_NAMED) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        self.failed(format!(
            "{error}; and what was written could not be deleted: {named}{more}; --if-exists replace clears it"
        ))
    }
}

/// Whether a manifest names the export of this plan.
fn names_plan(text: &[u8], plan: Option<&str>) -> bool {
    let manifest = plan.and_then(|plan| Some((plan, Manifest::from_json(text).ok()?)));
    manifest.is_some_and(|(plan, manifest)| manifest.of_plan(plan).is_some())
}
