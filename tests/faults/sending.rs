//! Sending: the sign-in, the envelope sender, and where bounces go.

use crate::place::{Place, Told, host};

#[test]
fn a_wrong_password_for_sending_only_is_named() {
    let host = host();
    let mut place = Place::on(&host);
    place.smtp().password = "not the password".into();
    let replyd = place.install();
    let told = Told::by(&replyd, &[], 2);
    told.assert_fault("smtp.sign_in", "wrong-password", "535");
    assert_eq!(told.check("imap.sign_in")["verdict"], "ok");
    assert!(!told.json.to_string().contains("not the password"));
}

#[test]
fn a_mechanism_that_is_not_offered_is_named() {
    let host = host();
    let mut place = Place::on(&host);
    place.smtp().more = "auth = \"xoauth2\"\n".into();
    place.smtp().password = String::new();
    let toml = place
        .toml()
        .replace("password = \"\"\n", "token_file = \"token\"\n");
    let replyd = place.install();
    replyd.file("replyd.toml", &toml);
    replyd.file("token", "abc\n");
    let told = Told::by(&replyd, &[], 2);
    told.assert_fault("smtp.sign_in", "mechanism-missing", "");
    assert_eq!(
        told.check("smtp.offers")["details"]["mechanisms"][0],
        "PLAIN"
    );
}

#[test]
fn a_server_that_takes_mails_without_a_sign_in_is_used_without_one() {
    let host = host();
    let mut place = Place::on(&host);
    host.postfix.set("smtpd_tls_security_level", "may");
    // Postfix's port for other servers takes mail for its own users only.
    place.smtp().port = host.postfix.smtp_port();
    place.smtp().more = "auth = \"none\"\n".into();
    let toml = place.toml();
    let (head, smtp) = toml.split_once("[accounts.smtp]").unwrap();
    let toml = format!(
        "{head}[accounts.smtp]{}",
        smtp.replacen("password = ", "# ", 1)
    );
    let replyd = place.install();
    replyd.file("replyd.toml", &toml);
    let told = Told::by(&replyd, &[], 0);
    assert!(
        told.check("smtp.sign_in")["text"]
            .as_str()
            .unwrap()
            .contains("none is set")
    );
    assert_eq!(told.check("smtp.envelope")["verdict"], "ok");
}

#[test]
fn an_envelope_sender_that_nobody_watches_is_a_warning() {
    let host = host();
    let mut place = Place::on(&host);
    place.smtp().more = "envelope_from = \"bounces@homes.example\"\n".into();
    let told = Told::by(&place.install(), &[], 0);
    told.assert_fault(
        "smtp.bounces",
        "sender-not-watched",
        "bounces@homes.example",
    );
}
