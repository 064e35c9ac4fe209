use std::sync::Arc;

use hashbrown::HashSet;
use xdm::is_identity;

/// Up to this many are compared with each id.
const MOST_COMPARED: usize = 8;

/// The ids that a dataset says stand for nobody: a few words, or a list of thousands of test accounts.
pub(crate) struct Placeholders {
    few: Arc<[String]>,
    /// All of them as they are compared (trimmed, in lower case), where they are many.
    many: HashSet<String>,
}

impl Placeholders {
    pub(crate) fn new(all: &Arc<[String]>) -> Self {
        if all.len() <= MOST_COMPARED {
            return Self {
                few: Arc::clone(all),
                many: HashSet::default(),
            };
        }
        Self {
            few: Arc::default(),
            many: all.iter().map(|id| compared(id)).collect(),
        }
    }

    /// Whether an id is an identity.
    #[inline]
    pub(crate) fn is_identity(&self, id: &str) -> bool {
        is_identity(id, &self.few) && (self.many.is_empty() || !self.many.contains(&compared(id)))
    }
}

fn compared(id: &str) -> String {
    id.trim().to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_placeholders_are_what_few_are() {
        let words = ["N/A", " test ", "Ä", "0000"];
        let fillers = (0..3 * MOST_COMPARED).map(|n| format!("filler{n}"));
        let few: Vec<String> = words.map(str::to_owned).to_vec();
        let many: Vec<String> = fillers.chain(few.clone()).collect();
        let ids = [
            "n/a", "N/A ", "TEST", "ä", "Ä", "00000", "0000", "null", " ", "ann",
        ];
        for known in [few, many] {
            let placeholders = Placeholders::new(&known.as_slice().into());
            let found = ids.map(|id| placeholders.is_identity(id));
            assert_eq!(found, ids.map(|id| is_identity(id, &known)));
            assert_eq!(found.iter().filter(|is| **is).count(), 3);
        }
    }
}
