use replyd::config::{Credential, Loaded, Security};
use secrecy::ExposeSecret;

use crate::{ACCOUNT, World, assert_has};

/// The predecessor's .env as its page on e-mail shows it.
const ENV: &str = "\
# Django
SECRET_KEY=django-insecure-xyz
DEBUG=True

# Email Configuration
EMAIL_BACKEND=django.core.mail.backends.smtp.EmailBackend
EMAIL_HOST=smtp.gmail.com
EMAIL_PORT=587
EMAIL_USE_TLS=True
EMAIL_HOST_USER=your-email@gmail.com
EMAIL_HOST_PASSWORD=abcd efgh ijkl mnop
DEFAULT_FROM_EMAIL=noreply@example.com
TEST_EMAIL=test@example.com

# IMAP
IMAP_USER=your-email@gmail.com
IMAP_PASSWORD=abcd efgh ijkl mnop
";

fn minimal(more: &str) -> World {
    World::with_env_file(&format!(
        "IMAP_USER=me@example.com\nIMAP_PASSWORD=x\n{more}"
    ))
}

fn notes(loaded: &Loaded) -> String {
    loaded.notes.iter().map(|n| format!("{n}\n")).collect()
}

fn secret(credential: &Credential) -> &str {
    match credential {
        Credential::Password(secret) => secret.expose_secret(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_predecessors_env_file_works_as_it_is() {
    let loaded = World::with_env_file(ENV).loaded();
    let [account] = loaded.settings.accounts.as_slice() else {
        panic!("one account");
    };
    assert_eq!(account.name, "your-email@gmail.com");
    assert_eq!(account.address, "noreply@example.com");
    assert_eq!(
        account.aliases,
        ["your-email@gmail.com"],
        "its own mail is ours"
    );
    assert_eq!(account.mailboxes, ["INBOX"]);
    let imap = &account.imap;
    assert_eq!((imap.host.as_str(), imap.port), ("imap.gmail.com", 993));
    assert_eq!(imap.security, Security::Tls);
    assert_eq!(imap.user, "your-email@gmail.com");
    assert_eq!(secret(&imap.credential), "abcd efgh ijkl mnop");
    let smtp = &account.smtp;
    assert_eq!((smtp.host.as_str(), smtp.port), ("smtp.gmail.com", 587));
    assert_eq!(smtp.security, Security::StartTls);
    assert_eq!(smtp.user.as_deref(), Some("your-email@gmail.com"));
    assert_eq!(
        smtp.credential.as_ref().map(secret),
        Some("abcd efgh ijkl mnop")
    );
    assert_eq!(
        smtp.envelope_from, "your-email@gmail.com",
        "where bounces are seen"
    );
    assert!(!smtp.console);
    assert_eq!(loaded.settings.reply.sales_email, "noreply@example.com");
    assert_has(
        &notes(&loaded),
        &["note: .env:13 TEST_EMAIL: it has no effect"],
    );
}

#[test]
fn its_defaults_hold_where_it_says_nothing() {
    let settings = minimal("").settings();
    let account = &settings.accounts[0];
    assert_eq!(account.address, "me@example.com");
    assert_eq!(
        (account.imap.host.as_str(), account.imap.port),
        ("imap.gmail.com", 993)
    );
    assert_eq!(
        (account.smtp.host.as_str(), account.smtp.port),
        ("smtp.gmail.com", 587)
    );
    assert_eq!(account.smtp.security, Security::StartTls);
    assert_eq!(account.smtp.user, None, "no EMAIL_HOST_USER, no sign-in");
    assert!(account.smtp.credential.is_none());
}

#[test]
fn from_may_carry_a_name_and_sales_have_their_address() {
    let world = minimal(
        "DEFAULT_FROM_EMAIL=\"Example Sales <hello@example.com>\"\nSALES_TEAM_EMAIL=team@example.com\n",
    );
    let settings = world.settings();
    assert_eq!(settings.accounts[0].address, "hello@example.com");
    assert_eq!(settings.accounts[0].from_name, "Example Sales");
    assert_eq!(settings.reply.sales_email, "team@example.com");
}

#[test]
fn imap_without_ssl_means_starttls_except_to_this_machine() {
    for (host, security, port) in [
        ("mail.example.com", Security::StartTls, 143),
        ("localhost", Security::Plain, 143),
        ("127.0.0.1", Security::Plain, 143),
        ("::1", Security::Plain, 143),
    ] {
        let world = minimal(&format!("IMAP_HOST={host}\nIMAP_USE_SSL=False\n"));
        let imap = &world.settings().accounts[0].imap;
        assert_eq!((imap.security, imap.port), (security, port), "{host}");
    }
}

#[test]
fn smtp_tls_switches_are_read_as_the_predecessor_reads_them() {
    for (lines, security, port) in [
        ("", Security::StartTls, 587),
        ("EMAIL_USE_TLS=True\n", Security::StartTls, 587),
        ("EMAIL_USE_SSL=True\n", Security::Tls, 465),
        (
            "EMAIL_USE_SSL=True\nEMAIL_USE_TLS=False\n",
            Security::Tls,
            465,
        ),
        ("EMAIL_USE_SSL=False\n", Security::StartTls, 587),
        ("EMAIL_USE_TLS=False\n", Security::StartTls, 587),
        (
            "EMAIL_USE_TLS=False\nEMAIL_HOST=localhost\n",
            Security::Plain,
            25,
        ),
        (
            "EMAIL_USE_TLS=False\nEMAIL_HOST=localhost\nEMAIL_PORT=1025\n",
            Security::Plain,
            1025,
        ),
    ] {
        let smtp = &minimal(lines).settings().accounts[0].smtp;
        assert_eq!((smtp.security, smtp.port), (security, port), "{lines}");
    }
    let both = minimal("EMAIL_USE_TLS=True\nEMAIL_USE_SSL=True\n").error();
    assert_has(
        &both,
        &[".env:4 EMAIL_USE_SSL", "both on", "Switch one off"],
    );
    let off = minimal("EMAIL_USE_TLS=False\n").loaded();
    assert_has(
        &notes(&off),
        &["warning: .env:3 EMAIL_USE_TLS", "STARTTLS is required"],
    );
}

#[test]
fn booleans_are_read_in_every_spelling_of_the_predecessor() {
    for (word, tls) in [
        ("True", true),
        ("true", true),
        ("TRUE", true),
        ("1", true),
        ("yes", true),
        ("y", true),
        ("on", true),
        ("t", true),
        ("ok", true),
        ("False", false),
        ("false", false),
        ("0", false),
        ("no", false),
        ("n", false),
        ("off", false),
        ("f", false),
        ("", true),
    ] {
        let world = minimal(&format!("IMAP_USE_SSL={word}\n"));
        let is_tls = world.settings().accounts[0].imap.security == Security::Tls;
        assert_eq!(is_tls, tls, "{word}");
    }
    let error = minimal("IMAP_USE_SSL=maybe\n").error();
    assert_has(
        &error,
        &[".env:3 IMAP_USE_SSL", "\"maybe\"", "Write True or False"],
    );
}

#[test]
fn the_console_backend_prints_and_unknown_backends_are_errors() {
    let console = "EMAIL_BACKEND=django.core.mail.backends.console.EmailBackend\n";
    assert!(minimal(console).settings().accounts[0].smtp.console);
    let error = minimal("EMAIL_BACKEND=django.core.mail.backends.dummy.EmailBackend\n").error();
    assert_has(&error, &["EMAIL_BACKEND", "dummy", "console.EmailBackend"]);
}

#[test]
fn they_override_the_one_account_of_replyd_toml() {
    let world = World::with_toml(ACCOUNT)
        .var("IMAP_HOST", "other.example.com")
        .var("IMAP_PASSWORD", "from the environment");
    let account = &world.settings().accounts[0];
    assert_eq!(account.name, "sales");
    assert_eq!(account.imap.host, "other.example.com");
    assert_eq!(secret(&account.imap.credential), "from the environment");
    assert_eq!(
        account.smtp.host, "smtp.example.com",
        "not the predecessor's default"
    );
    assert_eq!(
        account.smtp.credential.as_ref().map(secret),
        Some("hunter2")
    );
}

#[test]
fn with_several_accounts_they_are_passed_over_but_a_wish_not_to_send_is_kept() {
    let second = ACCOUNT.replace("sales", "support");
    let world = World::with_toml(&format!("{ACCOUNT}{second}"))
        .var("IMAP_HOST", "other.example.com")
        .var("SALES_TEAM_EMAIL", "team@example.com")
        .var("EMAIL_BACKEND", "console");
    let loaded = world.loaded();
    for account in &loaded.settings.accounts {
        assert_eq!(account.imap.host, "imap.example.com");
        assert!(account.smtp.console);
    }
    assert_eq!(loaded.settings.reply.sales_email, "team@example.com");
    assert_has(
        &notes(&loaded),
        &[
            "warning: environment variable IMAP_HOST: passed over",
            "REPLYD_ACCOUNT_<NAME>_IMAP_HOST",
        ],
    );
}

#[test]
fn in_one_source_our_own_names_are_stronger_and_the_environment_beats_the_file() {
    let file = "SALES_TEAM_EMAIL=old@example.com\nREPLYD_SALES_EMAIL=new@example.com\n";
    let world = minimal(file);
    assert_eq!(world.settings().reply.sales_email, "new@example.com");
    let world = world.var("SALES_TEAM_EMAIL", "environment@example.com");
    assert_eq!(
        world.settings().reply.sales_email,
        "environment@example.com"
    );
}

#[test]
fn what_is_missing_is_asked_for_by_the_predecessors_names() {
    let error = World::with_env_file("IMAP_USER=me\n").error();
    assert_has(
        &error,
        &[
            ".env:1 IMAP_USER: accounts[me].imap.password: the secret is missing. Set IMAP_PASSWORD",
            "accounts[me].address: the address is missing. Set DEFAULT_FROM_EMAIL",
        ],
    );
    let error = World::with_env_file("IMAP_PASSWORD=x\n").error();
    assert_has(&error, &["Set IMAP_USER in .env or in the environment"]);
}

#[test]
fn a_sender_address_that_nobody_reads_gets_a_warning_when_bounces_would_be_lost() {
    let world = minimal("DEFAULT_FROM_EMAIL=noreply@elsewhere.example\n");
    let loaded = world.loaded();
    assert_eq!(
        loaded.settings.accounts[0].smtp.envelope_from,
        "noreply@elsewhere.example"
    );
    assert_has(
        &notes(&loaded),
        &["bounces go to noreply@elsewhere.example"],
    );
}

#[test]
fn a_mailbox_name_with_a_comma_is_one_name() {
    let settings = minimal("IMAP_MAILBOX=Leads, new\n").settings();
    assert_eq!(settings.accounts[0].mailboxes, ["Leads, new"]);
}

#[test]
fn a_line_of_the_env_file_that_is_not_understood_is_told_beside_what_is_missing() {
    let error = World::with_env_file("IMAP_USER=me@example.com\nIMAP_PASSWORD=\"x\n").error();
    assert_has(
        &error,
        &[
            "the secret is missing",
            "warning: .env:2: IMAP_PASSWORD: a quotation mark is not closed",
        ],
    );
}
