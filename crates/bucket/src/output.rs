//! An address that an export is to go to, with a manifest of what it holds.

use std::cell::RefCell;
use std::path::PathBuf;

use bytes::Bytes;
use catalog::Error as CatalogError;
use object_store::UpdateVersion;
use platform::{
    Error, IfExists, MANIFEST, Manifest, ManifestBatch, ManifestExport, Outcome, Prepared, Result,
    SUCCESS,
};
use writer::WriterOptions;

use crate::connection::{Connection, Put};

/// An address that an export is to go to.
pub struct BucketOutput {
    connection: Connection,
    before: Manifest,
    /// What says that the manifest is still as it was found, if there was one.
    found: Option<UpdateVersion>,
    replaces: bool,
    was_whole: bool,
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
        let connection = Connection::open(address)?;
        let refused = |problem: String| Error::Out {
            path: PathBuf::from(connection.address()),
            problem,
        };
        let names = connection.names()?;
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
            before,
            found,
            replaces: if_exists == IfExists::Replace,
            connection,
        })
    }

    /// Writes all batches of an export, then the manifest that names them, then `_SUCCESS`; what it replaces goes
    /// between those.
    ///
    /// # Errors
    /// The store takes no more, another export was there sooner, the source is damaged, the work was cancelled: then
    /// the objects that it made are deleted, and what was there before is there still.
    pub fn write(self, prepared: &Prepared, options: &WriterOptions) -> Result<WrittenBatches> {
        let connection = &self.connection;
        // From now on batches come and go.
        connection.delete(&connection.key(SUCCESS)?)?;
        let begun = RefCell::new(Vec::new());
        let open = |path: &str| {
            let upload = connection.upload(path)?;
            begun.borrow_mut().push(path.to_owned());
            Ok(upload)
        };
        let written = prepared.write_batches(options, open, |upload| upload.close());
        let batches = match written {
            Ok(batches) => batches,
            Err(error) => return Err(self.take_back(&begun.take(), error)),
        };
        let mut manifest = match self.replaces {
            true => Manifest::empty(),
            false => self.before.clone(),
        };
        let named = batches.iter().map(|(batch, _)| batch.clone()).collect();
        (manifest.exports).push(ManifestExport::of_prepared(prepared, named)?);
        let text = Bytes::from(manifest.to_json()?);
        match connection.put_if(MANIFEST, text.clone(), self.found.clone()) {
            Ok(Put::Done) => {}
            Ok(Put::Taken) => {
                let problem = format!("another export went to {} meanwhile", connection.address());
                let error = CatalogError::Conflict(problem).into();
                return Err(self.take_back(&begun.take(), error));
            }
            // The store may have it although its answer was lost.
            Err(error) => match connection.get(MANIFEST) {
                Ok(Some((there, _))) if there == text => {}
                Ok(_) => return Err(self.take_back(&begun.take(), error)),
                Err(_) => {
                    return Err(self.unclear(&error));
                }
            },
        }
        if self.replaces {
            self.delete_others(&manifest)?;
        }
        connection.put(SUCCESS, Bytes::new())?;
        Ok(WrittenBatches {
            batches,
            has_one_form: manifest.has_one_form(),
        })
    }

    fn unclear(&self, error: &Error) -> Error {
        Error::Out {
            path: PathBuf::from(self.connection.address()),
            problem: format!(
                "{error}; whether the manifest names the new batches is not known: look at {MANIFEST}, and \
                 --if-exists replace puts it right"
            ),
        }
    }

    /// Deletes the batches that a manifest does not name.
    fn delete_others(&self, manifest: &Manifest) -> Result<()> {
        for name in self.connection.names()? {
            let is_named = |batch: &ManifestBatch| {
                (batch.files.iter()).any(|file| file.path.split('/').next() == Some(&*name))
            };
            if name.starts_with('.') || Manifest::is_name(&name) || manifest.batches().any(is_named)
            {
                continue;
            }
            for key in self.connection.keys_below(&name)? {
                self.connection.delete(&key)?;
            }
        }
        Ok(())
    }

    /// Deletes what a failed export made; returns its error, with what could not be deleted.
    fn take_back(&self, begun: &[String], error: Error) -> Error {
        let connection = &self.connection;
        let delete = |path: &String| connection.key(path).and_then(|key| connection.delete(&key));
        if let Some(path) = begun.iter().find(|path| delete(path).is_err()) {
            return Error::Out {
                path: PathBuf::from(connection.address()),
                problem: format!("{error}; and what was written could not be deleted: {path}"),
            };
        }
        if self.was_whole {
            // Where it can't be said again, it is told as not whole, which is no loss.
            let _ = connection.put(SUCCESS, Bytes::new());
        }
        error
    }
}
