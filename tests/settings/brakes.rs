//! Settings of the decision: thresholds, brakes, words, pauses, delay and hours.

use std::time::Duration;

use replyd::reply::gate::default_settings;
use replyd::zone::ZoneChoice;

use super::{ACCOUNT, World, assert_has};

fn with(reply: &str) -> World {
    World::with_toml(&format!("{ACCOUNT}\n[reply]\n{reply}\n"))
}

#[test]
fn what_classify_decides_by_is_what_a_settings_file_without_a_word_of_it_says() {
    let mut expected = default_settings();
    let found = World::with_toml(ACCOUNT).settings().reply;
    expected.sales_email.clone_from(&found.sales_email);
    assert_eq!(format!("{found:?}"), format!("{expected:?}"));
    assert_eq!(found.send_delay, Duration::ZERO);
    assert!(found.working_hours.is_none());
    assert_eq!(found.zone, ZoneChoice::Lead);
}

#[test]
fn delay_hours_words_and_caps_are_read() {
    let reply = with(
        "margin = 0.2\nautomatic_per_domain = 7\nperson_words = [\"escrow*\", \"expert opinion\"]\n\
         not_now_pause = \"30d\"\nsend_delay = \"90s\"\n\
         working_hours = \"Mon-Fri 09:00-18:00, Sat 10:00-13:00\"\nzone = \"DE\"",
    )
    .settings()
    .reply;
    assert_eq!((reply.margin, reply.automatic_per_domain), (0.2, 7));
    assert_eq!(reply.person_words, ["escrow*", "expert opinion"]);
    assert_eq!(reply.not_now_pause, Duration::from_secs(30 * 86_400));
    assert_eq!(reply.send_delay, Duration::from_secs(90));
    let hours = reply.working_hours.expect("Hours");
    assert_eq!(hours.as_str(), "Mon-Fri 09:00-18:00, Sat 10:00-13:00");
    assert!(matches!(reply.zone, ZoneChoice::Fixed(_)));
    assert!(
        with("working_hours = \"none\"")
            .settings()
            .reply
            .working_hours
            .is_none()
    );
}

#[test]
fn hours_zones_and_words_that_cannot_be_meant_are_told_with_a_remedy() {
    for (reply, parts) in [
        (
            "working_hours = \"9 to 5\"",
            ["reply.working_hours", "Mon-Fri 09:00-18:00"],
        ),
        (
            "working_hours = \"22:00-06:00\"",
            ["reply.working_hours", "two windows"],
        ),
        (
            "zone = \"Europe/Berlinn\"",
            ["reply.zone", "a zone such as Europe/Berlin"],
        ),
        ("person_words = [\"*\"]", ["reply.person_words", "no word"]),
        ("margin = 1.5", ["reply.margin", "0 to 1"]),
        (
            "not_now_pause = \"1h\"",
            ["reply.not_now_pause", "24 h or more"],
        ),
    ] {
        assert_has(&with(reply).error(), &parts);
    }
}
