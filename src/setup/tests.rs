//! Whole conversations: flags and prepared answers, to the settings that come of them.

use std::collections::VecDeque;

use super::*;
use crate::cli::{ProviderArg, SecurityArg, SetupArgs};
use crate::config::Security;

/// Neither name servers nor HTTPS.
const CUT_OFF: Means = Means {
    dns: None,
    http: None,
};

fn script(answers: &[&'static str]) -> Desk {
    Desk::Script(VecDeque::from(answers.to_vec()))
}

fn place(root: &Path) -> Place {
    Place {
        root: root.to_owned(),
        is_system: true,
        settings: PathBuf::from("/etc/replyd/replyd.toml"),
    }
}

async fn text_of(args: &SetupArgs, desk: &mut Desk, old: &str) -> (Answers, String) {
    let file = SettingsFile::read(old).unwrap();
    let before = Before {
        accounts: file.accounts(),
        sales_email: file.sales_email(),
        has_alert_way: file.has_alert_way(),
    };
    let answers = ask(args, desk, &before, &CUT_OFF).await.unwrap();
    if let Desk::Script(left) = desk {
        assert!(left.is_empty(), "not asked for: {left:?}");
    }
    let dir = tempfile::tempdir().unwrap();
    let draft = draft(args, &place(dir.path()), &answers, (old, file)).unwrap();
    (answers, draft.text)
}

fn body(text: &str) -> &str {
    text.split_once("\n\n").map_or(text, |(_, body)| body)
}

#[tokio::test]
async fn a_person_is_asked_for_everything_that_no_flag_says() {
    let answers = [
        "no address",
        "Ann <ann@gmail.com>",
        "1",
        "abcd efgh ijkl mnop",
        "sales@example.com",
        "",
        "",
    ];
    let args = SetupArgs::default();
    let (answers, text) = text_of(&args, &mut script(&answers), "").await;
    assert_eq!(
        body(&text),
        "[[accounts]]
name = \"ann\"
address = \"ann@gmail.com\"
from_name = \"Ann\"
password_file = \"ann.password\"

[accounts.imap]
host = \"imap.gmail.com\"

[accounts.smtp]
host = \"smtp.gmail.com\"
security = \"tls\"

[reply]
sales_email = \"sales@example.com\"
"
    );
    let SignIn::Password(secret) = &answers.sign_in else {
        panic!("{answers:?}");
    };
    assert_eq!(secret.expose_secret(), "abcdefghijklmnop");
}

#[tokio::test]
async fn servers_that_nobody_finds_are_asked_for() {
    let answers = [
        "ann@example.com",
        "imap.example.com",
        "smtp.example.com",
        "Ann Lee",
        "3",
        "pass show mail",
        // The sales team has no default: the mailbox itself would hear nothing of an outage.
        "",
        "team@example.com",
        "admin@example.com",
        "http://plain.example.com/x",
        "https://alerts.example.com/s3cret",
    ];
    let args = SetupArgs {
        smtp_port: Some(465),
        ..SetupArgs::default()
    };
    let (_, text) = text_of(&args, &mut script(&answers), "").await;
    for line in [
        "from_name = \"Ann Lee\"",
        "password_command = \"pass show mail\"",
        "host = \"imap.example.com\"",
        // Port 465 speaks TLS from the first byte.
        "security = \"tls\"",
        "sales_email = \"team@example.com\"",
        "operator_addresses = [\"admin@example.com\"]",
        "[alerts]\nwebhook = \"https://alerts.example.com/s3cret\"",
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
}

#[tokio::test]
async fn a_way_of_alerts_besides_mail_is_taken_from_flags_and_asked_for_once() {
    let dir = tempfile::tempdir().unwrap();
    let hook = dir.path().join("hook");
    std::fs::write(&hook, "https://alerts.example.com/s3cret\n").unwrap();
    let flags = SetupArgs {
        address: Some("ann@gmail.com".into()),
        password_command: Some("true".into()),
        alert_webhook_file: Some(hook.clone()),
        alert_command: Some("/usr/local/bin/page-me --now".into()),
        ..SetupArgs::default()
    };
    let (_, text) = text_of(&flags, &mut Desk::Nobody, "").await;
    let lines = "[alerts]\nwebhook = \"https://alerts.example.com/s3cret\"\n\
                 command = \"/usr/local/bin/page-me --now\"\n";
    assert!(text.contains(lines), "{text}");
    // Its address is a secret: it is not shown.
    let shown = settings_file::without_secrets(&text).unwrap();
    assert!(!shown.contains("s3cret"), "{shown}");

    // Known already: not asked for again with the next mailbox.
    let next = SetupArgs {
        from_name: Some("Desk".into()),
        sales_email: Some("team@example.com".into()),
        alert_webhook_file: None,
        alert_command: None,
        address: Some("desk@gmail.com".into()),
        ..flags.clone()
    };
    let (_, both) = text_of(&next, &mut script(&["op@example.com"]), &text).await;
    assert!(both.contains(lines), "{both}");

    std::fs::write(&hook, "http://alerts.example.com/s3cret\n").unwrap();
    let mut bad = vec![SetupArgs {
        alert_command: None,
        ..flags.clone()
    }];
    bad.push(SetupArgs {
        alert_webhook_file: None,
        alert_command: Some("page-me".into()),
        ..flags
    });
    for args in bad {
        let asked = ask(&args, &mut Desk::Nobody, &Before::default(), &CUT_OFF).await;
        assert!(
            matches!(asked, Err(Stop::Bad(ref why)) if !why.contains("s3cret")),
            "{asked:?}"
        );
    }
}

#[tokio::test]
async fn without_a_terminal_one_error_names_every_flag() {
    let before = Before::default();
    let asked = ask(&SetupArgs::default(), &mut Desk::Nobody, &before, &CUT_OFF).await;
    let Err(Stop::Missing(missing)) = asked else {
        panic!("{asked:?}");
    };
    let flags: Vec<&str> = missing.iter().map(|m| m.flag).collect();
    let has = |flag: &str| flags.iter().any(|f| f.contains(flag));
    for flag in ["--address", "--imap-host", "--smtp-host", "--password-file"] {
        assert!(has(flag), "{flag} {flags:?}");
    }
    let microsoft = SetupArgs {
        address: Some("ann@example.com".into()),
        provider: Some(ProviderArg::Microsoft365),
        ..SetupArgs::default()
    };
    let asked = ask(&microsoft, &mut Desk::Nobody, &before, &CUT_OFF).await;
    let Err(Stop::Missing(missing)) = asked else {
        panic!("{asked:?}");
    };
    let [one] = missing.as_slice() else {
        panic!("{missing:?}");
    };
    assert!(one.flag.contains("--client-id"), "{one:?}");
}

#[tokio::test]
async fn a_password_is_not_taken_where_only_tokens_sign_in() {
    let args = SetupArgs {
        address: Some("ann@example.com".into()),
        provider: Some(ProviderArg::Microsoft365),
        password_command: Some("true".into()),
        ..SetupArgs::default()
    };
    let asked = ask(&args, &mut Desk::Nobody, &Before::default(), &CUT_OFF).await;
    let Err(Stop::Bad(why)) = asked else {
        panic!("{asked:?}");
    };
    assert!(why.contains("PROVIDERS.md#microsoft365"), "{why}");
}

#[tokio::test]
async fn oauth2_is_written_with_its_client_and_without_its_secret() {
    let dir = tempfile::tempdir().unwrap();
    let secret = dir.path().join("secret");
    std::fs::write(&secret, "GOCSPX-1\n").unwrap();
    let args = SetupArgs {
        address: Some("ann@gmail.com".into()),
        client_id: Some("1.apps.googleusercontent.com".into()),
        client_secret_file: Some(secret),
        ..SetupArgs::default()
    };
    let (_, text) = text_of(&args, &mut Desk::Nobody, "").await;
    assert!(
        text.contains(
            "[accounts.oauth]\nprovider = \"google\"\nclient_id = \
             \"1.apps.googleusercontent.com\"\nclient_secret_file = \"ann.client-secret\"\n"
        ),
        "{text}"
    );
    assert!(!text.contains("GOCSPX"), "{text}");
    let args = SetupArgs {
        address: Some("ann@hotmail.com".into()),
        client_id: Some("id".into()),
        ..SetupArgs::default()
    };
    let (_, text) = text_of(&args, &mut Desk::Nobody, "").await;
    assert!(text.contains("provider = \"microsoft\""), "{text}");
    assert!(text.contains("tenant = \"consumers\""), "{text}");
}

#[tokio::test]
async fn another_issuer_is_named_by_flags_and_what_is_missing_is_told() {
    let mut args = SetupArgs {
        address: Some("ann@example.com".into()),
        imap_host: Some("imap.example.com".into()),
        smtp_host: Some("smtp.example.com".into()),
        client_id: Some("id".into()),
        ..SetupArgs::default()
    };
    let asked = ask(&args, &mut Desk::Nobody, &Before::default(), &CUT_OFF).await;
    let Err(Stop::Missing(missing)) = asked else {
        panic!("{asked:?}");
    };
    let flags: Vec<&str> = missing.iter().map(|m| m.flag).collect();
    assert_eq!(
        flags,
        ["--token-url URL", "--auth-url URL or --device-url URL"]
    );

    args.token_url = Some("https://id.example.com/token".into());
    args.auth_url = Some("https://id.example.com/authorize".into());
    args.scope = vec!["mail".into(), "offline_access".into()];
    let (_, text) = text_of(&args, &mut Desk::Nobody, "").await;
    let table = "[accounts.oauth]\nprovider = \"custom\"\nclient_id = \"id\"\n\
                 token_url = \"https://id.example.com/token\"\n\
                 auth_url = \"https://id.example.com/authorize\"\n\
                 scopes = \"mail offline_access\"\n";
    assert!(text.contains(table), "{text}");

    // To a known provider: nothing of the old one stays.
    let google = SetupArgs {
        address: Some("ann@example.com".into()),
        provider: Some(ProviderArg::Gmail),
        client_id: Some("g".into()),
        ..SetupArgs::default()
    };
    let (_, text) = text_of(&google, &mut Desk::Nobody, &text).await;
    assert!(text.contains("provider = \"google\""), "{text}");
    assert!(!text.contains("id.example.com"), "{text}");

    let both = SetupArgs {
        token_url: Some("https://id.example.com/token".into()),
        ..google
    };
    let asked = ask(&both, &mut Desk::Nobody, &Before::default(), &CUT_OFF).await;
    assert!(matches!(asked, Err(Stop::Bad(_))), "{asked:?}");
}

const OLD: &str = "# mine\n[[accounts]]\nname = \"desk\"\naddress = \"ann@example.com\"\n\
                   user = \"ann\"\npassword_file = \"ann.secret\"\n[accounts.imap]\n\
                   host = \"imap.example.com\"\nport = 1993\n[accounts.smtp]\n\
                   host = \"smtp.example.com\"\n[reply]\nsales_email = \"sales@example.com\"\n";

#[tokio::test]
async fn an_account_that_is_there_keeps_what_no_flag_changes() {
    let args = SetupArgs {
        address: Some("ann@example.com".into()),
        ..SetupArgs::default()
    };
    let (answers, text) = text_of(&args, &mut Desk::Nobody, OLD).await;
    assert!(answers.is_known);
    assert_eq!(text, OLD);

    let args = SetupArgs {
        account: Some("desk".into()),
        imap_host: Some("new.example.com".into()),
        smtp_security: Some(SecurityArg::Tls),
        ..SetupArgs::default()
    };
    let (answers, text) = text_of(&args, &mut Desk::Nobody, OLD).await;
    // The port was another host's.
    let imap = Server::new("new.example.com", 993, Security::Tls);
    let smtp = Server::new("smtp.example.com", 465, Security::Tls);
    assert_eq!((answers.imap, answers.smtp), (imap, smtp));
    assert!(text.contains("password_file = \"ann.secret\""), "{text}");
    assert!(text.contains("user = \"ann\""), "{text}");
    assert!(!text.contains("1993"), "{text}");

    // With a person at the terminal: keep the secret?
    let args = SetupArgs {
        address: Some("ann@example.com".into()),
        ..SetupArgs::default()
    };
    let mut desk = script(&["no", "1", "new secret"]);
    let (_, text) = text_of(&args, &mut desk, OLD).await;
    assert!(text.contains("password_file = \"desk.password\""), "{text}");
}

#[tokio::test]
async fn another_mailbox_becomes_an_account_of_its_own() {
    let args = SetupArgs {
        address: Some("desk@other.example".into()),
        imap_host: Some("imap.other.example".into()),
        smtp_host: Some("smtp.other.example".into()),
        password_command: Some("true".into()),
        ..SetupArgs::default()
    };
    let (answers, text) = text_of(&args, &mut Desk::Nobody, OLD).await;
    // `desk` is taken.
    assert_eq!(answers.account, "desk@other.example");
    assert!(!answers.is_known);
    assert_eq!(text.matches("[[accounts]]").count(), 2, "{text}");
    assert!(
        text.contains("sales_email = \"sales@example.com\""),
        "{text}"
    );

    let args = SetupArgs {
        account: Some("desk".into()),
        ..args
    };
    let file = SettingsFile::read(OLD).unwrap();
    let before = Before {
        accounts: file.accounts(),
        sales_email: None,
        has_alert_way: false,
    };
    let asked = ask(&args, &mut Desk::Nobody, &before, &CUT_OFF).await;
    assert!(matches!(asked, Err(Stop::Bad(_))), "{asked:?}");
}

fn answers(sign_in: SignIn) -> Answers {
    Answers {
        account: "ann".into(),
        is_known: false,
        address: "ann@example.com".into(),
        from_name: None,
        user: None,
        sign_in,
        imap: Server::new("imap.example.com", 993, Security::Tls),
        smtp: Server::new("smtp.example.com", 587, Security::StartTls),
        ca_file: None,
        sales_email: None,
        operators: Vec::new(),
        alerts: AlertWays::default(),
        preset: None,
    }
}

#[test]
fn every_way_of_signing_in_is_written_so_that_the_service_reads_it() {
    use crate::config::Credential;
    let dir = tempfile::tempdir().unwrap();
    let token = dir.path().join("token");
    std::fs::write(&token, "t").unwrap();
    let load = |sign_in| {
        let place = place(dir.path());
        let file = SettingsFile::read("").unwrap();
        let args = SetupArgs::default();
        let draft = draft(&args, &place, &answers(sign_in), ("", file)).unwrap();
        let env = Environment {
            home: Some(dir.path().to_owned()),
            ..Environment::default()
        };
        as_the_service(&place, &draft, "ann", env)
            .unwrap()
            .smtp
            .credential
    };
    let oauth = SignIn::OAuth {
        provider: "google",
        issuer: None,
        client_id: "id".into(),
        client_secret: Some("s3cret".into()),
        tenant: None,
    };
    assert!(matches!(load(oauth), Some(Credential::OAuth(_))));
    let command = SignIn::PasswordCommand("pass show mail".into());
    assert!(matches!(
        load(command),
        Some(Credential::PasswordCommand(_))
    ));
    let command = SignIn::TokenCommand("oama access ann".into());
    assert!(matches!(load(command), Some(Credential::TokenCommand(_))));
    let file = SignIn::TokenFile(token.clone());
    assert!(matches!(load(file), Some(Credential::TokenFile(path)) if path == token));
}

#[test]
fn a_draft_is_read_as_the_service_will_read_it() {
    let dir = tempfile::tempdir().unwrap();
    let place = place(dir.path());
    let answers = answers(SignIn::Password("s3cret".into()));
    for secret_in in [SecretPlace::File, SecretPlace::Credential] {
        let args = SetupArgs {
            secret_in,
            ..SetupArgs::default()
        };
        let file = SettingsFile::read("").unwrap();
        let draft = draft(&args, &place, &answers, ("", file)).unwrap();
        let env = Environment {
            home: Some(dir.path().to_owned()),
            ..Environment::default()
        };
        let account = as_the_service(&place, &draft, "ann", env).unwrap();
        assert!(
            matches!(&account.imap.credential,
                crate::config::Credential::Password(p) if p.expose_secret() == "s3cret"),
            "{account:?}"
        );
        let shown = draft.plan.show(true).unwrap();
        assert!(!shown.contains("s3cret"), "{shown}");
        assert!(!format!("{draft:?}{answers:?}").contains("s3cret"));
        // Nothing is there yet.
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    }
}
