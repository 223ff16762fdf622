use super::*;
use crate::mime;
use crate::model::SentId;
use crate::nature::{self, Ours};

fn keys() -> Keys {
    Keys::for_test(1)
}

/// The id of our mail number `n`, as we made it.
fn own_id(n: u8) -> MsgId {
    msgid::mint(&keys(), "me.example", [n; 16])
}

fn sent(n: i64) -> SentRef {
    SentRef {
        sent_id: SentId(n),
        campaign_lead_id: CampaignLeadId(n),
        lead_email_key: "ann@lead.example".to_owned(),
        known_at: UtcMs(0),
    }
}

const UUID: &str = "0b7f3c2a-11de-4a5b-9c3d-1234567890ab";

#[derive(Default)]
struct Known {
    mails: Vec<MailTo>,
    taught_ids: Vec<&'static str>,
}

impl Lookup for Known {
    fn is_taught_id(&self, id: &MsgId) -> bool {
        self.taught_ids.contains(&id.as_str())
    }
    fn sent(&self, id: &MsgId) -> Option<SentRef> {
        if let Some(n) = (1..9).find(|n| own_id(*n) == *id) {
            return Some(sent(n.into()));
        }
        let n = id.as_str().strip_prefix("sent")?.split('@').next()?;
        Some(sent(n.parse().ok()?))
    }
    fn by_local_key(&self, key: &str) -> Option<SentRef> {
        let own = (1..9).find(|n| own_id(*n).local_part() == key);
        own.map(|n| sent(n.into()))
            .or_else(|| (key == UUID).then(|| sent(50)))
    }
    fn by_payload(&self, payload: &str) -> Option<SentRef> {
        let own = (1..9).find(|n| msgid::payload(&own_id(*n)) == Some(payload));
        own.map(|n| sent(n.into()))
    }
    fn is_notice(&self, id: &MsgId) -> bool {
        id.as_str().starts_with("notice")
    }
    fn is_taught(&self, address_key: &str, _: &SentRef) -> bool {
        address_key == "ann@home.example"
    }
    fn mails_to(&self, address_key: &str) -> &[MailTo] {
        if address_key == "ann@lead.example" {
            &self.mails
        } else {
            &[]
        }
    }
}

fn look_among(raw: &str, mails: &[(i64, &str)]) -> Search {
    let mail = mime::parse(raw.as_bytes());
    let judged = nature::judge(&mail, &Ours::default(), &keys());
    let mails = mails
        .iter()
        .map(|(n, subject)| MailTo {
            sent: sent(*n),
            folded_subject: folded_subject(subject),
        })
        .collect();
    search(
        &mail,
        &judged,
        &keys(),
        SenderAuth::Unknown,
        &Known {
            mails,
            taught_ids: vec!["sent8@other"],
        },
    )
}

fn look(raw: &str) -> Search {
    look_among(raw, &[])
}

fn found(raw: &str) -> (i64, MatchMethod, bool) {
    let m = look(raw).found.unwrap();
    (m.sent.sent_id.0, m.method, m.sender_verified())
}

#[test]
fn in_reply_to_goes_before_references() {
    let raw =
        "From: Ann@LEAD.example\nIn-Reply-To: <x@y> <sent2@me>\nReferences: <sent3@me>\n\nyes";
    assert_eq!(found(raw), (2, MatchMethod::InReplyTo, true));
    let s = look(raw);
    assert_eq!(
        s.looked_at,
        [
            "In-Reply-To 1: <x@y> unknown",
            "In-Reply-To 2: <sent2@me> hit",
            "sender: the lead's address"
        ]
    );
    assert!(s.found.unwrap().confidence < 1.0);
}

#[test]
fn references_are_read_from_the_right() {
    let raw = "From: ann@lead.example\nIn-Reply-To: <o@y>\n\
               References: <sent1@me> <sent2@me> <o@y>\n\nyes";
    assert_eq!(found(raw), (2, MatchMethod::References, true));
    assert!(
        look(raw)
            .looked_at
            .contains(&"References 2 from the right: <sent2@me> hit".to_owned())
    );
}

#[test]
fn a_report_is_matched_by_the_mail_that_it_is_about() {
    let raw = "From: MAILER-DAEMON@mx.example\nReturn-Path: <>\nSubject: failure notice\n\n\
               550 no such user here: could not be delivered\n\n--- Below is a copy\n\n\
               Received: from x\nMessage-ID: <sent4@me>\nSubject: Offer\n";
    assert_eq!(found(raw), (4, MatchMethod::Report, false));
    // In a person's mail a quoted header is no evidence.
    let human = "From: ann@lead.example\n\nMessage-ID: <sent4@me>\n";
    assert_eq!(look(human).found, None);
}

