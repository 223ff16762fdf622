//! Any message, judged: one kind, with its evidence; and any notice, read for dates.
#![no_main]

use std::sync::OnceLock;

use libfuzzer_sys::fuzz_target;
use replyd::keys::Keys;
use replyd::model::Nature;
use replyd::nature::{self, Ours};
use replyd::time::UtcMs;
use replyd::{mime, understand};

fn keys() -> &'static Keys {
    static KEYS: OnceLock<Keys> = OnceLock::new();
    KEYS.get_or_init(|| Keys::unsaved().unwrap())
}

fn start() {
    nature::warm_up();
    replyd_fuzz::own_panics_only();
}

fuzz_target!(init: start(), |data: &[u8]| {
    let mail = mime::parse(data);
    let judged = nature::judge(&mail, &Ours::default(), keys());
    let is_bounce = matches!(judged.nature, Nature::Bounce);
    assert_eq!(is_bounce, judged.bounce.is_some());
    assert_eq!(judged.nature == Nature::Automatic, judged.automatic.is_some());
    assert!(!judged.evidence.is_empty() || judged.nature == Nature::Human);
    if let Some(bounce) = &judged.bounce {
        assert!(bounce.recipients.len() <= 1000);
    }
    for country in ["", "DE", "US"] {
        let received = mail.date.unwrap_or(UtcMs(1_700_000_000_000));
        let absence = nature::absence(&mail.subject, &mail.text, received, country);
        assert!(absence.until >= received, "a follow-up before the notice");
    }
    // The whole, as capture and `replyd parse` do it.
    let understood = understand::message(data, &Ours::default(), keys());
    assert!(!understood.failed);
    let record = understand::Record::of_message("f", data, &understood);
    assert!(!format!("{record:?}").is_empty());
});
