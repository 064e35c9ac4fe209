use std::fs::File;
use std::io::{self, Write};

use xxhash_rust::xxh3::Xxh3;

/// A file that knows the length and the digest of what was written into it.
pub(crate) struct Sink {
    file: File,
    length: u64,
    digest: Box<Xxh3>,
}

impl Sink {
    pub(crate) fn new(file: File) -> Self {
        Self {
            file,
            length: 0,
            digest: Box::new(Xxh3::new()),
        }
    }

    /// The file, its length and its digest.
    pub(crate) fn finish(self) -> (File, u64, u128) {
        (self.file, self.length, self.digest.digest128())
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let n = self.file.write(bytes)?;
        self.length += n as u64;
        self.digest.update(bytes.get(..n).unwrap_or_default());
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}