#[test]
fn a_report_without_ids_is_matched_by_the_recipient_that_failed() {
    let raw = "From: MAILER-DAEMON@mx.example\nReturn-Path: <>\nSubject: failure notice\n\
               X-Failed-Recipients: Ann@lead.example\n\n\
               550 no such user here: could not be delivered\n";
    let m = look_among(raw, &[(3, "Offer"), (3, "Re: Offer")])
        .found
        .unwrap();
    assert_eq!((m.sent.sent_id.0, m.method), (3, MatchMethod::Recipient));
    assert!(m.confidence < SURE);
    assert_eq!(look_among(raw, &[(3, "Offer"), (4, "Other")]).found, None);
}

#[test]
fn our_token_and_a_uuid_survive_a_changed_domain() {
    let ours = own_id(3).local_part().to_uppercase();
    let changed = format!("From: ann@lead.example\nIn-Reply-To: <{ours}@gateway.example>\n\nyes");
    assert_eq!(found(&changed), (3, MatchMethod::Token, true));
    let forged = ours.replace(&ours[ours.len() - 3..], "aaa");
    let forged = format!("From: ann@lead.example\nIn-Reply-To: <{forged}@gateway.example>\n\nyes");
    assert_eq!(look(&forged).found, None);
    let uuid = format!("From: ann@lead.example\nReferences: <a@b> <{UUID}@ses.example>\n\nyes");
    let m = look(&uuid).found.unwrap();
    assert_eq!((m.sent.sent_id.0, m.method), (50, MatchMethod::Token));
    assert!(!m.carries_token, "a UUID is no signature");
}

#[test]
fn an_answer_of_outlook_without_references_is_found_by_its_thread_index() {
    let index = thread_index(&own_id(5), UtcMs(1_767_225_600_000)).unwrap();
    let raw = |from: &str| format!("From: {from}\nThread-Index: {index}\n\nyes");
    let m = look(&raw("ann@lead.example")).found.unwrap();
    assert_eq!((m.sent.sent_id.0, m.method), (5, MatchMethod::ThreadIndex));
    assert!(m.carries_token && m.confidence >= SURE);
    assert!(found(&raw("bob@lead.example")).2, "a colleague");
    assert_eq!(look(&raw("eve@x.example")).found, None, "a stranger");
}

#[test]
fn the_reply_address_leads_back() {
    let to = reply_address("sales@me.example", &own_id(6)).unwrap();
    let raw = format!("From: eve@x.example\nTo: {to}\n\nyes");
    assert_eq!(found(&raw), (6, MatchMethod::ReplyAddress, false));
}

#[test]
fn the_subject_counts_only_from_a_lead_with_one_such_thread() {
    let raw = "From: ann@lead.example\nSubject: AW: Re: Spring offer\n\nyes";
    let one = [(7, "Spring offer"), (7, "Re: Spring offer"), (8, "Other")];
    let m = look_among(raw, &one).found.unwrap();
    assert_eq!((m.sent.sent_id.0, m.method), (7, MatchMethod::Subject));
    assert!(m.confidence < SURE, "never answered automatically");
    let two = [(7, "Spring offer"), (8, "Spring offer")];
    assert_eq!(look_among(raw, &two).found, None);
    let stranger = raw.replace("ann@lead", "eve@x");
    assert_eq!(look_among(&stranger, &one).found, None);
    let topic = "From: ann@lead.example\nSubject: question\nThread-Topic: Spring offer\n\nyes";
    assert!(look_among(topic, &one).found.is_some());
    let other = "From: ann@lead.example\nSubject: something else\n\nyes";
    assert_eq!(look_among(other, &one).found, None, "proposed, not matched");
    let two_froms = format!("From: eve@x.example\n{raw}");
    assert_eq!(look_among(&two_froms, &one).found, None);
}

#[test]
fn another_or_a_second_sender_is_not_verified() {
    let reply = |from: &str| found(&format!("{from}\nIn-Reply-To: <sent1@me>\n\nyes")).2;
    assert!(reply("From: Ann <ANN@lead.example>"));
    assert!(reply("From: Ann <ann@home.example>"), "taught");
    assert!(
        !reply("From: Bob <bob@lead.example>"),
        "no token in this mail"
    );
    assert!(!reply("From: Eve <eve@x.example>"));
    assert!(!reply("From: ann@lead.example\nFrom: eve@x.example"));
    assert!(!reply("To: x@y.example"));
}

