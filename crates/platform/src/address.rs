//! Which words name a folder that exports can be written to.

use std::fs;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// What addresses of object stores begin with.
const BUCKETS: [&str; 8] = [
    "s3://", "s3a://", "gs://", "az://", "azure://", "adl://", "abfs://", "abfss://",
];

/// Whether a word is the address of a place in a bucket.
#[must_use]
pub fn is_bucket(word: &Path) -> bool {
    let text = word.to_string_lossy();
    let begins = |scheme: &&str| {
        let start = text.get(..scheme.len());
        start.is_some_and(|start| start.eq_ignore_ascii_case(scheme))
    };
    BUCKETS.iter().any(begins)
}

/// Says what is wrong with a word as the name of a folder of this machine: an address with a scheme, such as
/// `s3://bucket/exports`, or `-`. It would be a folder of a strange name otherwise, and the exports not where
/// they are looked for.
///
/// # Errors
/// In words, without the name itself.
pub fn check_local(path: &Path) -> Result<(), String> {
    let text = path.to_string_lossy();
    if text == "-" {
        return Err(
            "a stream, where a folder is wanted: batches are folders of files; one that is called so is \
             written ./-"
                .to_owned(),
        );
    }
    let Some((scheme, rest)) = text.split_once(':') else {
        return Ok(());
    };
    let is_scheme = scheme.len() > 1
        && scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && (scheme.chars()).all(|c| c.is_ascii_alphanumeric() || ['+', '-', '.'].contains(&c));
    if !is_scheme || !(rest.starts_with('/') || scheme.eq_ignore_ascii_case("file")) {
        return Ok(());
    }
    let right = if scheme.eq_ignore_ascii_case("file") {
        format!("write {}", rest.strip_prefix("//").unwrap_or(rest))
    } else if is_bucket(path) {
        "export --out takes it, or write to a folder, and copy it there when it is finished"
            .to_owned()
    } else {
        "write to a folder, and copy it there when it is finished".to_owned()
    };
    Err(format!(
        "an address with a scheme ({scheme}:); only folders that this machine sees work, such as ./exports \
         or a mounted disk: {right}; one that is called so is written ./{text}"
    ))
}

/// Refuses what can't become the folder that batches are published in, before anything is written.
///
/// # Errors
/// An address with a scheme, a file, a folder below a file, a folder in the store.
pub fn check_out(out: &Path, store: Option<&Path>) -> Result<()> {
    let refused = |problem: &str| {
        Err(Error::Out {
            path: out.to_owned(),
            problem: problem.to_owned(),
        })
    };
    if let Err(problem) = check_local(out) {
        return refused(&problem);
    }
    if out.to_str().is_none() {
        return refused(
            "a name that is no UTF-8, which the catalog can't keep; give another folder",
        );
    }
    let Some(found) = nearest(out) else {
        return Ok(());
    };
    match fs::metadata(&found) {
        Ok(metadata) if metadata.is_dir() => {}
        Ok(_) if found == out => {
            return refused("a file, where batches need a folder; give another name");
        }
        Ok(_) => {
            let text = format!("{} is a file; give a folder", found.display());
            return refused(&text);
        }
        Err(error) => {
            let text = format!("{} can't be looked at: {error}", found.display());
            return refused(&text);
        }
    }
    let real = fs::canonicalize(&found);
    let store = store.map(fs::canonicalize).and_then(Result::ok);
    if let (Ok(real), Some(store)) = (real, store)
        && real.starts_with(store)
    {
        return refused(
            "a folder of the store, which deletes there what it does not know; without --out the batches \
             are kept in the store, with it they go elsewhere",
        );
    }
    Ok(())
}

/// The innermost part of a path that is there; links count, whatever they point to.
fn nearest(path: &Path) -> Option<PathBuf> {
    (path.ancestors())
        .map(|part| match part.as_os_str().is_empty() {
            true => Path::new("."),
            false => part,
        })
        .find(|part| fs::symlink_metadata(part).is_ok())
        .map(Path::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_with_a_scheme_are_no_folders_and_odd_names_are() {
        for address in [
            "s3://bucket/exports",
            "gs://b",
            "file:///tmp/x",
            "file:x",
            "FILE:/x",
            "abfss://c@a.dfs.core.windows.net/x",
            "hdfs:/x",
            "-",
        ] {
            let problem = check_local(Path::new(address)).expect_err(address);
            assert!(problem.contains("folder"), "{problem}");
        }
        for folder in [
            "out", "/out", "./s3://b", "a/b:/c", "c:/x", "12:30", "./-", "x:y", "",
        ] {
            assert_eq!(check_local(Path::new(folder)), Ok(()), "{folder}");
        }
    }

    #[test]
    fn a_file_a_folder_below_one_and_the_store_are_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let place = folder.path();
        fs::write(place.join("file"), "").expect("a file");
        fs::create_dir(place.join("store")).expect("a folder");
        std::os::unix::fs::symlink(place.join("nowhere"), place.join("link")).expect("a link");
        let store = place.join("store");
        for (name, expected) in [
            ("file", "a file, where"),
            ("file/below", "is a file"),
            ("link", "can't be looked at"),
            ("store", "a folder of the store"),
            ("store/batches/new", "a folder of the store"),
        ] {
            let error = check_out(&place.join(name), Some(&store)).expect_err(name);
            assert!(error.to_string().contains(expected), "{error}");
        }
        for name in ["new", "new/below", "stores", ""] {
            check_out(&place.join(name), Some(&store)).expect(name);
        }
    }
}
