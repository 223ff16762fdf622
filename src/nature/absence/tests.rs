use super::*;

/// Tuesday, 29 April 2025, 10:00 UTC.
const RECEIVED: UtcMs = UtcMs(1_745_920_800_000);

fn day(text: &str, country: &str) -> String {
    let absence = absence("", text, RECEIVED, country);
    absence
        .return_date
        .map_or_else(String::new, |d| d.to_string())
}

#[test]
fn the_day_of_return_is_read_in_many_languages() {
    for (text, expected) in [
        // English
        ("I am out of the office until May 5th.", "2025-05-06"),
        ("I am back on Monday, May 5.", "2025-05-05"),
        ("I will return to the office on 12 May 2025.", "2025-05-12"),
        ("I am on vacation from May 1 to May 9.", "2025-05-10"),
        ("I will be traveling for work on July 10-31.", "2025-08-01"),
        (
            "Away 1 May - 9 May 2025. Back in the office on the 12th of May.",
            "2025-05-12",
        ),
        (
            "I am away returning to the office on May 5th.",
            "2025-05-05",
        ),
        ("I'm out through the 9th of May, inclusive.", "2025-05-10"),
        ("I will not be back until May 12.", "2025-05-12"),
        ("I am out of the office until Monday.", "2025-05-06"),
        ("I will be back on Monday.", "2025-05-05"),
        (
            "Out of office from 2025-05-01 until 2025-05-09.",
            "2025-05-10",
        ),
        (
            "I'm away until the 15th. In urgent cases call +49 30 12345.",
            "2025-05-16",
        ),
        ("I will be out of the office today, 29 April.", "2025-04-30"),
        ("I will be back tomorrow.", "2025-04-30"),
        ("I'll be back next week.", "2025-05-05"),
        ("I am on leave from 28/04 to 16/05.", "2025-05-17"),
        ("I am out of the office for two weeks.", "2025-05-13"),
        ("I'm on leave for the next 3 days.", "2025-05-02"),
        ("I will be back in a week.", "2025-05-06"),
        (
            "I will reply to your email on my return on the 8th May.",
            "2025-05-08",
        ),
        ("Back on 9.5.2025 (I leave at 17.30.)", "2025-05-09"),
        (
            "I am away until 10 May; ref 2025-06-01 for the contract.",
            "2025-05-11",
        ),
        ("I am out of the office today.", ""),
        // German
        ("Ich bin für zwei Wochen im Urlaub.", "2025-05-13"),
        ("Ich bin in einer Woche wieder da.", "2025-05-06"),
        ("Ich bin bis zum 3. nicht im Büro.", "2025-05-04"),
        ("Ich bin vom 01.05. bis 09.05.2025 im Urlaub.", "2025-05-10"),
        ("Ab dem 12. Mai bin ich wieder erreichbar.", "2025-05-12"),
        ("Ich bin am 12.05.2025 wieder für Sie da.", "2025-05-12"),
        (
            "Ich bin bis einschließlich Freitag, den 9. Mai abwesend.",
            "2025-05-10",
        ),
        ("Vom 3.-14.8. bin ich nicht im Haus.", "2025-08-15"),
        ("Ich bin bis zum 5.5. nicht erreichbar.", "2025-05-06"),
        ("Ich bin erst am Montag wieder im Büro.", "2025-05-05"),
        // French
        ("Je suis absent jusqu'au 9 mai inclus.", "2025-05-10"),
        ("Je serai de retour le lundi 12 mai.", "2025-05-12"),
        ("Absente du 1er mai au 9 mai 2025.", "2025-05-10"),
        ("Je suis en congés du 28 avril au 16 mai.", "2025-05-17"),
        ("Je suis en congés jusqu'au 02/05/2025.", "2025-05-03"),
        // Spanish
        (
            "Estaré fuera de la oficina hasta el 9 de mayo.",
            "2025-05-10",
        ),
        ("Regreso el 12 de mayo de 2025.", "2025-05-12"),
        ("Estoy de vacaciones del 1 al 15 de mayo.", "2025-05-16"),
        ("Estaré ausente hasta el 09/05.", "2025-05-10"),
        // Portuguese
        ("Estou de férias até 9 de maio.", "2025-05-10"),
        ("Retorno no dia 12 de maio.", "2025-05-12"),
        ("Estarei ausente de 1 a 9 de maio.", "2025-05-10"),
        // Italian
        ("Sono in ferie fino al 9 maggio.", "2025-05-10"),
        ("Rientrerò il 12 maggio 2025.", "2025-05-12"),
        ("Sarò assente dal 1 al 9 maggio.", "2025-05-10"),
        // Dutch
        ("Ik ben afwezig tot en met 9 mei.", "2025-05-10"),
        ("Vanaf 12 mei ben ik weer bereikbaar.", "2025-05-12"),
        ("Ik ben met vakantie t/m 09-05-2025.", "2025-05-10"),
        ("Maandag 12 mei ben ik weer op kantoor.", "2025-05-12"),
        // Swedish, Danish, Norwegian, Finnish
        ("Jag är på semester till och med 9 maj.", "2025-05-10"),
        ("Jag är tillbaka på kontoret måndag 12 maj.", "2025-05-12"),
        ("Jag är ledig t.o.m. 2025-05-09.", "2025-05-10"),
        ("Jeg har ferie til og med den 9. maj.", "2025-05-10"),
        ("Jeg er tilbage den 12. maj.", "2025-05-12"),
        ("Jeg er tilbake på kontoret 12. mai.", "2025-05-12"),
        ("Olen lomalla 9.5. asti.", "2025-05-10"),
        ("Palaan töihin 12. toukokuuta.", "2025-05-12"),
        // Polish, Czech, Russian, Turkish
        ("Jestem na urlopie do 9 maja.", "2025-05-10"),
        ("Wracam do pracy 12 maja.", "2025-05-12"),
        ("Jsem na dovolené do 9. května.", "2025-05-10"),
        ("Я в отпуске до 9 мая.", "2025-05-10"),
        ("Вернусь в офис 12 мая 2025 г.", "2025-05-12"),
        ("9 Mayıs'a kadar izinde olacağım.", "2025-05-10"),
        // Japanese, Chinese, Korean
        ("5月9日まで不在にしております。", "2025-05-10"),
        (
            "2025年5月1日から5月9日まで休暇をいただきます。",
            "2025-05-10",
        ),
        ("我在休假,2025年5月9日为止。", "2025-05-10"),
        ("5월 9일까지 휴가 중입니다.", "2025-05-10"),
    ] {
        assert_eq!(day(text, ""), expected, "{text}");
    }
}

