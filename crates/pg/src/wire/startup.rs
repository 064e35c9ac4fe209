//! What a connection begins with: a length, a number that says what it is, and the rest.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt};

use super::reader::{Body, Malformed};

/// The longest first message, in bytes, as in PostgreSQL.
const LONGEST: usize = 10_000;

/// A connection's first message.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Hello {
    /// Whether TLS can be had.
    Tls,
    /// Whether Kerberos' encryption can be had.
    Gss,
    /// The statement that runs on another connection is to end.
    Cancel { process: i32, key: i32 },
    /// A session.
    Session {
        /// Of version 3.
        minor: u16,
        /// Names and values in their order.
        parameters: Vec<(String, String)>,
    },
    /// A version that isn't spoken here.
    Version(u16),
}

/// Reads it; `None` where the client has closed the connection, as who only looks whether a port is open does.
pub(crate) async fn hello(
    from: &mut (impl AsyncRead + Unpin),
) -> io::Result<Option<Result<Hello, Malformed>>> {
    let length = match from.read_u32().await {
        Ok(length) => length,
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        Err(error) => return Err(error),
    };
    let rest = (length as usize).checked_sub(4);
    let Some(rest) = rest.filter(|rest| *rest <= LONGEST) else {
        return Ok(Some(Err(Malformed::Length(length, LONGEST))));
    };
    let mut body = vec![0; rest];
    from.read_exact(&mut body).await?;
    Ok(Some(of(&body)))
}

fn of(body: &[u8]) -> Result<Hello, Malformed> {
    let mut body = Body(body);
    let (major, minor) = (body.short()?, body.short()?);
    let hello = match (major, minor) {
        (1234, 5679) => Hello::Tls,
        (1234, 5680) => Hello::Gss,
        (1234, 5678) => Hello::Cancel {
            process: body.int()?,
            key: body.int()?,
        },
        (3, minor) => {
            let mut parameters = Vec::new();
            loop {
                let name = body.text()?;
                if name.is_empty() {
                    break;
                }
                parameters.push((name, body.text()?));
            }
            Hello::Session { minor, parameters }
        }
        (major, _) => return Ok(Hello::Version(major)),
    };
    body.end()?;
    Ok(hello)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_has_parameters_up_to_an_empty_name() {
        let body = b"\0\x03\0\0user\0me\0database\0prod:all\0\0";
        let pairs = [("user", "me"), ("database", "prod:all")];
        let wanted = Hello::Session {
            minor: 0,
            parameters: pairs.map(|(k, v)| (k.to_owned(), v.to_owned())).to_vec(),
        };
        assert_eq!(of(body), Ok(wanted));
        for cut in 0..body.len() {
            assert!(of(&body[..cut]).is_err(), "{cut}");
        }
    }

    #[test]
    fn version_2_and_what_is_no_postgresql_at_all_are_told_apart() {
        assert_eq!(of(b"\0\x02\0\0rest"), Ok(Hello::Version(2)));
        let cancel = b"\x04\xd2\x16\x2e\0\0\0\x05\0\0\0\x06";
        assert_eq!(of(cancel), Ok(Hello::Cancel { process: 5, key: 6 }));
    }

    #[tokio::test]
    async fn a_browser_is_refused_by_its_first_four_bytes() {
        let mut http = &b"GET / HTTP/1.1\r\n"[..];
        let found = hello(&mut http).await.expect("read").expect("something");
        assert!(matches!(found, Err(Malformed::Length(..))), "{found:?}");
    }
}
