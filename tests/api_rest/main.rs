//! The endpoints besides the predecessor's, the events, /metrics and the OpenAPI document: the real
//! binary, a real store, real sockets.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a failing set-up fails the test; measures are printed"
)]

#[expect(dead_code, reason = "written for other tests of the API as well")]
#[path = "../api/client.rs"]
mod client;
#[path = "../common/mod.rs"]
mod common;

mod document;
mod events;
mod work;

use client::{Web, run, token};
use common::bin::Running;
use common::desk::{Desk, settled};

/// Three leads in the campaign Spring, of whom the first wants a viewing, the second asks (a draft
/// waits) and the third wants no more mail; and a lead in the campaign Other.
struct World {
    /// Who may do everything.
    web: Web,
    /// Who may do everything in Other.
    other: Web,
    /// Who may look at everything.
    reader: Web,
    running: Running,
    desk: Desk,
}

fn world(vars: &[(&str, &str)]) -> World {
    let desk = Desk::known(3);
    let others = desk.replyd.file(
        "others.csv",
        "lead_id,name,email\nO-1,Other Person,other@people.example\n",
    );
    desk.replyd
        .ok(&["leads", "import", &others, "--campaign", "Other"]);
    let all = token(&desk.replyd, &["--name", "all", "--scope", "admin"]);
    let limited = ["--name", "other", "--scope", "admin", "--campaign", "Other"];
    let other = token(&desk.replyd, &limited);
    let reader = token(&desk.replyd, &["--name", "reader", "--scope", "read"]);
    let (mut running, web) = run(&desk.replyd, vars);
    desk.listen(&mut running);
    desk.deliver_all(0..3);
    running.wait_for_rows("the replies", |rows| settled(rows, 3));
    World {
        other: web.with(&other),
        reader: web.with(&reader),
        web: web.with(&all),
        running,
        desk,
    }
}
