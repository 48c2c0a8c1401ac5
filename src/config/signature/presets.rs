//! The schemes that senders are known for: one row each, in the keys with which anybody could write them.

/// A scheme of a sender.
#[derive(Debug, Clone, Copy)]
pub(super) struct Preset {
    pub(super) name: &'static str,
    /// The scheme, in the keys of `[client.signature]`.
    pub(super) keys: &'static str,
}

/// Rows behind the place where the sender says how it signs.
macro_rules! presets {
    ($($name:literal, $keys:literal;)*) => {
        &[$(Preset { name: $name, keys: $keys },)*]
    };
}

pub(super) const PRESETS: &[Preset] = presets! {
    // shopify.dev/docs/apps/build/webhooks/subscribe/https, Validate the origin.
    "shopify",
        "scheme = 'hmac'\nheader = 'X-Shopify-Hmac-Sha256'\nencoding = 'base64'";
    // docs.github.com, Validating webhook deliveries.
    "github",
        "scheme = 'hmac'\nheader = 'X-Hub-Signature-256'\nprefix = 'sha256='";
    // developers.facebook.com/docs/graph-api/webhooks/getting-started, Validating payloads.
    "meta",
        "scheme = 'hmac'\nheader = 'X-Hub-Signature-256'\nprefix = 'sha256='";
    // docs.stripe.com/webhooks, Verify manually.
    "stripe",
        "scheme = 'hmac'\nheader = 'Stripe-Signature'\nfields = { timestamp = 't', signature = 'v1' }";
    // docs.slack.dev, Verifying requests from Slack.
    "slack",
        "scheme = 'hmac'\nheader = 'X-Slack-Signature'\nprefix = 'v0='\n\
         timestamp_header = 'X-Slack-Request-Timestamp'\nsigned = 'v0:{timestamp}:{body}'";
    // developers.zoom.us/docs/api/webhooks, Verify with Zoom's header.
    "zoom",
        "scheme = 'hmac'\nheader = 'x-zm-signature'\nprefix = 'v0='\n\
         timestamp_header = 'x-zm-request-timestamp'\nsigned = 'v0:{timestamp}:{body}'";
    // developer.squareup.com/docs/webhooks/step3validate.
    "square",
        "scheme = 'hmac'\nheader = 'x-square-hmacsha256-signature'\nencoding = 'base64'\nsigned = '{url}{body}'";
    // developers.hubspot.com, Validate requests: the v3 request signature.
    "hubspot",
        "scheme = 'hmac'\nheader = 'X-HubSpot-Signature-v3'\nencoding = 'base64'\n\
         timestamp_header = 'X-HubSpot-Request-Timestamp'\nsigned = '{method}{url:decoded}{body}{timestamp}'";
    // developer.zendesk.com, Verifying webhook authenticity.
    "zendesk",
        "scheme = 'hmac'\nheader = 'X-Zendesk-Webhook-Signature'\nencoding = 'base64'\n\
         timestamp_header = 'X-Zendesk-Webhook-Signature-Timestamp'\nsigned = '{timestamp}{body}'";
    // typeform.com/developers/webhooks/secure-your-webhooks.
    "typeform",
        "scheme = 'hmac'\nheader = 'Typeform-Signature'\nprefix = 'sha256='\nencoding = 'base64'";
    // developer.calendly.com, Webhook signatures.
    "calendly",
        "scheme = 'hmac'\nheader = 'Calendly-Webhook-Signature'\nfields = { timestamp = 't', signature = 'v1' }";
    // developer.xero.com, Webhooks: intent to receive.
    "xero",
        "scheme = 'hmac'\nheader = 'x-xero-signature'\nencoding = 'base64'";
    // razorpay.com/docs/webhooks/validate-test.
    "razorpay",
        "scheme = 'hmac'\nheader = 'X-Razorpay-Signature'";
    // twilio.com/docs/usage/webhooks/webhooks-security.
    "twilio",
        "scheme = 'hmac'\nheader = 'X-Twilio-Signature'\nalgorithm = 'sha1'\nencoding = 'base64'\nsigned = '{url}{form}'";
    // WooCommerce, includes/class-wc-webhook.php: generate_signature.
    "woocommerce",
        "scheme = 'hmac'\nheader = 'X-WC-Webhook-Signature'\nencoding = 'base64'";
    // developer.paddle.com/webhooks/signature-verification.
    "paddle",
        "scheme = 'hmac'\nheader = 'Paddle-Signature'\nfields = { timestamp = 'ts', signature = 'h1' }\n\
         separator = ';'\nsigned = '{timestamp}:{body}'";
    // developer.pagerduty.com, Verifying signatures: several while a secret is replaced.
    "pagerduty",
        "scheme = 'hmac'\nheader = 'X-PagerDuty-Signature'\nfields = { signature = 'v1' }";
    // developers.intercom.com, Webhook notifications: signed notifications.
    "intercom",
        "scheme = 'hmac'\nheader = 'X-Hub-Signature'\nprefix = 'sha1='\nalgorithm = 'sha1'";
    // developers.docusign.com, Connect: HMAC security, a header for each key of the account.
    "docusign",
        "scheme = 'hmac'\nencoding = 'base64'\nheader = ['X-DocuSign-Signature-1', 'X-DocuSign-Signature-2', \
         'X-DocuSign-Signature-3', 'X-DocuSign-Signature-4', 'X-DocuSign-Signature-5']";
    // developer.atlassian.com/cloud/trello, Webhook signatures.
    "trello",
        "scheme = 'hmac'\nheader = 'X-Trello-Webhook'\nalgorithm = 'sha1'\nencoding = 'base64'\nsigned = '{body}{url}'";
    // docs.gitlab.com, Webhooks: secret token; its signing token is `standard-webhooks`.
    "gitlab",
        "scheme = 'token'\nheader = 'X-Gitlab-Token'";
    // postmarkapp.com/developer/webhooks, Protecting your webhook: user and password in the URL.
    "postmark",
        "scheme = 'token'\nbasic = true";
    // twilio.com/docs/sendgrid, Event webhook security features: ECDSA over P-256.
    "sendgrid",
        "scheme = 'public-key'\nheader = 'X-Twilio-Email-Event-Webhook-Signature'\nencoding = 'base64'\n\
         timestamp_header = 'X-Twilio-Email-Event-Webhook-Timestamp'\nsigned = '{timestamp}{body}'";
    // discord.com/developers/docs, Setting up an endpoint: Ed25519.
    "discord",
        "scheme = 'public-key'\nheader = 'X-Signature-Ed25519'\n\
         timestamp_header = 'X-Signature-Timestamp'\nsigned = '{timestamp}{body}'";
    // shipengine.com/docs/webhooks, Validating webhooks: RSA with SHA-256.
    "shipstation",
        "scheme = 'public-key'\nheader = 'x-shipengine-rsa-sha256-signature'\nencoding = 'base64'\n\
         timestamp_header = 'x-shipengine-timestamp'\nsigned = '{timestamp}.{body}'";
};

/// The keys of a sender's scheme.
///
/// # Errors
/// There is no such scheme.
pub(super) fn keys(name: &str) -> Result<&'static str, String> {
    let known = PRESETS.iter().find(|preset| preset.name == name);
    known.map(|preset| preset.keys).ok_or_else(|| {
        let general = ["hmac", "token", "public-key", "standard-webhooks", "mailgun", "adyen"];
        let names: Vec<&str> = general.into_iter().chain(PRESETS.iter().map(|preset| preset.name)).collect();
        format!("there is no scheme \"{name}\"; there are {}", names.join(", "))
    })
}
