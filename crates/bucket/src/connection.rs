//! A place in a bucket that is read and written without `async`.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::stream::FuturesUnordered;
use futures_util::{StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{
    Error as ObjectError, ObjectStore, ObjectStoreExt, PutMode, PutOptions, UpdateVersion,
};
use platform::{Error, Result};
use tokio::runtime::Runtime;
use writer::WriteError;

use crate::address::{connect, connect_for_copies, said};
use crate::upload::Upload;

/// How many objects are copied at once.
const COPIES_AT_ONCE: usize = 16;

/// A place in a bucket: an address, below which objects lie.
pub struct Connection {
    address: String,
    store: Arc<dyn ObjectStore>,
    prefix: Path,
    runtime: Arc<Runtime>,
}

/// How a put of an object that must be as it was found ended.
pub enum Put {
    /// It is there.
    Done,
    /// Somebody else has put one meanwhile.
    Taken,
}

impl Connection {
    pub fn open(address: &str) -> Result<Self> {
        let refused = |problem: String| Error::Out {
            path: PathBuf::from(address),
            problem,
        };
        let (store, prefix) = connect(address).map_err(refused)?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .map_err(|error| refused(error.to_string()))?;
        Ok(Self {
            address: address.trim_end_matches('/').to_owned(),
            store,
            prefix,
            runtime: Arc::new(runtime),
        })
    }

    pub fn address(&self) -> &str {
        &self.address
    }

    /// The names right below the address: of objects, and the first parts of longer keys.
    pub fn names(&self) -> Result<Vec<String>> {
        let prefix = Some(&self.prefix).filter(|prefix| !prefix.as_ref().is_empty());
        let listed = self
            .runtime
            .block_on(self.store.list_with_delimiter(prefix));
        let listed = listed.map_err(|error| self.failed("", error))?;
        let objects = listed.objects.into_iter().map(|object| object.location);
        let paths = listed.common_prefixes.into_iter().chain(objects);
        Ok(paths
            .filter_map(|path| Some(path.filename()?.to_owned()))
            .collect())
    }

    /// The objects below a name, by their names from the address on, with their lengths in bytes.
    pub fn objects_below(&self, name: &str) -> Result<BTreeMap<String, u64>> {
        let folder = self.key(name)?;
        let mut listed = self.store.list(Some(&folder));
        let own = match self.prefix.as_ref() {
            "" => String::new(),
            prefix => format!("{prefix}/"),
        };
        let mut objects = BTreeMap::new();
        self.runtime.block_on(async {
            while let Some(object) = listed.try_next().await.map_err(|e| self.failed(name, e))? {
                let key = object.location.as_ref();
                let name = key.strip_prefix(&own).unwrap_or(key);
                objects.insert(name.to_owned(), object.size);
            }
            Ok(objects)
        })
    }

    /// Deletes the objects below a name.
    pub fn delete_below(&self, name: &str) -> Result<()> {
        let folder = self.key(name)?;
        let listed = self.store.list(Some(&folder));
        let keys = listed.map_ok(|object| object.location).boxed();
        let mut deleted = self.store.delete_stream(keys);
        self.runtime.block_on(async {
            while let Some(one) = deleted.next().await {
                match one {
                    Ok(_) | Err(ObjectError::NotFound { .. }) => {}
                    Err(error) => return Err(self.failed(name, error)),
                }
            }
            Ok(())
        })
    }

    /// Copies objects, some at once, within the store. What is under way when one fails is waited for: it would come behind
    /// whatever is done about that. `go_on` is asked before each.
    pub fn copy(
        &self,
        copies: &[(String, String)],
        mut go_on: impl FnMut() -> Result<()>,
    ) -> Result<()> {
        let store = connect_for_copies(&self.address).map_err(|problem| Error::Out {
            path: PathBuf::from(&self.address),
            problem,
        })?;
        let mut copies = copies.iter();
        let mut failed = None;
        self.runtime.block_on(async {
            let mut under_way = FuturesUnordered::new();
            loop {
                while failed.is_none()
                    && under_way.len() < COPIES_AT_ONCE
                    && let Some((from, to)) = copies.next()
                {
                    match go_on() {
                        Ok(()) => under_way.push(self.copy_one(&*store, from, to)),
                        Err(error) => failed = Some(error),
                    }
                }
                match under_way.next().await {
                    Some(Ok(())) => {}
                    Some(Err(error)) => drop(failed.get_or_insert(error)),
                    None => break,
                }
            }
        });
        failed.map_or(Ok(()), Err)
    }

    async fn copy_one(&self, store: &dyn ObjectStore, from: &str, to: &str) -> Result<()> {
        let (source, target) = (self.key(from)?, self.key(to)?);
        let copied = store.copy(&source, &target).await;
        copied.map_err(|error| self.failed(from, error))
    }

    /// An object, and what says that it is still as it is now.
    pub fn get(&self, name: &str) -> Result<Option<(Bytes, UpdateVersion)>> {
        let key = self.key(name)?;
        let got = self.runtime.block_on(async {
            let object = self.store.get(&key).await?;
            let version = UpdateVersion {
                e_tag: object.meta.e_tag.clone(),
                version: object.meta.version.clone(),
            };
            Ok((object.bytes().await?, version))
        });
        match got {
            Ok(got) => Ok(Some(got)),
            Err(ObjectError::NotFound { .. }) => Ok(None),
            Err(error) => Err(self.failed(name, error)),
        }
    }

    /// Whether there is an object of this name.
    pub fn has(&self, name: &str) -> Result<bool> {
        let key = self.key(name)?;
        match self.runtime.block_on(self.store.head(&key)) {
            Ok(_) => Ok(true),
            Err(ObjectError::NotFound { .. }) => Ok(false),
            Err(error) => Err(self.failed(name, error)),
        }
    }

    /// Puts an object.
    pub fn put(&self, name: &str, bytes: Bytes) -> Result<()> {
        let key = self.key(name)?;
        let put = self.runtime.block_on(self.store.put(&key, bytes.into()));
        put.map(drop).map_err(|error| self.failed(name, error))
    }

    /// Puts an object where it is as it was found: not there, or of this version.
    pub fn put_if(&self, name: &str, bytes: Bytes, found: Option<UpdateVersion>) -> Result<Put> {
        let key = self.key(name)?;
        let mode = found.map_or(PutMode::Create, PutMode::Update);
        let with = |mode| {
            let options = PutOptions {
                mode,
                ..PutOptions::default()
            };
            let put = self.store.put_opts(&key, bytes.clone().into(), options);
            self.runtime.block_on(put)
        };
        match with(mode) {
            Ok(_) => Ok(Put::Done),
            Err(ObjectError::AlreadyExists { .. } | ObjectError::Precondition { .. }) => {
                Ok(Put::Taken)
            }
            // A store that was said to know no conditions (AWS_CONDITIONAL_PUT=disabled).
            Err(ObjectError::NotImplemented { .. }) => {
                let put = with(PutMode::Overwrite).map(|_| Put::Done);
                put.map_err(|error| self.failed(name, error))
            }
            Err(error) => Err(self.failed(name, error)),
        }
    }

    /// Deletes an object. One that is not there is no error.
    pub fn delete(&self, key: &Path) -> Result<()> {
        match self.runtime.block_on(self.store.delete(key)) {
            Ok(()) | Err(ObjectError::NotFound { .. }) => Ok(()),
            Err(error) => Err(self.failed(key.as_ref(), error)),
        }
    }

    /// A sink that becomes an object when it is closed.
    pub fn upload(&self, name: &str) -> io::Result<Upload> {
        let key = self.key(name).map_err(io::Error::other)?;
        Ok(Upload::new(
            Arc::clone(&self.store),
            key,
            Arc::clone(&self.runtime),
        ))
    }

    /// The key of what is called so below the address.
    pub fn key(&self, name: &str) -> Result<Path> {
        let prefix = self.prefix.as_ref();
        let key = match prefix.is_empty() {
            true => name.to_owned(),
            false => format!("{prefix}/{name}"),
        };
        // Not `Path::from`, which would write the % of a segment's folder as %25.
        Path::parse(key).map_err(|error| self.failed(name, error.into()))
    }

    fn failed(&self, name: &str, error: ObjectError) -> Error {
        let place = match name.is_empty() {
            true => self.address.clone(),
            false => format!("{}/{name}", self.address),
        };
        Error::Write(WriteError::Io {
            path: PathBuf::from(place),
            source: io::Error::other(said(error)),
        })
    }
}
