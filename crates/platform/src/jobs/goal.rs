//! The folder that a job publishes its batches in where it was told one (`--out`), which may be on another
//! file system than the store, and shared by others.
//!
//! A job writes in a hidden folder in it, whose lock its process holds as long as it lives. Before the first
//! batch is renamed into sight, a file in the hidden folder names all of them; it goes when the job has
//! succeeded. Files that are to lie among others (a template of names) are named by another file there, and what they
//! take the place of lies there until they stay. Where the first is there and nobody holds the lock, the job's process died: its batches go, unless the
//! store's catalog says that the job had succeeded. The store has a note of where the hidden folder is, so
//! that both the next use of the store and the next export to the folder find what was left.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use catalog::new_id;
use run::sync_folder;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use store::{
    FileLock, Layout, Scope, Store, StoreError, make_folder_unsynced, remove_empty, remove_folder,
    sweep_folder,
};
use writer::{FileInfo, Syncs, take_back};
use xdm::Dataset;

use super::batch_names::BatchNames;
use crate::error::{Error, Result};
use crate::manifest::is_inside;

/// What all hidden folders beside exports are called.
pub(crate) const PREFIX: &str = ".profile-export-";
/// The lock in each of them.
pub(crate) const LOCK: &str = "lock";
/// Names the batches of a job that has not succeeded yet.
const UNFINISHED: &str = "unfinished.json";
/// Names the files of those batches that have no folders of their own, by batch, from the goal on.
const FILES: &str = "files.json";
/// What files of such batches take the place of.
pub(super) const ASIDE: &str = "replaced";

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Unfinished {
    /// The store whose catalog knows whether the job has succeeded. None where the store is thrown away: then
    /// the job has succeeded when this file is gone.
    store: Option<PathBuf>,
    job: i64,
    batches: Vec<String>,
}

/// A job's hidden folder in its goal.
pub(super) struct Goal {
    hidden: PathBuf,
    lock: Option<FileLock>,
}

impl Goal {
    /// Gives the hidden folder its name, and says in `note` where it will be, if anybody will look there.
    pub(super) fn plan(out: &Path, note: Option<&Path>, syncs: &Syncs) -> Result<Self> {
        for parent in make_folder_unsynced(out)? {
            syncs.path(parent);
        }
        let goal = fs::canonicalize(out).map_err(StoreError::io(out))?;
        let hidden = goal.join(format!("{PREFIX}{}", new_id()));
        if let Some(note) = note {
            let (file, new) = write_new(note, &hidden)?;
            // The end of this process leaves it whole or not at all. A power cut may leave a part of it, or zeros, as
            // long as `syncs` were not waited for; nothing is published before that.
            fs::rename(new, note).map_err(StoreError::io(note))?;
            syncs.file(file, note.to_owned());
            syncs.path(parent(note));
        }
        Ok(Self { hidden, lock: None })
    }

    /// Makes the hidden folder, after those of processes that are gone were cleared.
    pub(super) fn make(
        &mut self,
        store: &Store,
        job: i64,
        batches: Vec<String>,
        syncs: &Syncs,
    ) -> Result<()> {
        sweep_goal(parent(&self.hidden));
        self.lock = Some(make_locked(&self.hidden)?);
        let root = store.layout().root();
        let unfinished = Unfinished {
            store: match store.is_durable() {
                true => Some(fs::canonicalize(root).map_err(StoreError::io(root))?),
                false => None,
            },
            job,
            batches,
        };
        let path = self.hidden.join(UNFINISHED);
        let (file, new) = write_new(&path, &unfinished)?;
        syncs.file_to_name(file, new, path);
        syncs.path(parent(&self.hidden));
        Ok(())
    }

