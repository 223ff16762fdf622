//! The predecessor's tokens: JWTs signed with HS256, as djangorestframework-simplejwt writes them.
//! Their user owns campaigns, and sees these alone.

use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode};
use secrecy::ExposeSecret as _;
use serde_json::{Map, Value};

use crate::config::JwtSettings;

/// Clocks of two machines may differ by so much.
const LEEWAY_S: u64 = 30;

/// The user of a genuine token that holds now. The algorithm is fixed: what the token's own head
/// says is never followed.
pub(super) fn user(token: &str, settings: &JwtSettings) -> Option<i64> {
    let key = DecodingKey::from_secret(settings.key.expose_secret().as_bytes());
    let mut rules = Validation::new(Algorithm::HS256);
    rules.leeway = LEEWAY_S;
    rules.validate_nbf = true;
    // The predecessor sets none; with one it is for others as well.
    rules.validate_aud = false;
    let claims = decode::<Map<String, Value>>(token, &key, &rules)
        .ok()?
        .claims;
    // A refresh token is for the predecessor's own server.
    let kind = claims.get("token_type");
    if kind.is_some_and(|kind| kind != "access") {
        return None;
    }
    match claims.get(&settings.user_claim)? {
        Value::Number(n) => n.as_i64(),
        Value::String(text) => text.parse().ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time;
    use jsonwebtoken::{EncodingKey, Header, encode};
    use secrecy::SecretString;
    use serde_json::json;

    const KEY: &str = "a key of thirty-two bytes or more";

    fn settings() -> JwtSettings {
        JwtSettings {
            key: SecretString::from(KEY),
            user_claim: "user_id".into(),
        }
    }

    fn token(algorithm: Algorithm, key: &str, claims: &Value) -> String {
        let key = EncodingKey::from_secret(key.as_bytes());
        encode(&Header::new(algorithm), claims, &key).unwrap()
    }

    #[test]
    fn a_genuine_access_token_names_its_user() {
        let now = time::now().0 / 1000;
        for user_id in [json!(7), json!("7")] {
            let claims = json!({"token_type": "access", "exp": now + 60, "iat": now,
                "jti": "x", "user_id": user_id});
            assert_eq!(
                user(&token(Algorithm::HS256, KEY, &claims), &settings()),
                Some(7)
            );
        }
    }

    #[test]
    fn what_is_forged_over_or_for_something_else_names_nobody() {
        let now = time::now().0 / 1000;
        let good = json!({"token_type": "access", "exp": now + 60, "user_id": 7});
        let with = |name: &str, value: Value| {
            let mut claims = good.clone();
            claims[name] = value;
            token(Algorithm::HS256, KEY, &claims)
        };
        let without_exp = json!({"token_type": "access", "user_id": 7});
        // `{"alg":"none"}` and no signature.
        let body = with("exp", json!(now + 60));
        let body = body.split('.').nth(1).unwrap();
        let unsigned = format!("eyJhbGciOiJub25lIn0.{body}.");
        for (what, bad) in [
            (
                "key",
                token(Algorithm::HS256, "another key of enough length", &good),
            ),
            ("algorithm", token(Algorithm::HS512, KEY, &good)),
            ("unsigned", unsigned),
            ("over", with("exp", json!(now - 3600))),
            ("no end", token(Algorithm::HS256, KEY, &without_exp)),
            ("not yet", with("nbf", json!(now + 3600))),
            ("refresh", with("token_type", json!("refresh"))),
            ("user", with("user_id", json!(null))),
            ("nothing", String::new()),
            ("dots", "..".into()),
        ] {
            assert_eq!(user(&bad, &settings()), None, "{what}");
        }
    }
}
