//! From `campaign create` to mails on the server, and back as a reply or an opt-out.

use replyd_sandbox::faults::{SmtpAction, SmtpPoint, Times, Who};

use super::common::desk::{Desk, stop};
use super::common::scenario::{DESK, SALES, header};
use super::{FAST, TEMPLATE, campaign, configure, import, shown, taken, unsubscribe_subject};

/// The texts of the mails that the server took for this recipient.
fn mails_to(desk: &Desk, to: &str) -> Vec<String> {
    let mails = desk.sandbox.submissions().into_iter();
    mails
        .filter(|mail| mail.to.iter().any(|t| t == to))
        .map(|mail| String::from_utf8_lossy(&mail.raw).into_owned())
        .collect()
}

#[test]
fn every_lead_is_looked_at_before_the_first_mail_and_a_dry_run_writes_nothing() {
    let desk = Desk::new(0);
    configure(&desk.replyd, FAST);
    let lead = |n: usize, name: &str, address: &str| {
        (format!("L-{n}"), name.to_owned(), address.to_owned())
    };
    import(
        &desk.replyd,
        [
            lead(1, "Ann", "ann@people.example"),
            lead(2, "", "nameless@people.example"),
            lead(3, "Bob", "bob@people.example"),
            lead(4, "Ann again", "ANN@people.example"),
            lead(5, "Cid", "cid@people.example"),
        ],
    );
    let template = desk.replyd.file("offer.txt", TEMPLATE);
    let created = desk
        .replyd
        .ok(&["campaign", "create", "Spring", "--template", &template]);
    assert!(
        created.stdout().contains("5 leads, sent by account desk"),
        "{}",
        created.stdout()
    );
    desk.replyd.ok(&[
        "suppress",
        "add",
        "Cid@people.example",
        "--reason",
        "by phone",
    ]);

    // As of an import of another program; ours refuses it.
    let database = rusqlite::Connection::open(desk.replyd.database()).expect("Open");
    let blank = "UPDATE leads SET email = '', email_key = '' WHERE lead_id = 'L-3'";
    database.execute(blank, []).expect("Update");
    drop(database);

    // A name is missing: nobody gets a mail, and the lead is named.
    let refused = desk.replyd.run(&["campaign", "send", "Spring"]);
    refused.assert_code(1);
    let text = refused.stdout();
    assert!(text.contains("lead L-2: subject: name is empty"), "{text}");
    assert!(text.contains("nothing was queued"), "{text}");
    assert_eq!(desk.replyd.rows().count("outbox"), 0);

    let again = desk
        .replyd
        .run(&["campaign", "create", "Spring", "--template", &template]);
    again.assert_code(1);
    assert!(again.output().contains("--replace"), "{}", again.output());
    let kinder = TEMPLATE.replace("{{ name }}", "{{ name|default('there') }}");
    let template = desk.replyd.file("kinder.txt", &kinder);
    desk.replyd
        .file("kinder.html", "<p>Dear {{ name|default('there') }}</p>");
    let created = desk.replyd.ok(&[
        "campaign",
        "create",
        "Spring",
        "--template",
        &template,
        "--replace",
    ]);
    assert!(
        created.stdout().contains("HTML part:"),
        "{}",
        created.stdout()
    );

    let dry = desk
        .replyd
        .ok(&["campaign", "send", "Spring", "--dry-run"])
        .stdout();
    for part in [
        "Subject: Lakeside for Ann\n\nDear Ann,",
        "Subject: Lakeside for there\n\nDear there,",
        "2 of 5 leads: would get a mail; nothing was written",
        "1  without a usable address",
        "1  want no mail",
        "1  at the address of another lead of the campaign",
        "6000 a minute",
        "Held: no service runs",
    ] {
        assert!(dry.contains(part), "{part}:\n{dry}");
    }
    assert_eq!(desk.replyd.rows().count("outbox"), 0);
    assert_eq!(
        desk.replyd
            .rows()
            .count("campaign_leads WHERE message_sent = 1"),
        0
    );

    // One of two; then the other; then nothing is left.
    for (limit, queued) in [
        ("1", "1 of 5 leads"),
        ("9", "1 of 5 leads"),
        ("9", "0 of 5 leads"),
    ] {
        let sent = desk
            .replyd
            .ok(&["campaign", "send", "Spring", "--limit", limit])
            .stdout();
        assert!(sent.contains(queued), "{sent}");
    }
    assert_eq!(
        desk.replyd.rows().count("outbox WHERE kind = 'campaign'"),
        2
    );
    let unknown = desk
        .replyd
        .run(&["campaign", "send", "Spring", "--to", "L-99"]);
    unknown.assert_code(1);
    assert!(unknown.output().contains("L-99"), "{}", unknown.output());
}

