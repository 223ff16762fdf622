//! Labels by people: kept, shown, exported in the format of `replyd train`.

use crate::common::desk::Desk;
use replyd::evaluate::texts;
use replyd::model::Intent;
use replyd::time::now;

#[test]
fn a_wrong_label_is_put_right_shown_and_exported_as_a_row_for_training() {
    let desk = Desk::known(2);
    desk.replyd.ok(&["run", "--once"]);
    for (lead, text) in [
        (0, "How high are\r\nthe service\tcharges?"),
        (1, "Not for us at the moment, ask again in spring."),
    ] {
        let raw = desk.leads[lead].reply(text).raw();
        desk.sandbox
            .deliver("desk@homes.example", "INBOX", &raw, Some(now().0))
            .expect("Deliver");
    }
    desk.replyd.ok(&["run", "--once"]);
    let replyd = &desk.replyd;
    let id = |lead: usize| -> String {
        replyd
            .rows()
            .value::<i64>(
                "SELECT id FROM messages WHERE message_key = ?1",
                [&desk.leads[lead].answer_id],
            )
            .to_string()
    };
    let unknown = replyd.run(&["label", &id(0), "maybe"]);
    assert!(
        unknown.output().contains("labels are goal_reached"),
        "{}",
        unknown.output()
    );

    let told = replyd
        .ok(&[
            "label",
            &format!("<{}>", desk.leads[0].answer_id),
            "goal_reached",
            "--goal-type",
            "viewing",
        ])
        .stdout();
    assert!(
        told.contains("it was read as question") && told.contains("Nothing was sent"),
        "{told}"
    );
    let told = replyd.ok(&["label", &id(1), "unsubscribe"]).stdout();
    assert!(
        told.contains("lead1@people.example gets no more mail"),
        "{told}"
    );
    let suppressed = replyd.ok(&["suppress", "list"]).stdout();
    assert!(suppressed.contains("lead1@people.example"), "{suppressed}");
    let explained = replyd.ok(&["explain", &id(0)]).stdout();
    assert!(
        explained.contains("a person says goal_reached"),
        "{explained}"
    );

    let out = replyd.dir().join("corrections.tsv");
    replyd.ok(&["corrections", "export", out.to_str().expect("UTF-8")]);
    let rows = texts::read_labelled(&out).expect("The format of train");
    let labels: Vec<(Intent, &str)> = rows
        .iter()
        .filter_map(|r| Some((r.intent()?, r.text.as_str())))
        .collect();
    assert_eq!(
        labels,
        [
            (Intent::GoalReached, "How high are\nthe service charges?"),
            (
                Intent::Unsubscribe,
                "Not for us at the moment, ask again in spring."
            ),
        ]
    );
    assert!(rows.iter().all(|r| r.source == "correction"));

    replyd.ok(&["corrections", "remove", &id(0)]);
    let list = replyd.ok(&["corrections", "list"]).stdout();
    assert!(
        list.contains("unsubscribe") && !list.contains("goal_reached"),
        "{list}"
    );
}

#[test]
fn what_a_person_wrote_into_a_draft_is_proposed_for_the_documents() {
    let desk = Desk::known(1);
    desk.replyd.ok(&["run", "--once"]);
    let raw = desk.leads[0]
        .reply("How high are the service charges?")
        .raw();
    desk.sandbox
        .deliver("desk@homes.example", "INBOX", &raw, Some(now().0))
        .expect("Deliver");
    desk.replyd.ok(&["run", "--once"]);
    let body: String = desk.replyd.rows().value("SELECT body FROM drafts", []);
    let whole = body.replace("[write the answer here]", "They are 3 Euro a month.");
    let file = desk.replyd.file("answer.txt", &whole);
    desk.replyd.ok(&["drafts", "approve", "1", "--file", &file]);
    let faq = desk
        .replyd
        .ok(&["corrections", "export", "--answers"])
        .stdout();
    assert!(
        faq.contains(
            "# Spring\n\nQ: How high are the service charges?\nA: They are 3 Euro a month.\n"
        ),
        "{faq}"
    );
}
