//! What proves a signature: secrets, public keys, tokens. Each comparison takes the same time, whatever is wrong.

use std::borrow::Cow;

use aws_lc_rs::{
    constant_time::verify_slices_are_equal,
    hmac,
    signature::{self, ParsedPublicKey, VerificationAlgorithm},
};
use base64::Engine;
use rustls::{
    pki_types::{CertificateDer, SubjectPublicKeyInfoDer, pem::PemObject},
    server::ParsedCertificate,
};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

use super::{
    Piece,
    value::{BASE64, hexadecimal},
};
use crate::config::{Algorithm, Padding, Parts, Proof, Scheme, SecretEncoding, Token};

/// Why a secret or public key signs nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoKey {
    #[error("is not base64, with or without `whsec_` before it")]
    StandardWebhooks,
    #[error("is not hexadecimal")]
    Hex,
    #[error("is not base64")]
    Base64,
    #[error("must be USER:PASSWORD, as the sender has them in its URL")]
    NoUser,
    #[error(
        "cannot be read: it must be a key or certificate in PEM, a key in base64 (DER), or 64 hexadecimal digits (Ed25519)"
    )]
    PublicKey,
    #[error(
        "is none that the gateway knows: Ed25519, ECDSA over P-256 or P-384, RSA of 2048 to 8192 bits; with `padding` = \"pss\" not SHA-1"
    )]
    KindOfKey,
}

impl NoKey {
    /// What it is said of.
    pub fn whose(self) -> &'static str {
        if matches!(self, Self::PublicKey | Self::KindOfKey) { "public key" } else { "secret" }
    }
}

/// The keys of a client, the current one first.
pub(super) enum Keys {
    Macs { secrets: Vec<SecretString>, keys: Vec<hmac::Key> },
    Public(Vec<ParsedPublicKey>),
    Tokens(Vec<SecretString>),
}

impl Keys {
    pub(super) fn of(scheme: &Scheme, secrets: &[SecretString]) -> Result<Self, NoKey> {
        let (algorithm, encoding) = match scheme {
            Scheme::Token(token) => return tokens(token, secrets),
            Scheme::Parts(Parts { proof: Proof::PublicKey { algorithm, padding }, .. }) => {
                let key = |text: &SecretString| public_key(text.expose_secret(), *algorithm, *padding);
                return secrets.iter().map(key).collect::<Result<_, _>>().map(Self::Public);
            }
            Scheme::Parts(Parts { proof: Proof::Hmac { algorithm, secret }, .. }) => (*algorithm, *secret),
            Scheme::Adyen => (Algorithm::Sha256, SecretEncoding::Hex),
            Scheme::Mailgun | Scheme::StandardWebhooks => (Algorithm::Sha256, SecretEncoding::Text),
        };
        let is_standard = matches!(scheme, Scheme::StandardWebhooks);
        let key = |secret: &SecretString| {
            let bytes = match is_standard {
                true => standard_webhooks(secret.expose_secret())?,
                false => bytes(encoding, secret.expose_secret())?,
            };
            Ok(hmac::Key::new(mac(algorithm), &bytes))
        };
        Ok(Self::Macs { keys: secrets.iter().map(key).collect::<Result<_, _>>()?, secrets: secrets.to_vec() })
    }

    /// The current secret; none of public keys.
    pub(super) fn secret(&self) -> Option<&SecretString> {
        match self {
            Self::Macs { secrets, .. } | Self::Tokens(secrets) => secrets.first(),
            Self::Public(_) => None,
        }
    }