#[test]
fn a_typing_error_in_the_template_is_told_with_the_list_of_variables() {
    let desk = Desk::new(0);
    for (template, wanted) in [
        (
            "Subject: S\n\nDear {{ nam }}\n",
            "unknown variable nam; known are lead_id, name,",
        ),
        (
            "Subject: S\n\nDear {{ name }\n",
            "template.txt: syntax error",
        ),
        ("Dear {{ name }}\n", "No subject"),
        ("Subject: S\n\n", "The template is empty"),
    ] {
        let file = desk.replyd.file("offer.txt", template);
        let refused = desk
            .replyd
            .run(&["campaign", "create", "Spring", "--template", &file]);
        refused.assert_code(1);
        assert!(
            refused.output().contains(wanted),
            "{wanted}: {}",
            refused.output()
        );
    }
    assert!(
        desk.replyd
            .ok(&["campaign", "list"])
            .stdout()
            .contains("No campaign yet")
    );
}

#[test]
fn a_campaign_goes_out_a_reply_matches_it_and_an_opt_out_mail_ends_it() {
    let desk = campaign(4, FAST);
    let mut running = desk.replyd.start(&["run"]);
    desk.listen(&mut running);
    let sent = desk.replyd.ok(&["campaign", "send", "Spring", "--wait"]);
    assert!(
        sent.stdout()
            .contains("4 sent, 0 wait, 0 unknown, 0 failed"),
        "{}",
        sent.stdout()
    );

    // What a lead sees.
    let [lead, goal, shouting, forged] = [0, 1, 2, 3].map(|n| &desk.leads[n]);
    let mails = mails_to(&desk, &lead.address);
    assert_eq!(mails.len(), 1);
    let mail = &mails[0];
    assert_eq!(header(mail, "Subject"), "Lakeside for Ann Lee");
    assert_eq!(header(mail, "X-Replyd"), "campaign");
    assert!(header(mail, "From").contains(DESK), "{mail}");
    let uri = header(mail, "List-Unsubscribe");
    assert!(
        uri.starts_with(&format!("<mailto:{DESK}?subject=unsubscribe%20u")),
        "{uri}"
    );
    // A person's mail to a person, not a machine's answer (RFC 3834).
    for absent in [
        "\nAuto-Submitted:",
        "\nPrecedence:",
        "\nX-Auto-Response-Suppress:",
    ] {
        assert!(!mail.contains(absent), "{mail}");
    }
    let rows = desk.replyd.rows();
    let own_id = header(mail, "Message-ID");
    let known: String = rows.value(
        "SELECT cl.email_message_id FROM campaign_leads cl JOIN leads l ON l.id = cl.lead_id
         WHERE l.lead_id = ?1 AND cl.message_sent = 1 AND cl.message_sent_at IS NOT NULL",
        [&lead.lead_id],
    );
    assert_eq!(format!("<{known}>"), own_id);
    assert_eq!(
        rows.count("conversations WHERE agent_tool_used = 'message_generation'"),
        4
    );

    // A reply to the campaign mail itself.
    let id = |to: &str| {
        let mails = mails_to(&desk, to);
        header(&mails[0], "Message-ID")
            .trim_matches(['<', '>'])
            .to_owned()
    };
    let mut reply = goal.clone();
    reply.campaign_id = id(&goal.address);
    let raw = reply.reply("Please book me a viewing for Saturday.").raw();
    desk.sandbox
        .deliver(DESK, "INBOX", &raw, None)
        .expect("Deliver");
    running.wait_for_rows("the reply to be acknowledged", |rows| {
        (rows.count("outbox WHERE kind = 'acknowledgment' AND state = 'sent'") == 1).then_some(())
    });
    assert_eq!(
        rows.value::<String>("SELECT match_method FROM messages", []),
        "in_reply_to"
    );

    // The mail programs of two leads opt out, one without a text and marked as automatic, one in
    // capitals; a third mail is forged.
    let word = unsubscribe_subject(&mails_to(&desk, &forged.address)[0]);
    let last = word.chars().last().expect("A digit");
    let other = if last == '1' { '2' } else { '1' };
    let bad = format!("{}{other}", &word[..word.len() - 1]);
    for (n, (from, subject, extra)) in [
        (
            &lead.address,
            unsubscribe_subject(mail),
            "Auto-Submitted: auto-generated\r\n",
        ),
        (
            &shouting.address,
            format!(
                "RE: {}",
                unsubscribe_subject(&mails_to(&desk, &shouting.address)[0]).to_uppercase()
            ),
            "Precedence: bulk\r\n",
        ),
        (&forged.address, bad, ""),
    ]
    .into_iter()
    .enumerate()
    {
        let raw = format!(
            "From: {from}\r\nTo: {DESK}\r\nMessage-ID: <out-{n}@people.example>\r\n\
             Subject: {subject}\r\n{extra}\r\n"
        );
        desk.sandbox
            .deliver(DESK, "INBOX", raw.as_bytes(), None)
            .expect("Deliver");
    }
    running.wait_for_rows("two opt-outs and sales told of them", |rows| {
        let suppressed = rows.count("suppressions WHERE reason = 'unsubscribe'") == 2;
        let told = rows.count("outbox WHERE kind = 'sales_notice' AND state = 'sent' AND subject LIKE '%wants no more mail'");
        let seen = rows.count("messages") == 4;
        (suppressed && told == 2 && seen).then_some(())
    });
    let how = |n: usize| -> String {
        rows.value(
            "SELECT disposition || ' ' || match_method FROM messages WHERE message_key = ?1",
            [format!("out-{n}@people.example")],
        )
    };
    assert_eq!(how(0), "opt_out unsubscribe");
    assert_eq!(how(1), "opt_out unsubscribe");
    assert_ne!(how(2), "opt_out unsubscribe", "forged");
    let notices = mails_to(&desk, SALES).join("\n");
    assert!(notices.contains("unsubscribe button"), "{notices}");

    // The next campaign leaves them out.
    let template = desk.replyd.file("summer.txt", TEMPLATE);
    let people = desk
        .leads
        .iter()
        .map(|l| format!("{},Ann,{},Lakeside\n", l.lead_id, l.address));
    let csv = format!(
        "lead_id,name,email,project_name\n{}",
        people.collect::<String>()
    );
    let file = desk.replyd.file("summer.csv", &csv);
    desk.replyd
        .ok(&["leads", "import", &file, "--campaign", "Summer"]);
    desk.replyd
        .ok(&["campaign", "create", "Summer", "--template", &template]);
    let next = desk
        .replyd
        .ok(&["campaign", "send", "Summer", "--wait"])
        .stdout();
    assert!(next.contains("2 of 4 leads: mails queued"), "{next}");
    assert!(next.contains("2  want no mail"), "{next}");
    let per_lead = taken(&desk);
    assert_eq!(per_lead.get(&lead.address), Some(&1));
    assert_eq!(per_lead.get(&shouting.address), Some(&1));
    assert_eq!(per_lead.get(&forged.address), Some(&2));

    let json = shown(&desk.replyd);
    let count = |what: &str| json["counts"][what].as_u64();
    assert_eq!(
        [
            count("leads"),
            count("sent"),
            count("replied"),
            count("opted_out")
        ],
        [Some(4), Some(4), Some(3), Some(2)],
        "{json}"
    );
    assert_eq!(json["held"].as_array().map(Vec::len), Some(0), "{json}");
    stop(running);
}

