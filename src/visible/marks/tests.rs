use super::*;

fn is_block(lines: &[&str]) -> bool {
    let fields: Vec<Field> = lines.iter().map(|l| field(l)).collect();
    is_header_block(&fields)
}

#[test]
fn every_pattern_compiles_and_is_compiled_at_the_start() {
    assert!(ALL.iter().all(|pattern| pattern.is_some()));
    let source = include_str!("../marks.rs");
    assert_eq!(ALL.len(), source.matches(": Lazy = ").count());
}

#[test]
fn attributions_are_known_in_many_languages() {
    for line in [
        "On Tue, 3 May 2024 at 10:00, Ann Lee <ann@x.example> wrote:",
        "On May 3, 2024, at 10:00 AM, Ann Lee wrote:",
        "Am 03.05.2024 um 10:00 schrieb Ann Lee <ann@x.example>:",
        "Ann Lee <ann@x.example> schrieb am Fr., 3. Mai 2024, 10:00:",
        "Le ven. 3 mai 2024 à 10:00, Ann Lee <ann@x.example> a écrit :",
        "El vie, 3 may 2024 a las 10:00, Ann Lee (<ann@x.example>) escribió:",
        "Il giorno ven 3 mag 2024 alle ore 10:00 Ann Lee <ann@x.example> ha scritto:",
        "Em sex., 3 de mai. de 2024 às 10:00, Ann Lee <ann@x.example> escreveu:",
        "Op vr 3 mei 2024 om 10:00 schreef Ann Lee <ann@x.example>:",
        "Den fre 3 maj 2024 kl 10:00 skrev Ann Lee <ann@x.example>:",
        "fre. 3. mai 2024 kl. 10:00 skrev Ann Lee <ann@x.example>:",
        "W dniu 03.05.2024 o 10:00, Ann Lee pisze:",
        "pt., 3 maj 2024 o 10:00 Ann Lee <ann@x.example> napisał(a):",
        "2024-05-03 10:00 GMT+02:00 Ann Lee <ann@x.example>:",
        "пт, 3 мая 2024 г. в 10:00, Ann Lee <ann@x.example> написал:",
        "在 2024年5月3日，Ann Lee <ann@x.example> 写道：",
    ] {
        assert_eq!(attribution_len(&[line, "", "> x"]), 1, "{line}");
    }
}

#[test]
fn wrapped_attributions_are_known() {
    for lines in [
        &[
            "On Tue, 3 May 2024 at 10:00, Ann Lee",
            "<ann@x.example> wrote:",
        ][..],
        &[
            "On Tue, 3 May 2024 at 10:00,",
            "Ann Lee <ann@x.example>",
            "wrote:",
        ],
        &[
            "Am Freitag, 3. Mai 2024, 10:00:00 schrieb Ann",
            "Lee <ann@x.example>:",
        ],
    ] {
        assert_eq!(attribution_len(lines), lines.len(), "{lines:?}");
    }
}

#[test]
fn sentences_are_no_attributions() {
    for lines in [
        &["On Monday we can meet. She wrote:"][..],
        &["My brother wrote the following:"],
        &["On 3 May we can visit. What do we need to bring:"],
        &["I said yes in 2023."],
        &["On Tuesday I will be there.", "Ann wrote:"],
        &["Hello", "On Tue, 3 May 2024, Ann wrote:"],
    ] {
        assert_eq!(attribution_len(lines), 0, "{lines:?}");
    }
}

#[test]
fn header_blocks_and_separators_are_known() {
    assert!(is_block(&[
        "From: Ann",
        "Sent: Friday",
        "To: Ben",
        "Subject: x"
    ]));
    assert!(is_block(&[
        "*Von:* Ann",
        "",
        "*Gesendet:* Freitag, 10:00",
        "*An:* Ben"
    ]));
    assert!(!is_block(&["From: London", "To: Paris", "Date: 3 May"]));
    assert!(is_block(&[
        "De : Ann",
        "Envoyé : vendredi",
        "À : Ben",
        "Objet : x"
    ]));
    assert!(is_block(&["Date: Friday 10:00", "From: Ann", "To: Ben"]));
    assert!(!is_block(&[
        "From: Monday on I am free",
        "I like it",
        "a lot",
        "Date: any"
    ]));
    assert!(!is_block(&["To: the point", "Date: Friday suits me"]));
    for line in [
        "-----Original Message-----",
        "-------- Original-Nachricht --------",
        "----- Ursprüngliche Nachricht -----",
        "---------- Forwarded message ---------",
        "-----Messaggio originale-----",
        "-----Mensaje original-----",
        "-----Message d'origine-----",
        "-----Oorspronkelijk bericht-----",
        "-----Ursprungligt meddelande-----",
        "Begin forwarded message:",
        "------------------ 原始邮件 ------------------",
    ] {
        assert!(is_separator(line), "{line}");
    }
    for line in [
        "--",
        "-- original art --",
        "Original message below",
        "----------",
    ] {
        assert!(!is_separator(line), "{line}");
    }
}

#[test]
fn mobile_signatures_are_known() {
    for line in [
        "Sent from my iPhone",
        "Sent from Yahoo Mail for iPhone",
        "Get Outlook for iOS<https://aka.ms/o0ukef>",
        "Von meinem iPhone gesendet",
        "Envoyé de mon iPhone",
        "Enviado desde mi iPhone",
        "Inviato da iPhone",
        "Verzonden vanaf mijn iPhone",
        "Skickat från min iPhone",
        "发自我的iPhone",
    ] {
        assert!(is_mobile_signature(line), "{line}");
    }
    assert!(!is_mobile_signature("Please get outlook right"));
}
