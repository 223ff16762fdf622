//! A person's consent on another device (RFC 8628): a code is shown here, typed there, and the
//! token server is asked until the person has decided.

use std::time::Duration;

use secrecy::zeroize::Zeroizing;
use serde_json::Value;
use tokio::time::{Instant, sleep};

use super::client::{Refusal, TokenServer, Tokens};

/// RFC 8628 §3.2: when the server names no interval.
const INTERVAL: Duration = Duration::from_secs(5);
/// RFC 8628 §3.5: added by each slow_down, and waited longer after no answer.
const SLOWER: Duration = Duration::from_secs(5);
/// A server's interval is believed up to this.
const LONGEST_INTERVAL: Duration = Duration::from_secs(60);
/// A code's life is believed up to this.
const LONGEST_LIFE: Duration = Duration::from_secs(1800);
/// Requests in a row without an answer.
const UNANSWERED: u32 = 10;

/// What the person needs, and what is asked with.
pub(crate) struct Device {
    /// To be typed there.
    pub(crate) user_code: String,
    /// Where.
    pub(crate) url: String,
    /// The same with the code in it, where the server gives that.
    pub(crate) whole_url: Option<String>,
    /// How long the code lives.
    pub(crate) life: Duration,
    device_code: Zeroizing<String>,
    interval: Duration,
}

/// How the person decided.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum DeviceError {
    /// No.
    #[error("the sign-in was declined")]
    Denied,
    /// Not in time.
    #[error("the code has expired before anybody typed it in")]
    Expired,
    /// The server refuses this client or these scopes, or cannot be reached.
    #[error("{}", .0.text())]
    Server(Refusal),
}

/// Asks for a code.
pub(crate) async fn begin(server: &TokenServer<'_>, url: &str) -> Result<Device, DeviceError> {
    let scope = server.settings.scopes.join(" ");
    let mut form = Vec::new();
    if !scope.is_empty() {
        form.push(("scope", scope.as_str()));
    }
    let answer = server
        .ask(url, &form, &[])
        .await
        .map_err(DeviceError::Server)?;
    read(&answer).ok_or_else(|| {
        DeviceError::Server(Refusal::Passing {
            text: "the answer of the device address is not understood".to_owned(),
            wait: None,
            in_doubt: false,
        })
    })
}

/// RFC 8628 §3.2; `verification_url` is what Google writes.
fn read(answer: &Value) -> Option<Device> {
    let text = |key: &str| answer.get(key).and_then(Value::as_str).map(str::to_owned);
    let seconds = |key: &str| {
        let n = answer.get(key).and_then(Value::as_f64)?;
        Duration::try_from_secs_f64(n).ok()
    };
    let plain = |s: &String| !s.is_empty() && s.len() <= 500 && !s.chars().any(char::is_control);
    let interval = seconds("interval").unwrap_or(INTERVAL);
    Some(Device {
        user_code: text("user_code").filter(plain)?,
        url: text("verification_uri")
            .or_else(|| text("verification_url"))
            .filter(plain)?,
        whole_url: text("verification_uri_complete").filter(plain),
        life: seconds("expires_in")?.min(LONGEST_LIFE),
        device_code: Zeroizing::new(text("device_code").filter(plain)?),
        interval: interval.clamp(Duration::from_secs(1), LONGEST_INTERVAL),
    })
}

/// Asks until the person has decided.
pub(crate) async fn wait(server: &TokenServer<'_>, device: &Device) -> Result<Tokens, DeviceError> {
    let form = [
        ("grant_type", "urn:ietf:params:oauth:grant-type:device_code"),
        ("device_code", device.device_code.as_str()),
    ];
    poll(device.interval, device.life, async || {
        server.tokens(&form, &[&device.device_code]).await
    })
    .await
}

