//! What a packed file says of itself: its root, and the directories of its batches.

use serde::{Deserialize, Serialize};

use super::arrays::{Encoded, Node};
use super::block::{self, Problem};

/// What a packed file begins and ends with.
pub(crate) const MAGIC: &[u8; 8] = b"PXRUN2\r\n";
/// The length of the root, and the magic again.
pub(super) const TRAILER: usize = 16;

/// The tables of a file. It lies at the file's end, as JSON.
#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Root {
    pub(super) tables: Vec<TableEntry>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TableEntry {
    pub(super) name: String,
    /// The schema as Arrow's IPC format has it.
    pub(super) schema: Extent,
    /// The values of the dictionaries, each a batch of one column of text.
    pub(super) dictionaries: Vec<BatchEntry>,
    pub(super) batches: Vec<BatchEntry>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct BatchEntry {
    pub(super) rows: u64,
    /// Where its first block is.
    pub(super) at: u64,
    /// Its directory, which lies behind the blocks of all the table's batches.
    pub(super) directory: Extent,
}

/// Bytes of the file.
#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Extent {
    pub(super) at: u64,
    pub(super) length: u64,
    /// Their XXH3-64 digest.
    pub(super) digest: u64,
}

/// Where the blocks of a batch are, and what its arrays are like.
#[derive(Default)]
pub(super) struct Directory {
    pub(super) nodes: Vec<Node>,
    pub(super) blocks: Vec<Extent>,
}

impl Directory {
    /// As a block: the number of nodes (u32), each node's length and nulls (u32), the number of blocks (u32),
    /// each block's length and digest (u64).
    pub(super) fn to_block(encoded: &Encoded, digests: &[u64]) -> Vec<u8> {
        let mut bytes = Vec::new();
        bytes.extend((encoded.nodes.len() as u32).to_le_bytes());
        for node in &encoded.nodes {
            bytes.extend(node.length.to_le_bytes());
            bytes.extend(node.nulls.to_le_bytes());
        }
        bytes.extend((encoded.blocks.len() as u32).to_le_bytes());
        for (block, digest) in encoded.blocks.iter().zip(digests) {
            bytes.extend((block.len() as u64).to_le_bytes());
            bytes.extend(digest.to_le_bytes());
        }
        block::of_bytes(&bytes)
    }

    /// The directory of a block, of a batch whose blocks begin `at`.
    pub(super) fn from_block(block: Vec<u8>, mut at: u64) -> Result<Self, Problem> {
        const SHORT: Problem = "a directory that is too short";
        let bytes = block::all_bytes(block)?;
        let (count, rest) = bytes.split_first_chunk::<4>().ok_or(SHORT)?;
        let count = u32::from_le_bytes(*count) as usize;
        let (nodes, rest) = rest.split_at_checked(count * 8).ok_or(SHORT)?;
        let nodes = nodes.as_chunks::<8>().0.iter().map(|node| {
            let [a, b, c, d, nulls @ ..] = *node;
            Node {
                length: u32::from_le_bytes([a, b, c, d]),
                nulls: u32::from_le_bytes(nulls),
            }
        });
        let nodes = nodes.collect();
        let (count, rest) = rest.split_first_chunk::<4>().ok_or(SHORT)?;
        let count = u32::from_le_bytes(*count) as usize;
        let (entries, []) = rest.as_chunks::<16>() else {
            return Err(SHORT);
        };
        if entries.len() != count {
            return Err(SHORT);
        }
        let mut blocks = Vec::with_capacity(count);
        for entry in entries {
            let [length @ .., _, _, _, _, _, _, _, _] = *entry;
            let [_, _, _, _, _, _, _, _, digest @ ..] = *entry;
            let length = u64::from_le_bytes(length);
            blocks.push(Extent {
                at,
                length,
                digest: u64::from_le_bytes(digest),
            });
            at = at.checked_add(length).ok_or("a block beyond all files")?;
        }
        Ok(Self { nodes, blocks })
    }
}
