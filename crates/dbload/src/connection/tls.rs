//! Encryption, and what of the server's certificate is checked.

use std::io::{self, Read, Write};
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;

use bytes::BytesMut;
use postgres_protocol::message::frontend;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, ClientConnection, DigitallySignedStruct, Error, RootCertStore,
    SignatureScheme, StreamOwned,
};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::error::ConnectionError;
use super::stream::{Socket, Stream};

/// What a URL asks for by `sslmode`, with the meaning that PostgreSQL's own client gives to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SslMode {
    /// No encryption.
    Disable,
    /// Encryption where the server offers it; the certificate is not looked at.
    Prefer,
    /// Encryption or no connection; the certificate is looked at only where `sslrootcert` is given.
    Require,
    /// As `Require`, and the certificate must come from a known authority.
    VerifyCa,
    /// As `VerifyCa`, and the certificate must be for the host of the URL.
    VerifyFull,
}

impl FromStr for SslMode {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "disable" => Ok(Self::Disable),
            "prefer" => Ok(Self::Prefer),
            "require" => Ok(Self::Require),
            "verify-ca" => Ok(Self::VerifyCa),
            "verify-full" => Ok(Self::VerifyFull),
            _ => Err(()),
        }
    }
}

/// How connections are encrypted.
#[derive(Clone)]
pub(crate) struct Tls {
    optional: bool,
    config: Arc<ClientConfig>,
}

impl Tls {
    /// The encryption of `mode` with the authorities in the file `root_certificates`, or those that
    /// the system trusts; none for [`SslMode::Disable`]. The error is a reason in words.
    pub(crate) fn new(
        mode: SslMode,
        root_certificates: Option<&str>,
    ) -> Result<Option<Self>, String> {
        let checked = match (mode, root_certificates) {
            (SslMode::Disable, _) => return Ok(None),
            (SslMode::Prefer, _) | (SslMode::Require, None) => Checked::Nothing,
            (SslMode::Require | SslMode::VerifyCa, _) => Checked::Authority,
            (SslMode::VerifyFull, _) => Checked::AuthorityAndName,
        };
        let provider = Arc::new(ring::default_provider());
        let webpki = match checked {
            Checked::Nothing => None,
            Checked::Authority | Checked::AuthorityAndName => {
                let roots = Arc::new(roots(root_certificates)?);
                let verifier =
                    WebPkiServerVerifier::builder_with_provider(roots, Arc::clone(&provider))
                        .build()
                        .map_err(|error| format!("its sslrootcert cannot be used: {error}"))?;
                Some(verifier)
            }
        };
        let verifier = Verifier {
            checked,
            webpki,
            provider: Arc::clone(&provider),
        };
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| format!("TLS cannot be set up: {error}"))?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier))
            .with_no_client_auth();
        Ok(Some(Self {
            optional: mode == SslMode::Prefer,
            config: Arc::new(config),
        }))
    }

    /// The same encryption for the client that loads.
    pub(crate) fn connector(&self) -> MakeRustlsConnect {
        MakeRustlsConnect::new(ClientConfig::clone(&self.config))
    }

    /// Asks the server of `stream` for encryption, for the host `name`, and begins it.
    pub(super) fn negotiate(
        &self,
        mut stream: Socket,
        name: &str,
    ) -> Result<Stream, ConnectionError> {
        let mut request = BytesMut::new();
        frontend::ssl_request(&mut request);
        stream.write_all(&request)?;
        // Not a byte more than this one is read, so that nothing that was sent in plain can pass for
        // something encrypted.
        let mut answer = [0];
        stream.read_exact(&mut answer)?;
        match answer[0] {
            b'S' => Ok(self.encrypt(stream, name)?),
            b'N' if self.optional => Ok(Stream::Plain(stream)),
            b'N' => Err(ConnectionError::Io(io::Error::new(
                io::ErrorKind::Unsupported,
                "the server does not offer TLS, which the sslmode of the URL demands",
            ))),
            _ => Err(ConnectionError::protocol(
                "no answer to the question for TLS",
            )),
        }
    }

    fn encrypt(&self, mut stream: Socket, name: &str) -> io::Result<Stream> {
        let name = ServerName::try_from(name.to_owned())
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
        let mut session =
            ClientConnection::new(Arc::clone(&self.config), name).map_err(io::Error::other)?;
        while session.is_handshaking() {
            session.complete_io(&mut stream)?;
        }
        Ok(Stream::Tls(Box::new(StreamOwned::new(session, stream))))
    }
}

/// The certificates of a file in PEM form, or those of the system for none or `system`.
fn roots(file: Option<&str>) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    match file {
        None | Some("system") => {
            let found = rustls_native_certs::load_native_certs();
            roots.add_parsable_certificates(found.certs);
            if roots.is_empty() {
                return Err(
                    "the system has no trusted certificates; name a file in sslrootcert".into(),
                );
            }
        }
        Some(file) => {
            let refuse = |error: &dyn std::fmt::Display| {
                format!("its sslrootcert {file:?} cannot be used: {error}")
            };
            let certificates =
                CertificateDer::pem_file_iter(Path::new(file)).map_err(|error| refuse(&error))?;
            for certificate in certificates {
                let certificate = certificate.map_err(|error| refuse(&error))?;
                roots.add(certificate).map_err(|error| refuse(&error))?;
            }
            if roots.is_empty() {
                return Err(refuse(&"there is no certificate in it"));
            }
        }
    }
    Ok(roots)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Checked {
    Nothing,
    Authority,
    AuthorityAndName,
}

/// Checks as much of a certificate as was asked for. In any case the server must have the key of the
/// certificate that it shows.
#[derive(Debug)]
struct Verifier {
    checked: Checked,
    /// There is one unless nothing is checked.
    webpki: Option<Arc<WebPkiServerVerifier>>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let Some(webpki) = &self.webpki else {
            return Ok(ServerCertVerified::assertion());
        };
        let outcome =
            webpki.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now);
        match outcome {
            // The name is looked at last, when all else is right.
            Err(Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) if self.checked == Checked::Authority => Ok(ServerCertVerified::assertion()),
            outcome => outcome,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}