    /// Names the files of batches that have no folders of their own, before the first is published.
    pub(super) fn note_files<'a>(
        &self,
        batches: impl Iterator<Item = (&'a str, &'a [FileInfo])>,
        syncs: &Syncs,
    ) -> Result<()> {
        let names = |files: &'a [FileInfo]| files.iter().map(|file| &*file.name).collect();
        let batches = batches.map(|(id, files)| (id, names(files)));
        let batches: BTreeMap<&str, Vec<&str>> = batches.collect();
        if batches.is_empty() {
            return Ok(());
        }
        let path = self.hidden.join(FILES);
        let (file, new) = write_new(&path, &batches)?;
        syncs.file_to_name(file, new, path);
        Ok(())
    }

    /// Refuses files that another process is about to publish, too. Both have noted their files before either looks, so
    /// that one of them sees the other, or both do and both are refused.
    pub(super) fn check_alone(&self) -> Result<()> {
        let files = |hidden: &Path| -> Result<BTreeSet<String>> {
            let noted = read::<BTreeMap<String, Vec<String>>>(&hidden.join(FILES))?;
            Ok(noted
                .into_iter()
                .flatten()
                .flat_map(|(_, names)| names)
                .collect())
        };
        let own = files(&self.hidden)?;
        if own.is_empty() {
            return Ok(());
        }
        let goal = parent(&self.hidden);
        for entry in fs::read_dir(goal).map_err(StoreError::io(goal))? {
            let entry = entry.map_err(StoreError::io(goal))?;
            let other = entry.path();
            let is_hidden = entry.file_name().to_string_lossy().starts_with(PREFIX)
                && entry.file_type().map_err(StoreError::io(&other))?.is_dir();
            if !is_hidden || other == self.hidden {
                continue;
            }
            let theirs = files(&other)?;
            let Some(both) = own.intersection(&theirs).next() else {
                continue;
            };
            // One whose process is gone publishes nothing any more.
            let lock = other.join(LOCK);
            let held = match FileLock::try_acquire(&lock) {
                Ok(lock) => lock.is_none(),
                Err(error) if error.kind() == ErrorKind::NotFound => false,
                Err(error) => return Err(StoreError::io(&lock)(error).into()),
            };
            if held {
                let problem = format!(
                    "{}: another export is about to write it; run this one again when that has ended",
                    goal.join(both).display()
                );
                return Err(catalog::Error::Conflict(problem).into());
            }
        }
        Ok(())
    }

    /// Where batches are written before they are published.
    pub(super) fn hidden(&self) -> &Path {
        &self.hidden
    }

    /// Says that the job has succeeded and its batches stay.
    pub(super) fn finish(&mut self) -> Result<()> {
        remove_synced(&self.hidden, UNFINISHED)?;
        Ok(remove_folder(&self.hidden)?)
    }

    /// Takes back what was published of a job that did not succeed.
    pub(super) fn withdraw(&mut self) -> Result<()> {
        clear(&self.hidden, |_| Ok(false))
    }
}

/// Makes a hidden folder and takes its lock.
pub(crate) fn make_locked(hidden: &Path) -> Result<FileLock> {
    for _ in 0..100 {
        match fs::create_dir(hidden) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => {
                return Err(StoreError::io(hidden)(error).into());
            }
            _ => {}
        }
        let path = hidden.join(LOCK);
        match FileLock::try_acquire(&path) {
            Ok(Some(lock)) => return Ok(lock),
            // Somebody who sweeps has found it without a lock, and deletes it.
            Ok(None) => std::thread::sleep(Duration::from_millis(10)),
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(StoreError::io(&path)(error).into()),
        }
    }
    Err(Error::Out {
        path: hidden.to_owned(),
        problem: "other processes keep deleting it".to_owned(),
    })
}

/// Clears the hidden folders in a goal whose processes are gone. One that can't be cleared, or is not
/// understood, is in nobody's way and stays.
pub(crate) fn sweep_goal(goal: &Path) {
    let _ = sweep_folder(goal, |name| {
        if name.starts_with(PREFIX) {
            let hidden = goal.join(name);
            let lock = hidden.join(LOCK);
            // One that has no lock yet is being made now, by somebody who then makes it again.
            if let Ok(Some(_held)) = FileLock::try_acquire(&lock) {
                let _ = clear(&hidden, has_succeeded);
            }
        }
        Ok(false)
    });
}

/// Clears the hidden folder that a dead job of this store noted; says whether there is nothing left to clear.
pub(super) fn sweep_noted(store: &Store, note: &Path) -> Result<bool> {
    let Some(hidden) = read::<PathBuf>(note)? else {
        return Ok(true);
    };
    if !hidden.try_exists().map_err(StoreError::io(&hidden))? {
        return Ok(true);
    }
    let lock = hidden.join(LOCK);
    let Some(_held) = FileLock::try_acquire(&lock).map_err(StoreError::io(&lock))? else {
        return Ok(false);
    };
    clear(&hidden, |unfinished| knows(store, unfinished))?;
    Ok(true)
}

