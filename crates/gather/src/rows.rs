/// One row of one source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RowRef {
    /// Index of the source.
    pub source: u32,
    /// Index of the row in that source.
    pub row: u32,
}

impl RowRef {
    /// No row: gathers as null.
    pub const NULL: Self = Self {
        source: u32::MAX,
        row: u32::MAX,
    };

    /// The row `row` of source `source`.
    #[must_use]
    pub fn new(source: u32, row: u32) -> Self {
        Self { source, row }
    }

    /// Whether it is no row.
    #[inline]
    #[must_use]
    pub fn is_null(self) -> bool {
        self.source == u32::MAX
    }
}
