use super::*;
use crate::mime;

use SenderAuth::{Fail, Pass, Unknown};

fn ids(list: &[&str]) -> Vec<String> {
    list.iter().map(|s| (*s).to_owned()).collect()
}

/// A mail from ann@lead.example with this header above its From.
fn results(header: &str, ours: &[&str]) -> AuthResults {
    let raw =
        format!("{header}From: Ann <ann@lead.example>\r\nTo: desk@homes.example\r\n\r\nYes\r\n");
    read(&mime::parse(raw.as_bytes()), &ids(ours))
}

fn of(field: &str) -> AuthResults {
    results(
        &format!("Authentication-Results: {field}\r\n"),
        &["mx.homes.example"],
    )
}

#[test]
fn real_fields_of_providers_are_read() {
    for (field, dmarc, spf, dkim) in [
        // Gmail
        (
            "mx.google.com;\r\n       dkim=pass header.i=@lead.example header.s=s1 header.b=AbC;\r\n       \
             spf=pass (google.com: domain of ann@lead.example designates 192.0.2.1 as permitted sender) \
             smtp.mailfrom=ann@lead.example;\r\n       dmarc=pass (p=REJECT sp=REJECT dis=NONE) header.from=lead.example",
            Pass,
            Pass,
            Pass,
        ),
        // Fastmail: a result for each way, with policies
        (
            "mx.google.com; dkim=pass (2048-bit rsa key sha256) header.d=lead.example header.i=@lead.example \
             header.b=x header.a=rsa-sha256; dmarc=pass policy.published-domain-policy=none \
             policy.applied-disposition=none header.from=lead.example; spf=pass smtp.mailfrom=b@mail.lead.example \
             smtp.helo=out.lead.example; x-tls=pass smtp.version=TLSv1.3",
            Pass,
            Pass,
            Pass,
        ),
        // OpenDMARC and OpenDKIM of a Postfix, quoted reasons, version of the method
        (
            "mx.google.com 1; dkim/1=fail reason=\"signature verification failed; a=b (no)\" header.d=lead.example",
            Unknown,
            Unknown,
            Fail,
        ),
        (
            "mx.google.com; spf=softfail smtp.mailfrom=lead.example; dkim=none; dmarc=fail header.from=lead.example",
            Fail,
            Unknown,
            Unknown,
        ),
        ("mx.google.com; none", Unknown, Unknown, Unknown),
        (
            "mx.google.com; dmarc = pass header.from = lead.example ; spf=neutral",
            Pass,
            Unknown,
            Unknown,
        ),
    ] {
        let got = results(
            &format!("Authentication-Results: {field}\r\n"),
            &["mx.google.com"],
        );
        assert_eq!(
            (got.dmarc, got.spf, got.dkim),
            (dmarc, spf, dkim),
            "{field}"
        );
    }
    // Microsoft 365 writes no name of a server.
    let field = "Authentication-Results: spf=pass (sender IP is 192.0.2.7)\r\n smtp.mailfrom=lead.example; \
                 dkim=pass (signature was verified)\r\n header.d=lead.example;dmarc=pass action=none\r\n \
                 header.from=lead.example;compauth=pass reason=100\r\n";
    assert_eq!(results(field, &["-"]).sender(), Pass);
    assert_eq!(results(field, &["mx.homes.example"]).sender(), Unknown);
}

#[test]
fn without_our_servers_name_nothing_is_believed() {
    let field = "Authentication-Results: mx.homes.example; dmarc=pass header.from=lead.example\r\n";
    assert_eq!(results(field, &["mx.homes.example"]).sender(), Pass);
    assert_eq!(results(field, &[]).sender(), Unknown);
    for other in [
        "mx.other.example",
        "homes.example",
        "x.mx.homes.example",
        "*.other.example",
        "-",
    ] {
        assert_eq!(results(field, &[other]).sender(), Unknown, "{other}");
    }
    for same in ["*.homes.example", "mx.other.example mx.homes.example"] {
        let list: Vec<&str> = same.split(' ').collect();
        assert_eq!(results(field, &list).sender(), Pass, "{same}");
    }
}