#[test]
fn an_opt_out_withdraws_the_mail_that_waits_for_its_turn() {
    let desk = campaign(2, "\n[campaign]\nper_minute = 1\nper_day = 1000\n");
    let mut running = desk.replyd.start(&["run"]);
    desk.listen(&mut running);
    desk.replyd.ok(&["campaign", "send", "Spring"]);
    // One leaves at once; the other waits for its minute.
    desk.block_on(
        desk.sandbox
            .wait_for_submissions(1, super::common::PATIENCE),
    )
    .expect("The first mail");
    let first = desk.sandbox.submissions()[0].to[0].clone();
    let second = desk
        .leads
        .iter()
        .find(|l| l.address != first)
        .expect("Two leads");
    let raw = format!(
        "From: {}\r\nTo: {DESK}\r\nMessage-ID: <a@people.example>\r\nSubject: Hello\r\n\r\n\
         Please unsubscribe me and do not write again.\r\n",
        second.address
    );
    desk.sandbox
        .deliver(DESK, "INBOX", raw.as_bytes(), None)
        .expect("Deliver");
    running.wait_for_rows("the opt-out", |rows| {
        (rows.count("suppressions") == 1).then_some(())
    });
    stop(running);
    // Its turn comes: it is withdrawn in the claim, not sent.
    let database = rusqlite::Connection::open(desk.replyd.database()).expect("Open");
    database
        .execute("UPDATE campaign_pace SET next_at = 0", [])
        .expect("Update");
    drop(database);
    desk.replyd.ok(&["process"]);
    assert_eq!(taken(&desk).len(), 1);
    let rows = desk.replyd.rows();
    let why: String = rows.value("SELECT smtp_text FROM outbox WHERE state = 'cancelled'", []);
    assert_eq!(why, "The recipient wants no more mail (unsubscribe)");
    assert_eq!(shown(&desk.replyd)["counts"]["withdrawn"], 1);
}

