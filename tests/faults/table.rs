//! The table of faults in the documentation is the one in the code.

use std::path::Path;

#[test]
fn the_table_in_operations_is_the_one_of_the_code() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/OPERATIONS.md");
    let page = std::fs::read_to_string(path).unwrap();
    let (_, rest) = page
        .split_once("<!-- faults -->\n")
        .expect("the table's beginning");
    let (table, _) = rest.split_once("<!-- end of faults -->").expect("its end");
    assert_eq!(
        table.trim(),
        replyd::fault::reference().trim(),
        "run `replyd doctor --faults` and put its output between the two marks"
    );
}
