use std::io::{self, Write};

use xxhash_rust::xxh3::Xxh3;

/// A sink that knows the length and the digest of what went into it.
pub(crate) struct DigestWriter<W> {
    inner: W,
    length: u64,
    digest: Box<Xxh3>,
}

impl<W> DigestWriter<W> {
    pub(crate) fn new(inner: W) -> Self {
        Self {
            inner,
            length: 0,
            digest: Box::new(Xxh3::new()),
        }
    }

    /// The sink, the length and the XXH3-128 digest of what it got.
    pub(crate) fn finish(self) -> (W, u64, u128) {
        (self.inner, self.length, self.digest.digest128())
    }
}

impl<W: Write> Write for DigestWriter<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let n = self.inner.write(bytes)?;
        self.length += n as u64;
        self.digest.update(bytes.get(..n).unwrap_or(bytes));
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_sink_takes_in_pieces_counts_once() {
        struct ThreeBytes(Vec<u8>);
        impl Write for ThreeBytes {
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                let n = bytes.len().min(3);
                self.0.extend_from_slice(&bytes[..n]);
                Ok(n)
            }

            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let mut writer = DigestWriter::new(ThreeBytes(Vec::new()));
        writer.write_all(b"eight by").expect("written");
        let (sink, length, digest) = writer.finish();
        assert_eq!((sink.0.as_slice(), length), (&b"eight by"[..], 8));
        assert_eq!(digest, xdm::digest128(b"eight by"));
    }
}
