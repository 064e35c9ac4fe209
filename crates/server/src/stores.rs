use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use profile_export::store::{Scope, Store, StoreError};

/// How many organisations and sandboxes are kept open.
const KEPT: usize = 64;

/// The store, as each organisation and sandbox sees it.
pub(crate) struct Stores {
    folder: PathBuf,
    open: Mutex<HashMap<Scope, Arc<Store>>>,
}

impl Stores {
    pub(crate) fn new(folder: PathBuf) -> Self {
        Self {
            folder,
            open: Mutex::default(),
        }
    }

    /// The store in a scope.
    pub(crate) fn get(&self, scope: &Scope) -> Result<Arc<Store>, StoreError> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(store) = open.get(scope) {
            return Ok(Arc::clone(store));
        }
        if open.len() >= KEPT {
            // Those that nobody uses now are opened again when they are wanted.
            open.retain(|_, store| Arc::strong_count(store) > 1);
        }
        let store = Arc::new(Store::open(&self.folder, scope.clone())?);
        open.insert(scope.clone(), Arc::clone(&store));
        Ok(store)
    }

    /// The store in any scope, for what concerns all of them.
    pub(crate) fn any(&self) -> Result<Arc<Store>, StoreError> {
        self.get(&Scope::default())
    }
}