#[test]
fn a_pass_counts_only_when_its_domain_is_that_of_from() {
    for (field, want) in [
        ("spf=pass smtp.mailfrom=ann@lead.example", Pass),
        ("spf=pass smtp.mailfrom=bounce@mail.lead.example", Pass),
        ("spf=pass smtp.mailfrom=bounce@sender.example", Unknown),
        ("spf=pass smtp.mailfrom=x@notlead.example", Unknown),
        ("spf=pass", Unknown),
        ("dkim=pass header.d=lead.example", Pass),
        ("dkim=pass header.i=@news.lead.example", Pass),
        ("dkim=pass header.d=esp.example", Unknown),
        (
            "dkim=fail header.d=lead.example; dkim=pass header.d=lead.example",
            Pass,
        ),
        (
            "dkim=pass header.d=esp.example; dkim=fail header.d=lead.example",
            Unknown,
        ),
        ("dkim=pass header.d=example", Unknown),
        ("dmarc=pass header.from=lead.example", Pass),
        ("dmarc=pass header.from=LEAD.Example", Pass),
        ("dmarc=pass header.from=other.example", Unknown),
        ("dmarc=bestguesspass header.from=lead.example", Unknown),
        // DMARC says the last word.
        (
            "dmarc=fail header.from=lead.example; dkim=pass header.d=lead.example",
            Fail,
        ),
        ("spf=fail smtp.mailfrom=lead.example", Unknown),
        (
            "spf=fail smtp.mailfrom=lead.example; dkim=fail header.d=lead.example",
            Fail,
        ),
        (
            "spf=temperror smtp.mailfrom=lead.example; dkim=permerror",
            Unknown,
        ),
    ] {
        assert_eq!(
            of(&format!("mx.homes.example; {field}")).sender(),
            want,
            "{field}"
        );
    }
}

#[test]
fn everybodys_suffix_aligns_nobody() {
    assert!(aligned("example.co.uk", "mail.example.co.uk"));
    assert!(!aligned("co.uk", "example.co.uk"));
    assert!(!aligned("com", "example.com"));
    assert!(aligned("bücher.example", "xn--bcher-kva.example"));
    assert!(!aligned("a.example.com", "b.example.com"));
}

const BORDER: &str = "Received: from mx.lead.example (mx.lead.example [192.0.2.1])\r\n\tby mx.homes.example (Postfix) \
                      with ESMTPS id 1; Mon, 3 Aug 2026 10:00:00 +0000\r\n";
const INNER: &str = "Received: from mx.homes.example by imap.homes.example with LMTP id 2; Mon, 3 Aug 2026 10:00:01 +0000\r\n";
const THEIRS: &str = "Received: from pc (unknown [10.0.0.1]) by mx.lead.example with ESMTPSA; Mon, 3 Aug 2026 09:59:59 +0000\r\n";
const GOOD: &str =
    "Authentication-Results: mx.homes.example; dmarc=pass header.from=lead.example\r\n";
const BAD: &str =
    "Authentication-Results: mx.homes.example; dmarc=fail header.from=lead.example\r\n";
const SPF_ONLY: &str =
    "Authentication-Results: mx.homes.example; spf=none smtp.mailfrom=x.example\r\n";

#[test]
fn forged_fields_below_the_border_do_not_count() {
    for (header, want) in [
        // Where servers put theirs: above the border's Received, or right below it (Gmail).
        (format!("{GOOD}{BORDER}{THEIRS}"), Pass),
        (format!("{INNER}{GOOD}{BORDER}{THEIRS}"), Pass),
        (format!("{BORDER}{GOOD}{THEIRS}"), Pass),
        (format!("{INNER}{BORDER}{GOOD}{THEIRS}"), Pass),
        (GOOD.to_owned(), Pass),
        // Below the sender's own hops: forged.
        (format!("{BORDER}{THEIRS}{GOOD}"), Unknown),
        (format!("{INNER}{BORDER}{THEIRS}{GOOD}"), Unknown),
        // The topmost counts, whatever is claimed further down.
        (format!("{BAD}{BORDER}{GOOD}{THEIRS}"), Fail),
        (format!("{BORDER}{BAD}{GOOD}{THEIRS}"), Fail),
        (format!("{BORDER}{BAD}{THEIRS}{GOOD}"), Fail),
        // Right below the border only one can be our server's: the next one may be forged.
        (format!("{BORDER}{SPF_ONLY}{GOOD}"), Unknown),
        (format!("{SPF_ONLY}{BORDER}{GOOD}"), Unknown),
        // Above the border all are our server's: one for each of its filters.
        (format!("{SPF_ONLY}{GOOD}{BORDER}{THEIRS}"), Pass),
        // A second border is one that the sender wrote.
        (format!("{BORDER}{BORDER}{GOOD}"), Unknown),
        (format!("{BORDER}{INNER}{GOOD}"), Unknown),
        // Another server's words are passed over, wherever they stand.
        (
            format!("Authentication-Results: other.example; dmarc=pass\r\n{BORDER}{THEIRS}"),
            Unknown,
        ),
    ] {
        assert_eq!(
            results(&header, &["mx.homes.example"]).sender(),
            want,
            "{header}"
        );
    }
}

