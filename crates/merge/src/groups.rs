use gather::RowRef;

/// For each of some profiles, the rows that make it, in order.
#[derive(Clone, Debug, Default)]
pub struct Groups {
    ends: Vec<u32>,
    rows: Vec<RowRef>,
}

impl Groups {
    /// Adds a profile with these rows.
    pub fn push(&mut self, rows: impl IntoIterator<Item = RowRef>) {
        self.rows.extend(rows);
        self.ends.push(self.rows.len() as u32);
    }

    /// How many profiles there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The rows of all profiles, one profile's after the other's.
    #[must_use]
    pub fn rows(&self) -> &[RowRef] {
        &self.rows
    }

    /// The same, to be changed in place.
    #[must_use]
    pub fn rows_mut(&mut self) -> &mut [RowRef] {
        &mut self.rows
    }

    /// Each profile's rows.
    pub fn iter(&self) -> impl Iterator<Item = &[RowRef]> {
        let mut start = 0;
        self.ends.iter().map(move |end| {
            let end = *end as usize;
            let rows = &self.rows[start..end];
            start = end;
            rows
        })
    }

    /// Where each profile's rows end in [`Groups::rows`].
    #[must_use]
    pub fn ends(&self) -> &[u32] {
        &self.ends
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_profile_has_its_own_rows_in_order() {
        let mut groups = Groups::default();
        assert!(groups.is_empty());
        let row = |row| RowRef::new(0, row);
        groups.push([row(3), row(1)]);
        groups.push([]);
        groups.push([row(2)]);
        let profiles: Vec<&[RowRef]> = groups.iter().collect();
        assert_eq!(profiles, [&[row(3), row(1)][..], &[], &[row(2)]]);
        assert_eq!(groups.rows(), [row(3), row(1), row(2)]);
        assert_eq!((groups.ends(), groups.len()), (&[2, 2, 3][..], 3));
    }
}
