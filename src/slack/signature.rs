//! Slack's request signature, checked on the raw body before anything is parsed.
//!
//! [Verifying requests](https://docs.slack.dev/authentication/verifying-requests-from-slack):
//! `v0=` and the hexadecimal HMAC-SHA256 of `v0:{timestamp}:{body}` with the signing secret.

use hmac::{Hmac, KeyInit, Mac};
use http::HeaderMap;
use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;

/// Requests older or newer than this are refused, so that none can be replayed later. Seconds.
const MAX_AGE: i64 = 5 * 60;

/// The header with the time at which Slack sent the request.
pub const TIMESTAMP: &str = "x-slack-request-timestamp";

/// The reason why a request is not accepted as Slack's. It tells nothing that helps to forge one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unverified {
    /// A header is missing, given twice, or malformed.
    #[error("the signature headers are missing or malformed")]
    Headers,
    /// The timestamp is more than five minutes off.
    #[error("the request is too old or from the future")]
    Age,
    /// The signature is of another body, or by another secret.
    #[error("the signature does not match")]
    Signature,
}

/// Checks a request. Several secrets may be valid while one replaces another.
pub fn verify(
    headers: &HeaderMap,
    body: &[u8],
    secrets: &[SecretString],
    now: Timestamp,
) -> Result<(), Unverified> {
    let timestamp = single(headers, TIMESTAMP)?;
    let signature = single(headers, "x-slack-signature")?;
    if timestamp.is_empty() || !timestamp.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Unverified::Headers);
    }
    let sent: i64 = timestamp.parse().map_err(|_| Unverified::Headers)?;
    if sent.abs_diff(now.as_second()) > MAX_AGE.unsigned_abs() {
        return Err(Unverified::Age);
    }
    let expected = signature
        .strip_prefix("v0=")
        .and_then(|digits| hex::decode(digits).ok())
        .ok_or(Unverified::Headers)?;
    let matches = |secret: &SecretString| {
        let mut mac = Hmac::<Sha256>::new_from_slice(secret.expose_secret().as_bytes())
            .expect("HMAC takes any key");
        mac.update(b"v0:");
        mac.update(timestamp.as_bytes());
        mac.update(b":");
        mac.update(body);
        // In constant time.
        mac.verify_slice(&expected).is_ok()
    };
    if secrets.iter().any(matches) {
        Ok(())
    } else {
        Err(Unverified::Signature)
    }
}

fn single<'a>(headers: &'a HeaderMap, name: &str) -> Result<&'a str, Unverified> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (Some(value), None) => value.to_str().map_err(|_| Unverified::Headers),
        _ => Err(Unverified::Headers),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of Slack's documentation.
    const BODY: &str = "token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c";
    const SIGNATURE: &str = "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503";
    const SENT: i64 = 1_531_420_618;

    fn check(headers: &[(&'static str, &str)], body: &str, now: i64) -> Result<(), Unverified> {
        let secrets = [
            SecretString::from("rotated"),
            SecretString::from("8f742231b10e8888abcd99yyyzzz85a5"),
        ];
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, value.parse().unwrap());
        }
        verify(
            &map,
            body.as_bytes(),
            &secrets,
            Timestamp::from_second(now).unwrap(),
        )
    }

    fn signed<'a>(timestamp: &'a str, signature: &'a str) -> [(&'static str, &'a str); 2] {
        [
            ("x-slack-request-timestamp", timestamp),
            ("x-slack-signature", signature),
        ]
    }

    #[test]
    fn slack_s_own_example_passes_within_five_minutes() {
        let headers = signed("1531420618", SIGNATURE);
        for now in [SENT, SENT + 300, SENT - 300] {
            assert_eq!(check(&headers, BODY, now), Ok(()));
        }
        for now in [SENT + 301, SENT - 301] {
            assert_eq!(check(&headers, BODY, now), Err(Unverified::Age));
        }
    }

    #[test]
    fn a_changed_body_or_signature_does_not_pass() {
        let headers = signed("1531420618", SIGNATURE);
        assert_eq!(
            check(&headers, &BODY.replace("text=", "text=x"), SENT),
            Err(Unverified::Signature)
        );
        let wrong = SIGNATURE.replace('a', "b");
        assert_eq!(
            check(&signed("1531420618", &wrong), BODY, SENT),
            Err(Unverified::Signature)
        );
    }

    #[test]
    fn missing_doubled_and_malformed_headers_do_not_pass() {
        let [timestamp, signature] = signed("1531420618", SIGNATURE);
        for headers in [
            vec![],
            vec![timestamp],
            vec![signature],
            vec![timestamp, signature, signature],
            vec![timestamp, ("x-slack-signature", "v0=zz")],
            vec![timestamp, ("x-slack-signature", "v1=00")],
            vec![("x-slack-request-timestamp", "-1531420618"), signature],
            vec![
                ("x-slack-request-timestamp", "99999999999999999999"),
                signature,
            ],
            vec![("x-slack-request-timestamp", ""), signature],
        ] {
            assert_eq!(
                check(&headers, BODY, SENT),
                Err(Unverified::Headers),
                "{headers:?}"
            );
        }
    }
}