#[test]
fn what_may_be_day_or_month_is_read_by_language_country_or_another_date() {
    let english = "I am out of the office until 05/06.";
    assert_eq!(day(english, ""), "");
    assert_eq!(day(english, "US"), "2025-05-07");
    assert_eq!(day(english, "GB"), "2025-06-06");
    assert_eq!(day(english, "+1"), "2025-05-07");
    assert_eq!(
        day("I am out of the office from 04/28 until 05/06.", ""),
        "2025-05-07"
    );
    assert_eq!(day("Ich bin bis 05/06 nicht im Büro.", ""), "2025-06-06");
    assert_eq!(day("I am out of the office until 05/05.", ""), "2025-05-06");
}

#[test]
fn a_missing_year_is_the_next_and_no_day_is_past_or_far() {
    assert_eq!(day("I am away until 3 January.", ""), "");
    assert_eq!(day("I am away until 20 April.", ""), "");
    assert_eq!(day("I am away until 3 May 2024.", ""), "");
    assert_eq!(day("I am away until 3 May 2027.", ""), "");
    assert_eq!(day("I am away until 20 October.", ""), "2025-10-21");
    // In December the next January is near.
    let december = UtcMs(1_766_000_000_000);
    let a = absence("", "Ich bin bis zum 6. Januar im Urlaub.", december, "DE");
    assert_eq!(a.return_date.unwrap().to_string(), "2026-01-07");
}

