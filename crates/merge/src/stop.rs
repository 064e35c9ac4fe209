use crate::error::{Error, Result};

/// Between two questions lie so many items: less than a millisecond.
const ITEMS: u32 = 4096;

/// Whether the work is to stop: asked now and then, since one profile may be as long as all others.
pub(crate) struct Stop<'a> {
    is_asked: &'a dyn Fn() -> bool,
    items: u32,
}

impl<'a> Stop<'a> {
    pub(crate) fn new(is_asked: &'a dyn Fn() -> bool) -> Self {
        Self { is_asked, items: 0 }
    }

    /// Errs where the work is asked to stop.
    pub(crate) fn check(&self) -> Result<()> {
        if (self.is_asked)() {
            Err(Error::Stopped)
        } else {
            Ok(())
        }
    }

    /// Counts an item, and checks when there were many.
    #[inline]
    pub(crate) fn count(&mut self) -> Result<()> {
        self.items += 1;
        if self.items < ITEMS {
            return Ok(());
        }
        self.items = 0;
        self.check()
    }
}
