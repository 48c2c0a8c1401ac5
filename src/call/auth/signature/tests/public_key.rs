//! Signatures with a public key, by keys of each kind.

use aws_lc_rs::{
    encoding::AsDer,
    rand::SystemRandom,
    rsa,
    signature::{
        ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256, RSA_PKCS1_SHA512,
        RSA_PSS_SHA256, RsaEncoding, RsaKeyPair,
    },
};

use super::*;

/// As many senders write it: a header in base64, over time and body.
const TIMED: &str =
    "header = \"X-Sig\"\nencoding = \"base64\"\ntimestamp_header = \"X-Time\"\nsigned = \"{timestamp}{body}\"";

fn with_key(lines: &str, keys: &[&str]) -> Result<Verifier, NoKey> {
    let signature: Signature = toml::from_str(&format!("{lines}\npublic_key_file = \"k\"")).unwrap();
    let keys: Vec<SecretString> = keys.iter().map(|key| (*key).into()).collect();
    Verifier::new(&signature, Some(&keys))
}

fn pem(der: &[u8]) -> String {
    let text = BASE64.encode(der);
    let lines: Vec<&str> = text.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
    format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", lines.join("\n"))
}

/// What is signed is taken; of another time, body or key it is not.
fn check(lines: &str, key: &str, other_key: &str, sign: &dyn Fn(&[u8]) -> Vec<u8>) {
    let lines = format!("scheme = \"public-key\"\n{lines}\n{TIMED}");
    let own = with_key(&lines, &[key]).unwrap();
    let time = Timestamp::now().as_second().to_string();
    let signature = BASE64.encode(sign(format!("{time}{{}}").as_bytes()));
    let sent = |time: &str, signature: &str| headers(&[("x-sig", signature), ("x-time", time)]);
    let verify =
        |own: &Verifier, headers: &HeaderMap, body: &[u8]| own.verify(&RequestLine::post("/hooks/x"), headers, body);
    let right = sent(&time, &signature);
    assert!(verify(&own, &right, b"{}").is_ok(), "{lines}: {:?}", verify(&own, &right, b"{}"));
    assert_eq!(verify(&own, &right, b"{ }").unwrap_err(), Refused::Wrong, "{lines}");
    assert_eq!(verify(&own, &sent("1", &signature), b"{}").unwrap_err(), Refused::Wrong, "{lines}");
    assert_eq!(verify(&own, &sent(&time, "AAAA"), b"{}").unwrap_err(), Refused::Wrong, "{lines}");
    let others = with_key(&lines, &[other_key]).unwrap();
    assert_eq!(verify(&others, &right, b"{}").unwrap_err(), Refused::Wrong, "{lines}");
    let both = with_key(&lines, &[other_key, key]).unwrap();
    assert!(verify(&both, &right, b"{}").is_ok(), "{lines}");
    let old = BASE64.encode(sign(b"1600000000{}"));
    assert!(matches!(verify(&own, &sent("1600000000", &old), b"{}"), Err(Refused::Stale { .. })), "{lines}");
    let line = RequestLine::post("/hooks/x");
    assert_eq!(own.sign(&line, &right, b"{}", Timestamp::now()).unwrap_err(), NotSigned::PublicKey);
}

#[test]
fn ed25519_is_verified_by_its_bytes_or_pem() {
    let [own, other] = [(); 2].map(|()| Ed25519KeyPair::generate().unwrap());
    let hex = |key: &Ed25519KeyPair| const_hex::encode(key.public_key().as_ref());
    let der = own.public_key().as_der().unwrap();
    for key in [hex(&own), pem(der.as_ref()), BASE64.encode(der.as_ref())] {
        check("", &key, &hex(&other), &|message| own.sign(message).as_ref().to_vec());
    }
}

#[test]
fn ecdsa_is_verified_with_signatures_in_der() {
    let [own, other] = [(); 2].map(|()| EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap());
    let der = |key: &EcdsaKeyPair| key.public_key().as_der().unwrap().as_ref().to_vec();
    check("", &pem(&der(&own)), &BASE64.encode(der(&other)), &|message| {
        own.sign(&SystemRandom::new(), message).unwrap().as_ref().to_vec()
    });
}

