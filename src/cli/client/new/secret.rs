//! What a new client proves itself with: a key of the gateway's, or the secret of its signatures.

use std::path::Path;

use anyhow::Context;
use base64::{Engine, engine::general_purpose::STANDARD};
use clap::ValueEnum;

use super::entry::{Place, Shows};
use crate::{call::auth::clients, key_texts::PREFIX};

const KEY_BYTES: usize = 32;

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum Scheme {
    StandardWebhooks,
    Shopify,
    Github,
    Stripe,
    Hmac,
}

/// A secret. It is shown once, or kept in a file.
pub(super) enum Secret {
    Key(String),
    Signing {
        scheme: Scheme,
        /// None where the sender has one of its own.
        text: Option<String>,
        variable: String,
    },
}

impl Secret {
    /// # Errors
    /// The system gives no random numbers.
    pub(super) fn make(signed: Option<Scheme>, variable: &str) -> anyhow::Result<Self> {
        let mut bytes = [0; KEY_BYTES];
        aws_lc_rs::rand::fill(&mut bytes).ok().context("this system gives no random numbers")?;
        let Some(scheme) = signed else { return Ok(Self::Key(format!("{PREFIX}{}", const_hex::encode(bytes)))) };
        let text = match scheme {
            Scheme::Shopify | Scheme::Stripe => None,
            Scheme::StandardWebhooks => Some(format!("whsec_{}", STANDARD.encode(bytes))),
            Scheme::Github | Scheme::Hmac => Some(const_hex::encode(bytes)),
        };
        Ok(Self::Signing { scheme, text, variable: format!("{variable}_SECRET") })
    }

    pub(super) fn text(&self) -> Option<&str> {
        match self {
            Self::Key(key) => Some(key),
            Self::Signing { text, .. } => text.as_deref(),
        }
    }

    /// What the entry says of it. `signing` is where the gateway finds the secret of signatures.
    pub(super) fn shows(&self, signing: Place) -> Shows {
        match self {
            Self::Key(key) => Shows::Key(const_hex::encode(clients::digest(key))),
            Self::Signing { scheme, .. } => Shows::Signature {
                scheme: scheme.name(),
                secret: signing,
                more: if matches!(scheme, Scheme::Hmac) { "header = \"X-Signature\"\n" } else { "" },
            },
        }
    }

    /// What a person does with it. `file` is where it was written.
    pub(super) fn words(&self, file: Option<&Path>) -> String {
        let place = file.map(|file| format!("is in `{}`, which only its owner can read", file.display()));
        match self {
            Self::Key(_) => match place {
                Some(place) => format!(
                    "The client's key {place}. The caller sends it as `Authorization: Bearer KEY` or `x-api-key: KEY`."
                ),
                None => "The client's key, shown this once. The caller sends it as `Authorization: Bearer KEY` or `x-api-key: KEY`:"
                    .to_owned(),
            },
            Self::Signing { scheme: Scheme::Shopify, variable, .. } => {
                format!("Put the client secret of your Shopify app into the environment variable {variable} of the gateway.")
            }
            Self::Signing { scheme: Scheme::Stripe, variable, .. } => format!(
                "Put the signing secret (whsec_…) that Stripe shows for the endpoint into the environment variable {variable} of the gateway."
            ),
            Self::Signing { variable, .. } => match place {
                Some(place) => format!("The secret that the client signs with {place}. It goes to the sender, too."),
                None => format!(
                    "The secret that the client signs with, shown this once. It goes to the sender, and into the\nenvironment variable {variable} of the gateway:"
                ),
            },
        }
    }
}

impl Scheme {
    fn name(self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }
}
