//! The rows of a COPY, in its three formats.

use crate::refusal::Refusal;
use crate::value::Cells;

/// The format of copied rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    Text {
        delimiter: u8,
        null: String,
    },
    Csv {
        delimiter: u8,
        null: String,
        header: bool,
        quote: u8,
        escape: u8,
    },
    Binary,
}

impl Form {
    pub(crate) fn is_binary(&self) -> bool {
        *self == Self::Binary
    }
}

/// What stands in front of all rows in binary.
pub(crate) const BINARY_HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
/// What stands behind them.
pub(crate) const BINARY_END: [u8; 2] = (-1_i16).to_be_bytes();

impl Form {
    /// Writes the line of the columns' names, where there is one.
    pub(crate) fn header<'a>(
        &self,
        names: impl Iterator<Item = &'a str>,
        out: &mut Vec<u8>,
    ) -> bool {
        let Self::Csv {
            header: true,
            delimiter,
            ..
        } = self
        else {
            return false;
        };
        for (number, name) in names.enumerate() {
            if number > 0 {
                out.push(*delimiter);
            }
            self.text(name.as_bytes(), out);
        }
        out.push(b'\n');
        true
    }

    /// Writes a row. `cell` is room for a value.
    pub(crate) fn row(
        &self,
        cells: &Cells,
        row: usize,
        cell: &mut Vec<u8>,
        out: &mut Vec<u8>,
    ) -> Result<(), Refusal> {
        let (delimiter, null) = match self {
            Self::Binary => return cells.row(row, out),
            Self::Text { delimiter, null }
            | Self::Csv {
                delimiter, null, ..
            } => (*delimiter, null),
        };
        for column in 0..cells.columns() {
            if column > 0 {
                out.push(delimiter);
            }
            if cells.is_null(row, column) {
                out.extend_from_slice(null.as_bytes());
                continue;
            }
            cell.clear();
            cells.write(row, column, cell)?;
            self.text(cell, out);
        }
        out.push(b'\n');
        Ok(())
    }

    /// Writes a value so that it can be told from what stands around it, and from a null.
    fn text(&self, value: &[u8], out: &mut Vec<u8>) {
        match self {
            Self::Binary => out.extend_from_slice(value),
            Self::Text { delimiter, .. } => {
                for byte in value {
                    match byte {
                        b'\\' => out.extend(b"\\\\"),
                        b'\n' => out.extend(b"\\n"),
                        b'\r' => out.extend(b"\\r"),
                        b'\t' => out.extend(b"\\t"),
                        8 => out.extend(b"\\b"),
                        11 => out.extend(b"\\v"),
                        12 => out.extend(b"\\f"),
                        byte if byte == delimiter => out.extend([b'\\', *byte]),
                        byte => out.push(*byte),
                    }
                }
            }
            Self::Csv {
                delimiter,
                null,
                quote,
                escape,
                ..
            } => {
                let special = [*delimiter, *quote, b'\n', b'\r'];
                let is_quoted = value == null.as_bytes()
                    || value == b"\\."
                    || value.iter().any(|byte| special.contains(byte));
                if !is_quoted {
                    out.extend_from_slice(value);
                    return;
                }
                out.push(*quote);
                for byte in value {
                    if byte == quote || byte == escape {
                        out.push(*escape);
                    }
                    out.push(*byte);
                }
                out.push(*quote);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_that_look_like_something_else_are_marked() {
        let text = || Form::Text {
            delimiter: b'\t',
            null: "\\N".to_owned(),
        };
        let written = |form: &Form, value: &str| {
            let mut out = Vec::new();
            form.text(value.as_bytes(), &mut out);
            String::from_utf8(out).expect("a text")
        };
        assert_eq!(written(&text(), "a\tb\\N\n"), "a\\tb\\\\N\\n");
        let csv = Form::Csv {
            delimiter: b',',
            null: String::new(),
            header: false,
            quote: b'"',
            escape: b'"',
        };
        assert_eq!(written(&csv, ""), "\"\"");
        assert_eq!(written(&csv, "a,\"b\""), "\"a,\"\"b\"\"\"");
        assert_eq!(written(&csv, "plain"), "plain");
    }
}
