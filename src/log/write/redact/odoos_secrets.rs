//! The secrets of Odoo's own models, and fields that only read like them, before the patterns that are there by default.
//!
//! From the source of Odoo 14 and 19 with all its modules: the fields with a password widget in a view, and the texts and
//! binary fields with `groups="base.group_system"`, `base.group_erp_manager` or `NO_ACCESS` that hold a key or secret.

use serde_json::{Value, json};

use super::*;

const SECRET: &[(&str, &[&str])] = &[
    ("account.journal", &["l10n_sa_compliance_csid_json", "l10n_sa_production_csid_json"]),
    ("account.move", &["access_token"]),
    ("account_edi_proxy_client.user", &["refresh_token"]),
    ("auth.passkey.key", &["credential_identifier"]),
    ("calendar.provider.config", &["cal_client_secret", "microsoft_outlook_client_secret"]),
    ("certificate.certificate", &["pkcs12_password"]),
    ("certificate.key", &["content", "password", "pem_key"]),
    ("change.password.own", &["confirm_password", "new_password"]),
    ("change.password.user", &["new_passwd"]),
    ("fetchmail.server", &["password"]),
    ("google.gmail.mixin", &["google_gmail_access_token", "google_gmail_refresh_token"]),
    ("hr.employee", &["pin"]),
    ("iap.account", &["account_token"]),
    ("ir.attachment", &["access_token"]),
    ("ir.config_parameter", &["value"]),
    ("ir.mail_server", &["smtp_pass", "smtp_ssl_private_key"]),
    ("ir.ui.view", &["visibility_password", "visibility_password_display"]),
    ("l10n_eg_edi.thumb.drive", &["access_token", "pin"]),
    ("l10n_sa_edi.otp.wizard", &["l10n_sa_otp"]),
    ("mail.guest", &["access_token"]),
    ("mail.ice.server", &["credential"]),
    ("mail.push.device", &["keys"]),
    ("microsoft.outlook.mixin", &["microsoft_outlook_access_token", "microsoft_outlook_refresh_token"]),
    (
        "payment.acquirer",
        &[
            "adyen_skin_hmac_key",
            "alipay_md5_signature_key",
            "alipay_merchant_partner_id",
            "authorize_client_key",
            "authorize_signature_key",
            "authorize_transaction_key",
            "brq_secretkey",
            "ogone_shakey_in",
            "payumoney_merchant_salt",
            "stripe_publishable_key",
            "stripe_secret_key",
            "stripe_webhook_secret",
        ],
    ),
    ("payment.acquirer.onboarding.wizard", &["paypal_pdt_token", "stripe_publishable_key", "stripe_secret_key"]),
    (
        "payment.provider",
        &[
            "adyen_api_key",
            "adyen_hmac_key",
            "aps_access_code",
            "aps_sha_request",
            "aps_sha_response",
            "asiapay_secure_hash_secret",
            "authorize_signature_key",
            "authorize_transaction_key",
            "buckaroo_secret_key",
            "dpo_company_token",
            "flutterwave_secret_key",
            "flutterwave_webhook_secret",
            "iyzico_key_secret",
            "mercado_pago_access_token",
            "mercado_pago_refresh_token",
            "mollie_api_key",
            "nuvei_secret_key",
            "paymob_api_key",
            "paymob_hmac_key",
            "paymob_secret_key",
            "paypal_access_token",
            "paypal_client_secret",
            "razorpay_access_token",
            "razorpay_key_secret",
            "razorpay_public_token",
            "razorpay_refresh_token",
            "razorpay_webhook_secret",
            "redsys_secret_key",
            "stripe_secret_key",
            "stripe_webhook_secret",
            "worldline_api_secret",
            "worldline_webhook_key",
            "worldline_webhook_secret",
            "xendit_secret_key",
            "xendit_webhook_token",
        ],
    ),
    ("payment.transaction", &["callback_hash"]),
    (
        "pos.payment.method",
        &[
            "adyen_api_key",
            "dpopay_chain_id",
            "dpopay_client_secret",
            "glory_password",
            "mp_bearer_token",
            "mp_webhook_secret_key",
            "pine_labs_security_token",
            "qfpay_notification_key",
            "qfpay_pos_key",
            "razorpay_api_key",
            "viva_com_webhook_verification_key",
        ],
    ),
    ("pos_mercury.configuration", &["merchant_pwd"]),
    (
        "res.company",
        &[
            "account_peppol_migration_key",
            "attendance_kiosk_key",
            "gelato_api_key",
            "gelato_webhook_secret",
            "l10n_eg_client_secret",
            "l10n_gr_edi_aade_key",
            "l10n_hu_edi_password",
            "l10n_hu_edi_replacement_key",
            "l10n_hu_edi_signature_key",
            "l10n_in_edi_password",
            "l10n_in_edi_token",
            "l10n_in_ewaybill_password",
            "l10n_jo_edi_secret_key",
            "l10n_pl_edi_access_token",
            "l10n_pl_edi_refresh_token",
            "l10n_pl_edi_session_id",
            "l10n_pl_edi_session_iv",
            "l10n_pl_edi_session_key",
            "l10n_tr_nilvera_api_key",
            "l10n_tw_edi_ecpay_hashIV",
            "l10n_tw_edi_ecpay_hashkey",
            "l10n_vn_edi_password",
            "l10n_vn_edi_token",
            "pad_key",
            "sms_twilio_auth_token",
        ],
    ),
    ("res.company.ldap", &["ldap_password"]),
    (
        "res.config.settings",
        &[
            "cal_client_secret",
            "cal_microsoft_client_secret",
            "cloud_storage_google_service_account_key",
            "gelato_api_key",
            "gelato_webhook_secret",
            "google_gmail_client_secret",
            "l10n_eg_client_secret",
            "l10n_hr_mer_password",
            "l10n_in_edi_password",
            "l10n_in_ewaybill_password",
            "l10n_tw_edi_ecpay_hashIV",
            "l10n_tw_edi_ecpay_hashkey",
            "l10n_vn_edi_password",
            "microsoft_outlook_client_secret",
            "plausible_shared_key",
            "recaptcha_private_key",
            "sfu_server_key",
            "turnstile_secret_key",
            "unsplash_access_key",
        ],
    ),
    ("res.partner", &["signup_token"]),
    ("res.partner.bank", &["l10n_id_qris_api_key"]),
    (
        "res.users",
        &[
            "google_calendar_rtoken",
            "google_calendar_sync_token",
            "google_calendar_token",
            "microsoft_calendar_rtoken",
            "microsoft_calendar_sync_token",
            "microsoft_calendar_token",
            "oauth_access_token",
            "password",
            "totp_secret",
        ],
    ),
    ("res.users.apikeys.show", &["key"]),
    ("res.users.identitycheck", &["password"]),
    (
        "res.users.settings",
        &[
            "google_calendar_rtoken",
            "google_calendar_sync_token",
            "google_calendar_token",
            "microsoft_calendar_sync_token",
        ],
    ),
    ("sms.twilio.account.manage", &["sms_twilio_auth_token"]),
    ("website", &["google_places_api_key", "website_slide_google_app_key"]),
    ("website.page.properties", &["visibility_password_display"]),
];

