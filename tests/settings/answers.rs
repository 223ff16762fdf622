//! `reply.question_threshold` and `web.public_url`.

use crate::{ACCOUNT, World, assert_has};

fn with(more: &str) -> World {
    World::with_toml(&format!("{ACCOUNT}\n{more}\n"))
}

#[test]
fn a_question_is_answered_from_seven_tenths_on_unless_told_otherwise() {
    assert_eq!(with("").settings().reply.question_threshold, 0.7);
    let stricter = with("[reply]\nquestion_threshold = 0.9");
    assert_eq!(stricter.settings().reply.question_threshold, 0.9);
    let error = with("[reply]\nquestion_threshold = 7").error();
    assert_has(&error, &["reply.question_threshold"]);
}

#[test]
fn mails_to_sales_link_to_the_pages_only_where_their_address_is_set() {
    assert_eq!(with("").settings().web.public_url, None);
    let set = with("[web]\npublic_url = \"https://replyd.example.com\"");
    assert_eq!(
        set.settings().web.public_url.as_deref(),
        Some("https://replyd.example.com")
    );
    let error = with("[web]\npublic_url = \"replyd.example.com\"").error();
    assert_has(&error, &["web.public_url", "https://"]);
}
