//! Vacation notices with dates and stand-ins as people write them, and persons' mails that look
//! alike.

use super::*;
use crate::mime;

/// Monday, 6 July 2026; a notice with the headers of RFC 3834.
fn notice(subject: &str, text: &str) -> String {
    format!(
        "From: Lead <lead@x.example>\nTo: us@us.example\nSubject: {subject}\n\
         Date: Mon, 6 Jul 2026 09:00:00 +0200\nAuto-Submitted: auto-replied\n\
         In-Reply-To: <sent@us.example>\nMIME-Version: 1.0\n\
         Content-Type: text/plain; charset=utf-8\n\n{text}\n"
    )
}

fn without_marks(subject: &str, text: &str) -> String {
    notice(subject, text).replace("Auto-Submitted: auto-replied\n", "")
}

fn judged(raw: &str) -> Judged {
    judge(
        &mime::parse(raw.as_bytes()),
        &Ours::default(),
        &Keys::for_test(1),
    )
}

fn read(raw: &str) -> Absence {
    let mail = mime::parse(raw.as_bytes());
    Notice {
        subject: &mail.subject,
        text: &mail.text,
        received: mail.date,
        country: "",
        own: mail.from.iter().map(|a| a.addr.as_str()).collect(),
    }
    .read()
}

fn day(subject: &str, text: &str) -> String {
    let day = read(&notice(subject, text)).return_date;
    day.map_or_else(String::new, |d| d.to_string())
}

fn stand_in(text: &str) -> String {
    let found = read(&notice("Automatic reply: Offer", text)).stand_in;
    found.map_or_else(String::new, |s| s.to_string())
}

