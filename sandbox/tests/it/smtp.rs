//! SMTP as it should be.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use replyd_sandbox::{Clock, Options, QueueIds, SmtpVerb, Tls, UnknownRecipients};

use crate::client::{ANN, BOB, Client, SOON, sandbox};

#[tokio::test]
async fn a_mail_goes_from_submission_to_the_mailbox() {
    let options = Options {
        clock: Clock::from_fn(|| 1_784_256_265_000),
        ..Options::default()
    };
    let sandbox = sandbox(options).await;
    let mut client = Client::smtp_ann(&sandbox).await;
    let reply = client
        .submit(ANN, BOB, "Subject: Hi\r\n\r\n..dot\r\nend")
        .await;
    let queue_id = reply.strip_prefix("250 2.0.0 Ok: queued as ").unwrap();
    let stored = sandbox
        .wait_for_messages(BOB, "INBOX", 1, SOON)
        .await
        .unwrap();
    let raw = String::from_utf8(stored[0].raw.to_vec()).unwrap();
    let wanted = format!(
        "Return-Path: <ann@example.com>\r\nDelivered-To: bob@example.com\r\n\
         Received: from client.example by localhost (replyd sandbox)\r\n\
         \twith ESMTPSA id {queue_id} for <bob@example.com>;\r\n\
         \tFri, 17 Jul 2026 02:44:25 +0000\r\n\
         Subject: Hi\r\n\r\n.dot\r\nend\r\n"
    );
    assert_eq!(raw, wanted);
    assert_eq!(stored[0].internal_date, 1_784_256_265_000);
    let submissions = sandbox.wait_for_submissions(1, SOON).await.unwrap();
    let one = &submissions[0];
    assert_eq!(
        (one.from.as_str(), one.to.as_slice()),
        (ANN, &[BOB.to_owned()][..])
    );
    assert_eq!(one.raw.as_ref(), b"Subject: Hi\r\n\r\n.dot\r\nend\r\n");
    assert_eq!(one.authenticated_as.as_deref(), Some(ANN));
    assert_eq!((one.tls, one.queue_id.as_str()), (true, queue_id));
    assert_eq!(client.say("QUIT").await, "221 2.0.0 Bye");
    assert_eq!(client.rest().await, "");
}

#[tokio::test]
async fn ehlo_offers_what_there_is() {
    let sandbox = sandbox(Options::default()).await;
    let mut client = Client::tls(&sandbox, sandbox.smtp_addr()).await;
    client.reply().await;
    let reply = client.say("EHLO x").await;
    for word in [
        "PIPELINING",
        "SIZE 36700160",
        "8BITMIME",
        "SMTPUTF8",
        "AUTH PLAIN LOGIN XOAUTH2",
    ] {
        assert!(reply.contains(word), "{word}: {reply}");
    }
    assert!(!reply.contains("STARTTLS"));
    assert_eq!(client.say("HELO x").await, "250 localhost");
    assert!(client.say("EHLO").await.starts_with("501"));
}

#[tokio::test]
async fn starttls_comes_first_and_forgets_everything_before_it() {
    let sandbox = sandbox(Options::default()).await;
    let mut client = Client::plain(sandbox.smtp_starttls_addr()).await;
    client.reply().await;
    let reply = client.say("EHLO x").await;
    assert!(
        reply.contains("STARTTLS") && !reply.contains("AUTH"),
        "{reply}"
    );
    assert!(client.say("AUTH PLAIN AGEAYg==").await.starts_with("538"));
    assert!(client.say("MAIL FROM:<a@b.c>").await.starts_with("530"));
    client.send("STARTTLS\r\nNOOP\r\n").await;
    assert!(client.reply().await.starts_with("220"));
    client.upgrade(&sandbox).await;
    assert!(
        client.say("MAIL FROM:<a@b.c>").await.starts_with("503"),
        "EHLO is forgotten"
    );
    assert!(client.say("EHLO x").await.contains("AUTH"));
    assert_eq!(
        sandbox.stats().smtp(SmtpVerb::Noop),
        0,
        "it was injected before TLS"
    );
    assert!(client.say("STARTTLS").await.starts_with("502"));
}

