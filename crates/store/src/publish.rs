use std::fs::{self, Permissions};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use tempfile::Builder;

use crate::error::{AtPath, Result};

/// Puts a file of these bytes in a place, so that it is there whole or not at all.
pub(crate) fn publish(path: &Path, bytes: &[u8], durable: bool) -> Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    // With the rights that all files of the store get, not with those of a temporary one.
    let mut file = Builder::new()
        .permissions(Permissions::from_mode(0o666))
        .tempfile_in(folder)
        .at(folder)?;
    file.write_all(bytes).at(path)?;
    if durable {
        file.as_file().sync_all().at(path)?;
    }
    file.persist(path).map_err(|e| e.error).at(path)?;
    if durable {
        run::sync_folder(folder)?;
    }
    Ok(())
}

/// Makes a folder with those above it; the names of new ones are on the disk when it returns.
///
/// # Errors
/// A folder can't be made or synced.
pub fn make_folder(path: &Path) -> Result<()> {
    for parent in make_folder_unsynced(path)? {
        run::sync_folder(&parent)?;
    }
    Ok(())
}

/// Makes a folder with those above it; returns the folders that have to be synced for their names to be on the disk.
///
/// # Errors
/// A folder can't be made.
pub fn make_folder_unsynced(path: &Path) -> Result<Vec<PathBuf>> {
    let above = path.ancestors().filter(|p| !p.as_os_str().is_empty());
    let missing: Vec<&Path> = above.take_while(|p| !p.exists()).collect();
    fs::create_dir_all(path).at(path)?;
    let parents = missing.into_iter().map(|made| {
        let parent = made.parent().filter(|p| !p.as_os_str().is_empty());
        parent.unwrap_or(Path::new(".")).to_owned()
    });
    Ok(parents.collect())
}