#[test]
fn rsa_is_verified_in_each_algorithm_and_padding() {
    let [own, other] = [(); 2].map(|()| RsaKeyPair::generate(rsa::KeySize::Rsa2048).unwrap());
    let der = |key: &RsaKeyPair| {
        AsDer::<aws_lc_rs::encoding::PublicKeyX509Der<'_>>::as_der(key.public_key()).unwrap().as_ref().to_vec()
    };
    for (lines, encoding) in [
        ("", &RSA_PKCS1_SHA256 as &'static dyn RsaEncoding),
        ("algorithm = \"sha512\"", &RSA_PKCS1_SHA512),
        ("padding = \"pss\"", &RSA_PSS_SHA256),
    ] {
        check(lines, &pem(&der(&own)), &pem(&der(&other)), &|message| {
            let mut signature = vec![0; own.public_modulus_len()];
            own.sign(encoding, &SystemRandom::new(), message, &mut signature).unwrap();
            signature
        });
    }
}

/// By openssl: `req -x509` of a new key, and `dgst -sha1 -sign` of `1600000000{}` with it.
#[test]
fn a_certificate_has_a_key_that_may_sign_with_sha_1() {
    let certificate = include_str!("certificate.pem");
    let signature = "WpXKfNTFTPIs1OrJVA7Elq78PVmo+cghBXkAyq1htr3RVkJeaF+sBGdHxtHC7xGI+xPyPS+2wMlstbFFOTVgXT/IEirid9S9cHsw\
        0tqmr74lddVTcdLZtCl+WG/Ce7ARGsRoauSa4k0R/l4R536+VeFxHN8caxawAB8dXogh2gYwXD+WUnJIDxVWulQvAMPp/lCTnrIF\
        G2idFrjcmyWugS+dBw0NM1uq1xmeKXRTYQhVzeaAtFqjfwD8U5w2t/sDKZpIGkKmstdrATj4fQ6RFYzVH07Op2rfzz6WlYUNKtWv\
        TaaB/azcfpk+6jrPo1uZiyAOzeBtA2brzM4k/hlgYQ==";
    let verify = |algorithm: &str, body: &[u8]| {
        let lines = format!("scheme = \"public-key\"\nalgorithm = \"{algorithm}\"\n{TIMED}");
        let sent = headers(&[("x-sig", signature), ("x-time", "1600000000")]);
        with_key(&lines, &[certificate]).unwrap().verify(&RequestLine::post("/hooks/x"), &sent, body).unwrap_err()
    };
    assert!(matches!(verify("sha1", b"{}"), Refused::Stale { .. }), "the time is looked at behind the signature");
    assert_eq!(verify("sha1", b"{ }"), Refused::Wrong);
    assert_eq!(verify("sha256", b"{}"), Refused::Wrong);
}

/// sendgrid-python, test/unit/test_eventwebhook.py.
#[test]
fn sendgrids_own_vector_is_right() {
    let key = "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE83T4O/n84iotIvIW4mdBgQ/7dAfSmpqIM8kF9mN1flpVKS3GRqe62gw+2fNNRaINXvVpi\
               glSI8eNEc6wEA3F+g==";
    let body = "[{\"email\":\"hello@world.com\",\"event\":\"dropped\",\"reason\":\"Bounced Address\",\
        \"sg_event_id\":\"ZHJvcC0xMDk5NDkxOS1MUnpYbF9OSFN0T0doUTRrb2ZTbV9BLTA\",\
        \"sg_message_id\":\"LRzXl_NHStOGhQ4kofSm_A.filterdrecv-p3mdw1-756b745b58-kmzbl-18-5F5FC76C-9.0\",\
        \"smtp-id\":\"<LRzXl_NHStOGhQ4kofSm_A@ismtpd0039p1iad1.sendgrid.net>\",\"timestamp\":1600112492}]\r\n";
    let signature = "MEUCIGHQVtGj+Y3LkG9fLcxf3qfI10QysgDWmMOVmxG0u6ZUAiEAyBiXDWzM+uOe5W0JuG+luQAbPIqHh89M15TluLtEZtM=";
    let sent = headers(&[
        ("X-Twilio-Email-Event-Webhook-Signature", signature),
        ("X-Twilio-Email-Event-Webhook-Timestamp", "1600112502"),
    ]);
    let own = with_key("scheme = \"sendgrid\"", &[key]).unwrap();
    let verify = |body: &str| own.verify(&RequestLine::post("/hooks/x"), &sent, body.as_bytes()).unwrap_err();
    assert!(matches!(verify(body), Refused::Stale { .. }), "the time is looked at behind the signature");
    assert_eq!(verify(body.trim_end()), Refused::Wrong);
}

#[test]
fn paypals_text_is_put_together_from_headers_and_the_checksum() {
    let own = Ed25519KeyPair::generate().unwrap();
    let lines = "scheme = \"public-key\"\nheader = \"PAYPAL-TRANSMISSION-SIG\"\nencoding = \"base64\"\n\
                 timestamp_header = \"PAYPAL-TRANSMISSION-TIME\"\n\
                 signed = \"{header:PAYPAL-TRANSMISSION-ID}|{timestamp}|WH-1|{crc32}\"";
    let verifier = with_key(lines, &[&const_hex::encode(own.public_key().as_ref())]).unwrap();
    let time = Timestamp::now().to_string();
    // The checksum of `123456789` that every description of CRC-32 has: 0xCBF43926.
    let signature = BASE64.encode(own.sign(format!("t-1|{time}|WH-1|3421780262").as_bytes()).as_ref());
    let sent = headers(&[
        ("paypal-transmission-sig", &signature),
        ("paypal-transmission-time", &time),
        ("paypal-transmission-id", "t-1"),
    ]);
    let line = RequestLine::post("/hooks/paypal");
    assert!(verifier.verify(&line, &sent, b"123456789").is_ok());
    assert_eq!(verifier.verify(&line, &sent, b"123456780").unwrap_err(), Refused::Wrong);
}

#[test]
fn what_is_no_public_key_is_told() {
    let refused = |key: &str, more: &str| with_key(&format!("scheme = \"public-key\"\n{more}{TIMED}"), &[key]).err();
    assert_eq!(refused("it's no key", ""), Some(NoKey::PublicKey));
    assert_eq!(refused("-----BEGIN PUBLIC KEY-----\n", ""), Some(NoKey::PublicKey));
    assert_eq!(refused("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----", ""), Some(NoKey::PublicKey));
    assert_eq!(refused("AAAA", ""), Some(NoKey::KindOfKey));
    let rsa = RsaKeyPair::generate(rsa::KeySize::Rsa2048).unwrap();
    let der = AsDer::<aws_lc_rs::encoding::PublicKeyX509Der<'_>>::as_der(rsa.public_key()).unwrap();
    let key = pem(der.as_ref());
    assert_eq!(refused(&key, "algorithm = \"sha1\"\npadding = \"pss\"\n"), Some(NoKey::KindOfKey));
    assert_eq!(refused(&key, "padding = \"pss\"\n"), None);
}
