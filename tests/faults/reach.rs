//! The way to the server: names, ports, TLS.

use std::net::TcpListener;

use crate::common::dovecot::{Dovecot, Options, Variant};
use crate::place::{Place, Told, USERS, assert_named_everywhere, dovecot, host};

#[track_caller]
fn special(variant: Variant<'_>) -> Dovecot {
    let options = Options {
        users: USERS,
        idle: true,
        plain_port: true,
    };
    Dovecot::start_as(&options, &variant)
}

/// doctor and a single pass say the same of one spoiled place.
#[track_caller]
fn both(place: &Place, check: &str, fault: &str, detail: &str, doctor: i32, once: i32) {
    let replyd = place.install();
    Told::by(&replyd, &[], doctor).assert_fault(check, fault, detail);
    assert_named_everywhere(&replyd, once, fault);
}

#[test]
fn a_wrong_host_is_an_unknown_host() {
    let dovecot = dovecot();
    let mut place = Place::reading(&dovecot);
    // RFC 6761: never there, whatever the resolver.
    place.imap.host = "imap.nowhere.invalid".into();
    let replyd = place.install();
    let told = Told::by(&replyd, &[], 75);
    let check = told.check("imap.name");
    // A machine without name servers cannot tell; both are named.
    let fault = check["fault"].as_str().unwrap().to_owned();
    assert!(
        ["unknown-host", "dns-failure"].contains(&fault.as_str()),
        "{check}"
    );
    told.assert_fault("imap.name", &fault, "imap.nowhere.invalid");
    assert_named_everywhere(&replyd, 75, &fault);
}

#[test]
fn name_servers_that_do_not_answer_are_told_apart_from_a_wrong_host() {
    let dovecot = dovecot();
    let mut place = Place::reading(&dovecot);
    place.imap.host = "imap.example.com".into();
    let mut replyd = place.install();
    replyd.without_name_server();
    let told = Told::by(&replyd, &[], 75);
    told.assert_fault("imap.name", "dns-failure", "imap.example.com");
    assert_named_everywhere(&replyd, 75, "dns-failure");
}

#[test]
fn a_closed_port_is_named() {
    let dovecot = dovecot();
    let mut place = Place::reading(&dovecot);
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    place.imap.host = "127.0.0.1".into();
    place.imap.port = free.local_addr().unwrap().port();
    drop(free);
    let detail = format!("127.0.0.1:{}", place.imap.port);
    both(&place, "imap.connect", "port-closed", &detail, 75, 75);
}

#[test]
fn a_certificate_of_nobody_we_trust_is_named_with_its_issuer() {
    let dovecot = dovecot();
    let mut place = Place::reading(&dovecot);
    place.imap.ca_file = None;
    both(
        &place,
        "imap.tls",
        "certificate-untrusted",
        "issued by replyd test CA",
        2,
        75,
    );
}

#[test]
fn a_certificate_for_another_name_is_named_with_its_names() {
    let dovecot = special(Variant {
        names: &["mail.other.example", "www.other.example"],
        ..Variant::default()
    });
    both(
        &Place::reading(&dovecot),
        "imap.tls",
        "certificate-wrong-name",
        "certificate for mail.other.example, www.other.example",
        2,
        75,
    );
}

#[test]
fn an_expired_certificate_is_named_with_its_end() {
    let dovecot = special(Variant {
        expired: true,
        ..Variant::default()
    });
    both(
        &Place::reading(&dovecot),
        "imap.tls",
        "certificate-expired",
        "valid until 2020-02-01",
        2,
        75,
    );
}

#[test]
fn tls_on_the_port_for_starttls_is_named() {
    let dovecot = dovecot();
    let mut place = Place::reading(&dovecot);
    place.imap.port = dovecot.imap_port();
    both(&place, "imap.tls", "not-tls", "localhost", 2, 75);
}

#[test]
fn starttls_on_the_tls_port_is_named_and_not_a_time_out() {
    let dovecot = dovecot();
    let mut place = Place::reading(&dovecot);
    place.imap.security = "starttls";
    both(&place, "imap.tls", "tls-port", "localhost", 2, 75);
}

#[test]
fn starttls_that_is_not_offered_is_named() {
    let dovecot = special(Variant {
        config: "ssl = no\n",
        ..Variant::default()
    });
    let mut place = Place::reading(&dovecot);
    place.imap.port = dovecot.imap_port();
    place.imap.security = "starttls";
    both(&place, "imap.tls", "starttls-missing", "localhost", 2, 75);
}

#[test]
fn the_sending_server_has_the_same_names() {
    let host = host();
    let mut place = Place::on(&host);
    place.smtp().security = "tls";
    let told = Told::by(&place.install(), &[], 2);
    told.assert_fault("smtp.tls", "not-tls", "localhost");

    let mut place = Place::on(&host);
    place.smtp().port = host.postfix.smtps_port();
    let told = Told::by(&place.install(), &[], 2);
    told.assert_fault("smtp.greeting", "tls-port", "localhost");

    let mut place = Place::on(&host);
    place.smtp().ca_file = None;
    let told = Told::by(&place.install(), &[], 2);
    told.assert_fault("smtp.tls", "certificate-untrusted", "replyd test CA");

    let mut place = Place::on(&host);
    place.smtp().host = "smtp.nowhere.invalid".into();
    let told = Told::by(&place.install(), &[], 75);
    assert_eq!(told.check("smtp.name")["verdict"], "failed");

    let mut place = Place::on(&host);
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    place.smtp().port = free.local_addr().unwrap().port();
    drop(free);
    let told = Told::by(&place.install(), &[], 75);
    told.assert_fault("smtp.connect", "port-closed", "localhost");

    // The port of other servers: no TLS; then TLS, and no sign-in.
    let mut place = Place::on(&host);
    place.smtp().port = host.postfix.smtp_port();
    let told = Told::by(&place.install(), &[], 2);
    told.assert_fault("smtp.tls", "starttls-missing", "localhost");
    host.postfix.set("smtpd_tls_security_level", "may");
    place.smtp().port = host.postfix.smtp_port();
    let told = Told::by(&place.install(), &[], 2);
    told.assert_fault("smtp.sign_in", "smtp-auth-missing", "localhost");
}