#[test]
fn numbers_that_are_no_dates_say_nothing() {
    for text in [
        "I am out of the office. Call +49 30 12 34 56 or 030/1234.",
        "We answer within 24 hours, 24/7.",
        "I am away; office hours 9-17, Monday to Friday.",
        "Our prices from 12.50 to 13.90 are valid.",
        "I am back at 5 pm.",
        "Ich bin heute ab 17 Uhr wieder da.",
        "I am out of the office until further notice.",
        "Version 10.5.2025.1 of 31.31.2025",
        "We will respond within 3 days. I am out of the office.",
        "Send the invoice by May 5 please. I am out of the office.",
        "Our next release is 2025-05-12. I am away.",
        "I am out of the office until May 2025.",
        "I am back on 30 February.",
        // A Tuesday.
        "I am back on Monday, 6 May.",
        "",
    ] {
        assert_eq!(day(text, ""), "", "{text}");
    }
}

#[test]
fn the_pause_ends_with_the_start_of_that_day_in_the_persons_zone() {
    let until = |country: &str, text: &str| absence("", text, RECEIVED, country).until.rfc3339();
    let text = "I am back on 12 May.";
    assert_eq!(until("", text), "2025-05-12T00:00:00.000Z");
    assert_eq!(until("AE", text), "2025-05-11T20:00:00.000Z");
    assert_eq!(until("+49", text), "2025-05-11T22:00:00.000Z", "in summer");
    // Without a date seven days.
    assert_eq!(until("AE", "I am away."), "2025-05-06T10:00:00.000Z");
    // Late in the evening in UTC it is the next day there.
    let late = UtcMs(RECEIVED.0 + 13 * 3_600_000);
    let a = absence("", "I am back tomorrow.", late, "AE");
    assert_eq!(a.return_date.unwrap().to_string(), "2025-05-01");
}

#[test]
fn the_subject_alone_may_name_the_day() {
    let a = absence("Away until May 5", "I will answer then.", RECEIVED, "");
    assert_eq!(a.return_date.unwrap().to_string(), "2025-05-06");
}

#[test]
fn the_stand_in_is_found_by_name_and_address() {
    let stand_in = |text: &str| {
        let found = absence("", text, RECEIVED, "").stand_in;
        found.map_or((String::new(), String::new()), |s| {
            (s.name.unwrap_or_default(), s.address.unwrap_or_default())
        })
    };
    for (text, name, address) in [
        (
            "I am away until 5 May. In urgent cases please contact Jane Doe at jane@x.example.",
            "Jane Doe",
            "jane@x.example",
        ),
        (
            "For urgent matters, contact my colleague Neko Nyaan (neko@x.example; +0-000).",
            "Neko Nyaan",
            "neko@x.example",
        ),
        (
            "In dringenden Fällen wenden Sie sich bitte an Frau Dr. Petra Müller-Lüdenscheidt (petra@x.example).",
            "Petra Müller-Lüdenscheidt",
            "petra@x.example",
        ),
        (
            "In dringenden Fällen vertritt mich Max Mustermann.",
            "Max Mustermann",
            "",
        ),
        (
            "En cas d'urgence, merci de contacter Marie Dupont : marie@x.example",
            "Marie Dupont",
            "marie@x.example",
        ),
        (
            "En caso de urgencia, por favor contacte con Juan Pérez (juan@x.example).",
            "Juan Pérez",
            "juan@x.example",
        ),
        (
            "Em caso de urgência, entre em contato com João Silva, joao@x.example.",
            "João Silva",
            "joao@x.example",
        ),
        (
            "Per urgenze contattare Mario Rossi, mario@x.example",
            "Mario Rossi",
            "mario@x.example",
        ),
        (
            "Voor dringende zaken kunt u contact opnemen met Jan Jansen via jan@x.example.",
            "Jan Jansen",
            "jan@x.example",
        ),
        (
            "Vid brådskande ärenden kontakta Anna Andersson, anna@x.example.",
            "Anna Andersson",
            "anna@x.example",
        ),
        (
            "If it is urgent write to office@x.example.",
            "",
            "office@x.example",
        ),
        ("I am away until 5 May. My number is 123.", "", ""),
        ("Write to bob@x.example about the flat.", "", ""),
    ] {
        assert_eq!(
            stand_in(text),
            (name.to_owned(), address.to_owned()),
            "{text}"
        );
    }
}
