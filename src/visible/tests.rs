use super::*;

const CAMPAIGN: &str = "Would you like to schedule a viewing? Reply STOP to unsubscribe.";

/// The campaign's text as a quote with each line marked.
fn marked() -> String {
    format!("> Hi Ann,\n>\n> {CAMPAIGN}\n")
}

#[test]
fn quotes_and_attributions_are_cut_in_many_languages() {
    for attribution in [
        "On Tue, May 3, 2024 at 10:00 AM Sales <s@me.example> wrote:",
        "On Tue, May 3, 2024 at 10:00 AM Sales\n<s@me.example> wrote:",
        "Am Di., 3. Mai 2024 um 10:00 Uhr schrieb Sales <s@me.example>:",
        "Am 03.05.2024 um 10:00 schrieb Sales:",
        "Le mar. 3 mai 2024 à 10:00, Sales <s@me.example> a écrit :",
        "El mar, 3 may 2024 a las 10:00, Sales (<s@me.example>) escribió:",
        "Il giorno mar 3 mag 2024 alle ore 10:00 Sales <s@me.example> ha scritto:",
        "Em ter., 3 de mai. de 2024 às 10:00, Sales <s@me.example> escreveu:",
        "Op di 3 mei 2024 om 10:00 schreef Sales <s@me.example>:",
        "Den tis 3 maj 2024 kl 10:00 skrev Sales <s@me.example>:",
        "Den 03.05.2024 10.00, skrev Sales:",
        "W dniu 03.05.2024 o 10:00, Sales pisze:",
    ] {
        for quoted in [marked(), format!("Hi Ann,\n\n{CAMPAIGN}\n")] {
            let v = split(&format!("No, thank you.\n\n{attribution}\n\n{quoted}"));
            assert_eq!(v.new_text, "No, thank you.", "{attribution}");
            assert!(v.quoted.contains("viewing"), "{attribution}");
            // Without quote marks, what follows may hold words of the sender.
            assert_eq!(v.sure, quoted.starts_with('>'), "{attribution}");
        }
    }
}

#[test]
fn header_blocks_and_original_message_marks_end_the_new_text() {
    for block in [
        "-----Original Message-----\nFrom: Sales\nSent: Tuesday\nSubject: Offer",
        "________________________________\nFrom: Sales <s@me.example>\nSent: Tuesday, May 3\nTo: Ann\nSubject: Offer",
        "Von: Sales <s@me.example>\nGesendet: Dienstag, 3. Mai 2024 10:00\nAn: Ann\nBetreff: Angebot",
        "De : Sales <s@me.example>\nEnvoyé : mardi 3 mai 2024 10:00\nÀ : Ann\nObjet : Offre",
        "De: Sales <s@me.example>\nEnviado el: martes\nPara: Ann\nAsunto: Oferta",
        "Da: Sales <s@me.example>\nInviato: martedì\nA: Ann\nOggetto: Offerta",
        "De: Sales <s@me.example>\nEnviado: terça\nPara: Ann\nAssunto: Oferta",
        "Van: Sales <s@me.example>\nVerzonden: dinsdag\nAan: Ann\nOnderwerp: Aanbod",
        "Från: Sales <s@me.example>\nSkickat: tisdag\nTill: Ann\nÄmne: Erbjudande",
        "*From:* Sales <s@me.example>\n*Date:* Tuesday\n*To:* Ann\n*Subject:* Offer",
        "-------- Original-Nachricht --------\nDatum: Di, 3 Mai 2024",
        "---------- Forwarded message ---------\nFrom: Sales",
    ] {
        let v = split(&format!(
            "No, thank you.\n\n{block}\n\nHi Ann,\n{CAMPAIGN}\n"
        ));
        assert_eq!(v.new_text, "No, thank you.", "{block}");
        assert!(v.sure, "{block}");
        assert!(v.quoted.contains("viewing"), "{block}");
    }
}

