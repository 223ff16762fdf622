use replyd::config::{FolderChoice, ReplyAddress, SaveSent};

use crate::{ACCOUNT, World, assert_has};

fn account(lines: &str) -> World {
    World::with_toml(&ACCOUNT.replacen("[[accounts]]\n", &format!("[[accounts]]\n{lines}\n"), 1))
}

#[test]
fn the_folders_of_an_account_are_found_named_or_left_alone() {
    let plain = World::with_toml(ACCOUNT)
        .settings()
        .accounts
        .remove(0)
        .folders;
    assert_eq!(
        (&plain.junk, &plain.sent),
        (&FolderChoice::Auto, &FolderChoice::Auto)
    );
    assert_eq!(plain.save_sent, SaveSent::Auto);
    assert!(plain.authserv_ids.is_empty(), "nothing is believed");
    let set = account(
        "junk = \"Off\"\nsent_folder = \"Éléments envoyés\"\nsave_sent = \"always\"\n\
         authserv_id = [\"MX.example.com\", \"*.example.net\", \"-\"]",
    );
    let set = set.settings().accounts.remove(0).folders;
    assert_eq!(set.junk, FolderChoice::Off);
    assert_eq!(set.sent, FolderChoice::Named("Éléments envoyés".into()));
    assert_eq!(set.save_sent, SaveSent::Always);
    assert_eq!(set.authserv_ids, ["mx.example.com", "*.example.net", "-"]);
}

#[test]
fn an_address_with_a_token_is_used_when_proven_or_never_also_by_commands_without_servers() {
    for (line, wanted) in [
        ("", ReplyAddress::Auto),
        ("reply_address = \"auto\"", ReplyAddress::Auto),
        ("reply_address = \"never\"", ReplyAddress::Never),
    ] {
        let settings = account(line).settings();
        assert_eq!(settings.accounts[0].reply_address, wanted, "{line}");
        assert_eq!(settings.senders[0].reply_address, wanted, "{line}");
    }
}

#[test]
fn wrong_folders_and_server_names_are_told_with_a_remedy() {
    for (line, told) in [
        (
            "junk = \"inbox\"",
            "INBOX is neither a spam nor a Sent folder",
        ),
        ("sent_folder = \"\"", "sent_folder"),
        (
            "save_sent = \"sometimes\"",
            "is not one of auto, always, never",
        ),
        ("reply_address = \"always\"", "is not one of auto, never"),
        ("authserv_id = [\"*.com\"]", "is no name of a mail server"),
        (
            "authserv_id = [\"mx.example.com;\"]",
            "is no name of a mail server",
        ),
    ] {
        assert_has(&account(line).error(), &[told]);
    }
}

#[test]
fn of_two_accounts_with_one_login_only_the_first_looks_for_folders_by_itself() {
    let toml = r#"
[imap]
host = "mail.example.com"
[smtp]
host = "mail.example.com"

[[accounts]]
address = "sales@example.com"
password = "a"

[[accounts]]
name = "second"
address = "sales@example.com"
password = "a"
mailboxes = ["Second"]

[[accounts]]
name = "third"
address = "sales@example.com"
password = "a"
mailboxes = ["Third"]
junk = "Third spam"
"#;
    let settings = World::with_toml(toml).settings();
    let junk: Vec<&FolderChoice> = settings.accounts.iter().map(|a| &a.folders.junk).collect();
    assert_eq!(
        junk,
        [
            &FolderChoice::Auto,
            &FolderChoice::Off,
            &FolderChoice::Named("Third spam".into())
        ]
    );
    // The same folder twice would answer everything in it twice.
    let twice = toml.replace(
        "mailboxes = [\"Second\"]",
        "mailboxes = [\"Second\"]\njunk = \"Third spam\"",
    );
    assert_has(
        &World::with_toml(&twice).error(),
        &["watch the same mailbox \"Third spam\""],
    );
}
