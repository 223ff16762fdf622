//! Any text, as plain text, as HTML, as both, with a mail of ours below: nothing is lost.
#![no_main]

use libfuzzer_sys::fuzz_target;
use replyd::mime::Page;
use replyd::visible::{self, Visible};

fn words(text: &str) -> usize {
    text.chars().filter(|c| c.is_alphanumeric()).count()
}

/// A text with words gives new text: if nothing else is left, the whole.
fn check(text: &str, visible: &Visible) {
    assert!(
        words(text) == 0 || !visible.new_text.is_empty(),
        "nothing is left, and the whole does not count"
    );
    if visible.nothing_new {
        assert!(!visible.sure || words(text) == 0 || words(&visible.new_text) > 0);
    }
    let own = visible::own_words(&visible.new_text, visible.nothing_new);
    assert!(own.len() <= visible.new_text.len());
    std::hint::black_box(visible.signature_and_disclaimer());
}

fuzz_target!(init: replyd_fuzz::own_panics_only(), |data: &[u8]| {
    let [kind, body @ ..] = data else { return };
    let body = replyd::understand::body_in_utf8(body);
    // After a form feed stands what we sent.
    let (body, ours) = body.split_once('\u{c}').unwrap_or((&body, "Would you like to schedule a viewing this week?"));
    if kind & 1 == 0 {
        let text = replyd::mime::tidy_text(body);
        let visible = visible::split(&text);
        check(&text, &visible);
        check(&text, &visible.without(&[ours]));
    } else {
        let page = Page::read(body);
        let text = page.text();
        let visible = visible::split_page(&page);
        check(&text, &visible);
        check(&text, &visible.without(&[ours, body]));
    }
});
