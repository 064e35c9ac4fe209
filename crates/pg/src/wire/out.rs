//! What the server sends: messages one behind the other, until somebody writes them.

use crate::refusal::Refusal;

/// A column of rows, as it is told in front of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Column {
    pub(crate) name: String,
    /// The type's number.
    pub(crate) oid: u32,
    /// How many bytes a value has; -1 where they differ.
    pub(crate) size: i16,
    /// Precision and scale of a decimal; -1 without.
    pub(crate) modifier: i32,
    /// Whether values are sent in binary.
    pub(crate) binary: bool,
}

/// Whether a transaction is open, as a client is told when it may go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Transaction {
    None,
    Open,
}

/// What a client should know and can go on with.
#[derive(Debug)]
pub(crate) struct Notice {
    /// `NOTICE`, `WARNING`
    pub(crate) severity: &'static str,
    pub(crate) code: &'static str,
    pub(crate) message: String,
}

/// Bytes that wait to be sent.
#[derive(Debug, Default)]
pub(crate) struct Out(pub(crate) Vec<u8>);

impl Out {
    /// A message of that kind: its length is what `body` adds.
    pub(crate) fn message<T>(&mut self, kind: u8, body: impl FnOnce(&mut Vec<u8>) -> T) -> T {
        self.0.push(kind);
        let start = self.0.len();
        self.0.extend([0; 4]);
        let given = body(&mut self.0);
        let length = (self.0.len() - start) as u32;
        self.0[start..start + 4].copy_from_slice(&length.to_be_bytes());
        given
    }

    /// A message that may fail half-way: then nothing of it is there.
    pub(crate) fn whole<E>(
        &mut self,
        kind: u8,
        body: impl FnOnce(&mut Vec<u8>) -> Result<(), E>,
    ) -> Result<(), E> {
        let start = self.0.len();
        let done = self.message(kind, body);
        if done.is_err() {
            self.0.truncate(start);
        }
        done
    }

    fn plain(&mut self, kind: u8) {
        self.message(kind, |_| {});
    }

    /// Who it is is believed.
    pub(crate) fn welcome(&mut self) {
        self.message(b'R', |body| body.extend(0_i32.to_be_bytes()));
    }

    /// Asks for a password, in the clear.
    pub(crate) fn ask_password(&mut self) {
        self.message(b'R', |body| body.extend(3_i32.to_be_bytes()));
    }

    /// That version 3.0 is spoken, and none of these options.
    pub(crate) fn negotiate(&mut self, unknown: &[&str]) {
        self.message(b'v', |body| {
            body.extend((3_i32 << 16).to_be_bytes());
            body.extend((unknown.len() as u32).to_be_bytes());
            for name in unknown {
                text(body, name);
            }
        });
    }

    pub(crate) fn parameter(&mut self, name: &str, value: &str) {
        self.message(b'S', |body| {
            text(body, name);
            text(body, value);
        });
    }

    /// What ends a statement of this connection from another one.
    pub(crate) fn key(&mut self, process: i32, key: i32) {
        self.message(b'K', |body| {
            body.extend(process.to_be_bytes());
            body.extend(key.to_be_bytes());
        });
    }

    pub(crate) fn ready(&mut self, transaction: Transaction) {
        self.message(b'Z', |body| {
            body.push(match transaction {
                Transaction::None => b'I',
                Transaction::Open => b'T',
            });
        });
    }

    pub(crate) fn refusal(&mut self, severity: &str, refusal: &Refusal) {
        self.message(b'E', |body| {
            told(body, severity, refusal.code, &refusal.message);
            if let Some(position) = refusal.position {
                field(body, b'P', &position.to_string());
            }
            if let Some(hint) = &refusal.hint {
                field(body, b'H', hint);
            }
            body.push(0);
        });
    }

    pub(crate) fn notice(&mut self, notice: &Notice) {
        self.message(b'N', |body| {
            told(body, notice.severity, notice.code, &notice.message);
            body.push(0);
        });
    }

    pub(crate) fn columns(&mut self, columns: &[Column]) {
        self.message(b'T', |body| {
            body.extend((columns.len() as u16).to_be_bytes());
            for column in columns {
                text(body, &column.name);
                // It is of no table that could be asked about.
                body.extend(0_i32.to_be_bytes());
                body.extend(0_i16.to_be_bytes());
                body.extend(column.oid.to_be_bytes());
                body.extend(column.size.to_be_bytes());
                body.extend(column.modifier.to_be_bytes());
                body.extend(i16::from(column.binary).to_be_bytes());
            }
        });
    }

    pub(crate) fn parameters(&mut self, types: &[u32]) {
        self.message(b't', |body| {
            body.extend((types.len() as u16).to_be_bytes());
            for oid in types {
                body.extend(oid.to_be_bytes());
            }
        });
    }

    /// A statement is done: its word, and how many rows it was about.
    pub(crate) fn done(&mut self, tag: &str) {
        self.message(b'C', |body| text(body, tag));
    }

    pub(crate) fn empty(&mut self) {
        self.plain(b'I');
    }

    pub(crate) fn parsed(&mut self) {
        self.plain(b'1');
    }

    pub(crate) fn bound(&mut self) {
        self.plain(b'2');
    }

    pub(crate) fn closed(&mut self) {
        self.plain(b'3');
    }

    pub(crate) fn no_rows(&mut self) {
        self.plain(b'n');
    }

    /// There are more rows than were asked for.
    pub(crate) fn suspended(&mut self) {
        self.plain(b's');
    }

    /// Rows come as a COPY, all columns in one format.
    pub(crate) fn copy_out(&mut self, columns: usize, binary: bool) {
        self.message(b'H', |body| {
            body.push(u8::from(binary));
            body.extend((columns as u16).to_be_bytes());
            for _ in 0..columns {
                body.extend(i16::from(binary).to_be_bytes());
            }
        });
    }

    pub(crate) fn copied(&mut self) {
        self.plain(b'c');
    }
}

fn told(body: &mut Vec<u8>, severity: &str, code: &str, message: &str) {
    field(body, b'S', severity);
    field(body, b'V', severity);
    field(body, b'C', code);
    field(body, b'M', message);
}

fn field(body: &mut Vec<u8>, kind: u8, value: &str) {
    body.push(kind);
    text(body, value);
}

/// A text and the zero behind it, which no text has within.
fn text(body: &mut Vec<u8>, text: &str) {
    body.extend(text.bytes().filter(|byte| *byte != 0));
    body.push(0);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_say_how_long_they_are() {
        let mut out = Out::default();
        out.done("SELECT 1");
        out.ready(Transaction::Open);
        assert_eq!(out.0, b"C\0\0\0\x0dSELECT 1\0Z\0\0\0\x05T");
    }

    #[test]
    fn the_version_that_is_spoken_is_told_with_both_its_numbers() {
        let mut out = Out::default();
        out.negotiate(&["_pq_.x"]);
        assert_eq!(out.0, b"v\0\0\0\x13\0\x03\0\0\0\0\0\x01_pq_.x\0");
    }

    #[test]
    fn nothing_is_left_of_a_message_that_fails() {
        let mut out = Out::default();
        out.parsed();
        let failed = out.whole(b'D', |body| {
            body.push(1);
            Err(())
        });
        assert_eq!((failed, out.0.len()), (Err(()), 5));
    }

    #[test]
    fn a_zero_within_a_text_does_not_end_it() {
        let mut out = Out::default();
        out.parameter("a\0b", "c");
        assert_eq!(out.0, b"S\0\0\0\x09ab\0c\0");
    }
}
