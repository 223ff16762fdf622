//! Campaign mails with the real binary: what is looked at before the first one, how they leave,
//! what holds them, opt-outs that come back, and a process that is killed again and again.
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "clippy's allowance for tests does not reach helper functions; figures are printed"
)]

#[path = "../common/mod.rs"]
mod common;
mod killed;
mod paced;
mod real;
mod sending;
mod switched;
mod threads;

use std::collections::BTreeMap;
use std::fmt::Write as _;

use common::bin::Replyd;
use common::desk::Desk;
use common::scenario::header;

/// The template of most tests.
const TEMPLATE: &str = "Subject: {{ project }} for {{ name }}\n\n\
    Dear {{ name }},\n\nthe new homes at {{ project }} can be seen.\nNo more mail: {{ unsubscribe_url }}\n\n\
    {{ sender_name }}\n";

/// A campaign that leaves as fast as the test's server takes it.
const FAST: &str = "\n[campaign]\nper_minute = 6000\nper_day = 1000000\n";

/// Adds settings to an installation.
fn configure(replyd: &Replyd, more: &str) {
    let path = replyd.dir().join("replyd.toml");
    let old = std::fs::read_to_string(&path).expect("Read the settings");
    std::fs::write(&path, format!("{old}{more}")).expect("Write the settings");
}

/// Imports these (lead_id, name, address) into campaign Spring.
fn import(replyd: &Replyd, leads: impl IntoIterator<Item = (String, String, String)>) {
    let mut csv = "lead_id,name,email,project_name\n".to_owned();
    for (lead_id, name, address) in leads {
        writeln!(csv, "{lead_id},{name},{address},Lakeside").expect("A string takes it");
    }
    let file = replyd.file("leads.csv", &csv);
    replyd.ok(&["leads", "import", &file, "--campaign", "Spring"]);
}

/// A desk with `leads` leads in campaign Spring, which has [`TEMPLATE`].
fn campaign(leads: usize, settings: &str) -> Desk {
    let desk = Desk::new(leads);
    configure(&desk.replyd, settings);
    let people = desk.leads.iter().map(|lead| {
        (
            lead.lead_id.clone(),
            "Ann Lee".to_owned(),
            lead.address.clone(),
        )
    });
    import(&desk.replyd, people);
    let template = desk.replyd.file("offer.txt", TEMPLATE);
    desk.replyd
        .ok(&["campaign", "create", "Spring", "--template", &template]);
    desk
}

/// How many mails the server took for each recipient.
fn taken(desk: &Desk) -> BTreeMap<String, usize> {
    let mut count = BTreeMap::new();
    for mail in desk.sandbox.submissions() {
        for to in mail.to {
            *count.entry(to).or_insert(0) += 1;
        }
    }
    count
}

/// What stands in List-Unsubscribe as the subject of the opt-out.
fn unsubscribe_subject(mail: &str) -> String {
    let uri = header(mail, "List-Unsubscribe");
    let subject = uri
        .split_once("?subject=")
        .and_then(|(_, subject)| subject.strip_suffix('>'))
        .unwrap_or_else(|| panic!("{uri}"));
    subject.replace("%20", " ")
}

/// `campaign show --json`.
fn shown(replyd: &Replyd) -> serde_json::Value {
    let json = replyd
        .ok(&["campaign", "show", "Spring", "--json"])
        .stdout();
    serde_json::from_str(&json).expect("JSON")
}
