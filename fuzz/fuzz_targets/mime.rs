//! Any bytes as a message: a row comes of it, within the bounds.
#![no_main]

use libfuzzer_sys::fuzz_target;
use replyd::mime;
use replyd::time::UtcMs;

fuzz_target!(init: replyd_fuzz::own_panics_only(), |data: &[u8]| {
    let mail = mime::parse(data);
    assert!(mail.text.len() <= mime::MAX_TEXT_BYTES, "text of {}", mail.text.len());
    assert!(mail.headers.len() <= 300);
    assert!(mail.references.len() <= 100 && mail.in_reply_to.len() <= 100);
    assert!(mail.to.len() <= 100 && mail.cc.len() <= 100);
    assert!(!mail.subject.contains(['\n', '\r']), "a subject of two lines");
    assert!(!mail.text.contains(['\r', '\0']), "a text with CR or NUL");
    std::hint::black_box(mime::dated_ahead(&mail, UtcMs(1_700_000_000_000)));
    assert!(!mime::content_digest_input(&mail).is_empty());
    // A prefix, as the first fetch gives it.
    std::hint::black_box(mime::wants_more_text(&data[..data.len() / 2], data.len() as u64));
});