#[tokio::test]
async fn auth_plain_login_and_xoauth2() {
    let sandbox = sandbox(Options::default()).await;
    let plain = BASE64.encode("\0ann@example.com\0secret");
    let mut client = Client::smtp(&sandbox).await;
    assert_eq!(client.say("AUTH PLAIN").await, "334 ");
    assert!(client.say(&plain).await.starts_with("235"));
    assert!(
        client
            .say(&format!("AUTH PLAIN {plain}"))
            .await
            .starts_with("503")
    );

    let mut client = Client::smtp(&sandbox).await;
    let reply = client.say("AUTH LOGIN").await;
    assert_eq!(reply, format!("334 {}", BASE64.encode("Username:")));
    let reply = client.say(&BASE64.encode(ANN)).await;
    assert_eq!(reply, format!("334 {}", BASE64.encode("Password:")));
    assert!(client.say(&BASE64.encode("wrong")).await.starts_with("535"));
    client
        .say(&format!("AUTH LOGIN {}", BASE64.encode(ANN)))
        .await;
    assert!(
        client
            .say(&BASE64.encode("secret"))
            .await
            .starts_with("235")
    );

    let mut client = Client::smtp(&sandbox).await;
    let token = BASE64.encode(format!("user={ANN}\u{1}auth=Bearer tok\u{1}\u{1}"));
    let reply = client.say(&format!("AUTH XOAUTH2 {token}")).await;
    assert!(reply.starts_with("334 "), "{reply}");
    assert!(client.say("").await.starts_with("535"));
    sandbox.set_token(ANN, Some("tok")).unwrap();
    assert!(
        client
            .say(&format!("AUTH XOAUTH2 {token}"))
            .await
            .starts_with("235")
    );

    let mut client = Client::smtp(&sandbox).await;
    client.say("AUTH PLAIN").await;
    assert!(client.say("*").await.starts_with("501"));
    assert!(client.say("AUTH CRAM-MD5").await.starts_with("504"));
    assert!(client.say("MAIL FROM:<a@b.c>").await.starts_with("530"));
}

#[tokio::test]
async fn the_order_of_commands_matters() {
    let sandbox = sandbox(Options::default()).await;
    let mut client = Client::smtp_ann(&sandbox).await;
    assert!(
        client
            .say(&format!("RCPT TO:<{BOB}>"))
            .await
            .starts_with("503")
    );
    assert!(client.say("DATA").await.starts_with("503"));
    assert!(client.say("MAIL FROM:<a@b.c>").await.starts_with("250"));
    assert!(client.say("MAIL FROM:<a@b.c>").await.starts_with("503"));
    assert!(client.say("DATA").await.starts_with("503"));
    assert!(
        client
            .say("RCPT TO:<nobody@example.com>")
            .await
            .starts_with("550 5.1.1")
    );
    assert!(client.say("RSET").await.starts_with("250"));
    assert!(
        client
            .say(&format!("RCPT TO:<{BOB}>"))
            .await
            .starts_with("503")
    );
    assert!(client.say("NOOP").await.starts_with("250"));
    assert!(client.say("VRFY x").await.starts_with("252"));
    assert!(client.say("TURN").await.starts_with("500"));
    for _ in 0..30 {
        client.send("TURN\r\n").await;
        if client.reply().await.starts_with("421") {
            assert_eq!(client.rest().await, "");
            return;
        }
    }
    panic!("mistakes without end were accepted");
}

#[tokio::test]
async fn a_pipelined_submission_is_answered_in_order() {
    let sandbox = sandbox(Options::default()).await;
    let mut client = Client::smtp_ann(&sandbox).await;
    client
        .send(format!(
            "MAIL FROM:<>\r\nRCPT TO:<nobody@x.y>\r\nRCPT TO:<{BOB}>\r\nDATA\r\nA: b\r\n\r\n.\r\nQUIT\r\n"
        ))
        .await;
    for code in ["250", "550", "250", "354", "250", "221"] {
        assert!(client.reply().await.starts_with(code));
    }
    assert_eq!(sandbox.messages(BOB, "INBOX").len(), 1);
    assert_eq!(sandbox.submissions()[0].from, "");
}