const HARMLESS: &[(&str, &[&str])] = &[
    (
        "res.partner",
        &[
            "name",
            "email",
            "phone",
            "mobile",
            "vat",
            "ref",
            "street",
            "comment",
            "website",
            "signup_type",
            "author_id",
            "passport_id",
            "private_email",
            "private_street",
            "zip",
            "key",
            "keyboard",
            "monkey",
            "compass",
            "topping_ids",
            "pinned",
            "shipping_weight",
        ],
    ),
    (
        "sale.order",
        &[
            "name",
            "client_order_ref",
            "origin",
            "note",
            "signature",
            "signed_by",
            "authorized_transaction_ids",
            "passenger_count",
        ],
    ),
    ("ir.config_parameter", &["key"]),
    ("ir.ui.view", &["key", "arch"]),
    ("ir.attachment", &["name", "datas", "raw", "key", "checksum"]),
    ("account.move", &["ref", "narration", "inalterable_hash", "payment_reference", "access_url"]),
    ("account.move.line", &["term_key", "epd_key", "discount_allocation_key"]),
    ("stock.picking", &["delay_pass", "carrier_tracking_ref"]),
    ("hr.employee", &["barcode", "private_phone", "passport_id"]),
    ("ir.mail_server", &["smtp_user", "smtp_host", "smtp_ssl_certificate"]),
    ("ir.model", &["website_form_key"]),
    ("product.template", &["default_code", "barcode", "value", "content", "keys"]),
    ("res.users", &["login", "signature"]),
    ("crm.lead", &["external_key", "natural_key", "sort_key", "public_key", "map_keys", "opinion", "shaker"]),
];

#[test]
fn the_secrets_of_odoos_own_models_are_hidden_by_default_and_what_reads_like_them_is_not() {
    let defaults: toml::Table = toml::from_str(include_str!("../../../config/defaults.toml")).unwrap();
    let patterns: Vec<String> = defaults["log"]["redact"].clone().try_into().unwrap();
    let redaction = Redaction::new(&patterns);
    for (fields, is_secret) in [(SECRET, true), (HARMLESS, false)] {
        for (model, field) in fields.iter().flat_map(|(model, fields)| fields.iter().map(move |field| (model, field))) {
            let mut vals = json!({"search_key": {*field: 1.5}, "payload": {*field: "a text"}});
            redaction.hide_vals(model, &mut vals, &mut Secrets::default());
            let hidden = vals["payload"][*field] == HIDDEN;
            let is_id = field.ends_with("_id");
            assert_eq!(hidden, is_secret, "{model}.{field}");
            assert_eq!(vals["search_key"][*field] == HIDDEN, is_secret && !is_id, "{model}.{field}");
        }
    }
    // A link to a secret is none.
    let linked =
        json!({"payload": {"payment_token_id": 7, "private_key_id": 3, "api_key_ids": [[4, 1]], "has_token": true}});
    let mut vals: Value = linked.clone();
    redaction.hide_vals("res.users", &mut vals, &mut Secrets::default());
    assert_eq!(vals, linked);
}
