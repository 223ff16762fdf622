use replyd::config::{AuthMechanism, Security};

use crate::{ACCOUNT, World, assert_has};

#[test]
fn several_accounts_with_several_mailboxes_share_what_is_said_once() {
    let toml = r#"
[imap]
host = "mail.example.com"
security = "starttls"
[smtp]
host = "relay.example.com"
user = "relay"
password = "of the relay"
hello_name = "mail.example.com"

[[accounts]]
address = "sales@example.com"
password = "a"
mailboxes = ["INBOX", "Leads/Größe"]
aliases = ["info@example.com"]

[[accounts]]
name = "eu"
address = "Sales EU <eu@example.com>"
user = "eu-login"
password = "b"
[accounts.imap]
host = "imap.eu.example.com"
security = "tls"
[accounts.smtp]
host = "smtp.eu.example.com"
port = 465
security = "tls"
user = "eu-login"
auth = "login"
password = "c"
envelope_from = "bounces@example.com"
"#;
    let settings = World::with_toml(toml).settings();
    let [first, second] = settings.accounts.as_slice() else {
        panic!("two accounts");
    };
    assert_eq!(first.name, "sales@example.com", "its address names it");
    assert_eq!(first.mailboxes, ["INBOX", "Leads/Größe"]);
    assert_eq!(first.aliases, ["info@example.com"]);
    assert_eq!(first.imap.host, "mail.example.com");
    assert_eq!(
        (first.imap.security, first.imap.port),
        (Security::StartTls, 143)
    );
    assert_eq!(first.imap.user, "sales@example.com");
    assert_eq!(first.smtp.host, "relay.example.com");
    assert_eq!(first.smtp.user.as_deref(), Some("relay"));
    assert_eq!(first.smtp.envelope_from, "sales@example.com");
    assert_eq!(first.smtp.hello_name.as_deref(), Some("mail.example.com"));

    assert_eq!(second.name, "eu");
    assert_eq!(
        (second.address.as_str(), second.from_name.as_str()),
        ("eu@example.com", "Sales EU")
    );
    assert_eq!(
        (second.imap.host.as_str(), second.imap.port),
        ("imap.eu.example.com", 993)
    );
    assert_eq!(second.imap.user, "eu-login");
    assert_eq!(
        (second.smtp.security, second.smtp.port),
        (Security::Tls, 465)
    );
    assert_eq!(second.smtp.auth, AuthMechanism::Login);
    assert_eq!(second.smtp.envelope_from, "bounces@example.com");
    assert_eq!(settings.reply.sales_email, "sales@example.com");
}

#[test]
fn any_key_of_an_account_can_come_from_the_environment_by_its_name() {
    let world = World::with_toml(&ACCOUNT.replace("\"sales\"", "\"Sales (EU)\""))
        .var("REPLYD_ACCOUNT_SALES__EU__IMAP_PORT", "10993")
        .var("REPLYD_ACCOUNT_SALES__EU__MAILBOXES", "INBOX, Leads");
    let settings = world.settings();
    assert_eq!(settings.accounts[0].imap.port, 10993);
    assert_eq!(settings.accounts[0].mailboxes, ["INBOX", "Leads"]);
}

#[test]
fn names_of_accounts_are_unique_also_as_environment_names() {
    for other in ["sales", "Sales", "SALES"] {
        let second = ACCOUNT.replace("name = \"sales\"", &format!("name = \"{other}\""));
        let second = second.replace("imap.example.com", "two.example.com");
        let error = World::with_toml(&format!("{ACCOUNT}{second}")).error();
        assert_has(
            &error,
            &[
                "replyd.toml:9: accounts.name",
                "same name",
                "`name` of its own",
            ],
        );
    }
    let ambiguous = ACCOUNT.replace("name = \"sales\"", "name = \"sales imap\"");
    let ambiguous = ambiguous.replace("imap.example.com", "two.example.com");
    let error = World::with_toml(&format!("{ACCOUNT}{ambiguous}")).error();
    assert_has(
        &error,
        &[
            "REPLYD_ACCOUNT_SALES_IMAP_PASSWORD would belong to",
            "Rename one",
        ],
    );
}

#[test]
fn two_accounts_on_one_mailbox_are_refused() {
    let second = ACCOUNT.replace("name = \"sales\"", "name = \"again\"");
    let second = format!("{second}user = \"sales@example.com\"\nmailboxes = [\"inbox\"]\n");
    let error = World::with_toml(&format!("{ACCOUNT}{second}")).error();
    assert_has(
        &error,
        &["watch the same mailbox \"inbox\"", "Let one of them"],
    );
}

#[test]
fn plain_is_for_this_machine_only() {
    for (host, allowed) in [
        ("localhost", true),
        ("127.0.0.1", true),
        ("127.5.5.5", true),
        ("::1", true),
        ("192.168.1.2", false),
        ("localhost.example.com", false),
        ("mail", false),
    ] {
        let toml = ACCOUNT.replace(
            "smtp.host = \"smtp.example.com\"",
            &format!("smtp.host = \"{host}\"\nsmtp.security = \"plain\"\nsmtp.auth = \"none\""),
        );
        let loaded = World::with_toml(&toml).load();
        assert_eq!(loaded.is_ok(), allowed, "{host}");
        if let Ok(loaded) = loaded {
            let smtp = &loaded.settings.accounts[0].smtp;
            assert_eq!((smtp.security, smtp.port), (Security::Plain, 25));
            assert_eq!(smtp.user, None, "auth none");
        }
    }
}

#[test]
fn printed_mails_need_no_server() {
    let toml = ACCOUNT.replace("smtp.host = \"smtp.example.com\"", "smtp.console = true");
    let settings = World::with_toml(&toml).settings();
    assert!(settings.accounts[0].smtp.console);
}

#[test]
fn host_names_are_taken_in_their_ascii_form() {
    let toml = ACCOUNT.replace("imap.example.com", "imap.bücher.example.");
    let settings = World::with_toml(&toml).settings();
    assert_eq!(settings.accounts[0].imap.host, "imap.xn--bcher-kva.example");
}

#[test]
fn own_certificates_are_read_to_see_that_they_are_some() {
    let host = "imap.host = \"imap.example.com\"";
    let toml = ACCOUNT.replace(host, &format!("{host}\nimap.ca_file = \"ca.pem\""));
    let world = World::with_toml(&toml);
    let made = rcgen::generate_simple_self_signed(["mail.example.com".to_owned()]).unwrap();
    let path = world.file("cwd/ca.pem", &made.cert.pem());
    assert_eq!(
        world.settings().accounts[0].imap.ca_file.as_ref(),
        Some(&path)
    );
    for (text, what) in [
        ("nothing", "holds no certificate"),
        (
            "-----BEGIN CERTIFICATE-----\n!!\n-----END CERTIFICATE-----\n",
            "no valid PEM",
        ),
    ] {
        world.file("cwd/ca.pem", text);
        assert_has(&world.error(), &["accounts[sales].imap.ca_file", what]);
    }
}

#[test]
fn a_port_that_does_not_go_with_its_protection_gets_a_warning() {
    for (lines, warned) in [
        ("smtp.port = 465", true),
        ("smtp.port = 587", false),
        ("imap.port = 143", true),
        ("imap.port = 993\nimap.security = \"starttls\"", true),
        ("imap.port = 10143", false),
    ] {
        let loaded = World::with_toml(&format!("{ACCOUNT}{lines}\n")).loaded();
        let has = loaded
            .notes
            .iter()
            .any(|n| n.text.contains("usually goes with"));
        assert_eq!(has, warned, "{lines}");
    }
}
