//! Room for what frees a full disk: to delete a batch, the catalog has to be written.

use std::fs;

use catalog::Catalog;

use crate::Store;
use crate::error::{Result, StoreError};
use crate::publish::publish;

/// Enough for SQLite's journal of a small change and the files beside it.
const BYTES: usize = 1 << 20;

impl Store {
    /// Makes the reserve where it is missing.
    pub(crate) fn renew_reserve(&self) {
        let path = self.layout().reserve();
        if self.is_durable() && !path.exists() {
            // Where there is no room for it now there may be later.
            let _ = publish(&path, &vec![1; BYTES], false);
        }
    }

    /// Does what makes room, with the reserve's where there is none otherwise.
    pub(crate) fn freeing<T>(&self, f: impl Fn(&Catalog) -> Result<T>) -> Result<T> {
        let first = match self.catalog().check_writable() {
            Ok(()) => f(self.catalog()),
            Err(error) => Err(error.into()),
        };
        let Err(StoreError::Catalog(error)) = &first else {
            return first;
        };
        if !error.may_be_full() || fs::remove_file(self.layout().reserve()).is_err() {
            return first;
        }
        let scope = self.catalog().scope().clone();
        let again = Catalog::open(&self.layout().catalog(), scope, self.is_durable(), || {
            Ok(false)
        })?;
        f(&again)
    }
}
