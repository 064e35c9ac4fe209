//! A Parquet file's footer, looked through before the parquet crate sees it.
//!
//! That crate turns the schema into a tree by recursion, and reserves memory for as many children and row
//! groups as the footer claims. A small file can therefore overflow the stack, or ask for more memory than
//! there is, and both abort the process: no error, nothing to catch. Here the flat list of schema elements is
//! gone through in a loop. A field of another type than parquet.thrift gives it is damage: the parquet crate
//! does not look at types, and would see another schema than this one.
//!
//! ```text
//!   "PAR1"  pages …  FileMetaData (Thrift, compact)  its length, 4 bytes  "PAR1"
//! ```
//!
//! Source: parquet.thrift.

use parquet::file::metadata::{ParquetMetaData, ParquetMetaDataReader};
use parquet::file::reader::ChunkReader;

use super::thrift::Compact;
use super::{Problem, unreadable};

/// How many schema elements may stand one in the other. A record nests 128 levels deep, and each level may
/// be a list or map, which takes two elements; then there are the root and the leaf.
const DEEPEST: usize = 258;

/// Length and magic at a file's end.
const TAIL: usize = 8;

/// Reads the footer of a file.
pub(super) fn read_footer(file: &impl ChunkReader) -> Result<ParquetMetaData, Problem> {
    let length = file.len();
    if length == 0 {
        return Err(unreadable(
            "it is empty, and even a file without rows has a footer",
        ));
    }
    let Some(tail_start) = length.checked_sub(TAIL as u64) else {
        return Err(unreadable(format!("it has only {length} bytes")));
    };
    let tail = file.get_bytes(tail_start, TAIL).map_err(unreadable)?;
    let (size, magic) = match *tail {
        [a, b, c, d, ref magic @ ..] => (u32::from_le_bytes([a, b, c, d]), magic),
        _ => return Err(unreadable("its end can't be read")),
    };
    match magic {
        b"PAR1" => {}
        b"PARE" => return Err(encrypted()),
        _ => {
            return Err(unreadable(
                "it does not end as such a file does; is it whole?",
            ));
        }
    }
    let Some(start) = tail_start.checked_sub(size.into()) else {
        return Err(unreadable(format!(
            "its footer is said to have {size} bytes, the whole file has {length}"
        )));
    };
    let footer = file.get_bytes(start, size as usize).map_err(unreadable)?;
    check(&footer)?;
    ParquetMetaDataReader::decode_metadata(&footer).map_err(unreadable)
}

/// A file whose columns need a key.
pub(super) fn encrypted() -> Problem {
    Problem("it is encrypted Parquet, which is not read; decrypt it first".to_owned())
}

/// Checks what the parquet crate takes on trust.
fn check(footer: &[u8]) -> Result<(), Problem> {
    check_file_metadata(&mut Compact::new(footer)).unwrap_or_else(|| Err(damaged()))
}

fn damaged() -> Problem {
    unreadable("its footer is damaged")
}

/// Goes through FileMetaData; none where it is damaged.
fn check_file_metadata(thrift: &mut Compact<'_>) -> Option<Result<(), Problem>> {
    let mut last = 0;
    while let Some((field, ty)) = thrift.field(&mut last)? {
        match (field, ty) {
            (2, Compact::LIST) => {
                if let Err(problem) = check_schema(thrift)? {
                    return Some(Err(problem));
                }
            }
            // The algorithm of encrypted columns.
            (8, _) => return Some(Err(encrypted())),
            // The version, how many rows, the row groups; what comes behind reserves nothing.
            (1, Compact::I32) | (3, Compact::I64) | (4, Compact::LIST) => thrift.skip(ty, 0)?,
            (1..=4, _) => return None,
            _ => thrift.skip(ty, 0)?,
        }
    }
    Some(Ok(()))
}

/// Goes through the schema's elements: each group is followed by as many as it has children.
fn check_schema(thrift: &mut Compact<'_>) -> Option<Result<(), Problem>> {
    let (elements, Compact::STRUCT) = thrift.list()? else {
        return None;
    };
    // How many elements are still to come in each open group, and the groups' names.
    let mut open: Vec<(usize, &[u8])> = Vec::new();
    for number in 0..elements {
        let (name, children) = schema_element(thrift)?;
        if children > elements - number - 1 {
            return None;
        }
        if let Some((missing, _)) = open.last_mut() {
            *missing -= 1;
        }
        if children > 0 {
            open.push((children, name));
        }
        if open.len() >= DEEPEST {
            let column = open.get(1).map_or(&b""[..], |(_, name)| name);
            return Some(Err(Problem(format!(
                "column {} is nested more than 128 levels deep",
                xdm::quote_part(&String::from_utf8_lossy(column))
            ))));
        }
        while open.last().is_some_and(|(missing, _)| *missing == 0) {
            open.pop();
        }
    }
    Some(Ok(()))
}

/// Name and number of children of a schema element.
fn schema_element<'a>(thrift: &mut Compact<'a>) -> Option<(&'a [u8], usize)> {
    let (mut name, mut children) = (&b""[..], 0);
    let mut last = 0;
    while let Some((field, ty)) = thrift.field(&mut last)? {
        match (field, ty) {
            (4, Compact::BINARY) => name = thrift.binary()?,
            (5, Compact::I32) => children = usize::try_from(thrift.integer()?).ok()?,
            (10, Compact::STRUCT) => check_logical_type(thrift)?,
            (1..=3 | 6..=9, Compact::I32) => thrift.skip(ty, 0)?,
            (1..=10, _) => return None,
            _ => thrift.skip(ty, 0)?,
        }
    }
    Some((name, children))
}

