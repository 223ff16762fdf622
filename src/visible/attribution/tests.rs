use super::*;

fn len(lines: &[&str], above_quote: bool) -> usize {
    let end = (0..lines.len())
        .find(|i| may_end(lines[*i]) && lines_above(lines, *i, Context { above_quote }).is_some());
    let above = end.and_then(|e| Some(e - lines_above(lines, e, Context { above_quote })?));
    match (above, end) {
        (Some(from), Some(end)) => {
            assert_eq!(from, 0, "{lines:?}");
            end + 1
        }
        _ => 0,
    }
}

/// As Gmail, Apple Mail, Thunderbird, Outlook, Yahoo, Roundcube, Spark, Zoho, mail.ru, Yandex,
/// Tutanota, Notes and others write them.
#[test]
fn attributions_are_known_in_many_languages() {
    for line in [
        "On Tue, 3 May 2024 at 10:00, Ann Lee <ann@x.example> wrote:",
        "On Tue, May 3, 2024 at 10:00 AM Ann Lee <ann@x.example> wrote:",
        "On May 3, 2024, at 10:00 AM, Ann Lee wrote:",
        "On 5/3/24 10:00, Ann Lee wrote:",
        "On 2024-05-03 10:00, Ann Lee wrote:",
        "On 3 May 2024 at 10:00 +0200, Ann Lee <ann@x.example>, wrote:",
        "On Tuesday, May 3rd, 2024 at 10:00 AM, Ann Lee <ann@x.example> wrote:",
        "---- On Tue, 03 May 2024 10:00:00 +0200 Ann Lee <ann@x.example> wrote ----",
        "Tuesday, May 3, 2024, 10:00:00 AM, you wrote:",
        "Ann Lee <ann@x.example> wrote on 03.05.2024 10:00:00:",
        "Ann Lee <ann@x.example> writes:",
        "Quoting Ann Lee <ann@x.example>:",
        "Am 03.05.2024 um 10:00 schrieb Ann Lee <ann@x.example>:",
        "Am Di., 3. Mai 2024 um 10:00 Uhr schrieb Ann Lee <ann@x.example>:",
        "Ann Lee <ann@x.example> schrieb am Fr., 3. Mai 2024, 10:00:",
        "Zitat von Ann Lee <ann@x.example>:",
        "Le ven. 3 mai 2024 à 10:00, Ann Lee <ann@x.example> a écrit :",
        "Le 03/05/2024 à 10:00, Ann Lee a écrit :",
        "El vie, 3 may 2024 a las 10:00, Ann Lee (<ann@x.example>) escribió:",
        "El 3/5/24 a las 10:00, Ann Lee escribió:",
        "Il giorno ven 3 mag 2024 alle ore 10:00 Ann Lee <ann@x.example> ha scritto:",
        "Em sex., 3 de mai. de 2024 às 10:00, Ann Lee <ann@x.example> escreveu:",
        "Op vr 3 mei 2024 om 10:00 schreef Ann Lee <ann@x.example>:",
        "Op 3 mei 2024, om 10:00 heeft Ann Lee <ann@x.example> het volgende geschreven:",
        "Den fre 3 maj 2024 kl 10:00 skrev Ann Lee <ann@x.example>:",
        "fre. 3. mai 2024 kl. 10:00 skrev Ann Lee <ann@x.example>:",
        "ti 3. toukok. 2024 klo 10.00 Ann Lee (ann@x.example) kirjoitti:",
        "W dniu 03.05.2024 o 10:00, Ann Lee pisze:",
        "pt., 3 maj 2024 o 10:00 Ann Lee <ann@x.example> napisał(a):",
        "út 3. 5. 2024 v 10:00 odesílatel Ann Lee <ann@x.example> napsal:",
        "Ann Lee <ann@x.example> ezt írta (időpont: 2024. máj. 3., P, 10:00):",
        "În mar., 3 mai 2024 la 10:00, Ann Lee <ann@x.example> a scris:",
        "Ann Lee <ann@x.example>, 3 May 2024 Cum, 10:00 tarihinde şunu yazdı:",
        "2024-05-03 10:00 GMT+02:00 Ann Lee <ann@x.example>:",
        "пт, 3 мая 2024 г. в 10:00, Ann Lee <ann@x.example>:",
        "пт, 3 мая 2024 г. в 10:00, Ann Lee <ann@x.example> написал:",
        "Пятница, 3 мая 2024, 10:00 +03:00 от Ann Lee <ann@x.example>:",
        "03.05.2024, 10:00, \"Ann Lee\" <ann@x.example>:",
        "3 May 2024, 10:00 by ann@x.example:",
        "3. Mai 2024, 10:00 von ann@x.example:",
        "Στις Παρ 3 Μαΐ 2024 στις 10:00 π.μ., ο/η Ann Lee <ann@x.example> έγραψε:",
        "Vào Th 6, 3 thg 5, 2024 vào lúc 10:00 Ann Lee <ann@x.example> đã viết:",
        "2024年5月3日(金) 10:00 Ann Lee <ann@x.example>:",
        "2024/05/03 10:00、Ann Lee <ann@x.example>のメール:",
        "在 2024年5月3日，Ann Lee <ann@x.example> 写道：",
        "Ann Lee <ann@x.example> 于2024年5月3日周五 10:00写道：",
        "2024년 5월 3일 (금) 오전 10:00, Ann Lee <ann@x.example>님이 작성:",
        "*On Tue, 3 May 2024, Ann Lee <ann@x.example> wrote:*",
    ] {
        assert_eq!(len(&[line, "", "text"], false), 1, "{line}");
    }
    for line in ["Ann Lee wrote:", "On Tuesday Ann said:", "Ann Lee schrieb:"] {
        assert_eq!(len(&[line, "> x"], true), 1, "{line}");
        assert_eq!(len(&[line, "text"], false), 0, "{line}");
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
            "On Tue, 3 May 2024 at 10:00, Ann Lee <",
            "ann@x.example> wrote:",
        ],
        &[
            "Am Freitag, 3. Mai 2024, 10:00:00 schrieb Ann",
            "Lee <ann@x.example>:",
        ],
        &[
            "Op 12 december 2016 19:05 schreef Company Questions <",
            "questions@x.example>:",
        ],
        &[
            "On Tue, Apr 11, 2017 at 10:07 PM Ann Lee",
            "",
            "<",
            "mailto:Ann Lee <ann@x.example>",
            "> wrote:",
        ],
        &[
            "Il giovedì 8 dicembre 2016, Company <q@x.example>",
            "ha scritto:",
        ],
    ] {
        assert_eq!(len(lines, false), lines.len(), "{lines:?}");
    }
}

