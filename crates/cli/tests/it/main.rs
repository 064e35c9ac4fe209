//! The program as its users meet it.
#![allow(clippy::unwrap_used, missing_docs)]

mod audience;
// The library before libc is Linux's way.
#[cfg(target_os = "linux")]
mod by_number;
#[cfg(target_os = "linux")]
mod completions;
mod crowd;
mod determinism;
mod erasure;
mod faults;
mod first;
#[cfg(target_os = "linux")]
mod ground;
mod inputs;
mod keeping;
mod lists;
mod lives;
mod many_segments;
mod map_keys;
mod names;
mod out;
mod outputs;
mod profiles;
mod program;
mod readers;
mod rights;
mod segments;
#[cfg(target_os = "linux")]
mod served;
mod serving;
mod settings;
#[cfg(target_os = "linux")]
mod shards;
#[cfg(target_os = "linux")]
mod shim;
mod sql;
#[cfg(target_os = "linux")]
mod steps;
#[cfg(target_os = "linux")]
mod stopped;
mod streams;
#[cfg(target_os = "linux")]
mod syncs;
// `script` has other arguments elsewhere.
#[cfg(target_os = "linux")]
mod terminal;
mod unwritable;
mod waits;
mod walk;
