//! What a connection begins with: questions, TLS, and what its client wants.

use std::io;

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

use crate::refusal::{PROTOCOL, Refusal};
use crate::tls::Tls;
use crate::wire::{Hello, Malformed, hello};

/// Bytes of a client.
pub(crate) type Incoming = Box<dyn AsyncRead + Send + Unpin>;
/// Bytes to a client.
pub(crate) type Outgoing = Box<dyn AsyncWrite + Send + Unpin>;

/// A connection whose first message is there.
pub(crate) struct Opened {
    stream: Stream,
    pub(crate) hello: Result<Hello, Refusal>,
}

/// The bytes of a connection, in the clear or within TLS.
enum Stream {
    Clear(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

/// Which questions may come before a session: for TLS, for Kerberos, and once more.
const MOST_QUESTIONS: usize = 4;

impl Opened {
    /// Answers a client's questions up to its first message that is none; `None` where it has gone away instead.
    ///
    /// The message is read to its end and no further: what is sent in the clear behind a question for TLS is a
    /// handshake, or nothing.
    ///
    /// # Errors
    ///
    /// The connection broke off, or is none of TLS where it should be.
    pub(crate) async fn of(tls: Option<&Tls>, mut stream: TcpStream) -> io::Result<Option<Self>> {
        if let Some(tls) = tls
            && Tls::is_direct(&stream).await?
        {
            return Self::within(tls.accept_direct(stream).await?).await;
        }
        for _ in 0..MOST_QUESTIONS {
            let Some(said) = hello(&mut stream).await? else {
                return Ok(None);
            };
            match (said, tls) {
                (Ok(Hello::Tls), Some(tls)) => {
                    stream.write_all(b"S").await?;
                    return Self::within(tls.accept(stream).await?).await;
                }
                // Neither is had here.
                (Ok(Hello::Tls | Hello::Gss), _) => stream.write_all(b"N").await?,
                (said, _) => return Ok(Some(Self::new(Stream::Clear(stream), said))),
            }
        }
        Ok(Some(Self {
            stream: Stream::Clear(stream),
            hello: Err(late()),
        }))
    }

    async fn within(mut stream: TlsStream<TcpStream>) -> io::Result<Option<Self>> {
        let said = hello(&mut stream).await?;
        Ok(said.map(|said| Self::new(Stream::Tls(Box::new(stream)), said)))
    }

    fn new(stream: Stream, said: Result<Hello, Malformed>) -> Self {
        let hello = match said {
            Ok(Hello::Tls | Hello::Gss) => Err(late()),
            Ok(hello) => Ok(hello),
            Err(malformed) => Err(Refusal::new(PROTOCOL, malformed.to_string())),
        };
        Self { stream, hello }
    }

    /// Whether it is within TLS.
    pub(crate) fn has_tls(&self) -> bool {
        matches!(self.stream, Stream::Tls(_))
    }

    /// Its two directions, and its first message.
    pub(crate) fn split(self) -> (Incoming, Outgoing, Result<Hello, Refusal>) {
        let (from, to): (Incoming, Outgoing) = match self.stream {
            Stream::Clear(stream) => {
                let (from, to) = stream.into_split();
                (Box::new(from), Box::new(to))
            }
            Stream::Tls(stream) => {
                let (from, to) = tokio::io::split(stream);
                (Box::new(from), Box::new(to))
            }
        };
        (from, to, self.hello)
    }
}

fn late() -> Refusal {
    Refusal::new(PROTOCOL, "a session was expected by now")
}
