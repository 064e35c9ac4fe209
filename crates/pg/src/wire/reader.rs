//! Messages as they come in: a byte for the kind, four for the length, and the rest.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt};

use super::message::Message;

/// The longest message, in bytes: what is longer is no statement that anybody wrote.
pub(crate) const LONGEST: usize = 4 << 20;
/// The longest message of somebody who has not signed in yet, in bytes: a token is far shorter.
const LONGEST_PASSWORD: usize = 8 << 10;

/// What is no message of the protocol.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Malformed {
    /// The length in front is one that no message has.
    #[error("a message says that it has {0} bytes; {1} are the most")]
    Length(u32, usize),
    /// It ends before what it says that it has.
    #[error("a message ends before its values do")]
    Short,
    /// It goes on behind its last value.
    #[error("a message goes on behind its last value")]
    Long,
    /// Texts are UTF-8, whatever the client's encoding.
    #[error("a text in a message is no UTF-8")]
    Encoding,
    /// A kind that clients don't send, or one that isn't known here.
    #[error("there is no message of the kind {:?}", char::from(*.0))]
    Kind(u8),
}

/// What stands in front of a message: its kind, and how many bytes it has behind its length.
pub(crate) struct Head {
    kind: u8,
    pub(crate) rest: usize,
}

/// The beginning of the next message; `None` where the client has closed the connection between two.
///
/// # Errors
///
/// The connection broke off. A length that no message has is told within.
pub(crate) async fn head(
    from: &mut (impl AsyncRead + Unpin),
) -> io::Result<Option<Result<Head, Malformed>>> {
    head_up_to(from, LONGEST).await
}

async fn head_up_to(
    from: &mut (impl AsyncRead + Unpin),
    most: usize,
) -> io::Result<Option<Result<Head, Malformed>>> {
    let mut kind = [0];
    if from.read(&mut kind).await? == 0 {
        return Ok(None);
    }
    let length = from.read_u32().await?;
    let rest = (length as usize).checked_sub(4);
    Ok(Some(match rest.filter(|rest| *rest <= most) {
        Some(rest) => Ok(Head {
            kind: kind[0],
            rest,
        }),
        None => Err(Malformed::Length(length, most)),
    }))
}

/// The rest of a message.
///
/// # Errors
///
/// The connection broke off. What came and is no message is told within.
pub(crate) async fn body(
    from: &mut (impl AsyncRead + Unpin),
    head: &Head,
) -> io::Result<Result<Message, Malformed>> {
    let mut body = vec![0; head.rest];
    from.read_exact(&mut body).await?;
    Ok(Message::of(head.kind, &body))
}

/// The message of somebody who is asked for a password; `None` where the client has closed the connection instead.
///
/// # Errors
///
/// The connection broke off. What came and is no message is told within.
pub(crate) async fn password(
    from: &mut (impl AsyncRead + Unpin),
) -> io::Result<Option<Result<Message, Malformed>>> {
    Ok(match head_up_to(from, LONGEST_PASSWORD).await? {
        None => None,
        Some(Err(malformed)) => Some(Err(malformed)),
        Some(Ok(head)) => Some(body(from, &head).await?),
    })
}

/// What is left of a message.
#[derive(Clone, Copy)]
pub(crate) struct Body<'a>(pub(crate) &'a [u8]);

impl<'a> Body<'a> {
    pub(crate) fn bytes(&mut self, count: usize) -> Result<&'a [u8], Malformed> {
        let (bytes, rest) = self.0.split_at_checked(count).ok_or(Malformed::Short)?;
        self.0 = rest;
        Ok(bytes)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let bytes = self.bytes(N)?;
        bytes.try_into().map_err(|_| Malformed::Short)
    }

    pub(crate) fn byte(&mut self) -> Result<u8, Malformed> {
        Ok(self.array::<1>()?[0])
    }

    pub(crate) fn short(&mut self) -> Result<u16, Malformed> {
        Ok(u16::from_be_bytes(self.array()?))
    }

    pub(crate) fn int(&mut self) -> Result<i32, Malformed> {
        Ok(i32::from_be_bytes(self.array()?))
    }

    /// A text with a zero behind it.
    pub(crate) fn text(&mut self) -> Result<String, Malformed> {
        let end = self.0.iter().position(|byte| *byte == 0);
        let text = self.bytes(end.ok_or(Malformed::Short)?)?;
        self.bytes(1)?;
        match std::str::from_utf8(text) {
            Ok(text) => Ok(text.to_owned()),
            Err(_) => Err(Malformed::Encoding),
        }
    }

    /// A number of values, and these.
    pub(crate) fn list<T>(
        &mut self,
        one: impl Fn(&mut Self) -> Result<T, Malformed>,
    ) -> Result<Vec<T>, Malformed> {
        let count = self.short()?;
        (0..count).map(|_| one(self)).collect()
    }

    /// Nothing may be left.
    pub(crate) fn end(self) -> Result<(), Malformed> {
        match self.0 {
            [] => Ok(()),
            _ => Err(Malformed::Long),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn read(mut bytes: &[u8]) -> io::Result<Option<Result<Message, Malformed>>> {
        Ok(match head(&mut bytes).await? {
            None => None,
            Some(Err(malformed)) => Some(Err(malformed)),
            Some(Ok(head)) => Some(body(&mut bytes, &head).await?),
        })
    }

    #[tokio::test]
    async fn a_length_that_no_message_has_is_refused_before_anything_is_kept_for_it() {
        for length in [0_u32, 3, u32::MAX, i32::MAX as u32, 5 + LONGEST as u32] {
            let bytes = [&b"Q"[..], &length.to_be_bytes()].concat();
            let found = read(&bytes).await.expect("read").expect("a message");
            assert_eq!(found, Err(Malformed::Length(length, LONGEST)));
        }
    }

    #[tokio::test]
    async fn who_has_not_signed_in_gets_room_for_a_password_and_no_more() {
        let length = 5 + LONGEST_PASSWORD as u32;
        let bytes = [&b"p"[..], &length.to_be_bytes()].concat();
        let found = password(&mut &bytes[..]).await.expect("read");
        assert_eq!(
            found,
            Some(Err(Malformed::Length(length, LONGEST_PASSWORD)))
        );
        let found = password(&mut &b"p\0\0\0\x06a\0"[..]).await.expect("read");
        assert_eq!(found, Some(Ok(Message::Password("a".to_owned()))));
    }

    #[tokio::test]
    async fn an_end_between_messages_is_none_and_one_within_is_an_error() {
        assert!(read(b"").await.expect("an end").is_none());
        for cut in 1..9 {
            let bytes = &b"Q\0\0\0\x09SELE\0"[..cut];
            let error = read(bytes).await.expect_err("cut off");
            assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof, "{cut}");
        }
    }

    #[test]
    fn a_text_ends_with_a_zero_and_is_utf_8() {
        assert_eq!(Body(b"abc").text(), Err(Malformed::Short));
        assert_eq!(Body(b"\xff\0").text(), Err(Malformed::Encoding));
        let mut body = Body(b"\xc3\xa4\0rest");
        assert_eq!(body.text().as_deref(), Ok("ä"));
        assert_eq!(body.0, b"rest");
    }
}
