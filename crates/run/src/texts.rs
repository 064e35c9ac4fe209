//! All texts of a run's file, without a catalog that knows it.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use arrow::ipc::reader::FileReader;
use gather::TextWalk;

use crate::error::{AtPath, Result};
use crate::pack::{MAGIC, PackFile};

/// How files of the first format begin.
const FIRST_MAGIC: &[u8] = b"ARROW1";

/// Hands every text of a run's file to `look`, whole dictionaries among them; says no, and looks at nothing, where the
/// file's first bytes are not those of a run. No catalog has to know the file.
///
/// # Errors
/// A damaged file.
pub fn each_text_of_file(path: &Path, look: &mut dyn FnMut(&str)) -> Result<bool> {
    let mut begin = Vec::new();
    let file = File::open(path).at(path)?;
    (file.take(MAGIC.len() as u64).read_to_end(&mut begin)).at(path)?;
    let mut walk = TextWalk::default();
    if begin.starts_with(MAGIC) {
        let file = PackFile::open_unknown(path)?;
        for table in file.tables() {
            for values in file.dictionaries(table)? {
                walk.walk(&values, look);
            }
            for batch in 0..file.batch_rows(table)?.len() {
                for column in file.batch(table, batch)?.columns() {
                    walk.walk(column, look);
                }
            }
        }
    } else if begin.starts_with(FIRST_MAGIC) {
        let file = File::open(path).at(path)?;
        for batch in FileReader::try_new(file, None)? {
            for column in batch?.columns() {
                walk.walk(column, look);
            }
        }
    } else {
        return Ok(false);
    }
    Ok(true)
}
