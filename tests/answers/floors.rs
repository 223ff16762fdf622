//! The figures that retrieval and gate must reach on the question sets of tests/data/answers.

use std::path::Path;

use replyd::answers::evaluate::{self, Figures, Outcome};
use replyd::time::now;

fn judge(set: &str) -> (Figures, Vec<Outcome>) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/data/answers")
        .join(set);
    let tsv = std::fs::read_to_string(root.join("questions.tsv")).expect("Read the questions");
    let cases = evaluate::parse(&tsv).expect("Parse the questions");
    let outcomes = evaluate::run(&root.join("documents"), &cases, now()).expect("Answer them");
    (evaluate::figures(&outcomes), outcomes)
}

#[track_caller]
fn assert_floors(set: &str, coverage: f64) {
    let (f, outcomes) = judge(set);
    let wrong: Vec<_> = outcomes
        .iter()
        .filter(|o| o.sent && !(o.right && o.answerable))
        .map(|o| (&o.id, &o.mail, &o.text))
        .collect();
    assert!(f.hit_3 >= 0.85, "{set}: hit@3 {:.2}", f.hit_3);
    assert!(
        f.precision >= 0.95,
        "{set}: precision {:.2}: {wrong:#?}",
        f.precision
    );
    assert!(f.coverage >= coverage, "{set}: coverage {:.2}", f.coverage);
}

#[test]
fn on_the_sets_for_tuning_retrieval_and_gate_reach_their_floors() {
    assert_floors("harbour", 0.6);
    assert_floors("lindenhof", 0.6);
    assert_floors("marina", 0.6);
    assert_floors("solar", 0.5);
    assert_floors("kiln", 0.55);
    assert_floors("ledger", 0.55);
}

#[test]
fn on_sets_of_other_fields_retrieval_and_gate_reach_their_floors() {
    assert_floors("rambler", 0.4);
    assert_floors("mill", 0.55);
    assert_floors("clinic", 0.55);
}

#[test]
fn in_six_other_languages_retrieval_and_gate_reach_their_floors() {
    for set in ["de", "fr", "es", "pt", "it", "nl"] {
        assert_floors(&format!("small-{set}"), 0.5);
    }
}