fn all_days(cases: &[(&str, &str)]) {
    let wrong: Vec<String> = cases
        .iter()
        .map(|(text, expected)| (text, expected, day("", text)))
        .filter(|(_, expected, found)| *expected != found)
        .map(|(text, expected, found)| format!("{expected:?} but {found:?}: {text}"))
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn the_24th_of_july_is_a_date_and_24_7_is_round_the_clock() {
    all_days(&[
        ("Ich bin bis 24.07.2026 nicht im Büro.", "2026-07-25"),
        ("Ich bin bis 24.7. nicht im Büro.", "2026-07-25"),
        ("Je serai de retour le 24/07/2026.", "2026-07-24"),
        ("I'll be back on 24/7.", "2026-07-24"),
        ("Estoy de vacaciones hasta el 24/7.", "2026-07-25"),
        ("I am away. Our hotline is available 24/7.", ""),
        ("I am out of office. Call the 24/7 hotline.", ""),
    ]);
}

#[test]
fn a_first_day_that_has_come_does_not_hide_the_return() {
    all_days(&[
        (
            "I will be out of the office from Monday, July 6th through Friday, July 17th, returning Monday, July 20th.",
            "2026-07-20",
        ),
        (
            "I am on leave from Thursday 2 July and back on Monday 20 July.",
            "2026-07-20",
        ),
        (
            "Ich bin von Montag, 6. Juli bis Freitag, 17. Juli im Urlaub.",
            "2026-07-18",
        ),
        // A weekday that is not that of its date drops this date only.
        (
            "Away until Monday, 10 July. I am back on Monday, 13 July.",
            "2026-07-13",
        ),
    ]);
}

#[test]
fn without_a_date_of_receipt_only_dates_with_their_year_count() {
    for (text, expected) in [
        ("I am out of the office until 5 March.", None),
        ("I am out of the office until Monday.", None),
        (
            "I am out of the office until 5 March 2026.",
            Some("2026-03-06"),
        ),
    ] {
        let raw = notice("", text).replace("Date: Mon, 6 Jul 2026 09:00:00 +0200\n", "");
        let found = read(&raw).return_date.map(|d| d.to_string());
        assert_eq!(found.as_deref(), expected, "{text}");
    }
}

#[test]
fn a_stated_return_is_more_than_a_stated_end() {
    for (subject, text, expected) in [
        (
            "",
            "I am away until 17th July inclusive, returning to the office on the 20th.",
            "2026-07-20",
        ),
        (
            "Out of office (returning 13/07/2026)",
            "I am away until 13/07/2026.",
            "2026-07-13",
        ),
        ("", "I will return to the office on the 20th.", "2026-07-20"),
        (
            "",
            "We are closed until July 10. We'll re-open Monday, July 13.",
            "2026-07-13",
        ),
        (
            "",
            "Sono in ferie. Sarò in ufficio a partire dal 20 luglio.",
            "2026-07-20",
        ),
        ("", "I am away and will reply on 20 July.", "2026-07-20"),
    ] {
        assert_eq!(day(subject, text), expected, "{text}");
    }
}

#[test]
fn returns_are_read_in_chinese_japanese_korean_hungarian_and_greek() {
    all_days(&[
        (
            "7月6日から7月10日まで休暇をいただいております。7月13日(月)より出社いたします。",
            "2026-07-13",
        ),
        ("我于7月6日至7月17日休假,7月20日返回办公室。", "2026-07-20"),
        ("我正在休假，将于7月20日返回。", "2026-07-20"),
        ("我在休假，7月17日回来。", "2026-07-17"),
        ("휴가 중입니다. 7월 20일에 복귀합니다.", "2026-07-20"),
        (
            "Jelenleg szabadságon vagyok, 2026. július 20-án leszek újra elérhető.",
            "2026-07-20",
        ),
        ("Szabadságon vagyok július 17-ig.", "2026-07-18"),
        (
            "Θα απουσιάζω από το γραφείο μέχρι και τις 17 Ιουλίου 2026.",
            "2026-07-18",
        ),
        ("Θα επιστρέψω στις 20 Ιουλίου.", "2026-07-20"),
        ("Ich bin im Urlaub und ab KW 33 wieder da.", "2026-08-10"),
        ("Jag är på semester till och med vecka 30.", "2026-07-27"),
    ]);
}

#[test]
fn an_automatic_answer_with_a_day_of_return_is_a_vacation_notice() {
    for (subject, text) in [
        (
            "Αυτόματη απάντηση: Το σπίτι",
            "Λείπω και θα επιστρέψω στις 20 Ιουλίου.",
        ),
        ("Antwort", "Ich kehre am 20. Juli zurück."),
        ("Info", "Ab KW 33 wieder da."),
        ("Réponse", "Nous sommes fermés jusqu'au 20 juillet."),
        (
            "Re: Offer",
            "I have received your mail and will read it when I am back from my holidays on 20 July.",
        ),
    ] {
        let j = judged(&notice(subject, text));
        assert_eq!(j.automatic, Some(Automatic::Vacation), "{text}");
    }
}

#[test]
fn the_stand_in_is_another_person_as_it_is_written() {
    for (text, expected) in [
        (
            "My email lead@x.example will not be read. For urgent cases: ben@x.example",
            "ben@x.example",
        ),
        ("如有急事请联系李明 liming@x.example。", "liming@x.example"),
        (
            "Ich bin im Urlaub. Vertretung: Herr Max Schmidt, Durchwahl -12.",
            "Max Schmidt",
        ),
        (
            "Ich bin im Urlaub. Meine Vertretung übernimmt Herr Schmidt.",
            "Herr Schmidt",
        ),
        (
            "Jeg er på ferie. Ta kontakt med Kari Nordmann (kari@x.example).",
            "Kari Nordmann <kari@x.example>",
        ),
        (
            "Jag har semester. Kontakta Erik Svensson erik@x.example.",
            "Erik Svensson <erik@x.example>",
        ),
        (
            "緊急の場合は田中(tanaka@x.example)までご連絡ください。",
            "田中 <tanaka@x.example>",
        ),
        (
            "Neem voor dringende zaken contact op met Jan de Vries (jan@x.example).",
            "Jan de Vries <jan@x.example>",
        ),
        ("For immediate assistance, call Kim at 555-123-4567.", "Kim"),
    ] {
        assert_eq!(stand_in(text), expected, "{text}");
    }
}

#[test]
fn who_asks_something_of_us_is_a_person_whatever_the_subject() {
    for (subject, text) in [
        (
            "Out of office next week",
            "Hi, I will be out of the office next week. Could we meet this Friday instead? I would like to see the flat.",
        ),
        (
            "Out of office",
            "I am out of the office tomorrow, could you send me the brochure before?",
        ),
        (
            "Abwesenheit",
            "Hallo, ich bin nächste Woche abwesend. Können wir den Termin verschieben?",
        ),
        (
            "Out of office",
            "Just to let you know I'm not in until Tuesday. The second flat please!",
        ),
        (
            "Automatic reply: Your new home",
            "Ha, I got your automatic reply. So, yes, send me the contract.",
        ),
    ] {
        let j = judged(&without_marks(subject, text));
        assert_eq!(j.nature, Nature::Human, "{text}");
        assert!(j.weak_signs, "{text}");
    }
}

#[test]
fn a_promise_to_the_reader_is_a_persons() {
    for (subject, text) in [
        (
            "Re: Your new home",
            "Thanks for your mail. I'm on vacation until Monday. I'll call you when I'm back.\n\nAnn",
        ),
        (
            "AW: Ihr Haus",
            "Vielen Dank für Ihre Nachricht. Ich bin bis 20. Juli im Urlaub und melde mich danach bei Ihnen.",
        ),
        (
            "Re: Votre maison",
            "Merci pour votre message. Je suis en congés jusqu'au 20 juillet, je vous recontacte à mon retour.",
        ),
        (
            "Re: Su casa",
            "Gracias por su correo. Estoy de vacaciones hasta el 20 de julio, le llamo a la vuelta.",
        ),
        (
            "Re: La tua casa",
            "Grazie per la mail. Sono in ferie fino al 20 luglio, ci sentiamo al mio rientro.",
        ),
        (
            "Re: Uw huis",
            "Bedankt voor uw mail. Ik ben met vakantie tot 20 juli, ik bel u daarna.",
        ),
        (
            "Re: Your new home",
            "I'm currently on maternity leave, my colleague Ben is handling this - ben@x.example in cc.",
        ),
        (
            "Re: Ihr Haus",
            "Ich bin derzeit nicht im Büro. Rufen Sie mich bitte mobil an: 0171 1234567.",
        ),
    ] {
        let j = judged(&without_marks(subject, text));
        assert_eq!(j.nature, Nature::Human, "{text}");
        assert!(j.weak_signs, "{text}");
    }
    // Under a subject of its own the same words are a notice.
    let own = without_marks(
        "Urlaub",
        "Ich bin bis 20. Juli im Urlaub. In dringenden Fällen erreichen Sie mich mobil.",
    );
    assert_eq!(judged(&own).nature, Nature::Automatic);
}

#[test]
fn a_colleagues_word_of_an_undelivered_mail_is_no_bounce() {
    let raw = without_marks(
        "Message not delivered",
        "Hello,\n\nyour message to bob@x.example was not delivered because Bob has left the company. \
         Please write to me.\n\nRegards,\nAnn (IT)",
    )
    .replace("In-Reply-To: <sent@us.example>\n", "");
    assert_ne!(judged(&raw).nature, Nature::Bounce);
}

#[test]
fn a_mailbox_that_nobody_reads_is_no_persons_departure() {
    let j = judged(&notice(
        "Offer",
        "This mailbox is not monitored. Please use our web form at https://x.example/form.",
    ));
    assert_eq!(j.automatic, Some(Automatic::Other));
    let j = judged(&notice("Offer", "Bob Stone no longer works here."));
    assert_eq!(j.automatic, Some(Automatic::Departed));
}

#[test]
fn challenges_are_known_by_one_strong_phrase_and_a_mark() {
    for text in [
        "I apologize for this automatic reply to your email. To control spam, I now allow incoming messages only from senders I have approved beforehand. If you would like to be added to my list of approved senders, please click the link below: https://x.example/a2",
        "Please confirm that you are not a spammer by clicking https://x.example/c",
        "Your message is being held because the address has not been verified.",
    ] {
        let raw = without_marks("Re: Your new home", text);
        let raw = raw.replace("To: us", "Precedence: bulk\nTo: us");
        let j = judged(&raw);
        assert_eq!(j.automatic, Some(Automatic::Challenge), "{text}");
        let j = judged(&notice("Re: Your new home", text));
        assert_eq!(j.automatic, Some(Automatic::Challenge), "{text}");
    }
}

#[test]
fn a_subject_with_the_prefix_of_a_program_needs_no_second_sign() {
    for (subject, text) in [
        ("Автоответ: Ваш дом", "Я в отпуске."),
        ("תשובה אוטומטית: הצעה", "אני לא במשרד."),
        ("رد تلقائي: عرض", "أنا خارج المكتب."),
    ] {
        let raw = without_marks(subject, text).replace("In-Reply-To: <sent@us.example>\n", "");
        assert_eq!(judged(&raw).nature, Nature::Automatic, "{subject}");
    }
}

#[test]
fn a_ticket_systems_receipt_begins_with_the_line_above_which_to_answer() {
    let j = judged(&without_marks(
        "Re: Your new home [Ticket: 552]",
        "##- Please type your reply above this line -##\n\nYour request (552) has been received and \
         is being reviewed by our support staff.\n\nTo add additional comments, reply to this email.",
    ));
    assert_eq!(j.automatic, Some(Automatic::Acknowledgement));
}

/// Forty notices in some twenty languages, forty persons' mails.
const CASES: &str = include_str!("notice_cases.txt");

#[test]
fn forty_notices_are_read_and_forty_persons_who_are_away_stay_persons() {
    let mut wrong = Vec::new();
    let (mut notices, mut persons) = (0, 0);
    for line in CASES.lines() {
        let cells: Vec<String> = line.split('\t').map(|c| c.replace("\\n", "\n")).collect();
        match cells.iter().map(String::as_str).collect::<Vec<_>>()[..] {
            ["notice", subject, mark, day, stand_in, text] => {
                notices += 1;
                let raw = match mark {
                    "marked" => notice(subject, text),
                    _ => without_marks(subject, text),
                };
                let (judged, said) = (judged(&raw), read(&raw));
                let back = said.return_date.map_or_else(String::new, |d| d.to_string());
                let who = said.stand_in.map_or_else(String::new, |s| s.to_string());
                let named = who.contains(stand_in) && who.is_empty() == stand_in.is_empty();
                if judged.automatic != Some(Automatic::Vacation) || back != day || !named {
                    wrong.push(format!(
                        "{:?} {:?} {back} {who}: {line}",
                        judged.nature, judged.automatic
                    ));
                }
            }
            ["person", subject, text] => {
                persons += 1;
                let judged = judged(&without_marks(subject, text));
                if judged.nature != Nature::Human {
                    wrong.push(format!("{:?}: {line}", judged.nature));
                }
            }
            _ => {}
        }
    }
    assert_eq!((notices, persons), (40, 40));
    assert!(wrong.is_empty(), "{wrong:#?}");
}
