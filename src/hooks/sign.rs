//! The signature of a delivery.

use hmac::{Hmac, Mac};
use sha2::Sha256;

use crate::time::UtcMs;

/// `t=<seconds>,v1=<hex>`: HMAC-SHA256 (RFC 2104) of the seconds, a dot and the body. The time is signed
/// with it, so that an old delivery cannot be shown again later.
#[must_use]
pub fn signature(secret: &str, now: UtcMs, body: &str) -> String {
    let seconds = now.0.div_euclid(1000);
    // A key of any length is one.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.as_bytes()) else {
        return String::new();
    };
    mac.update(format!("{seconds}.").as_bytes());
    mac.update(body.as_bytes());
    let hex: String = mac
        .finalize()
        .into_bytes()
        .iter()
        .map(|b| format!("{b:02x}"))
        .collect();
    format!("t={seconds},v1={hex}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_is_that_of_other_libraries() {
        // python3 -c "import hmac; print(hmac.new(b'secret', b'1700000000.{}', 'sha256').hexdigest())"
        assert_eq!(
            signature("secret", UtcMs(1_700_000_000_999), "{}"),
            "t=1700000000,v1=b8569b78799ff9e3cbff0fc2d63a33a2b57f3282abd07c37ae5e8e7d79a5f163"
        );
    }
}
