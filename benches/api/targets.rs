//! What is asked for.

use std::sync::Arc;

use fastrand::Rng;

use crate::client::Client;
use crate::database::Made;
use crate::host::Host;
use crate::load::Next;

/// A kind of request.
pub(crate) struct Target {
    pub(crate) name: String,
    pub(crate) next: Next,
}

fn target(name: &str, next: impl Fn(&mut Rng) -> String + Send + Sync + 'static) -> Target {
    Target {
        name: name.to_owned(),
        next: Arc::new(next),
    }
}

fn same(path: &str) -> Target {
    let owned = path.to_owned();
    target(path, move |_| owned.clone())
}

/// A conversation as most are.
fn any(threads: i64) -> impl Fn(&mut Rng) -> i64 {
    move |rng| rng.i64(1..=threads)
}

/// What people read most: the lines of a conversation, one of them, all that is known of it.
pub(crate) fn conversations(made: &Made) -> Vec<Target> {
    let (lines, thread) = (made.lines, any(made.threads));
    let whole = any(made.threads);
    vec![
        target("/api/agent/queries?campaign_lead_id=…", move |rng| {
            format!("/api/agent/queries?campaign_lead_id={}", thread(rng))
        }),
        target("/api/agent/queries/{id}", move |rng| {
            format!("/api/agent/queries/{}", rng.i64(1..=lines))
        }),
        target("/api/conversations/{id}", move |rng| {
            format!("/api/conversations/{}", whole(rng))
        }),
    ]
}

/// The mean of these: half lists, a quarter each of the others.
pub(crate) fn mixed(made: &Made) -> Next {
    let all: Vec<Next> = conversations(made).into_iter().map(|t| t.next).collect();
    Arc::new(move |rng| {
        let which = [0, 0, 1, 2].get(rng.usize(0..4)).copied().unwrap_or(0);
        all.get(which).map_or_else(String::new, |next| next(rng))
    })
}

/// The rest of the API.
pub(crate) fn api(made: &Made, cursors: Vec<String>) -> Vec<Target> {
    let (campaigns, followups) = (made.campaigns, made.campaigns);
    let mut all = vec![
        target(
            "/api/agent/queries?campaign_lead_id=… (2000 lines)",
            |rng| format!("/api/agent/queries?campaign_lead_id={}", rng.i64(1..=10)),
        ),
        target("/api/conversations/{id} (2000 lines)", |rng| {
            format!("/api/conversations/{}", rng.i64(1..=10))
        }),
        same("/api/agent/queries"),
        same("/api/conversations"),
        target("/api/conversations?cursor=…", move |rng| {
            let at = rng.usize(0..cursors.len().max(1));
            let cursor = cursors.get(at).map_or("", String::as_str);
            format!("/api/conversations?cursor={cursor}")
        }),
        target("/api/conversations?campaign_id=…", move |rng| {
            format!("/api/conversations?campaign_id={}", rng.i64(1..=campaigns))
        }),
    ];
    for state in STATES {
        all.push(same(&format!("/api/conversations?state={state}")));
    }
    for words in WORDS {
        all.push(same(&format!("/api/conversations?q={words}")));
    }
    all.push(target("/api/campaigns/{id}/followups", move |rng| {
        format!("/api/campaigns/{}/followups", rng.i64(1..=followups))
    }));
    for path in [
        "/api/campaigns/list",
        "/api/leads",
        "/api/leads?q=lead77",
        "/api/messages",
        "/api/drafts",
        "/api/unmatched",
        "/api/suppressions",
        "/api/statistics",
        "/health",
    ] {
        all.push(same(path));
    }
    all
}

const STATES: [&str; 7] = [
    "replies",
    "person",
    "drafts",
    "goal",
    "unanswered",
    "sent_only",
    "all",
];

/// In one text of a thousand, in one of three, both at once, and nowhere.
const WORDS: [&str; 4] = ["balcony", "the", "the+balcony", "xylophone"];

/// Every page.
pub(crate) fn pages(made: &Made) -> Vec<Target> {
    let (thread, campaigns) = (any(made.threads), made.campaigns);
    let mut all: Vec<Target> = STATES
        .iter()
        .map(|state| same(&format!("/?state={state}")))
        .collect();
    all.extend(WORDS.iter().map(|words| same(&format!("/?q={words}"))));
    all.extend([
        same("/?state=all&campaign=3"),
        target("/conversations/{id}", move |rng| {
            format!("/conversations/{}", thread(rng))
        }),
        target("/conversations/{id} (2000 lines)", |rng| {
            format!("/conversations/{}", rng.i64(1..=10))
        }),
        same("/campaigns"),
        target("/campaigns/{id}", move |rng| {
            format!("/campaigns/{}", rng.i64(1..=campaigns))
        }),
        same("/leads"),
        same("/leads?q=lead77"),
        same("/unmatched"),
        same("/suppressions"),
        same("/state"),
    ]);
    all
}

/// Style sheet, script and icon: addresses and bytes.
pub(crate) fn assets(host: &Host) -> Vec<(String, usize)> {
    host.outside.block_on(async {
        let mut client = Client::connect(host.address, &host.token).await;
        let page = client.get("/").await;
        let page = String::from_utf8_lossy(&page.body).into_owned();
        let mut paths: Vec<String> = page
            .split('"')
            .filter(|text| text.starts_with("/assets/"))
            .map(str::to_owned)
            .collect();
        paths.sort();
        paths.dedup();
        let mut assets = Vec::new();
        for path in paths {
            let bytes = client.get(&path).await.bytes;
            assets.push((path, bytes));
        }
        assets
    })
}

/// The cursors of the first hundred pages of conversations.
pub(crate) fn cursors(host: &Host) -> Vec<String> {
    host.outside.block_on(async {
        let mut client = Client::connect(host.address, &host.token).await;
        let mut cursors: Vec<String> = Vec::new();
        for _ in 0..100 {
            let cursor = cursors.last().map_or("", String::as_str);
            let path = format!("/api/conversations?limit=200&cursor={cursor}");
            let page: serde_json::Value =
                serde_json::from_slice(&client.get(&path).await.body).expect("A list as JSON");
            let Some(next) = page.get("next").and_then(|next| next.as_str()) else {
                break;
            };
            cursors.push(next.to_owned());
        }
        cursors
    })
}
