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

#[test]
fn own_weights_are_looked_for_beside_the_settings_file_and_must_be_there() {
    assert_eq!(with("").settings().reply.weights_file, None);
    let error = with("[reply]\nweights_file = \"/nowhere/my.weights\"").error();
    assert_has(&error, &["reply.weights_file", "/nowhere/my.weights"]);
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("my.weights");
    std::fs::write(&path, b"x").unwrap();
    let set = with(&format!(
        "[reply]\nweights_file = {:?}",
        path.to_str().unwrap()
    ));
    assert_eq!(
        set.settings().reply.weights_file.as_deref(),
        Some(path.as_path())
    );
}
