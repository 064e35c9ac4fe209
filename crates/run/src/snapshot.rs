use std::sync::Arc;

use xdm::{Class, Dataset, Fields, Namespaces};

use crate::error::Result;
use crate::read::Run;

/// Records as they stood at one moment: the runs, and what they are read by.
#[derive(Clone)]
pub struct Snapshot {
    /// The number of the change of the store that made it; 0 for records in memory.
    pub generation: i64,
    /// The union schema of the profile datasets.
    pub profile_union: Fields,
    /// The union schema of the event datasets.
    pub event_union: Fields,
    /// How namespaces are spelled as keys of maps; none where nobody noted it.
    pub namespaces: Namespaces,
    /// All datasets, those without records too.
    pub datasets: Vec<Dataset>,
    /// The runs, oldest first.
    pub runs: Vec<Arc<Run>>,
}

impl Snapshot {
    /// The union schema of a class.
    #[must_use]
    pub fn union(&self, class: Class) -> &Fields {
        match class {
            Class::Profile => &self.profile_union,
            Class::Event => &self.event_union,
        }
    }

    /// How the runs spell the namespaces that are keys of their maps: each as the oldest that has it does, of several
    /// ways there the first in the order of bytes.
    ///
    /// # Errors
    /// A damaged run.
    pub fn namespaces_of_runs(&self) -> Result<Namespaces> {
        let mut all = Namespaces::default();
        for run in &self.runs {
            for code in run.map_keys()? {
                all.add(&code);
            }
        }
        Ok(all)
    }
}
