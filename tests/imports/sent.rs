//! Mails that something else sent.

use super::*;

#[tokio::test]
async fn sent_mails_find_their_lead_by_key_or_by_address() {
    let b = Bench::new().await;
    b.leads(TWO_LEADS).await;
    let report = b
        .sent(
            "Message-ID,lead,campaign,date,subject,body\n\
             <One@X.Example>,L1,Spring,2025-01-02T03:04:05+04:00,Hello,\"Dear Ann,\nbye\"\n\
             two@x.example,BO@y.example,Spring,\"Thu, 02 Jan 2025 10:00:00 +0000\",,\n\
             <three@x.example>,L1,,2025-01-03 09:30,,\n\
             <four@x.example>,nobody@x.example,Spring,2025-01-03,,\n\
             <five@x.example>,L1,Spring,last week,,\n\
             not an id,L1,Spring,2025-01-03,,\n",
        )
        .await;
    assert_eq!(counts(&report), [3, 0, 0, 3], "{report:?}");
    let told: Vec<u64> = report.errors.iter().map(|e| e.line).collect();
    assert_eq!(told, [6, 7, 8], "the first row takes two lines");
    assert_eq!(
        b.text(
            "SELECT group_concat(i.id_key || '=' || l.lead_id || '@' || s.sent_at, ' '
                 ORDER BY s.id)
             FROM sent_ids i JOIN sent_messages s ON s.id = i.sent_id
             JOIN campaign_leads cl ON cl.id = s.campaign_lead_id JOIN leads l ON l.id = cl.lead_id"
        ),
        "One@x.example=L1@1735772645000 two@x.example=L2@1735812000000 \
         three@x.example=L1@1735896600000"
    );
    assert_eq!(
        b.text(
            "SELECT email_message_id || ' ' || message_sent || ' ' || message_sent_at
             FROM campaign_leads cl JOIN leads l ON l.id = cl.lead_id WHERE l.lead_id = 'L1'"
        ),
        "three@x.example 1 1735896600000"
    );
    assert_eq!(
        b.text("SELECT sender || agent_tool_used || message FROM conversations"),
        "agentmessage_generationDear Ann,\nbye"
    );
}

#[tokio::test]
async fn a_sent_mail_again_is_an_update_and_never_anothers() {
    let b = Bench::new().await;
    b.leads(TWO_LEADS).await;
    let first = "message_id,lead,campaign,date,subject,body\n\
                 <m@x.example>,L1,Spring,2025-01-02,Hi,text\n";
    assert_eq!(counts(&b.sent(first).await), [1, 0, 0, 0]);
    assert_eq!(counts(&b.sent(first).await), [0, 0, 1, 0]);
    let corrected = first.replace(",Hi,text", ",Hello,other text");
    assert_eq!(counts(&b.sent(&corrected).await), [0, 1, 0, 0]);
    let stored = b.text("SELECT subject || body FROM sent_messages");
    assert_eq!(stored, "Helloother text");
    assert_eq!(b.text("SELECT message FROM conversations"), "other text");

    let report = b.sent(&first.replace("L1", "L2")).await;
    let anothers = "The Message-ID is known already, as a mail to another lead";
    assert_eq!(lines(&report), [(2, anothers)]);
    let report = b.sent(&first.replace("Spring", "Autumn")).await;
    let elsewhere = "The Message-ID is known already, as a mail to this lead in another campaign";
    assert_eq!(lines(&report), [(2, elsewhere)]);
    assert_eq!(
        b.text("SELECT count(*) FROM campaigns"),
        "1",
        "a row that does not go in leaves nothing behind"
    );
    assert_eq!(b.text("SELECT count(*) FROM sent_messages"), "1");
}

