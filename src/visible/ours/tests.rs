use super::super::{Visible, split};

const OURS: &str = "Hi Ann,\n\nthe flat in Main Street has three rooms and a balcony to the south.\n\
    Would you like to schedule a viewing this week? See https://me.example/flat?id=1 for photos.\n\n\
    Reply STOP to unsubscribe from these mails at any time.\n\nBest regards\nSales Team";

fn without(text: &str) -> Visible {
    split(text).without(&[OURS])
}

#[test]
fn our_mail_is_quoted_also_where_nothing_marks_it() {
    for (what, quote) in [
        ("as it is", OURS.to_owned()),
        ("on one line each", OURS.replace("\n\n", "\n")),
        ("wrapped anew", "Hi Ann,\nthe flat in Main Street has\nthree rooms and a balcony\nto the south. Would you\n\
            like to schedule a viewing this week? See\n<https://safe.example/?u=me.example> for photos.\nReply STOP to\n\
            unsubscribe from these mails at any time.".to_owned()),
        ("on the same line", format!("{} {}", "So no.", OURS.replace('\n', " "))),
        ("other marks", OURS.lines().map(|l| format!("| *{l}*\n")).collect()),
        ("in part", "Would you like to schedule a viewing this week?\nReply STOP to unsubscribe from these mails at any time.".to_owned()),
    ] {
        let v = without(&format!("No, thank you.\n\n{quote}\n"));
        let words = v.new_text.split('\n').next();
        assert_eq!(words, Some("No, thank you."), "{what}");
        assert!(!v.new_text.contains("viewing") && !v.new_text.contains("STOP"), "{what}: {}", v.new_text);
        assert!(v.quoted.contains("viewing"), "{what}");
    }
}

#[test]
fn what_the_person_wrote_stays() {
    for text in [
        "Yes",
        "Hi Ann,",
        "Best regards\nSales Team",
        "a viewing this week",
        "You wrote that the flat in Main Street has three rooms and a balcony to the south. Is that true?",
        "Would you like to schedule a viewing this month, or is it too late for us now?",
        "Reply",
    ] {
        assert_eq!(without(text).new_text, text, "{text}");
    }
    let v = without(&format!("Yes\n\n{OURS}\n\nYes, on Monday please."));
    assert!(v.new_text.starts_with("Yes") && v.new_text.ends_with("Yes, on Monday please."));
}

#[test]
fn a_body_of_nothing_but_ours_has_nothing_new() {
    for text in [
        OURS.to_owned(),
        format!("> {}", OURS.replace('\n', "\n> ")),
        OURS.replace('\n', " "),
    ] {
        let v = without(&text);
        assert!(v.nothing_new && !v.sure, "{v:?}");
        assert!(v.new_text.contains("viewing"));
    }
}

#[test]
fn an_unmarked_quote_that_is_ours_makes_the_cut_sure() {
    let head = "On Tue, 3 May 2024 at 10:00, Sales <s@me.example> wrote:";
    let text = format!("No.\n\n{head}\n\n{OURS}\n");
    assert!(!split(&text).sure);
    let v = without(&text);
    assert_eq!((v.new_text.as_str(), v.sure), ("No.", true));
}

#[test]
fn answers_written_into_an_unmarked_quote_come_back() {
    let header =
        "From: Sales <s@me.example>\nSent: Tuesday, 3 May 2024 10:00\nTo: Ann\nSubject: The flat";
    let answered = OURS.replace("this week? See", "this week?\nYes, on Tuesday at ten.\nSee");
    for top in ["See my answer below.\n\n", ""] {
        let v = without(&format!("{top}{header}\n\n{answered}"));
        assert!(
            v.new_text.contains("Yes, on Tuesday at ten."),
            "{}",
            v.new_text
        );
        assert!(!v.new_text.contains("STOP") && !v.sure, "{}", v.new_text);
    }
    // Below our mail, with nothing above it.
    let v = without(&format!("{header}\n\n{OURS}\n\nYes, on Tuesday at ten."));
    assert_eq!(
        (v.new_text.as_str(), v.sure),
        ("Yes, on Tuesday at ten.", false)
    );
}

#[test]
fn nothing_of_ours_changes_nothing() {
    let text = "No.\n\nOn Tue, 3 May 2024, S <s@me.example> wrote:\n> Come.";
    assert_eq!(split(text).without(&[]), split(text));
    assert_eq!(split(text).without(&["", "short"]), split(text));
}

#[test]
fn hostile_repetitions_take_linear_time() {
    let ours = "a b c a b c ".repeat(5000);
    let v = split(&"a b c ".repeat(100_000)).without(&[&ours]);
    assert!(!v.new_text.is_empty());
    let lines = "a b c\n".repeat(19_000);
    assert!(split(&lines).without(&[&ours]).nothing_new);
}
