use std::cell::Cell;
use std::rc::Rc;
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

/// What a column has from its builder: whether its values are kept, and where it tells that its type grew.
#[derive(Clone, Debug, Default)]
pub(crate) struct ColumnTerms {
    kept: FieldSelection,
    growth: Rc<Cell<u64>>,
}

impl ColumnTerms {
    pub(crate) fn new(kept: FieldSelection) -> Self {
        Self {
            kept,
            growth: Rc::default(),
        }
    }

    /// Those of the field `name`.
    pub(crate) fn of(&self, name: &str) -> Self {
        Self {
            kept: self.kept.of(name),
            growth: Rc::clone(&self.growth),
        }
    }

    pub(crate) fn text(&self) -> TextBuilder {
        self.kept.text()
    }

    pub(crate) fn keep_nothing(&self) -> bool {
        matches!(self.kept, FieldSelection::Nothing)
    }

    /// Tells that a type is another one now, or that there is a field more.
    pub(crate) fn grow(&self) {
        self.growth.set(self.growth.get() + 1);
    }

    /// How often the types of the builder's columns have grown.
    pub(crate) fn growth(&self) -> u64 {
        self.growth.get()
    }
}
