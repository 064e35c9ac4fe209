//! Codecs that the parquet crate unpacks to their end, whatever a page's header says of its size: a page of some
//! megabytes may be gigabytes. How far such a page unfolds is found out before, in a stream.

use std::io::{self, Read};

use flate2::read::MultiGzDecoder;
use lz4_flex::frame::FrameDecoder;
use parquet::basic::Compression;

use super::budget::LEAST_BUDGET;

/// The most times that a byte of deflate unfolds; LZ4 has less.
const MOST_TIMES: u64 = 1032;
/// What an LZ4 frame begins with. Other LZ4 pages unfold into the room that their header asks for.
const LZ4_FRAME: [u8; 4] = [0x04, 0x22, 0x4d, 0x18];

/// Such a codec.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unbounded {
    Gzip,
    Lz4Frame,
}

impl Unbounded {
    /// None where the codec stops by itself.
    pub(super) fn of(codec: Compression) -> Option<Self> {
        match codec {
            Compression::GZIP(_) => Some(Self::Gzip),
            Compression::LZ4 => Some(Self::Lz4Frame),
            _ => None,
        }
    }

    /// Whether a page of so many bytes may unfold to more than any page may: smaller ones are not read twice.
    pub(super) fn may_be_large(packed: u64) -> bool {
        packed > LEAST_BUDGET / MOST_TIMES
    }

    /// Whether bytes unfold to more than `most`. Broken ones do not: the parquet crate refuses them.
    pub(super) fn unfolds_beyond(self, packed: &[u8], most: u64) -> bool {
        match self {
            Self::Gzip => has_more(MultiGzDecoder::new(packed), most),
            Self::Lz4Frame => {
                packed.starts_with(&LZ4_FRAME) && has_more(FrameDecoder::new(packed), most)
            }
        }
    }
}

fn has_more(stream: impl Read, most: u64) -> bool {
    let read = io::copy(&mut stream.take(most.saturating_add(1)), &mut io::sink());
    read.is_ok_and(|bytes| bytes > most)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression as Level;
    use flate2::write::GzEncoder;
    use lz4_flex::frame::FrameEncoder;

    use super::*;

    #[test]
    fn more_than_is_claimed_is_seen() {
        let zeros = vec![0; 100_000];
        let mut gzip = GzEncoder::new(Vec::new(), Level::default());
        gzip.write_all(&zeros).expect("memory");
        let gzip = gzip.finish().expect("memory");
        let mut lz4 = FrameEncoder::new(Vec::new());
        lz4.write_all(&zeros).expect("memory");
        let lz4 = lz4.finish().expect("memory");
        for (codec, packed) in [(Unbounded::Gzip, gzip), (Unbounded::Lz4Frame, lz4)] {
            assert!(!codec.unfolds_beyond(&packed, 100_000), "{codec:?}");
            assert!(codec.unfolds_beyond(&packed, 99_999), "{codec:?}");
            assert!(!codec.unfolds_beyond(&[0; 10], 1), "{codec:?}");
        }
    }
}