#[test]
fn redirected_mails_go_to_one_address_and_opt_outs_of_leads_still_hold() {
    let desk = campaign(2, FAST);
    desk.replyd.ok(&["suppress", "add", &desk.leads[0].address]);
    let to = "trial@homes.example";
    desk.sandbox.add_user(to, "x");
    desk.replyd
        .ok(&["--redirect-to", to, "campaign", "send", "Spring"]);
    desk.replyd.ok(&["--redirect-to", to, "process"]);
    assert_eq!(taken(&desk).get(to), Some(&1), "{:?}", taken(&desk));
    assert_eq!(taken(&desk).len(), 1);
}

#[test]
fn an_address_that_does_not_exist_is_counted_named_and_left_out_of_the_next_campaign() {
    let desk = campaign(2, FAST);
    let gone = &desk.leads[1];
    let refusal = SmtpAction::Reply {
        code: 550,
        text: "5.1.1 User unknown".into(),
    };
    let faults = desk.sandbox.faults();
    faults.at_smtp(
        Who::user(&gone.address),
        Times::Always,
        SmtpPoint::Rcpt,
        refusal,
    );
    desk.replyd.ok(&["campaign", "send", "Spring"]);
    desk.replyd.ok(&["process"]);
    let json = shown(&desk.replyd);
    assert_eq!(
        (
            &json["counts"]["sent"],
            &json["counts"]["failed"],
            &json["counts"]["bounced"]
        ),
        (&1.into(), &1.into(), &1.into()),
        "{json}"
    );
    assert_eq!(
        json["refused"][0]["lead_id"],
        gone.lead_id.as_str(),
        "{json}"
    );
    // Among thousands it is no event: nobody has to settle it by hand.
    let status = desk.replyd.run(&["status"]).stdout();
    assert!(!status.contains("refused"), "{status}");
    let again = desk
        .replyd
        .ok(&["campaign", "send", "Spring", "--retry"])
        .stdout();
    assert!(again.contains("1  at addresses that bounced"), "{again}");

    // Its address was mended: one more chance.
    desk.sandbox.faults().clear();
    desk.sandbox.add_user("new@people.example", "x");
    let lead = (
        gone.lead_id.clone(),
        "Ann".to_owned(),
        "new@people.example".to_owned(),
    );
    import(&desk.replyd, [lead]);
    let once = desk.replyd.ok(&["campaign", "send", "Spring"]).stdout();
    assert!(
        once.contains("refused or withdrawn before: --retry"),
        "{once}"
    );
    desk.replyd.ok(&["campaign", "send", "Spring", "--retry"]);
    desk.replyd.ok(&["process"]);
    assert_eq!(taken(&desk).get("new@people.example"), Some(&1));
    assert_eq!(shown(&desk.replyd)["counts"]["sent"], 2);
}
