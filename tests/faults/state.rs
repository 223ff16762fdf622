//! The state folder: read-only, somebody else's, full.

use crate::place::{Place, Told, dovecot};

#[test]
fn a_file_that_is_no_database_is_named() {
    let dovecot = dovecot();
    let replyd = Place::reading(&dovecot).install();
    let path = replyd.database();
    std::fs::write(
        &path,
        "not a database, however long it may be. ".repeat(500),
    )
    .unwrap();
    let told = Told::by(&replyd, &[], 2);
    told.assert_in(None, "state.database", "not-a-database", "replyd.db");
}
