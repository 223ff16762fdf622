use super::super::fold;
use super::read;

fn of(text: &str) -> String {
    read(&fold::fold(text)).text.to_owned()
}

#[test]
fn greeting_thanks_and_closing_are_taken_off() {
    for (text, inner) in [
        (
            "Hello,\n\nCan I bring my dog?\n\nBest,\nAnn",
            "can i bring my dog?",
        ),
        (
            "Dear Ms Weber,\n\nthank you for your mail. Saturday suits us.\n\nBest regards,\nMichael Brown\nHead of Sales",
            "saturday suits us.",
        ),
        ("Hi Tom, yes please\nThanks\nPriya", "yes please"),
        (
            "Sehr geehrter Herr Müller,\nwas kostet die Wohnung?\n\nMit freundlichen Grüßen\nAnna Schmidt\n+49 30 1234",
            "was kostet die wohnung?",
        ),
        (
            "Bonjour Madame,\nje voudrais visiter.\nCordialement,\nPaul",
            "je voudrais visiter.",
        ),
        ("Hola, ¿cuánto cuesta?\nUn saludo, Marta", "¿cuanto cuesta?"),
        ("Good morning! Call me at ten.", "call me at ten."),
        (
            "Saturday would be fine.\n\nAnn Lee",
            "saturday would be fine.",
        ),
        ("Hello\nis there a lift?", "is there a lift?"),
        ("Hi all, is there a lift?", "is there a lift?"),
        (
            "I hope you are well. Please call.\nKind regards John",
            "please call.",
        ),
    ] {
        assert_eq!(of(text), inner, "{text}");
    }
}

#[test]
fn what_says_something_stays() {
    for text in [
        "hello",
        "thanks",
        "thanks, not interested",
        "thank you for your mail, but please remove me.",
        "thanks\nnot interested",
        "i got it.\nthanks\nplease stop",
        "i got it.\nthanks\nis there parking?",
        "best price?",
        "hello there is a problem with the flat in the old town",
        "dear john letters are not my thing",
        "yes\nann",
        "hi can you call me, please",
        "hello viewing saturday, please",
        "hi not interested, thanks",
        "i got it.\nthanks\nsaturday",
        "i have read it.\n\nunsubscribe",
        "",
    ] {
        assert_eq!(of(text), text, "{text}");
    }
}
