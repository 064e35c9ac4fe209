//! All texts and integers of a run's file, without a catalog that knows it.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use arrow::array::RecordBatch;
use arrow::ipc::reader::FileReader;
use gather::{Leaf, LeafWalk};

use crate::error::{AtPath, Result};
use crate::pack::{MAGIC, PackFile};
use crate::system::RECORD;

/// How files of the first format begin.
const FIRST_MAGIC: &[u8] = b"ARROW1";

/// Hands every text and integer of a run's file to `look`, whole dictionaries among them, but no numbers of the store's own
/// (signs of states, places); says no, and looks at nothing, where the
/// file's first bytes are not those of a run. No catalog has to know the file.
///
/// # Errors
/// A damaged file.
pub fn each_leaf_of_file(path: &Path, look: &mut dyn FnMut(Leaf<'_>)) -> Result<bool> {
    let mut begin = Vec::new();
    let file = File::open(path).at(path)?;
    (file.take(MAGIC.len() as u64).read_to_end(&mut begin)).at(path)?;
    let mut walk = LeafWalk::default();
    if begin.starts_with(MAGIC) {
        let file = PackFile::open_unknown(path)?;
        for table in file.tables() {
            for values in file.dictionaries(table)? {
                walk.walk(&values, look);
            }
            for batch in 0..file.batch_rows(table)?.len() {
                walk_batch(&mut walk, &file.batch(table, batch)?, look);
            }
        }
    } else if begin.starts_with(FIRST_MAGIC) {
        let file = File::open(path).at(path)?;
        for batch in FileReader::try_new(file, None)? {
            walk_batch(&mut walk, &batch?, look);
        }
    } else {
        return Ok(false);
    }
    Ok(true)
}

/// Numbers beside the records are the store's own, such as places and states: those are not handed out.
fn walk_batch(walk: &mut LeafWalk, batch: &RecordBatch, look: &mut dyn FnMut(Leaf<'_>)) {
    let schema = batch.schema();
    for (field, column) in schema.fields().iter().zip(batch.columns()) {
        if field.name() == RECORD {
            walk.walk(column, look);
            continue;
        }
        let mut texts = |leaf: Leaf<'_>| {
            if let Leaf::Text(_) = leaf {
                look(leaf);
            }
        };
        walk.walk(column, &mut texts);
    }
}
