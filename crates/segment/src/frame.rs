//! What an expression's parts are about: profiles, their events, the items of these.

use arrow::array::UInt32Array;

use crate::column::{Column, taken};
use crate::error::{Error, Result};

/// The rows that a part of an expression is about: profiles, or all items of a list of each row of the frame around.
pub(crate) struct Frame {
    pub(crate) rows: usize,
    item: Column,
    /// The row of the frame around that each row is of.
    parent: Option<UInt32Array>,
}

/// The frames around a part, the innermost last.
pub(crate) struct Frames {
    all: Vec<Frame>,
    /// The most rows that one has.
    most: usize,
}

impl Frames {
    pub(crate) fn of_profiles(rows: usize, profiles: Column, most: usize) -> Self {
        let profiles = Frame {
            rows,
            item: profiles,
            parent: None,
        };
        Self {
            all: vec![profiles],
            most,
        }
    }

    pub(crate) fn depth(&self) -> usize {
        self.all.len() - 1
    }

    pub(crate) fn rows(&self) -> usize {
        self.all.last().map_or(0, |frame| frame.rows)
    }

    pub(crate) fn push(&mut self, items: Column, parents: UInt32Array) {
        let rows = parents.len();
        self.all.push(Frame {
            rows,
            item: items,
            parent: Some(parents),
        });
    }

    /// Refuses what has too many rows, before there are any.
    pub(crate) fn check(&self, rows: u64) -> Result<()> {
        match rows > self.most as u64 {
            true => Err(Error::TooManyPairs {
                rows,
                most: self.most,
            }),
            false => Ok(()),
        }
    }

    pub(crate) fn pop(&mut self) {
        self.all.pop();
    }

    /// Takes all frames within that of the profiles away, for [`Frames::restore`].
    pub(crate) fn leave(&mut self) -> Vec<Frame> {
        self.all.split_off(1)
    }

    pub(crate) fn restore(&mut self, inner: Vec<Frame>) {
        self.all.extend(inner);
    }

    /// What the frame so many levels out is about, for each row of the innermost.
    pub(crate) fn scope(&self, level: usize) -> Result<Column> {
        let depth = self.depth();
        let at = depth
            .checked_sub(level)
            .ok_or_else(|| Error::lacking("a scope"))?;
        let item = self.all.get(at).map(|frame| frame.item.clone());
        self.inwards(item.ok_or_else(|| Error::lacking("a scope"))?, at)
    }

    /// A column of the frame at a depth, for each row of the innermost.
    pub(crate) fn inwards(&self, column: Column, depth: usize) -> Result<Column> {
        match self.rows_at(depth)? {
            None => Ok(column),
            Some(numbers) => {
                self.check(column.items(Some(&numbers)))?;
                column.gather(&numbers)
            }
        }
    }

    /// The row of the frame at a depth that each row of the innermost is in; none where it is the innermost.
    pub(crate) fn rows_at(&self, depth: usize) -> Result<Option<UInt32Array>> {
        let mut numbers: Option<UInt32Array> = None;
        for frame in self.all.iter().skip(depth + 1).rev() {
            let parent = frame
                .parent
                .as_ref()
                .ok_or_else(|| Error::lacking("a scope"))?;
            numbers = Some(match numbers {
                None => parent.clone(),
                Some(numbers) => taken(parent, &numbers)?,
            });
        }
        Ok(numbers)
    }
}