/// Goes through a union of structs, each with the parameters of a type.
fn check_logical_type(thrift: &mut Compact<'_>) -> Option<()> {
    let mut last = 0;
    while let Some((variant, ty)) = thrift.field(&mut last)? {
        if ty != Compact::STRUCT {
            return None;
        }
        let mut last = 0;
        while let Some((field, ty)) = thrift.field(&mut last)? {
            match (variant, field, ty) {
                // The unit of TIME and TIMESTAMP is a union of empty structs.
                (7 | 8, 2, Compact::STRUCT) => {
                    let mut last = 0;
                    while let Some((_, ty)) = thrift.field(&mut last)? {
                        if ty != Compact::STRUCT || thrift.field(&mut 0)?.is_some() {
                            return None;
                        }
                    }
                }
                // DECIMAL; TIME, TIMESTAMP; INTEGER; VARIANT; GEOMETRY, GEOGRAPHY.
                (5, 1 | 2, Compact::I32)
                | (7 | 8, 1, Compact::TRUE | Compact::FALSE)
                | (10, 1, Compact::BYTE)
                | (10, 2, Compact::TRUE | Compact::FALSE)
                | (16, 1, Compact::BYTE)
                | (17 | 18, 1, Compact::BINARY)
                | (18, 2, Compact::I32) => thrift.skip(ty, 0)?,
                (5 | 7 | 8 | 10 | 16..=18, 1 | 2, _) => return None,
                _ => thrift.skip(ty, 0)?,
            }
        }
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn varint(mut value: usize) -> Vec<u8> {
        let mut bytes = Vec::new();
        while value >= 0x80 {
            bytes.push(value as u8 | 0x80);
            value >>= 7;
        }
        bytes.push(value as u8);
        bytes
    }

    /// A group of the schema, or an int32 column where it has no children.
    fn element(name: &str, children: usize) -> Vec<u8> {
        let mut bytes = Vec::new();
        // 1: the physical type INT32, of leaves; 3: OPTIONAL; 4: the name; 5: how many children.
        match children {
            0 => bytes.extend([0x15, 2, 0x25, 2]),
            _ => bytes.extend([0x35, 2]),
        }
        bytes.push(0x18);
        bytes.extend(varint(name.len()));
        bytes.extend(name.as_bytes());
        if children > 0 {
            bytes.push(0x15);
            bytes.extend(varint(children * 2));
        }
        bytes.push(0);
        bytes
    }

    /// A file of no rows with these schema elements.
    fn file_of(elements: &[Vec<u8>]) -> Bytes {
        // 1: version 1; 2: a list of structs.
        let mut footer = vec![0x15, 2, 0x19, 0xfc];
        footer.extend(varint(elements.len()));
        footer.extend(elements.concat());
        // 3: no rows; 4: an empty list of row groups.
        footer.extend([0x16, 0, 0x19, 0x0c, 0]);
        file_with(&footer)
    }

    fn file_with(footer: &[u8]) -> Bytes {
        let mut file = b"PAR1".to_vec();
        file.extend(footer);
        file.extend((footer.len() as u32).to_le_bytes());
        file.extend(b"PAR1");
        file.into()
    }

    /// A file with one column of so many structs, one in the other.
    fn structs(levels: usize) -> Bytes {
        let mut elements = vec![element("root", 1), element("deep", 1)];
        elements.extend((1..levels).map(|_| element("s", 1)));
        elements.push(element("leaf", 0));
        file_of(&elements)
    }

    fn problem(file: &Bytes) -> String {
        read_footer(file).expect_err("no footer").0
    }

    #[test]
    fn nesting_that_would_overflow_the_stack_is_refused() {
        read_footer(&structs(256)).expect("deep enough for all");
        for levels in [257, 6_000, 500_000] {
            assert_eq!(
                problem(&structs(levels)),
                "column deep is nested more than 128 levels deep"
            );
        }
    }

    #[test]
    fn counts_that_would_take_all_memory_are_refused() {
        let file = file_of(&[element("root", i32::MAX as usize), element("leaf", 0)]);
        assert_eq!(
            problem(&file),
            "not readable as Parquet: its footer is damaged"
        );
        let mut groups = vec![0x15, 2, 0x19, 0x2c];
        groups.extend([element("root", 1), element("leaf", 0)].concat());
        groups.extend([0x16, 0, 0x19, 0xfc]);
        groups.extend(varint(i32::MAX as usize));
        groups.push(0);
        let file = file_with(&groups);
        assert_eq!(
            problem(&file),
            "not readable as Parquet: its footer is damaged"
        );
    }

    #[test]
    fn an_end_that_is_none_is_told() {
        let whole = structs(1);
        assert!(read_footer(&whole).is_ok());
        for end in 0..whole.len() {
            let problem = problem(&whole.slice(..end));
            assert!(
                problem.starts_with("not readable as Parquet: it"),
                "{problem}"
            );
        }
        let mut encrypted = whole.to_vec();
        let magic = encrypted.len() - 1;
        encrypted[magic] = b'E';
        assert!(problem(&encrypted.into()).contains("encrypted"));
    }

    #[test]
    fn any_footer_is_read_or_refused() {
        let whole = structs(3);
        for at in 4..whole.len() - 8 {
            for byte in 0..=255 {
                let mut file = whole.to_vec();
                file[at] = byte;
                let _ = read_footer(&Bytes::from(file));
            }
        }
    }
}