#[tokio::test]
async fn utf8_addresses_need_smtputf8() {
    let sandbox = sandbox(Options::default()).await;
    sandbox.add_user("zoë@example.com", "x");
    let mut client = Client::smtp_ann(&sandbox).await;
    assert!(
        client
            .say("MAIL FROM:<zoë@example.com>")
            .await
            .starts_with("553")
    );
    client.say("MAIL FROM:<ann@example.com>").await;
    assert!(
        client
            .say("RCPT TO:<zoë@example.com>")
            .await
            .starts_with("553")
    );
    client.say("RSET").await;
    let reply = client
        .say("MAIL FROM:<zoë@example.com> SMTPUTF8 BODY=8BITMIME")
        .await;
    assert!(reply.starts_with("250"), "{reply}");
    assert!(
        client
            .say("RCPT TO:<zoë@example.com>")
            .await
            .starts_with("250")
    );
    client.say("DATA").await;
    assert!(client.say("Subject: ë\r\n\r\n.").await.starts_with("250"));
    let submission = &sandbox.submissions()[0];
    assert!(submission.smtputf8 && submission.eight_bit);
}

#[tokio::test]
async fn bare_line_feeds_and_large_mails_are_refused() {
    let options = Options {
        max_message_bytes: 1_000,
        ..Options::default()
    };
    let sandbox = sandbox(options).await;
    let mut client = Client::smtp_ann(&sandbox).await;
    client.start_data(ANN, BOB).await;
    let smuggled = "A: b\r\n\r\n\n.\r\nMAIL FROM:<evil@x.y>\r\n.";
    assert!(
        client.say(smuggled).await.starts_with("550"),
        "a bare LF before the dot ends nothing"
    );
    client.start_data(ANN, BOB).await;
    let large = format!("{}\r\n", "x".repeat(70)).repeat(20);
    assert!(client.say(&format!("{large}.")).await.starts_with("552"));
    assert!(
        client
            .say(&format!("MAIL FROM:<{ANN}> SIZE=1001"))
            .await
            .starts_with("552")
    );
    assert!(client.submit(ANN, BOB, "A: b\r\n").await.starts_with("250"));
    assert_eq!(sandbox.messages(BOB, "INBOX").len(), 1);
}

#[tokio::test]
async fn ses_like_ids_rewrite_the_message_id() {
    let options = Options {
        queue_ids: QueueIds::Ses {
            domain: "email.amazonses.com".to_owned(),
        },
        ..Options::default()
    };
    let sandbox = sandbox(options).await;
    let mut client = Client::smtp_ann(&sandbox).await;
    let reply = client
        .submit(ANN, BOB, "Message-ID: <own@x.y>\r\n\r\n")
        .await;
    let id = reply.strip_prefix("250 Ok ").unwrap();
    let raw = String::from_utf8(sandbox.messages(BOB, "INBOX")[0].raw.to_vec()).unwrap();
    let wanted = format!("Message-ID: <{id}@email.amazonses.com>\r\n");
    assert!(raw.contains(&wanted) && !raw.contains("own@x.y"), "{raw}");
    let sent = String::from_utf8(sandbox.submissions()[0].raw.to_vec()).unwrap();
    assert!(
        sent.contains("own@x.y"),
        "what was submitted is kept as it was"
    );
}

#[tokio::test]
async fn other_servers_a_plain_one_without_auth_and_one_that_takes_all_receivers() {
    let options = Options {
        tls: Tls::None,
        smtp_auth_required: false,
        unknown_recipients: UnknownRecipients::Accept,
        max_submissions: 2,
        ..Options::default()
    };
    let sandbox = sandbox(options).await;
    let mut client = Client::plain(sandbox.smtp_addr()).await;
    client.reply().await;
    client.say("EHLO x").await;
    for n in 1..=3 {
        let to = format!("far{n}@away.example");
        assert!(client.submit(ANN, &to, "A: b\r\n").await.starts_with("250"));
    }
    let kept = sandbox.submissions();
    assert_eq!(kept.len(), 2, "the oldest went");
    assert_eq!(kept[1].to, ["far3@away.example"]);
    assert!(!kept[1].tls && kept[1].authenticated_as.is_none());
}
