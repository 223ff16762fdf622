use super::*;
use crate::model::{CampaignLeadId, EventKind};
use crate::store::NewEvent;
use crate::store::fixture::{Fixture, NOW};
use secrecy::SecretString;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

/// Answers each request with what it is told, and keeps what came.
struct Receiver {
    url: String,
    answer: Arc<Mutex<Option<&'static str>>>,
    got: Arc<Mutex<Vec<String>>>,
}

impl Receiver {
    async fn start(first: Option<&'static str>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!(
            "http://{}/hook?key=in-the-url",
            listener.local_addr().unwrap()
        );
        let (answer, got) = (
            Arc::new(Mutex::new(first)),
            Arc::new(Mutex::new(Vec::new())),
        );
        let (shared, kept) = (Arc::clone(&answer), Arc::clone(&got));
        tokio::spawn(async move {
            loop {
                let (mut socket, _) = listener.accept().await.unwrap();
                let (shared, kept) = (Arc::clone(&shared), Arc::clone(&kept));
                tokio::spawn(async move {
                    let mut bytes = vec![0; 100_000];
                    let mut n = 0;
                    loop {
                        n += socket.read(&mut bytes[n..]).await.unwrap_or(0);
                        let text = String::from_utf8_lossy(&bytes[..n]).into_owned();
                        let Some((head, body)) = text.split_once("\r\n\r\n") else {
                            continue;
                        };
                        let length = head
                            .lines()
                            .find_map(|l| l.strip_prefix("content-length: "))
                            .map_or(0, |l| l.parse().unwrap());
                        if body.len() >= length {
                            kept.lock().unwrap().push(text);
                            break;
                        }
                    }
                    let answer = *shared.lock().unwrap();
                    match answer {
                        Some(answer) => socket
                            .write_all(answer.as_bytes())
                            .await
                            .unwrap_or_default(),
                        // Never an answer; the connection stays.
                        None => std::future::pending().await,
                    }
                });
            }
        });
        Self { url, answer, got }
    }

    fn says(&self, answer: &'static str) {
        *self.answer.lock().unwrap() = Some(answer);
    }

    fn got(&self) -> Vec<String> {
        std::mem::take(&mut *self.got.lock().unwrap())
    }
}

const OK: &str = "HTTP/1.1 204 No Content\r\ncontent-length: 0\r\n\r\n";
const DOWN: &str = "HTTP/1.1 503 Down\r\ncontent-length: 0\r\n\r\n";

fn hook(url: &str) -> WebhookSettings {
    WebhookSettings {
        name: "crm".into(),
        url: SecretString::from(url),
        secret: Some(SecretString::from("a secret of the tests")),
        events: vec![HookKind::Reply, HookKind::Changed, HookKind::Failed],
        campaigns: Vec::new(),
    }
}

async fn teller(f: &Fixture, hook: WebhookSettings) -> Teller {
    let mut hooks = Hooks::new(f.store.clone(), vec![hook.clone()], TlsRoots::default());
    hooks.limit = Duration::from_millis(300);
    hooks.register().await.unwrap();
    hooks.teller(&hook, &hooks.client().await.unwrap())
}

async fn happens(f: &Fixture) -> EventId {
    f.store
        .write(|tx| tx.note_event(&NewEvent::changed(CampaignLeadId(1), UtcMs(NOW))))
        .await
        .unwrap()
}

/// All that there is to do at this moment.
async fn tell(t: &Teller, now: UtcMs) {
    let mut seen = EventId(0);
    while t.step(&mut seen, now).await.unwrap() {}
}

fn states(f: &Fixture) -> String {
    f.list("SELECT state || ' ' || attempts || ' ' || coalesce(status, '-') || ' ' || error FROM webhook_deliveries ORDER BY id")
}

fn later(seconds: u64) -> UtcMs {
    UtcMs(NOW).plus(Duration::from_secs(seconds))
}

#[tokio::test]
async fn an_event_is_told_once_signed_and_with_its_id() {
    let f = Fixture::new();
    let receiver = Receiver::start(Some(OK)).await;
    happens(&f).await;
    let t = teller(&f, hook(&receiver.url)).await;
    let id = happens(&f).await;
    tell(&t, UtcMs(NOW)).await;
    tell(&t, later(3600)).await;
    let got = receiver.got();
    assert_eq!(
        got.len(),
        1,
        "what was before the webhook is not told: {got:#?}"
    );
    let (head, body) = got[0].split_once("\r\n\r\n").unwrap();
    let wanted = signature("a secret of the tests", UtcMs(NOW), body);
    assert!(
        head.contains(&format!("replyd-signature: {wanted}")),
        "{head}"
    );
    assert!(head.contains(&format!("replyd-event-id: {id}")), "{head}");
    let body: serde_json::Value = serde_json::from_str(body).unwrap();
    assert_eq!(body["id"], id.to_string());
    assert_eq!(body["type"], "changed");
    assert_eq!(body["lead"]["email"], "ann@lead.example");
    assert_eq!(states(&f), "done 1 204 ");
}

