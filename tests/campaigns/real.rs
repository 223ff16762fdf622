//! A whole campaign on real Postfix and Dovecot: sent, answered, opted out of, and the next one.

use super::common::desk::stop;
use super::common::lead::hand_over_raw;
use super::common::scenario::{DESK, SALES, Scenario, Setting, WISH, header};
use super::{FAST, TEMPLATE, configure, import, shown, unsubscribe_subject};

#[test]
fn a_campaign_on_real_servers_from_the_first_mail_to_the_opt_out() {
    let scenario = Scenario::new(Setting {
        leads: 3,
        ..Setting::default()
    });
    let replyd = &scenario.replyd;
    configure(replyd, FAST);
    let people = || {
        scenario
            .leads
            .iter()
            .map(|l| (l.lead_id.clone(), "Ann Lée".to_owned(), l.address.clone()))
    };
    import(replyd, people());
    let template = replyd.file("offer.txt", TEMPLATE);
    replyd.file(
        "offer.html",
        "<p>Dear {{ name }}, <a href=\"{{ unsubscribe_url }}\">no more</a></p>",
    );
    replyd.ok(&[
        "campaign",
        "create",
        "Spring",
        "--template",
        &template,
        "--project",
        "Lakeside",
    ]);
    let mut running = replyd.start(&["run"]);
    running.wait_for_rows("the account to be live", |rows| {
        (rows.count("accounts WHERE state = 'live' AND verified_at IS NOT NULL") == 1).then_some(())
    });
    let sent = replyd
        .ok(&["campaign", "send", "Spring", "--wait"])
        .stdout();
    assert!(
        sent.contains("3 sent, 0 wait, 0 unknown, 0 failed"),
        "{sent}"
    );

    let mut ids = Vec::new();
    for lead in &scenario.leads {
        let mails = scenario.host.wait_for_mails(&lead.address, 1);
        assert_eq!(mails.len(), 1, "{mails:#?}");
        let mail = &mails[0];
        assert!(
            header(mail, "Content-Type").starts_with("multipart/alternative"),
            "{mail}"
        );
        assert_eq!(
            header(mail, "Subject"),
            "Lakeside for Ann =?utf-8?b?TMOpZQ==?="
        );
        assert_eq!(header(mail, "Return-Path"), format!("<{DESK}>"));
        assert!(
            mail.contains("text/plain") && mail.contains("text/html"),
            "{mail}"
        );
        ids.push(
            header(mail, "Message-ID")
                .trim_matches(['<', '>'])
                .to_owned(),
        );
    }

    // The first answers the mail as it came: matched to it, acknowledged, sales told.
    let mut answering = scenario.leads[0].clone();
    answering.campaign_id.clone_from(&ids[0]);
    answering.reply(WISH).send(&scenario.host.postfix);
    running.wait_for_rows("the acknowledgement", |rows| {
        let sent =
            |kind: &str| rows.count(&format!("outbox WHERE kind = '{kind}' AND state = 'sent'"));
        (sent("acknowledgment") == 1 && sent("sales_notice") == 1).then_some(())
    });
    let matched: String = replyd.rows().value(
        "SELECT s.kind || ' ' || m.match_method || ' ' || m.disposition
         FROM messages m JOIN sent_messages s ON s.id = m.matched_sent_id",
        [],
    );
    assert_eq!(matched, "campaign in_reply_to reply");
    assert_eq!(scenario.host.wait_for_mails(&answering.address, 2).len(), 2);

    // The second's mail program sends what List-Unsubscribe says.
    let leaving = &scenario.leads[1];
    let mails = scenario.host.wait_for_mails(&leaving.address, 1);
    let raw = format!(
        "From: <{}>\r\nTo: <{DESK}>\r\nMessage-ID: <leave@people.example>\r\n\
         Date: Mon, 3 Aug 2026 10:00:00 +0000\r\nSubject: {}\r\n\r\n",
        leaving.address,
        unsubscribe_subject(&mails[0])
    );
    let envelope = lettre::address::Envelope::new(
        Some(leaving.address.parse().expect("An address")),
        vec![DESK.parse().expect("An address")],
    )
    .expect("An envelope");
    hand_over_raw(&scenario.host.postfix, &envelope, raw.as_bytes());
    running.wait_for_rows("the opt-out and its notice", |rows| {
        let suppressed = rows.count("suppressions WHERE reason = 'unsubscribe'") == 1;
        let told = rows.count("outbox WHERE kind = 'sales_notice' AND state = 'sent'") == 2;
        (suppressed && told).then_some(())
    });
    let notices = scenario.host.wait_for_mails(SALES, 2).join("\n");
    assert!(notices.contains("wants no more mail"), "{notices}");

    // The next campaign: everybody but the one who left.
    let csv: String = people()
        .map(|(id, name, to)| format!("{id},{name},{to},Lakeside\n"))
        .collect();
    let file = replyd.file(
        "autumn.csv",
        &format!("lead_id,name,email,project_name\n{csv}"),
    );
    replyd.ok(&["leads", "import", &file, "--campaign", "Autumn"]);
    replyd.ok(&["campaign", "create", "Autumn", "--template", &template]);
    let next = replyd
        .ok(&["campaign", "send", "Autumn", "--wait"])
        .stdout();
    assert!(next.contains("2 of 3 leads: mails queued"), "{next}");
    assert!(next.contains("1  want no mail"), "{next}");
    scenario.host.wait_for_mails(&scenario.leads[2].address, 2);
    assert_eq!(scenario.host.dovecot.mailbox(&leaving.address).len(), 1);
    let json = shown(replyd);
    assert_eq!(
        (
            &json["counts"]["sent"],
            &json["counts"]["replied"],
            &json["counts"]["opted_out"]
        ),
        (&3.into(), &2.into(), &1.into()),
        "{json}"
    );
    stop(running);
}
