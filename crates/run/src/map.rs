//! What is unsafe: mapping files, letting go of their pages, and decoding without validation.

use std::fs::File;
use std::ops::Range;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use arrow::ipc::MetadataVersion;
use arrow::ipc::reader::FileDecoder;
use memmap2::{Advice, Mmap, UncheckedAdvice};

mod lost;

use lost::Watched;

/// A mapped file.
#[derive(Clone)]
pub(crate) struct MappedFile(Arc<WatchedMap>);

/// Nobody watches over addresses that are mapped no more: the order of the fields counts.
struct WatchedMap {
    watched: Watched,
    map: Mmap,
}

impl AsRef<[u8]> for MappedFile {
    fn as_ref(&self) -> &[u8] {
        &self.0.map
    }
}

impl MappedFile {
    /// Maps a file for reading.
    #[expect(unsafe_code, reason = "mapping a file is unsafe by nature")]
    pub(crate) fn open(file: &File) -> std::io::Result<Self> {
        // SAFETY: the store's files are written once and then only ever unlinked, which leaves a map
        // intact. Another program that writes into a store's folder breaks the store's terms; what it
        // damages before we look is caught by the page checksums, what it cuts off by `is_whole`.
        let map = unsafe { Mmap::map(file) }?;
        let addresses = map.as_ptr_range();
        let watched = Watched::new(addresses.start as usize..addresses.end as usize);
        Ok(Self(Arc::new(WatchedMap { watched, map })))
    }

    /// Keeps the system from reading what is around a page that is looked at.
    pub(crate) fn without_reading_ahead(self) -> Self {
        // Where that can't be done, more is read than is needed.
        let _ = self.0.map.advise(Advice::Random);
        self
    }

    /// Whether all that was read from it so far was in the file.
    pub(crate) fn is_whole(&self) -> bool {
        !self.0.watched.has_lost()
    }

    /// Lets go of the memory that the file's pages take in this process; they stay in the system's
    /// cache and come back when they are looked at.
    pub(crate) fn release(&self) {
        self.release_range(0..self.0.map.len());
    }

    #[expect(
        unsafe_code,
        reason = "advising to drop pages is unsafe for maps that were written to"
    )]
    pub(crate) fn release_range(&self, range: Range<usize>) {
        // SAFETY: this is a shared map of a file that is only read: a page that is dropped is read from
        // the file again.
        let released = unsafe {
            self.0
                .map
                .unchecked_advise_range(UncheckedAdvice::DontNeed, range.start, range.len())
        };
        // Where that can't be done, memory is merely not saved.
        drop(released);
    }
}

/// A decoder that takes buffers as they lie in the file and does not validate them.
///
/// For files of ours alone, whose bytes are checked against their page checksums before an array
/// that the decoder makes is read.
#[expect(
    unsafe_code,
    reason = "skipping the validation of what the checksums have checked"
)]
pub(crate) fn unvalidated_decoder(schema: SchemaRef, version: MetadataVersion) -> FileDecoder {
    // SAFETY: every byte that the decoder or an array of ours reads is checked against the page
    // checksums first, so it is what our writer wrote, and that was a valid array.
    unsafe {
        FileDecoder::new(schema, version)
            .with_require_alignment(true)
            .with_skip_validation(true)
    }
}
