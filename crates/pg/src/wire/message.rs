//! What clients send once they are signed in.

use super::reader::{Body, Malformed};

/// A message of a client.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Message {
    /// `Q`: statements, to be answered at once.
    Query(String),
    /// `P`: a statement, to be kept.
    Parse {
        /// None is the empty one.
        name: String,
        text: String,
        /// Of its parameters, those that the client knows; 0 is unknown.
        types: Vec<u32>,
    },
    /// `B`: values for a statement's parameters.
    Bind(Bind),
    /// `D`
    Describe(Target),
    /// `C`
    Close(Target),
    /// `E`
    Execute {
        portal: String,
        /// Without, all.
        rows: Option<usize>,
    },
    /// `H`
    Flush,
    /// `S`
    Sync,
    /// `X`
    Terminate,
    /// `p`
    Password(String),
    /// `d`, `c`, `f`: of a COPY into a table, which may have been refused meanwhile.
    Copied,
}

/// A statement that becomes a portal.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Bind {
    pub(crate) portal: String,
    pub(crate) statement: String,
    /// Whether values are in binary: none for texts, one for all, or one each.
    pub(crate) formats: Vec<bool>,
    /// The parameters' values; `None` is null.
    pub(crate) values: Vec<Option<Vec<u8>>>,
    /// The same of the columns that come back.
    pub(crate) results: Vec<bool>,
}

/// Which of the things that have names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    Statement(String),
    Portal(String),
}

impl Message {
    /// # Errors
    ///
    /// It is none.
    pub(super) fn of(kind: u8, body: &[u8]) -> Result<Self, Malformed> {
        let mut body = Body(body);
        let message = match kind {
            b'Q' => Self::Query(body.text()?),
            b'P' => Self::Parse {
                name: body.text()?,
                text: body.text()?,
                types: body.list(|body| Ok(body.int()? as u32))?,
            },
            b'B' => Self::Bind(Bind {
                portal: body.text()?,
                statement: body.text()?,
                formats: body.list(format)?,
                values: body.list(value)?,
                results: body.list(format)?,
            }),
            b'D' => Self::Describe(target(&mut body)?),
            b'C' => Self::Close(target(&mut body)?),
            b'E' => Self::Execute {
                portal: body.text()?,
                // As in PostgreSQL, no number is none that limits.
                rows: usize::try_from(body.int()?).ok().filter(|rows| *rows > 0),
            },
            b'H' => Self::Flush,
            b'S' => Self::Sync,
            b'X' => Self::Terminate,
            b'p' => Self::Password(body.text()?),
            b'd' | b'c' | b'f' => return Ok(Self::Copied),
            other => return Err(Malformed::Kind(other)),
        };
        body.end()?;
        Ok(message)
    }
}

fn format(body: &mut Body<'_>) -> Result<bool, Malformed> {
    match body.short()? {
        0 => Ok(false),
        1 => Ok(true),
        _ => Err(Malformed::Short),
    }
}

fn value(body: &mut Body<'_>) -> Result<Option<Vec<u8>>, Malformed> {
    match body.int()? {
        -1 => Ok(None),
        length => {
            let length = usize::try_from(length).map_err(|_| Malformed::Short)?;
            Ok(Some(body.bytes(length)?.to_vec()))
        }
    }
}

fn target(body: &mut Body<'_>) -> Result<Target, Malformed> {
    let kind = body.byte()?;
    let name = body.text()?;
    match kind {
        b'S' => Ok(Target::Statement(name)),
        b'P' => Ok(Target::Portal(name)),
        other => Err(Malformed::Kind(other)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bind_has_names_formats_values_and_the_formats_that_are_wanted() {
        let body = b"p\0s\0\0\x01\0\x01\0\x02\xff\xff\xff\xff\0\0\0\x02ab\0\x02\0\0\0\x01";
        let bind = Message::of(b'B', body).expect("a bind");
        let wanted = Bind {
            portal: "p".to_owned(),
            statement: "s".to_owned(),
            formats: vec![true],
            values: vec![None, Some(b"ab".to_vec())],
            results: vec![false, true],
        };
        assert_eq!(bind, Message::Bind(wanted));
        for cut in 0..body.len() {
            assert!(Message::of(b'B', &body[..cut]).is_err(), "{cut}");
        }
        let longer = [&body[..], b"x"].concat();
        assert_eq!(Message::of(b'B', &longer), Err(Malformed::Long));
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_make_the_reader_panic(kind: u8, body: Vec<u8>) {
            let _ = Message::of(kind, &body);
        }
    }
}
