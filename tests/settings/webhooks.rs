//! `[[webhooks]]`: programs that are told of replies.

use replyd::model::HookKind;
use secrecy::ExposeSecret;

use crate::{ACCOUNT, World, assert_has};

fn with(more: &str) -> World {
    World::with_toml(&format!("{ACCOUNT}\n{more}\n"))
}

const HOOK: &str =
    "[[webhooks]]\nname = \"crm\"\nurl = \"https://crm.example.com/in/secret-path\"\n";

#[test]
fn a_webhook_has_a_name_an_address_and_a_secret_that_are_not_shown() {
    let loaded = with(&format!(
        "{HOOK}secret = \"0123456789abcdef-0\"\ncampaigns = [\"Spring\"]"
    ))
    .loaded();
    let hook = &loaded.settings.webhooks[0];
    assert_eq!(hook.name, "crm");
    assert_eq!(
        hook.url.expose_secret(),
        "https://crm.example.com/in/secret-path"
    );
    assert_eq!(
        hook.secret.as_ref().unwrap().expose_secret(),
        "0123456789abcdef-0"
    );
    assert_eq!(
        hook.events,
        [
            HookKind::Reply,
            HookKind::GoalReached,
            HookKind::OptOut,
            HookKind::Bounce
        ]
    );
    assert_eq!(hook.campaigns, ["Spring"]);
    let shown = format!("{:?} {:?}", loaded.settings, loaded.effective);
    assert!(
        !shown.contains("secret-path") && !shown.contains("0123456789abcdef"),
        "{shown}"
    );
    assert!(with("").settings().webhooks.is_empty());
}

#[test]
fn file_and_environment_give_the_secret_and_the_events() {
    let world = with(&format!(
        "{HOOK}secret_file = \"crm.secret\"\nevents = [\"draft\", \"sent\"]"
    ));
    world.file("cwd/crm.secret", "a secret of some length\n");
    let world = world.var("REPLYD_WEBHOOK_CRM_URL", "http://127.0.0.1:9/x");
    let hook = world.settings().webhooks.remove(0);
    assert_eq!(
        hook.secret.unwrap().expose_secret(),
        "a secret of some length"
    );
    assert_eq!(hook.events, [HookKind::Draft, HookKind::Sent]);
    assert_eq!(hook.url.expose_secret(), "http://127.0.0.1:9/x");
}

#[test]
fn what_is_wrong_is_told_with_what_to_do() {
    let secret = "secret = \"0123456789abcdef-0\"\n";
    for (written, parts) in [
        (
            HOOK.to_owned(),
            ["webhooks[crm].secret", "the secret is missing"],
        ),
        (
            format!("{HOOK}secret = \"short\""),
            ["webhooks[crm].secret", "fewer than 16 bytes"],
        ),
        (
            format!("{HOOK}{secret}events = \"replies\""),
            ["webhooks[crm].events", "no event \"replies\""],
        ),
        (
            format!("{HOOK}{secret}url2 = \"x\""),
            ["webhooks.url2", "unknown key"],
        ),
        (
            format!("[[webhooks]]\n{secret}url = \"https://x.example/\""),
            ["webhooks.name", "the name is missing"],
        ),
        (
            format!("[[webhooks]]\nname = \"a\"\n{secret}"),
            ["webhooks[a].url", "it is missing"],
        ),
        (
            format!("[[webhooks]]\nname = \"a\"\nurl = \"http://x.example/\"\n{secret}"),
            ["webhooks[a].url", "https://"],
        ),
        (
            format!("{HOOK}{secret}{HOOK}{secret}"),
            ["webhooks.name", "another webhook has this name"],
        ),
        ("webhooks = 3".to_owned(), ["webhooks", "list of tables"]),
    ] {
        // A key of the top level stands before the tables.
        let error = if written.starts_with("webhooks") {
            World::with_toml(&format!("{written}\n{ACCOUNT}\n")).error()
        } else {
            with(&written).error()
        };
        assert_has(&error, &parts);
        assert!(!error.contains("0123456789abcdef"), "{error}");
    }
}
