use std::sync::Arc;

use xdm::{Class, Dataset, Fields};

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
}
