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

/// Deletes files by their paths in a folder, and the folders within it that are empty then. One that is gone is gone.
///
/// # Errors
/// A file can't be deleted.
pub fn remove_files<'a>(folder: &Path, names: impl Iterator<Item = &'a str>) -> Result<()> {
    for name in names {
        let path = folder.join(name);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error).at(path),
            _ => remove_empty(folder, name),
        }
    }
    Ok(())
}

/// Deletes the folders within a folder on the way to a file that is gone, as far as they are empty.
pub fn remove_empty(folder: &Path, name: &str) {
    let inner = Path::new(name).ancestors().skip(1);
    for inner in inner.filter(|inner| !inner.as_os_str().is_empty()) {
        // One that has something else stays, and so do those around it.
        if fs::remove_dir(folder.join(inner)).is_err() {
            break;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_go_with_the_folders_that_are_empty_then() {
        let folder = tempfile::tempdir().expect("a folder");
        let root = folder.path();
        fs::create_dir_all(root.join("gold/2018")).expect("folders");
        for name in ["gold/2018/a", "gold/b"] {
            fs::write(root.join(name), "").expect("a file");
        }
        remove_files(root, ["gold/2018/a", "gold/2018/gone"].into_iter()).expect("removed");
        assert!(!root.join("gold/2018").exists() && root.join("gold/b").exists());
        remove_files(root, ["gold/b"].into_iter()).expect("removed");
        assert!(!root.join("gold").exists() && root.exists());
    }

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
