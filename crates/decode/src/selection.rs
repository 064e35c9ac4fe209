use std::sync::Arc;

use hashbrown::HashSet;

use crate::text::TextBuilder;

/// Which fields' values are kept. Those of the others are checked, and give the field its type, but are
/// not held: a field's text costs more than all else about it.
#[derive(Clone, Debug, Default)]
pub(crate) enum FieldSelection {
    #[default]
    All,
    Nothing,
    /// Only the fields of these names, with all that is in them.
    Only(Arc<HashSet<String>>),
}

impl FieldSelection {
    /// What is kept of the field `name`.
    pub(crate) fn of(&self, name: &str) -> Self {
        match self {
            Self::All => Self::All,
            Self::Only(names) if names.contains(name) => Self::All,
            Self::Only(_) | Self::Nothing => Self::Nothing,
        }
    }

    pub(crate) fn text(&self) -> TextBuilder {
        match self {
            Self::Nothing => TextBuilder::discarding(),
            Self::All | Self::Only(_) => TextBuilder::new(),
        }
    }
}