#[test]
fn quoted_campaign_text_never_survives_beside_new_text() {
    for (what, text) in [
        (
            "top",
            format!(
                "No.\n\nOn Tue, May 3, 2024, Sales <s@me.example> wrote:\n{}",
                marked()
            ),
        ),
        (
            "bottom",
            format!(
                "On Tue, May 3, 2024, Sales <s@me.example> wrote:\n{}\nNo.",
                marked()
            ),
        ),
        ("between", format!("{}No.\n> bye\n", marked())),
        ("no attribution", format!("No.\n\n{}", marked())),
        (
            "block",
            format!("No.\n\nFrom: s@me.example\nSent: 3 May\nSubject: Offer\n\n{CAMPAIGN}"),
        ),
        (
            "same line",
            format!(
                "No. On Tue, May 3, 2024, Sales <s@me.example> wrote:\n{}",
                marked()
            ),
        ),
        (
            "html",
            crate::mime::text_of_html(&format!(
                "<div>No.</div><div class=gmail_quote><div class=gmail_attr>On Tue, May 3, 2024 at 10:00, \
             Sales &lt;s@me.example&gt; wrote:<br></div><blockquote><p>Hi Ann,</p><p>{CAMPAIGN}</p>\
             </blockquote></div>"
            )),
        ),
        (
            "outlook",
            crate::mime::text_of_html(&format!(
                "<p>No.</p><hr><div id=divRplyFwdMsg><b>From:</b> Sales &lt;s@me.example&gt;<br><b>Sent:</b> \
             Tuesday<br><b>To:</b> Ann<br><b>Subject:</b> Offer</div><p>{CAMPAIGN}</p>"
            )),
        ),
    ] {
        let v = split(&text);
        assert_eq!(
            own_words(&v.new_text, v.nothing_new),
            "No.",
            "{what}: {text}"
        );
        assert!(what == "between" || v.quoted.contains("viewing"), "{what}");
    }
}

#[test]
fn quotes_alone_leave_the_whole_text_and_are_not_sure() {
    for text in [
        marked(),
        format!(
            "On Tue, May 3, 2024, Sales <s@me.example> wrote:\n{}",
            marked()
        ),
        format!("From: s@me.example\nSent: 3 May\nSubject: Offer\n\n{CAMPAIGN}"),
        format!("\n-- \nAnn\n\n{}", marked()),
        String::new(),
    ] {
        let v = split(&text);
        assert_eq!(v.new_text, text.replace("-- ", "--").trim());
        assert!(!v.sure, "{text}");
    }
}

#[test]
fn answers_between_quoted_lines_are_kept_and_not_sure() {
    let v = split("> Is Monday fine?\nYes, at ten.\n> And the price?\nToo high.\n");
    assert_eq!(
        v.new_text,
        "> Is Monday fine?\nYes, at ten.\n> And the price?\nToo high."
    );
    assert_eq!(
        own_words(&v.new_text, v.nothing_new),
        "Yes, at ten.\nToo high."
    );
    assert!(!v.sure);
    // One quote with the answer below it is plain enough.
    let v = split(
        "On Tue, May 3, 2024, Sales <s@me.example> wrote:\n> Is Monday fine?\n\nYes, at ten.\n",
    );
    assert_eq!((v.new_text.as_str(), v.sure), ("Yes, at ten.", true));
}

#[test]
fn a_quoted_line_that_was_wrapped_is_not_new_text() {
    let v = split(
        "No.\n\nOn Tue, May 3, 2024, Sales <s@me.example> wrote:\n\
         > Would you like to come and schedule a\nviewing of the flat?\n> Bye\n",
    );
    assert_eq!(v.new_text, "No.");
}

#[test]
fn signatures_are_set_apart() {
    let v = split("Yes, please.\n\n-- \nAnn Lee\nUnsubscribe Ltd.\n\n> old\n");
    assert_eq!(v.new_text, "Yes, please.");
    assert_eq!(
        v.signature,
        "-- \nAnn Lee\nUnsubscribe Ltd.".replace("-- ", "--")
    );
    assert!(v.sure);
    for mobile in [
        "Sent from my iPhone",
        "Get Outlook for iOS",
        "Von meinem iPhone gesendet",
        "Envoyé de mon iPhone",
        "Enviado desde mi iPhone",
    ] {
        let v = split(&format!("Yes, please.\n\n{mobile}\n\n{}", marked()));
        assert_eq!(
            (v.new_text.as_str(), v.signature.as_str()),
            ("Yes, please.", mobile)
        );
    }
    let text = "Sent from my desk, is much easier.\nNo signature here.";
    assert_eq!(split(text).new_text, text);
}