    /// Whether one of the keys has made one of the signatures. Each is tried with each, whichever is right.
    pub(super) fn have_signed(&self, signed: &[Piece<'_>], signatures: &[Vec<u8>]) -> bool {
        let mut is_right = false;
        match self {
            Self::Macs { keys, .. } => {
                for key in keys {
                    let own = sign(key, signed);
                    for mac in signatures {
                        is_right |= verify_slices_are_equal(own.as_ref(), mac).is_ok();
                    }
                }
            }
            Self::Public(keys) => {
                let message = match signed {
                    [one] => Cow::Borrowed(&*one.bytes),
                    several => several.iter().flat_map(|piece| &*piece.bytes).copied().collect(),
                };
                for key in keys {
                    for signature in signatures {
                        is_right |= key.verify_sig(&message, signature).is_ok();
                    }
                }
            }
            Self::Tokens(_) => {}
        }
        is_right
    }

    /// Whether this is one of the tokens. Their hashes are compared, so that not even a length is told.
    pub(super) fn have_token(&self, token: &[u8]) -> bool {
        let Self::Tokens(own) = self else { return false };
        let hash = Sha256::digest(token);
        let mut is_right = false;
        for token in own {
            let own = Sha256::digest(token.expose_secret().as_bytes());
            is_right |= verify_slices_are_equal(&own, &hash).is_ok();
        }
        is_right
    }

    /// The signature of the current secret; none where only the sender can sign.
    pub(super) fn sign(&self, signed: &[Piece<'_>]) -> Option<Vec<u8>> {
        match self {
            Self::Macs { keys, .. } => keys.first().map(|key| sign(key, signed).as_ref().to_vec()),
            Self::Public(_) | Self::Tokens(_) => None,
        }
    }
}

fn sign(key: &hmac::Key, signed: &[Piece<'_>]) -> hmac::Tag {
    let mut context = hmac::Context::with_key(key);
    signed.iter().for_each(|piece| context.update(&piece.bytes));
    context.sign()
}

fn mac(algorithm: Algorithm) -> hmac::Algorithm {
    match algorithm {
        Algorithm::Sha1 => hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
        Algorithm::Sha256 => hmac::HMAC_SHA256,
        Algorithm::Sha384 => hmac::HMAC_SHA384,
        Algorithm::Sha512 => hmac::HMAC_SHA512,
    }
}

/// Standard Webhooks 1.0.0, "Signature scheme": base64 behind `whsec_`.
fn standard_webhooks(text: &str) -> Result<Vec<u8>, NoKey> {
    let text = text.trim();
    let bytes = BASE64.decode(text.strip_prefix("whsec_").unwrap_or(text)).map_err(|_| NoKey::StandardWebhooks)?;
    if bytes.is_empty() { Err(NoKey::StandardWebhooks) } else { Ok(bytes) }
}

fn bytes(encoding: SecretEncoding, text: &str) -> Result<Vec<u8>, NoKey> {
    match encoding {
        SecretEncoding::Text => Ok(text.as_bytes().to_vec()),
        SecretEncoding::Hex => hexadecimal(text.trim()).ok_or(NoKey::Hex),
        SecretEncoding::Base64 => {
            BASE64.decode(text.trim()).ok().filter(|bytes| !bytes.is_empty()).ok_or(NoKey::Base64)
        }
    }
}

fn tokens(token: &Token, secrets: &[SecretString]) -> Result<Keys, NoKey> {
    let has_user = |secret: &SecretString| secret.expose_secret().contains(':');
    match token {
        Token::Basic if !secrets.iter().all(has_user) => Err(NoKey::NoUser),
        _ => Ok(Keys::Tokens(secrets.to_vec())),
    }
}

/// A public key, as senders show it: in PEM, alone or in a certificate; in base64 (SendGrid); as the 32 bytes of Ed25519 (Discord).
fn public_key(text: &str, algorithm: Algorithm, padding: Padding) -> Result<ParsedPublicKey, NoKey> {
    let text = text.trim();
    let der = if text.contains("-----BEGIN CERTIFICATE-----") {
        let certificate = CertificateDer::from_pem_slice(text.as_bytes()).map_err(|_| NoKey::PublicKey)?;
        let parsed = ParsedCertificate::try_from(&certificate).map_err(|_| NoKey::PublicKey)?;
        parsed.subject_public_key_info().as_ref().to_vec()
    } else if text.contains("-----BEGIN") {
        let key = SubjectPublicKeyInfoDer::from_pem_slice(text.as_bytes()).map_err(|_| NoKey::PublicKey)?;
        key.as_ref().to_vec()
    } else {
        let text: String = text.split_ascii_whitespace().collect();
        let raw = hexadecimal(&text).filter(|key| key.len() == 32);
        raw.or_else(|| BASE64.decode(&text).ok()).ok_or(NoKey::PublicKey)?
    };
    let known = kinds(algorithm, padding).into_iter().find_map(|kind| ParsedPublicKey::new(kind, &der).ok());
    known.ok_or(NoKey::KindOfKey)
}

/// What a key may be of; the first that it is of decides.
fn kinds(algorithm: Algorithm, padding: Padding) -> Vec<&'static dyn VerificationAlgorithm> {
    let mut kinds: Vec<&'static dyn VerificationAlgorithm> = vec![&signature::ED25519];
    match algorithm {
        Algorithm::Sha1 => {}
        Algorithm::Sha256 => kinds.extend([
            &signature::ECDSA_P256_SHA256_ASN1 as &dyn VerificationAlgorithm,
            &signature::ECDSA_P384_SHA256_ASN1,
        ]),
        Algorithm::Sha384 => kinds.extend([
            &signature::ECDSA_P256_SHA384_ASN1 as &dyn VerificationAlgorithm,
            &signature::ECDSA_P384_SHA384_ASN1,
        ]),
        Algorithm::Sha512 => kinds.extend([
            &signature::ECDSA_P256_SHA512_ASN1 as &dyn VerificationAlgorithm,
            &signature::ECDSA_P384_SHA512_ASN1,
        ]),
    }
    match (algorithm, padding) {
        (Algorithm::Sha1, Padding::Pkcs1) => kinds.push(&signature::RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY),
        (Algorithm::Sha256, Padding::Pkcs1) => kinds.push(&signature::RSA_PKCS1_2048_8192_SHA256),
        (Algorithm::Sha384, Padding::Pkcs1) => kinds.push(&signature::RSA_PKCS1_2048_8192_SHA384),
        (Algorithm::Sha512, Padding::Pkcs1) => kinds.push(&signature::RSA_PKCS1_2048_8192_SHA512),
        (Algorithm::Sha1, Padding::Pss) => {}
        (Algorithm::Sha256, Padding::Pss) => kinds.push(&signature::RSA_PSS_2048_8192_SHA256),
        (Algorithm::Sha384, Padding::Pss) => kinds.push(&signature::RSA_PSS_2048_8192_SHA384),
        (Algorithm::Sha512, Padding::Pss) => kinds.push(&signature::RSA_PSS_2048_8192_SHA512),
    }
    kinds
}
