//! Which catalog is the store's: one that was put in its place would have all files of the store swept.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use catalog::Catalog;
use serde::{Deserialize, Serialize};

use crate::error::{AtPath, Result, StoreError};
use crate::publish::publish;

#[derive(Serialize, Deserialize)]
struct Identity {
    id: String,
}

/// Checks that the catalog is the one whose identity the file has; where the file is missing, as in stores of
/// earlier releases, makes it.
pub(crate) fn check(path: &Path, catalog: &Catalog, durable: bool) -> Result<()> {
    let id = catalog.identity()?;
    match fs::read(path) {
        Ok(bytes) => {
            let known: Identity = serde_json::from_slice(&bytes)
                .map_err(std::io::Error::from)
                .at(path)?;
            if known.id == id {
                Ok(())
            } else {
                Err(StoreError::Catalog(catalog::Error::Foreign))
            }
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let bytes = serde_json::to_vec(&Identity { id }).map_err(std::io::Error::from);
            publish(path, &bytes.at(path)?, durable)
        }
        Err(error) => Err(error).at(path),
    }
}