#[test]
fn the_hops_of_gmail_and_of_a_local_filter_are_inner_ones() {
    let gmail = "Received: by 2002:a05:6a10:8d0b:b0:5 with SMTP id x; Mon, 3 Aug 2026 10:00:01 -0700 (PDT)\r\n\
        X-Received: by 2002:a17 with SMTP id y\r\n\
        ARC-Authentication-Results: i=1; mx.google.com; dmarc=fail\r\n\
        Received: from mx.lead.example (mx.lead.example. [192.0.2.1]) by mx.google.com with ESMTPS id z\r\n        \
        for <desk@homes.example>; Mon, 03 Aug 2026 10:00:01 -0700 (PDT)\r\n\
        Received-SPF: pass\r\n\
        Authentication-Results: mx.google.com; dmarc=pass header.from=lead.example\r\n";
    assert_eq!(results(gmail, &["mx.google.com"]).sender(), Pass);
    let filter =
        "Received: from localhost (localhost [127.0.0.1]) by mx.homes.example (Postfix); x\r\n";
    let header = format!("{filter}{GOOD}{BORDER}{THEIRS}");
    assert_eq!(results(&header, &["mx.homes.example"]).sender(), Pass);
}

#[test]
fn microsofts_hops_are_told_from_the_senders_and_a_way_spoken_of_is_not_mended() {
    let ours = &["-", "*.outlook.com"];
    let inner = "Received: from AM0PR01.eurprd01.prod.outlook.com by DB7PR02.eurprd02.prod.outlook.com with HTTPS; x\r\n\
                 Received: from DB5EUR03.eop-EUR03.prod.protection.outlook.com by AM0PR01.eurprd01.prod.outlook.com; x\r\n";
    let said = "Authentication-Results: spf=pass smtp.mailfrom=esp.example; dkim=none; dmarc=none header.from=lead.example\r\n";
    let good = "Authentication-Results: spf=pass smtp.mailfrom=lead.example; dmarc=pass header.from=lead.example\r\n";
    let border = "Received: from mx.lead.example (192.0.2.1) by DB5EUR03FT.mail.protection.outlook.com; x\r\n";
    // A sender whose own mail lies at the same provider: no border can be told.
    let neighbour = "Received: from X.prod.outlook.com by Y.prod.outlook.com; x\r\n";
    for (header, want) in [
        (format!("{inner}{good}{border}{THEIRS}"), Pass),
        (format!("{inner}{said}{border}{good}"), Unknown),
        (format!("{inner}{said}{neighbour}{good}"), Unknown),
        (format!("{inner}{border}{THEIRS}{good}"), Unknown),
    ] {
        assert_eq!(results(&header, ours).sender(), want, "{header}");
    }
}

#[test]
fn two_senders_and_none_prove_nothing() {
    for from in [
        "From: a@lead.example, b@lead.example",
        "From: nobody",
        "Subject: x",
    ] {
        let raw = format!("{GOOD}{from}\r\n\r\nx");
        let got = read(&mime::parse(raw.as_bytes()), &ids(&["mx.homes.example"]));
        assert_eq!(got, AuthResults::NONE, "{from}");
    }
}

#[test]
fn nonsense_of_any_size_ends_in_an_outcome() {
    let long = "a=b;".repeat(100_000);
    for field in [
        "",
        ";",
        ";;;;",
        "=",
        "mx.homes.example",
        "mx.homes.example;",
        "mx.homes.example; =; =pass",
        "mx.homes.example; dmarc",
        "mx.homes.example; dmarc=",
        "((((",
        "))))",
        "\"",
        "\\",
        "mx.homes.example; \"dmarc=pass",
        "(comment) mx.homes.example; dmarc=(pass) fail",
        &long,
    ] {
        assert_ne!(of(field).sender(), Pass, "{field:.40}");
    }
    // A comment or a quoted reason is no result.
    for field in [
        "mx.homes.example; (dmarc=pass header.from=lead.example) dmarc=none",
        "mx.homes.example; spf=none reason=\"; dmarc=pass header.from=lead.example\"",
    ] {
        assert_eq!(of(field).sender(), Unknown, "{field}");
    }
}