/// Deletes a hidden folder whose lock is held, and the batches of its job where that has not succeeded.
fn clear(hidden: &Path, succeeded: impl FnOnce(&Unfinished) -> Result<bool>) -> Result<()> {
    let path = hidden.join(UNFINISHED);
    if let Some(unfinished) = read::<Unfinished>(&path)? {
        if !succeeded(&unfinished)? {
            // The names come from a file that others may have written: only IDs are ours.
            for batch in (unfinished.batches.iter()).filter(|batch| Dataset::is_id(batch)) {
                let names = [BatchNames::Ids, BatchNames::Partitions];
                for folder in names.iter().filter_map(|names| names.folder_of(batch)) {
                    remove_folder(&parent(hidden).join(folder))?;
                }
            }
            take_back_files(hidden)?;
        }
        remove_synced(hidden, UNFINISHED)?;
    }
    Ok(remove_folder(hidden)?)
}

/// Takes back the files of batches without folders of their own, and puts what they replaced where it was.
fn take_back_files(hidden: &Path) -> Result<()> {
    let path = hidden.join(FILES);
    let Some(batches) = read::<BTreeMap<String, Vec<String>>>(&path)? else {
        return Ok(());
    };
    // In a folder that many may write into, this could name anybody's files: it is heard where it is our own.
    let owner = hidden.metadata().map_err(StoreError::io(hidden))?.uid();
    if owner != rustix::process::geteuid().as_raw() {
        return Err(Error::Out {
            path,
            problem: "written by another user, who has to clear it: the next export of theirs does"
                .to_owned(),
        });
    }
    let goal = parent(hidden);
    for (id, names) in &batches {
        let names = names
            .iter()
            .map(String::as_str)
            .filter(|name| is_inside(name));
        if Dataset::is_id(id) {
            take_back(&hidden.join(id), goal, &hidden.join(ASIDE), names.clone())?;
            names.for_each(|name| remove_empty(goal, name));
        }
    }
    Ok(())
}

/// Whether a job had succeeded when its process died, as its store says. A store that is gone says nothing,
/// nor did the process; one that has lost its catalog may get it back.
fn has_succeeded(unfinished: &Unfinished) -> Result<bool> {
    let Some(root) = &unfinished.store else {
        return Ok(false);
    };
    let layout = Layout::new(root);
    let exists = |path: PathBuf| path.try_exists().map_err(StoreError::io(&path));
    if exists(layout.catalog())? {
        return knows(&Store::open(root, Scope::default())?, unfinished);
    }
    match exists(layout.runs())? {
        true => Err(catalog::Error::Lost.into()),
        false => Ok(false),
    }
}

/// Whether a store's catalog has a job's batches.
fn knows(store: &Store, unfinished: &Unfinished) -> Result<bool> {
    let known = store.catalog().all_batch_ids()?;
    Ok(unfinished.batches.iter().any(|id| known.contains(id)))
}

fn parent(hidden: &Path) -> &Path {
    // A goal joined with a name has one.
    hidden.parent().unwrap_or(hidden)
}

/// Writes a file that is to be renamed when it is whole; returns it open, and where it is.
fn write_new(path: &Path, value: &impl Serialize) -> Result<(File, PathBuf)> {
    let new = path.with_extension("new");
    let written = || -> io::Result<File> {
        let mut file = File::create(&new)?;
        file.write_all(&serde_json::to_vec(value)?)?;
        Ok(file)
    };
    Ok((written().map_err(StoreError::io(path))?, new))
}

fn read<T: DeserializeOwned>(path: &Path) -> Result<Option<T>> {
    let text = match fs::read(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        text => text.map_err(StoreError::io(path))?,
    };
    match serde_json::from_slice(&text) {
        Ok(value) => Ok(Some(value)),
        // What a power cut leaves of a file that had not come to the disk: its job had published nothing.
        Err(error) if error.is_eof() || text.contains(&0) => Ok(None),
        Err(error) => Err(Error::Out {
            path: path.to_owned(),
            problem: format!("not as it was written: {error}; delete its folder by hand"),
        }),
    }
}

fn remove_synced(folder: &Path, name: &str) -> Result<()> {
    let path = folder.join(name);
    match fs::remove_file(&path) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(StoreError::io(&path)(error).into())
        }
        _ => Ok(sync_folder(folder).map_err(StoreError::from)?),
    }
}

#[cfg(test)]
mod tests;
