use super::*;

fn entry() -> Entry {
    Entry {
        name: "sales".into(),
        address: "sales@example.com".into(),
        from_name: Some("Example \"Sales\"".into()),
        user: None,
        secret: SecretLines::Key("password_file", "sales.password".into()),
        imap: Server::new("imap.example.com", 993, Security::Tls),
        smtp: Server::new("smtp.example.com", 465, Security::Tls),
        ca_file: None,
        sales_email: Some("team@example.com".into()),
        operators: vec!["admin@example.com".into()],
        alerts: AlertWays::default(),
    }
}

fn written(old: &str, entry: &Entry) -> String {
    SettingsFile::read(old).unwrap().with(entry).unwrap()
}

#[test]
fn another_app_takes_over_nothing_of_the_one_before() {
    let oauth = |keys: &[(&'static str, &str)]| Entry {
        secret: SecretLines::OAuth(keys.iter().map(|(k, v)| (*k, (*v).to_owned())).collect()),
        ..entry()
    };
    let (microsoft, google) = (("provider", "microsoft"), ("provider", "google"));
    let first = oauth(&[
        microsoft,
        ("client_id", "OLD"),
        ("tenant", "wrong-tenant"),
        ("client_secret_file", "sales.client-secret"),
    ]);
    let old = written("", &first);
    assert!(old.contains("wrong-tenant"), "{old}");
    // The same app again, with nothing said of its tenant and secret: they stay.
    let same = written(&old, &oauth(&[microsoft, ("client_id", "OLD")]));
    assert_eq!(same, old);
    for next in [
        oauth(&[microsoft, ("client_id", "NEW"), ("tenant", "common")]),
        oauth(&[microsoft, ("client_id", "NEW")]),
        oauth(&[google, ("client_id", "NEW")]),
    ] {
        let text = written(&old, &next);
        assert!(text.contains("client_id = \"NEW\""), "{text}");
        assert!(!text.contains("tenant"), "{text}");
        assert!(!text.contains("client_secret_file"), "{text}");
    }
    // The usual tenant in the place of another one.
    let usual = [microsoft, ("client_id", "OLD"), ("tenant", "common")];
    let text = written(&old, &oauth(&usual));
    assert!(!text.contains("tenant"), "{text}");
    assert!(text.contains("client_secret_file"), "{text}");
}

#[test]
fn a_new_file_says_what_differs_from_the_defaults_and_no_more() {
    let text = written("", &entry());
    let (head, body) = text.split_once("\n\n").unwrap();
    assert!(head.lines().all(|l| l.starts_with('#')), "{head}");
    assert_eq!(
        body,
        "[[accounts]]
name = \"sales\"
address = \"sales@example.com\"
from_name = 'Example \"Sales\"'
password_file = \"sales.password\"

[accounts.imap]
host = \"imap.example.com\"

[accounts.smtp]
host = \"smtp.example.com\"
security = \"tls\"

[reply]
sales_email = \"team@example.com\"
operator_addresses = [\"admin@example.com\"]
"
    );
    // Again, nothing changes.
    assert_eq!(written(&text, &entry()), text);
}

#[test]
fn other_accounts_and_comments_stay() {
    let old = "# mine\n[[accounts]] # first\nname = \"old\"\naddress = \"old@example.com\"\n\
                   password = \"hunter2\" # secret\n\n[accounts.imap]\nhost = \"i.example\"\n\
                   # before smtp\n[accounts.smtp]\nhost = \"s.example\"\n\n# how often\n[listen]\n\
                   interval = \"2m\" # slow\n";
    let text = written(old, &entry());
    for part in old.lines() {
        assert!(text.contains(part), "{part}\n{text}");
    }
    let known = SettingsFile::read(&text).unwrap().accounts();
    let names: Vec<&str> = known.iter().map(|k| k.name.as_str()).collect();
    assert_eq!(names, ["old", "sales"], "{text}");
    let shown = without_secrets(&text).unwrap();
    assert!(!shown.contains("hunter2"), "{shown}");
    assert!(shown.contains("password = \"(a secret)\""), "{shown}");
}

#[test]
fn an_account_that_is_there_is_changed_in_place() {
    let old = "[[accounts]]\nname = \"sales\" # ours\naddress = \"S <sales@example.com>\"\n\
                   user = \"u1\"\npassword = \"x\"\naliases = [\"info@example.com\"]\n\
                   imap = { host = \"old.example\", port = 1993, password = \"y\" }\n\
                   [accounts.smtp]\nhost = \"smtp.example.com\" # out\nsecurity = \"tls\"\n";
    let text = written(old, &entry());
    assert!(text.contains("name = \"sales\" # ours"), "{text}");
    assert!(
        text.contains("address = \"S <sales@example.com>\""),
        "{text}"
    );
    assert!(text.contains("aliases = [\"info@example.com\"]"), "{text}");
    assert!(text.contains("host = \"smtp.example.com\" # out"), "{text}");
    for gone in ["\"x\"", "\"y\"", "u1", "1993", "old.example"] {
        assert!(!text.contains(gone), "{gone}\n{text}");
    }
    let [known] = &SettingsFile::read(&text).unwrap().accounts()[..] else {
        panic!("{text}");
    };
    assert_eq!(known.imap.0.as_deref(), Some("imap.example.com"));
    assert!(known.has_secret);
}

#[test]
fn what_is_said_for_all_accounts_is_not_said_again() {
    let old = "[imap]\nhost = \"imap.example.com\"\n[smtp]\nhost = \"other.example\"\n\
                   security = \"tls\"\nport = 2465\n";
    let text = written(old, &entry());
    let known = SettingsFile::read(&text).unwrap().accounts();
    let known = known.first().unwrap();
    assert_eq!(known.imap.0.as_deref(), Some("imap.example.com"));
    assert_eq!(known.smtp.0.as_deref(), Some("smtp.example.com"));
    assert_eq!(known.smtp.1, Some(465), "{text}");
    assert!(!text.contains("[accounts.imap]"), "{text}");
}

#[test]
fn another_way_of_signing_in_replaces_the_one_before() {
    let text = written("", &entry());
    let oauth = Entry {
        secret: SecretLines::OAuth(vec![
            ("provider", "google".into()),
            ("client_id", "id".into()),
        ]),
        ..entry()
    };
    let text = written(&text, &oauth);
    assert!(!text.contains("password_file"), "{text}");
    assert!(
        text.contains("[accounts.oauth]\nprovider = \"google\""),
        "{text}"
    );
    let back = written(&text, &entry());
    assert!(!back.contains("oauth"), "{back}");
    let by_name = Entry {
        secret: SecretLines::ByName,
        ..entry()
    };
    assert!(!written(&back, &by_name).contains("password"));
    let keep = Entry {
        secret: SecretLines::Keep,
        ..entry()
    };
    assert_eq!(written(&back, &keep), back);
}

#[test]
fn an_error_names_the_line_and_no_value() {
    let e = SettingsFile::read("a = 1\npassword = \"hunter2\n").unwrap_err();
    assert!(e.starts_with("line 2:"), "{e}");
    assert!(!e.contains("hunter2"), "{e}");
    let e = SettingsFile::read("accounts = 1\n").unwrap();
    assert!(e.with(&entry()).is_err());
}
