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
    assert_floors("harbour", 0.5);
    assert_floors("lindenhof", 0.4);
}

#[test]
fn on_the_held_out_set_retrieval_and_gate_reach_their_floors() {
    assert_floors("solar", 0.3);
}