#[test]
fn a_colleague_is_verified_only_with_our_token_of_that_thread() {
    let with = |ids: &str| {
        let raw = format!("From: bob@lead.example\nReferences: {ids}\n\nyes");
        look(&raw).found.unwrap().sender_verified()
    };
    assert!(with(&format!("<{}>", own_id(2))));
    assert!(!with("<sent2@me>"));
    // A token of another thread proves nothing about this one.
    assert!(!with(&format!("<{}> <sent3@me>", own_id(2))));
}

#[test]
fn failed_authentication_unmakes_a_verified_sender() {
    let raw = "From: ann@lead.example\nIn-Reply-To: <sent1@me>\n\nyes";
    let mail = mime::parse(raw.as_bytes());
    let judged = nature::judge(&mail, &Ours::default(), &keys());
    for (auth, verified) in [
        (SenderAuth::Unknown, true),
        (SenderAuth::Pass, true),
        (SenderAuth::Fail, false),
    ] {
        let m = search(&mail, &judged, &keys(), auth, &Known::default());
        assert_eq!(m.found.unwrap().sender_verified(), verified, "{auth:?}");
    }
}

#[test]
fn a_notice_is_never_a_key_for_a_lead() {
    let s = look("From: a@b.example\nIn-Reply-To: <notice1@me>\n\nok");
    assert!(s.answers_notice && s.found.is_none());
    assert_eq!(s.looked_at, ["In-Reply-To 1: <notice1@me> notice"]);
    assert!(look("From: a@b.example\nReferences: <sent1@me> <notice1@me>\n\nok").answers_notice);
    assert!(!look("From: a@b.example\nReferences: <notice1@me> <sent1@me>\n\nok").answers_notice);
}

#[test]
fn the_questions_are_bounded_and_each_once() {
    let many: String = (0..500).map(|i| format!("<{i}@x> ")).collect();
    let raw = format!("In-Reply-To: {many}\nReferences: {many}<last@x>\n\n");
    let mail = mime::parse(raw.as_bytes());
    let judged = nature::judge(&mail, &Ours::default(), &keys());
    let ids = questions(&mail, &judged).ids;
    assert!(ids.len() <= MAX_IDS);
    let unique: HashSet<_> = ids.iter().collect();
    assert_eq!(unique.len(), ids.len());
    assert!(ids.iter().any(|i| i.as_str() == "last@x"));
}

/// A delivery report that returns the header of a mail with this Message-ID and these fields.
fn report(id: &str, more: &str) -> String {
    format!(
        "From: mailer-daemon@mx.example\nContent-Type: multipart/report; \
         report-type=delivery-status; boundary=b\n\n--b\nContent-Type: text/plain\n\nfailed\n\
         --b\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; mx.example\n\n\
         Final-Recipient: rfc822; x@nobody.example\nAction: failed\nStatus: 5.1.1\n\n\
         --b\nContent-Type: text/rfc822-headers\n\nMessage-ID: <{id}>\n{more}Subject: Offer\n\n--b--\n"
    )
}

#[test]
fn a_report_on_a_mail_whose_id_was_replaced_is_matched_and_teaches_the_new_one() {
    for field in ["X-Microsoft-Original-Message-ID", "X-Replyd-Id"] {
        let raw = report(
            "new@outlook.example",
            &format!("{field}: <{}>\n", own_id(3)),
        );
        assert_eq!(found(&raw), (3, MatchMethod::Report, false), "{field}");
        let alias = look(&raw).alias.map(|id| id.to_string());
        assert_eq!(alias.as_deref(), Some("new@outlook.example"), "{field}");
    }
    // An imported id is matched, and teaches nothing: only our signature does.
    let raw = report(
        "new@outlook.example",
        "X-Microsoft-Original-Message-ID: <sent4@me>\n",
    );
    assert_eq!(found(&raw).0, 4);
    assert_eq!(look(&raw).alias, None);
    // Known already, or not in a report: nothing is taught.
    let raw = report("sent3@me", &format!("X-Replyd-Id: <{}>\n", own_id(3)));
    assert_eq!(look(&raw).alias, None);
    let raw = format!(
        "From: ann@lead.example\nMessage-ID: <a@x>\nIn-Reply-To: <{}>\n\nyes",
        own_id(3)
    );
    assert_eq!(look(&raw).alias, None);
}

#[test]
fn an_id_that_was_attached_for_one_lead_is_no_key_for_another() {
    // One mail of another system to many leads has one id for all of them.
    let from = |address: &str| format!("From: {address}\nIn-Reply-To: <sent8@other>\n\nyes");
    assert_eq!(found(&from("ann@lead.example")).0, 8);
    assert_eq!(found(&from("ann@home.example")).0, 8);
    let s = look(&from("bob@elsewhere.example"));
    assert!(s.found.is_none());
    let noted = s.looked_at.join("; ");
    assert!(noted.contains("attached for another lead"), "{noted}");
}