#[tokio::test]
async fn a_receiver_that_is_down_is_told_later_with_growing_pauses_and_then_failed() {
    let f = Fixture::new();
    let receiver = Receiver::start(Some(DOWN)).await;
    let t = teller(&f, hook(&receiver.url)).await;
    happens(&f).await;
    let (mut at, mut tries) = (0_u64, 0);
    // An hour more than the pauses with their jitter.
    while at < 30 * 3600 {
        tell(&t, later(at)).await;
        tries += receiver.got().len();
        at += if at < 600 { 5 } else { 600 };
    }
    assert_eq!(tries, PAUSES_S.len() + 1);
    assert_eq!(states(&f), "failed 9 503 status 503");
    // A person lets it be told again.
    receiver.says(OK);
    let n = f
        .store
        .write(|tx| tx.replay_deliveries("crm", None, None, later(40 * 3600)))
        .await
        .unwrap();
    assert_eq!(n, 1);
    tell(&t, later(40 * 3600)).await;
    assert_eq!(states(&f), "done 1 204 ");
}

#[tokio::test]
async fn gone_is_failed_at_once_a_redirect_is_refused_and_one_that_hangs_is_asked_again() {
    let f = Fixture::new();
    let receiver = Receiver::start(Some("HTTP/1.1 410 Gone\r\ncontent-length: 0\r\n\r\n")).await;
    let t = teller(&f, hook(&receiver.url)).await;
    happens(&f).await;
    tell(&t, UtcMs(NOW)).await;
    assert_eq!(states(&f), "failed 1 410 status 410");
    f.sql("DELETE FROM webhook_deliveries");

    receiver
        .says("HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n");
    happens(&f).await;
    tell(&t, UtcMs(NOW)).await;
    assert_eq!(
        states(&f),
        "due 1 302 status 302: redirects are not followed"
    );
    f.sql("DELETE FROM webhook_deliveries");

    *receiver.answer.lock().unwrap() = None;
    happens(&f).await;
    tell(&t, UtcMs(NOW)).await;
    assert_eq!(states(&f), "due 1 - no answer in time");
    f.sql("DELETE FROM webhook_deliveries");

    // It hangs up.
    receiver.says("");
    happens(&f).await;
    tell(&t, UtcMs(NOW)).await;
    assert!(states(&f).starts_with("due 1 - "), "{}", states(&f));
    f.sql("DELETE FROM webhook_deliveries");

    // A body without end is not read; Retry-After is heeded.
    receiver.says("HTTP/1.1 200 OK\r\ncontent-length: 99999999999\r\n\r\nxxxx");
    happens(&f).await;
    tell(&t, UtcMs(NOW)).await;
    assert_eq!(states(&f), "done 1 200 ");
    f.sql("DELETE FROM webhook_deliveries");
    receiver.says("HTTP/1.1 429 Slow\r\nretry-after: 7200\r\ncontent-length: 0\r\n\r\n");
    happens(&f).await;
    tell(&t, UtcMs(NOW)).await;
    receiver.got();
    tell(&t, later(7100)).await;
    assert_eq!(receiver.got().len(), 0);
    tell(&t, later(7201)).await;
    assert_eq!(receiver.got().len(), 1);
}

#[tokio::test]
async fn an_attempt_whose_process_died_comes_back_after_its_lease_and_a_late_outcome_changes_nothing()
 {
    let f = Fixture::new();
    let receiver = Receiver::start(Some(OK)).await;
    let t = teller(&f, hook(&receiver.url)).await;
    happens(&f).await;
    t.take_events(&mut EventId(0), UtcMs(NOW)).await.unwrap();
    let claimed = f
        .store
        .book(|tx| tx.claim_deliveries("crm", 4, LEASE, UtcMs(NOW)))
        .await
        .unwrap();
    assert_eq!(claimed.len(), 1);
    tell(&t, later(19)).await;
    assert_eq!(receiver.got().len(), 0);
    tell(&t, later(21)).await;
    assert_eq!(receiver.got().len(), 1);
    let late = claimed[0].clone();
    let changed = f
        .store
        .book(move |tx| tx.end_delivery(&late, &DeliveryEnd::Failed, None, "late", later(22)))
        .await
        .unwrap();
    assert!(!changed);
    assert_eq!(states(&f), "done 2 204 ");
}

#[tokio::test]
async fn a_webhook_of_some_campaigns_and_kinds_is_told_of_no_others() {
    let f = Fixture::new();
    f.sql("INSERT INTO campaigns (id, name, created_at, updated_at) VALUES (2, 'Other', 0, 0)");
    f.lead(2, "Bob", "bob@lead.example", 2);
    let receiver = Receiver::start(Some(OK)).await;
    let t = teller(
        &f,
        WebhookSettings {
            campaigns: vec!["Other".into(), "Not there yet".into()],
            ..hook(&receiver.url)
        },
    )
    .await;
    let thread = f.number("SELECT id FROM campaign_leads WHERE campaign_id = 2");
    for (lead, kind) in [
        (1, EventKind::Changed),
        (thread, EventKind::Changed),
        (thread, EventKind::Draft),
    ] {
        let event = NewEvent {
            campaign_lead_id: Some(CampaignLeadId(lead)),
            ..NewEvent::new(kind, UtcMs(NOW))
        };
        f.store
            .write(move |tx| tx.note_event(&event))
            .await
            .unwrap();
    }
    tell(&t, UtcMs(NOW)).await;
    let got = receiver.got();
    assert_eq!(got.len(), 1, "{got:#?}");
    assert!(got[0].contains("bob@lead.example"));
}