#[test]
fn text_without_quotes_is_new_as_a_whole() {
    for text in [
        "Yes.",
        "Hello,\n\nOn Monday I am in London. From: there I can come.\n\nAnn",
        "1 - first\n2 - second\n---\nnot a rule of quotes",
        "My address is:\nMain St 1\nDate: any\n",
    ] {
        let v = split(text);
        assert_eq!((v.new_text.as_str(), v.sure), (text.trim(), true), "{text}");
    }
}

#[test]
fn line_ends_do_not_matter() {
    let text = "No.\n\nOn Tue, May 3, 2024, Sales <s@me.example> wrote:\n> x\n";
    assert_eq!(split(text), split(&text.replace('\n', "\r\n")));
}

#[test]
fn hostile_texts_end() {
    for text in [
        "> \n".repeat(19_000),
        "On a:\n".repeat(19_000),
        "On 3.4.2024 <a@b.example\n".repeat(19_000),
        "x".repeat(1_000_000),
        "From: a\n".repeat(19_000),
        "--\n".repeat(19_000),
        "wrote:".repeat(100_000),
    ] {
        let v = split(&text);
        assert!(v.new_text.len() <= text.len());
    }
}

#[test]
fn a_line_between_arrows_is_group_wises_attribution_and_the_cut_is_unsure() {
    for line in [
        ">>> Sales <s@me.example> 06.07.2026 09:10 >>>",
        ">>> \"Sales\" <s@me.example> 7/6/2026 9:10 AM >>>",
        ">>> Sales 06.07.2026 09:10 >>>",
    ] {
        let v = split(&format!(
            "Fine with me.\n\n{line}\nDear Ann,\nthe flat is free.\nReply STOP to unsubscribe."
        ));
        assert_eq!(v.new_text, "Fine with me.", "{line}");
        assert!(v.quoted.contains("Reply STOP"), "{line}");
        assert!(!v.sure, "{line}");
    }
    // A person's own arrows.
    let v = split("See this:\n>>> the best flats >>>\nYours, Ann");
    assert!(v.new_text.contains("Yours, Ann"), "{v:?}");
}

#[test]
fn the_armour_of_a_clear_signed_text_is_none_of_its_words() {
    let v = split(
        "-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\nYes please\n\
         -----BEGIN PGP SIGNATURE-----\n\niQE=\n-----END PGP SIGNATURE-----",
    );
    assert_eq!(v.new_text, "Yes please");
}

#[test]
fn headers_in_a_table_and_separators_with_entities_start_the_older_mail() {
    for older in [
        "|------------>\n| From:      |\n|------------>\n  >-------------------------|\n  \
         |Sales <s@me.example>     |\n  >-------------------------|\n\nDear Ann",
        "------------------&nbsp;原始邮件&nbsp;------------------\n发件人: \"Sales\"<s@me.example&gt;;\n\nDear Ann",
    ] {
        let v = split(&format!("Yes please.\n\n\n{older}"));
        assert_eq!(v.new_text, "Yes please.", "{older}");
    }
}

#[test]
fn a_rule_above_the_quote_is_no_signature_and_programs_name_themselves() {
    let v = split(
        "Yes please.\n\nGet Outlook for Android<https://aka.ms/AAb9ysg>\n________________________________\n\
         From: Sales <s@me.example>\nSent: Monday, July 6, 2026 9:10:00 AM\nTo: Ann Lee <ann@lead.example>\n\
         Subject: Your new home\n\nDear Ann,",
    );
    assert_eq!(v.new_text, "Yes please.");
    assert_eq!(
        v.signature,
        "Get Outlook for Android<https://aka.ms/AAb9ysg>"
    );
    let v = split(
        "Yes please.\n\n\u{2063}Get BlueMail for Android \u{200b}\n\nOn 6 Jul 2026, 09:10, at 09:10, \
         Sales <s@me.example> wrote:\n>Dear Ann",
    );
    assert_eq!(v.new_text, "Yes please.");
}
