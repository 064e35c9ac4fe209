//! TLS: the certificate that the front shows, and connections within it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::{self, PemObject as _};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::NoServerSessionStorage;
use tokio_rustls::rustls::{Error, ServerConfig};
use tokio_rustls::server::TlsStream;

/// What PostgreSQL's protocol is called within TLS (ALPN).
const PROTOCOL: &[u8] = b"postgresql";
/// The first byte of TLS: the kind of the record that a handshake begins with.
const HANDSHAKE: u8 = 22;

/// A certificate and its key, for TLS 1.2 and 1.3.
#[derive(Clone, Debug)]
pub struct Tls(Arc<ServerConfig>);

/// Why there is no TLS.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// The certificate's file is none.
    #[error("{path}: no certificate in PEM form: {reason}")]
    Certificate {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: pem::Error,
    },
    /// The key's file is none, or one that is locked by a password.
    #[error("{path}: no private key in PEM form that no password locks: {reason}")]
    Key {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: pem::Error,
    },
    /// The two are for each other's others.
    #[error("{key} is not the key of the certificate {certificate}")]
    Mismatch {
        /// The certificate's file.
        certificate: PathBuf,
        /// The key's file.
        key: PathBuf,
    },
    /// They can't be used for another reason.
    #[error("{certificate}, {key}: {reason}")]
    Unusable {
        /// The certificate's file.
        certificate: PathBuf,
        /// The key's file.
        key: PathBuf,
        /// What is wrong with them.
        reason: Error,
    },
}

impl Tls {
    /// Of two files in PEM form: the certificate with those that lead to its authority behind it, and its key.
    ///
    /// # Errors
    /// One of them can't be read, or they don't belong to each other.
    pub fn open(certificate: &Path, key: &Path) -> Result<Self, TlsError> {
        let bad_certificate = |reason| TlsError::Certificate {
            path: certificate.to_owned(),
            reason,
        };
        let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_file_iter(certificate)
            .and_then(Iterator::collect)
            .map_err(bad_certificate)?;
        if chain.is_empty() {
            return Err(bad_certificate(pem::Error::NoItemsFound));
        }
        let own_key = PrivateKeyDer::from_pem_file(key).map_err(|reason| TlsError::Key {
            path: key.to_owned(),
            reason,
        })?;
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .and_then(|config| {
                config
                    .with_no_client_auth()
                    .with_single_cert(chain, own_key)
            });
        let mut config = config.map_err(|reason| {
            let (certificate, key) = (certificate.to_owned(), key.to_owned());
            match reason {
                Error::InconsistentKeys(_) => TlsError::Mismatch { certificate, key },
                reason => TlsError::Unusable {
                    certificate,
                    key,
                    reason,
                },
            }
        })?;
        config.alpn_protocols = vec![PROTOCOL.to_owned()];
        // Sessions are long, and libpq takes none up again.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        Ok(Self(Arc::new(config)))
    }

    /// Whether a client begins with TLS itself, without asking for it first.
    pub(crate) async fn is_direct(stream: &TcpStream) -> std::io::Result<bool> {
        let mut first = [0];
        Ok(stream.peek(&mut first).await? == 1 && first[0] == HANDSHAKE)
    }

    /// The server's side of a handshake.
    pub(crate) async fn accept(&self, stream: TcpStream) -> std::io::Result<TlsStream<TcpStream>> {
        TlsAcceptor::from(Arc::clone(&self.0)).accept(stream).await
    }

    /// The same with a client that has not asked for it: as in PostgreSQL it must say what it wants to speak, so that
    /// nobody leads one of another protocol here.
    pub(crate) async fn accept_direct(
        &self,
        stream: TcpStream,
    ) -> std::io::Result<TlsStream<TcpStream>> {
        let stream = self.accept(stream).await?;
        match stream.get_ref().1.alpn_protocol() {
            Some(PROTOCOL) => Ok(stream),
            _ => Err(std::io::Error::other(
                "a client began with TLS and did not name PostgreSQL's protocol (ALPN)",
            )),
        }
    }
}
