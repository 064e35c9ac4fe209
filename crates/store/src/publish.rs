use std::fs::File;
use std::io::Write;
use std::path::Path;

use tempfile::NamedTempFile;

use crate::error::{AtPath, Result};

/// Puts a file of these bytes in a place, so that it is there whole or not at all.
pub(crate) fn publish(path: &Path, bytes: &[u8], durable: bool) -> Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut file = NamedTempFile::new_in(folder).at(folder)?;
    file.write_all(bytes).at(path)?;
    if durable {
        file.as_file().sync_all().at(path)?;
    }
    file.persist(path).map_err(|e| e.error).at(path)?;
    if durable {
        File::open(folder).and_then(|f| f.sync_all()).at(folder)?;
    }
    Ok(())
}
