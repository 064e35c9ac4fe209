//! What the statements of a session see.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use datafusion::catalog::TableProvider;
use datafusion::datasource::ViewTable;
use datafusion::error::Result;
use datafusion::execution::SessionState;
use datafusion::logical_expr::LogicalPlan;

use crate::dialect::{self, Error, Query};
use crate::flatten::flattened;
use crate::store_tables::{StoreTables, no_snapshots};
use crate::tables::{Snapshots, Tables};

/// The session's own tables and views before the tables of the store.
#[derive(Clone)]
pub(crate) struct SessionTables {
    pub(crate) store: Arc<StoreTables>,
    pub(crate) own: BTreeMap<String, Arc<dyn TableProvider>>,
    pub(crate) views: Vec<(String, Query)>,
    pub(crate) state: Arc<SessionState>,
    /// Whether objects are columns of their own.
    pub(crate) flatten: bool,
}

impl fmt::Debug for SessionTables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionTables")
            .field("store", &self.store)
            .finish_non_exhaustive()
    }
}

impl SessionTables {
    pub(crate) fn plan(&self, query: &Query) -> Result<LogicalPlan, Error> {
        dialect::plan(query, self, &self.state)
    }

    /// A view of the session, which sees those alone that were made before it.
    fn view(&self, name: &str) -> Result<Option<Arc<dyn TableProvider>>> {
        let Some(at) = self.views.iter().position(|(known, _)| known == name) else {
            return Ok(None);
        };
        let mut before = self.clone();
        before.views.truncate(at);
        let query = &self.views[at].1;
        let plan = before.plan(query)?;
        Ok(Some(Arc::new(ViewTable::new(
            plan,
            Some(query.to_string()),
        ))))
    }
}

impl Tables for SessionTables {
    fn names(&self) -> Vec<String> {
        let mut names = self.store.names();
        names.extend(self.own.keys().cloned());
        names.extend(self.views.iter().map(|(name, _)| name.clone()));
        names.sort();
        names
    }

    fn table(&self, name: &str, snapshots: &Snapshots) -> Result<Option<Arc<dyn TableProvider>>> {
        let own = match self.own.get(name) {
            Some(own) => Some(Arc::clone(own)),
            None => self.view(name)?,
        };
        let found = match own {
            None => self.store.table(name, snapshots)?,
            Some(own) if *snapshots == Snapshots::All => Some(own),
            Some(_) => return Err(no_snapshots(name)),
        };
        match found {
            Some(table) if self.flatten => flattened(table).map(Some),
            found => Ok(found),
        }
    }

    fn history(&self, name: &str) -> Result<Option<Arc<dyn TableProvider>>> {
        let is_own = self.own.contains_key(name) || self.views.iter().any(|(own, _)| own == name);
        match is_own {
            true => Err(no_snapshots(name)),
            false => self.store.history(name),
        }
    }
}