#[test]
fn sentences_are_no_attributions() {
    for lines in [
        &["On Monday we can meet. She wrote:"][..],
        &["My brother wrote the following:"],
        &["On 3 May we can visit. What do we need to bring:"],
        &["I said yes in 2023."],
        &["As I wrote on 12 March 2024:"],
        &["Wie ich am 12.3.2024 um 10:00 schrieb ich schon:"],
        &["On Tuesday, 3 May 2022 at 10:00 your colleague told me the price. He wrote:"],
        &["Please send it to ann@x.example by 10:00:"],
        &["Monday 10:00 works, and these are my questions:"],
        &["Our opening hours 2024:"],
        &["To: ann@x.example, 3 May 2024:"],
    ] {
        assert_eq!(len(lines, false), 0, "{lines:?}");
    }
    let lines = ["On Tuesday I will be there.", "Ann wrote:"];
    assert_eq!(
        lines_above(&lines, 1, Context { above_quote: true }),
        Some(0)
    );
}

#[test]
fn an_attribution_behind_the_new_text_is_split_off() {
    let none = Context { above_quote: false };
    for (line, new) in [
        ("No. On Tue, May 3, 2024, Ann <s@me.example> wrote:", "No."),
        (
            "Test reply Hi-- On Thu, 3 May 2024 at 10:00, Ann wrote:",
            "Test reply Hi",
        ),
        (
            "Nein danke Am 03.05.2024 um 10:00 schrieb Ann <s@me.example>:",
            "Nein danke",
        ),
    ] {
        assert_eq!(split_inline(line, none).map(|s| s.0), Some(new), "{line}");
    }
    for line in [
        "On Tue, May 3, 2024, Ann <s@me.example> wrote:",
        "The price On request is 2024:",
        "I rely On 3 May 2024 documents that he sent:",
    ] {
        assert_eq!(split_inline(line, none), None, "{line}");
    }
}

#[test]
fn a_date_line_is_an_attribution_of_its_own() {
    assert!(is_date_line("2024-05-03 10:00 GMT+02:00 Ann"));
    assert!(is_date_line("On 3/5/24, 10:00"));
    assert!(!is_date_line("10:00 suits me"));
    assert!(!is_date_line(
        "3 rooms at 10:00 or later, please tell me which of them you would prefer now"
    ));
}
