use super::*;
use crate::zone;

/// The day that `text`, said on 2026-11-18 in Germany, names; empty: none.
fn day(text: &str) -> String {
    on("2026-11-18T10:00:00Z", text)
}

fn on(said: &str, text: &str) -> String {
    let zone = zone::of("DE");
    let at = UtcMs::parse_day_or_time(said).unwrap();
    named_day(text, at, &zone).map_or_else(String::new, |at| {
        zone.day_of(at).unwrap().format("%Y-%m-%d").to_string()
    })
}

#[test]
fn the_day_that_is_named_is_found_in_each_language() {
    for (text, want) in [
        ("Call me in March.", "2027-03-01"),
        ("Not now. Please write again in the spring.", "2027-03-01"),
        ("Try me after the summer.", "2027-09-01"),
        ("Get back to me in two weeks, please.", "2026-12-02"),
        ("Maybe in 3 months.", "2027-02-18"),
        ("In two months maybe.", "2027-01-18"),
        ("Contact me in a couple of weeks.", "2026-12-02"),
        ("Call me in a year.", "2027-11-18"),
        ("Let's talk in half a year.", "2027-05-18"),
        ("Give me another 6 weeks.", "2026-12-30"),
        ("Come back to me in six months' time.", "2027-05-18"),
        ("Let's talk next year.", "2027-01-07"),
        ("Not this year.", "2027-01-07"),
        ("Please don't call before September.", "2027-09-01"),
        ("After Christmas please.", "2027-01-07"),
        ("After the holidays, maybe.", "2027-01-07"),
        ("Let us speak after Easter.", "2027-03-30"),
        ("We can revisit in Q2.", "2027-04-01"),
        ("Next quarter is better.", "2027-01-01"),
        ("Next month would be better.", "2026-12-01"),
        ("Write to me next week.", "2026-11-23"),
        ("Try again on Thursday.", "2026-11-19"),
        ("Please call after 15 January.", "2027-01-15"),
        ("Please call on January 15th, 2027.", "2027-01-15"),
        ("End of February, please.", "2027-02-25"),
        ("mid-March", "2027-03-15"),
        ("After March.", "2027-04-01"),
        ("March 2028 at the earliest.", "2028-03-01"),
        ("In May perhaps.", "2027-05-01"),
        ("Try 2027-02-03.", "2027-02-03"),
        ("Rufen Sie mich im März an.", "2027-03-01"),
        ("Bitte melden Sie sich nach dem Sommer.", "2027-09-01"),
        ("In zwei Wochen gerne.", "2026-12-02"),
        ("In einem halben Jahr vielleicht.", "2027-05-18"),
        ("Erst nächstes Jahr.", "2027-01-07"),
        ("Ab dem 1. Februar.", "2027-02-01"),
        ("Frühestens am 3.2.2027.", "2027-02-03"),
        ("Ende Januar wieder.", "2027-01-25"),
        ("Ab dem 1.2. gerne.", "2027-02-01"),
        ("Samstag 5.12. passt.", "2026-12-05"),
        ("From 3/2 on.", "2027-02-03"),
        (
            "Maybe in two weeks, our budget is 2.5 million.",
            "2026-12-02",
        ),
        ("Nach Weihnachten.", "2027-01-07"),
        ("Rappelez-moi en mars.", "2027-03-01"),
        ("Dans deux mois.", "2027-01-18"),
        ("Après l'été.", "2027-09-01"),
        ("L'année prochaine.", "2027-01-07"),
        ("À la rentrée.", "2027-09-01"),
        ("Llámeme en marzo.", "2027-03-01"),
        ("Dentro de dos semanas.", "2026-12-02"),
        ("Después del verano.", "2027-09-01"),
        ("El año que viene.", "2027-01-07"),
        ("Ligue-me em março.", "2027-03-01"),
        ("Daqui a três meses.", "2027-02-18"),
        ("No próximo ano.", "2027-01-07"),
        ("Richiamatemi a marzo.", "2027-03-01"),
        ("Tra due settimane.", "2026-12-02"),
        ("Dopo l'estate.", "2027-09-01"),
        ("L'anno prossimo.", "2027-01-07"),
        ("Bel me in maart.", "2027-03-01"),
        ("Over twee weken.", "2026-12-02"),
        ("Na de zomer.", "2027-09-01"),
        ("Volgend jaar.", "2027-01-07"),
    ] {
        assert_eq!(day(text), want, "{text}");
    }
}

#[test]
fn what_names_no_day_ahead_names_none() {
    for text in [
        "Not now, thanks.",
        "Maybe later.",
        "You may ask again.",
        "Ask Marco or Jan, they may know.",
        "We bought another place last March.",
        "We have looked since January.",
        "Two years ago perhaps.",
        "I was there in the last two weeks.",
        "We are a family of three.",
        "On 3 May 1998 we met.",
        "In 40 years.",
        "31.02.2027",
        "The price is 1.250.000.",
        "Not now, I'm busy 24/7.",
        "We work on 24/7 shifts.",
        "Our budget is 2.5 million.",
        "Only from 2.5 million, thanks.",
        "Ab 3.5 % vielleicht.",
        "By 1.5 k at most.",
        "We need 3.5 rooms.",
    ] {
        assert_eq!(day(text), "", "{text}");
    }
}

#[test]
fn of_several_days_the_last_counts_and_seasons_know_today() {
    assert_eq!(
        day("We moved in October. Try again after the summer."),
        "2027-09-01"
    );
    // In July the summer that has begun; in March the one that comes.
    assert_eq!(on("2026-07-10T10:00:00Z", "after the summer"), "2026-09-01");
    assert_eq!(on("2026-03-10T10:00:00Z", "after the summer"), "2026-09-01");
    assert_eq!(on("2026-03-10T10:00:00Z", "in the summer"), "2026-06-01");
    assert_eq!(on("2026-03-10T10:00:00Z", "in March"), "2027-03-01");
    assert_eq!(on("2026-02-10T10:00:00Z", "after Easter"), "2026-04-07");
    // By the country: 3 February in Germany.
    assert_eq!(day("from 3/2/2027"), "2027-02-03");
}
