use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::{Array, StringArray};
use hashbrown::HashMap;

use crate::used::UsedValues;

/// Dictionaries that together hold more values than this are gathered as plain text.
const LARGEST_DICTIONARY: usize = 1 << 14;

/// Unions of dictionaries, each made once, however many columns are gathered from the same runs.
#[derive(Default)]
pub struct Dictionaries {
    /// By where the values of the dictionaries are in memory; they are kept, so that they stay there.
    known: Mutex<HashMap<Vec<Place>, Known>>,
    /// The values that are united; all where it is missing.
    used: Option<UsedValues>,
    /// Whether text stays out of dictionaries.
    is_plain: bool,
}

/// Where the values of a dictionary are, and how many.
pub(crate) type Place = [usize; 3];
/// Dictionaries, and their union.
type Known = (Vec<StringArray>, Arc<United>);

/// Some dictionaries in one.
#[derive(Default)]
pub(crate) struct United {
    /// The values of all; `None` where they are too many, or plain text stands beside them.
    pub(crate) values: Option<Arc<StringArray>>,
    /// For each dictionary, the place of each of its values in the union.
    pub(crate) remaps: Vec<Arc<Vec<i32>>>,
}

impl Dictionaries {
    /// Unions of those values alone that rows have: whoever reads what is gathered finds no others. Rows that have
    /// others, which were not noted, must not be gathered.
    #[must_use]
    pub fn of_used(used: UsedValues) -> Self {
        Self {
            used: Some(used),
            ..Self::default()
        }
    }

    /// No unions: what is gathered is plain text. For few rows of ever other runs, each of whose unions would be kept.
    #[must_use]
    pub fn plain() -> Self {
        Self {
            is_plain: true,
            ..Self::default()
        }
    }

    /// Whether there are unions at all.
    pub(crate) fn unites(&self) -> bool {
        !self.is_plain
    }

    /// The union of the dictionaries of a column, if it is wanted.
    pub(crate) fn united(&self, parts: &[&StringArray], is_wanted: bool) -> Arc<United> {
        if !is_wanted || self.is_plain {
            return Arc::default();
        }
        let key = parts.iter().map(|part| place(part)).collect();
        let known = || self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, united)) = known().get(&key) {
            return Arc::clone(united);
        }
        let united = Arc::new(United::of(parts, self.used.as_ref()));
        let parts = parts.iter().copied().cloned().collect();
        known().insert(key, (parts, Arc::clone(&united)));
        united
    }
}

impl United {
    fn of(parts: &[&StringArray], used: Option<&UsedValues>) -> Self {
        let mut keys: HashMap<&str, i32> = HashMap::new();
        let mut values = Vec::new();
        let mut remaps = Vec::new();
        for part in parts {
            let remap = (0..part.len()).map(|i| {
                if used.is_some_and(|used| !used.has(part, i)) {
                    return 0;
                }
                let value = part.value(i);
                *keys.entry(value).or_insert_with(|| {
                    values.push(value);
                    values.len() as i32 - 1
                })
            });
            remaps.push(Arc::new(remap.collect()));
            if values.len() > LARGEST_DICTIONARY {
                return Self::default();
            }
        }
        if values.is_empty() {
            // Keys of null rows still need a value to point at.
            values.push("");
        }
        Self {
            values: Some(Arc::new(StringArray::from(values))),
            remaps,
        }
    }
}

pub(crate) fn place(values: &StringArray) -> Place {
    [
        values.value_data().as_ptr() as usize,
        values.value_offsets().as_ptr() as usize,
        values.len(),
    ]
}

pub(crate) fn same_buffers(a: &StringArray, b: &StringArray) -> bool {
    place(a) == place(b)
}