#[tokio::test]
async fn one_address_of_two_leads_is_told_apart_by_the_campaign_or_refused() {
    let b = Bench::new().await;
    b.leads(
        "lead_id,email,campaign\nL1,same@x.example,Spring\nL2,Same@X.example,Autumn\n\
         L3,same@x.example,Autumn\n",
    )
    .await;
    assert_eq!(b.text("SELECT count(DISTINCT email_key) FROM leads"), "1");
    let report = b
        .sent(
            "message_id,email,campaign,date\n\
             <a@x.example>,same@x.example,Spring,2025-01-02\n\
             <b@x.example>,same@x.example,Autumn,2025-01-02\n\
             <c@x.example>,same@x.example,Winter,2025-01-02\n\
             <d@x.example>,same@x.example,,2025-01-02\n",
        )
        .await;
    assert_eq!(counts(&report), [1, 0, 0, 3], "{report:?}");
    let unclear = "The address belongs to 3 leads: name the lead by its lead_id";
    let many = "campaign is empty, and the lead is in more than one";
    assert_eq!(lines(&report), [(3, unclear), (4, unclear), (5, many)]);
    assert_eq!(b.text("SELECT count(*) FROM campaigns"), "2");
}

#[tokio::test]
async fn header_injection_is_refused_in_files_and_in_single_entries() {
    let b = Bench::new().await;
    b.leads(TWO_LEADS).await;
    let report = b
        .sent(
            "message_id,lead,campaign,date,subject\n\
             \"<a@x.example>\r\nBcc: v@y.example\",L1,Spring,2025-01-02,s\n\
             <b@x.example>,L1,Spring,2025-01-02,\"s\r\nBcc: v@y.example\"\n\
             <c@x.example>,L1,\"Spring\nX: y\",2025-01-02,s\n\
             <d@x.example>,L1,Spring,2025-01-02,s\0s\n",
        )
        .await;
    assert_eq!(counts(&report), [0, 0, 0, 4], "{report:?}");
    let report = b
        .leads("lead_id,name,email\nL9,\"A\r\nBcc: v@y.example\",a@x.example\n")
        .await;
    assert_eq!(counts(&report), [0, 0, 0, 1], "{report:?}");
    for (id, lead, campaign) in [
        ("<a@x.example>\r\nX: y", "L1", "Spring"),
        ("<a@x.example>", "L1", "Spring\r\nX: y"),
        ("<a@x.example>", "L1\nx", "Spring"),
    ] {
        assert!(b.add(id, lead, campaign).await.is_err(), "{id:?}");
    }
    assert_eq!(b.text("SELECT count(*) FROM sent_messages"), "0");
}

#[tokio::test]
async fn a_sent_mail_of_an_unknown_conversation_or_without_id_is_refused() {
    let b = Bench::new().await;
    b.leads(TWO_LEADS).await;
    let put = async |lead: i64, ids: &[&str]| {
        let mail = NewSent {
            campaign_lead_id: CampaignLeadId(lead),
            kind: SentKind::Answer,
            subject: "s".into(),
            body: "b".into(),
            sent_at: UtcMs(5),
            outbox_ref: None,
            ids: ids
                .iter()
                .map(|i| ((*i).to_owned(), IdSource::Own))
                .collect(),
        };
        b.store
            .write(move |tx| tx.insert_sent(&mail, &[], UtcMs(9)))
            .await
    };
    let unknown = put(99, &["a@x.example"]).await;
    assert!(matches!(unknown, Err(StoreError::NotFound(_))));
    for ids in [&[][..], &[""]] {
        let refused = put(1, ids).await;
        assert!(matches!(refused, Err(StoreError::Invalid(_))));
    }
    let both = put(1, &["a@x.example", "b@x.example"]).await.unwrap();
    assert_eq!(both, SentId(1));
    assert_eq!(put(1, &["b@x.example"]).await.unwrap(), both);
    put(2, &["c@x.example"]).await.unwrap();
    let mixed = put(1, &["a@x.example", "c@x.example"]).await;
    assert!(matches!(mixed, Err(StoreError::Invalid(_))));
    let own = "SELECT email_message_id FROM campaign_leads WHERE id = 1";
    assert_eq!(b.text(own), "a@x.example");
}
