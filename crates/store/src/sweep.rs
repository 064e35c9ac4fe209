use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use crate::error::{AtPath, Result};

/// Deletes the folders in a folder whose names `is_garbage` says yes to. Files, and names that are no
/// UTF-8, are not ours and stay.
///
/// # Errors
/// The folder can't be read, one in it can't be deleted.
pub fn sweep_folder(folder: &Path, mut is_garbage: impl FnMut(&str) -> Result<bool>) -> Result<()> {
    for entry in fs::read_dir(folder).at(folder)? {
        let entry = entry.at(folder)?;
        let name = entry.file_name();
        let Some(name) = name.to_str() else {
            continue;
        };
        let path = entry.path();
        let is_folder = entry.file_type().at(&path)?.is_dir();
        if is_folder && is_garbage(name)? {
            remove_folder(&path)?;
        }
    }
    Ok(())
}

/// Deletes a folder with all that is in it; one that is gone already is gone.
///
/// # Errors
/// Something in it can't be deleted.
pub fn remove_folder(path: &Path) -> Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error).at(path),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_folders_that_are_garbage_go() {
        let folder = tempfile::tempdir().expect("a folder");
        for name in ["old", "new"] {
            fs::create_dir(folder.path().join(name)).expect("a folder");
        }
        fs::write(folder.path().join(".DS_Store"), "").expect("a file");
        sweep_folder(folder.path(), |name| Ok(name != "new")).expect("swept");
        let mut left: Vec<_> = fs::read_dir(folder.path())
            .expect("the folder")
            .map(|entry| entry.expect("an entry").file_name())
            .collect();
        left.sort();
        assert_eq!(left, [".DS_Store", "new"]);
    }
}
