//! Files of a batch that come to lie among others, by a rename each.
//!
//! Whoever was killed meanwhile is undone from what lies where: a file that is still in the batch's hidden folder was
//! not shown, and what it took the place of lies aside, below the same path. So [`take_back`] may be called at any
//! moment, and again where it broke off.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use crate::error::{AtPath, Result};

/// Where the files of a batch go that has no folder of its own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Spread {
    /// The files that may be there, and give way.
    pub replaces: BTreeSet<String>,
    /// The folder of the same file system that they lie in until the new ones stay; made where it is needed.
    pub aside: PathBuf,
}

/// Moves files from a hidden folder to their places below `target`.
pub(crate) fn show<'a>(
    hidden: &Path,
    target: &Path,
    spread: &Spread,
    names: impl Iterator<Item = &'a str>,
) -> Result<()> {
    for name in names {
        let place = target.join(name);
        make_parent(&place).at(&place)?;
        match fs::symlink_metadata(&place) {
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Ok(found) if spread.replaces.contains(name) && found.is_file() => {
                let aside = spread.aside.join(name);
                make_parent(&aside).at(&aside)?;
                fs::rename(&place, &aside).at(&place)?;
            }
            found => {
                let taken = found.map_or_else(|e| e, |_| ErrorKind::AlreadyExists.into());
                return Err(taken).at(place);
            }
        }
        fs::rename(hidden.join(name), &place).at(&place)?;
    }
    Ok(())
}

/// Moves those of a batch's files that were shown back into its hidden folder, and what they took the place of from
/// `aside` to where it was. What is as it was before stays so; folders that were made for them stay, too.
///
/// # Errors
/// A file can't be moved.
pub fn take_back<'a>(
    hidden: &Path,
    target: &Path,
    aside: &Path,
    names: impl IntoIterator<Item = &'a str>,
) -> Result<()> {
    for name in names {
        let (staged, place, before) = (hidden.join(name), target.join(name), aside.join(name));
        if !exists(&staged)? && exists(&place)? {
            make_parent(&staged).at(&staged)?;
            fs::rename(&place, &staged).at(&place)?;
        }
        if exists(&before)? {
            fs::rename(&before, &place).at(&before)?;
        }
    }
    Ok(())
}

/// The folders between a file and `target`, which have to be synced for its name to be on the disk.
pub(crate) fn folders_of(target: &Path, name: &str) -> impl Iterator<Item = PathBuf> {
    let folders = Path::new(name).ancestors().skip(1);
    folders.map(|folder| match folder.as_os_str().is_empty() {
        true => target.to_owned(),
        false => target.join(folder),
    })
}

fn exists(path: &Path) -> Result<bool> {
    match fs::symlink_metadata(path) {
        Ok(_) => Ok(true),
        Err(error) if [ErrorKind::NotFound, ErrorKind::NotADirectory].contains(&error.kind()) => {
            Ok(false)
        }
        Err(error) => Err(error).at(path),
    }
}

fn make_parent(path: &Path) -> io::Result<()> {
    path.parent().map_or(Ok(()), fs::create_dir_all)
}
