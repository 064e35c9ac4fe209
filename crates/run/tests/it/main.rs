//! Runs on disk, through the public API.
#![allow(clippy::unwrap_used, missing_docs)]

mod by_hand;