/// RFC 8628 §3.5, over any way to ask.
async fn poll<T>(
    mut interval: Duration,
    life: Duration,
    mut ask: impl AsyncFnMut() -> Result<T, Refusal>,
) -> Result<T, DeviceError> {
    let until = Instant::now() + life;
    let mut unanswered = 0_u32;
    loop {
        sleep(interval).await;
        if Instant::now() >= until {
            return Err(DeviceError::Expired);
        }
        match ask().await {
            Ok(tokens) => return Ok(tokens),
            Err(Refusal::Told { error, text }) => {
                unanswered = 0;
                match error.as_str() {
                    "authorization_pending" => {}
                    "slow_down" => interval = interval.saturating_add(SLOWER),
                    // Microsoft says authorization_declined.
                    "access_denied" | "authorization_declined" => return Err(DeviceError::Denied),
                    "expired_token" | "code_expired" => return Err(DeviceError::Expired),
                    _ => return Err(DeviceError::Server(Refusal::Told { error, text })),
                }
            }
            Err(passing @ Refusal::Passing { .. }) => {
                unanswered = unanswered.saturating_add(1);
                if unanswered >= UNANSWERED {
                    return Err(DeviceError::Server(passing));
                }
                let asked = match &passing {
                    Refusal::Passing {
                        wait: Some(asked), ..
                    } => *asked,
                    _ => SLOWER,
                };
                // RFC 8628 §3.5 wants the rate lowered after a time-out.
                interval = interval.max(asked).min(LONGEST_INTERVAL);
            }
            Err(other @ Refusal::NotAsked(_)) => return Err(DeviceError::Server(other)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use serde_json::json;

    use super::*;

    fn told(error: &str) -> Result<u32, Refusal> {
        Err(Refusal::Told {
            error: error.to_owned(),
            text: String::new(),
        })
    }

    fn broken() -> Result<u32, Refusal> {
        Err(Refusal::Passing {
            text: "no answer in time".to_owned(),
            wait: None,
            in_doubt: true,
        })
    }

    /// The outcome, and the seconds at which the server was asked.
    async fn polled(answers: Vec<Result<u32, Refusal>>) -> (Result<u32, DeviceError>, Vec<u64>) {
        let began = Instant::now();
        let mut asked = Vec::new();
        let mut answers = VecDeque::from(answers);
        let outcome = poll(
            Duration::from_secs(5),
            Duration::from_secs(900),
            async || {
                asked.push(began.elapsed().as_secs());
                answers
                    .pop_front()
                    .unwrap_or_else(|| told("authorization_pending"))
            },
        )
        .await;
        (outcome, asked)
    }

    #[tokio::test(start_paused = true)]
    async fn the_server_is_asked_at_its_interval_and_slower_when_it_says_so() {
        let pending = || told("authorization_pending");
        let (got, asked) = polled(vec![pending(), told("slow_down"), pending(), Ok(7)]).await;
        assert_eq!(got, Ok(7));
        assert_eq!(asked, [5, 10, 20, 30]);
    }

    #[tokio::test(start_paused = true)]
    async fn each_decision_ends_it() {
        for (word, due) in [
            ("access_denied", DeviceError::Denied),
            ("authorization_declined", DeviceError::Denied),
            ("expired_token", DeviceError::Expired),
        ] {
            assert_eq!(polled(vec![told(word)]).await.0, Err(due), "{word}");
        }
        let (got, asked) = polled(vec![told("invalid_client")]).await;
        assert!(matches!(got, Err(DeviceError::Server(_))));
        assert_eq!(asked.len(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_types_for_ever_and_lost_answers_do_not_end_it() {
        let (got, asked) = polled(Vec::new()).await;
        assert_eq!(got, Err(DeviceError::Expired));
        assert_eq!(asked.len(), 179, "every 5 s for 900 s");
        let (got, _) = polled(vec![broken(), broken(), Ok(7)]).await;
        assert_eq!(got, Ok(7));
        let (got, asked) = polled((0..50).map(|_| broken()).collect()).await;
        assert!(matches!(got, Err(DeviceError::Server(_))));
        assert_eq!(asked.len(), 10);
    }

    #[test]
    fn a_code_is_read_with_its_defaults() {
        let device = read(&json!({ "device_code": "d", "user_code": "AB-CD",
            "verification_uri": "https://id.example/device", "expires_in": 900 }))
        .unwrap();
        assert_eq!((device.interval, device.life.as_secs()), (INTERVAL, 900));
        assert!(device.whole_url.is_none());
        let bad = json!({ "device_code": "d", "user_code": "\u{1b}[2J",
            "verification_uri": "https://id.example/device", "expires_in": 900 });
        assert!(read(&bad).is_none());
        assert!(read(&json!({})).is_none());
    }
}
