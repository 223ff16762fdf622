use crate::{ACCOUNT, World, assert_has};

/// The account with a line in it replaced or added.
fn with_line(old: &str, new: &str) -> String {
    assert!(ACCOUNT.contains(old), "{old}");
    ACCOUNT.replace(old, new)
}

#[test]
fn each_error_names_place_key_and_remedy() {
    let host = "imap.host = \"imap.example.com\"";
    for (toml, parts) in [
        (
            format!("{ACCOUNT}[listen]\ninterval = 0\n"),
            [
                "replyd.toml:9",
                "listen.interval",
                "0 s is less than 1 s",
                "Write 1 s or more",
            ],
        ),
        (
            format!("{ACCOUNT}[listen]\ninterval = -5\n"),
            [
                "replyd.toml:9",
                "listen.interval",
                "-5 is negative",
                "Write seconds",
            ],
        ),
        (
            format!("{ACCOUNT}[listen]\ninterval = \"5 weeks\"\n"),
            [
                "replyd.toml:9",
                "listen.interval",
                "\"5 weeks\" is not understood",
                "\"30d\"",
            ],
        ),
        (
            format!("{ACCOUNT}[listen]\ndays = 0\n"),
            [
                "replyd.toml:9",
                "listen.days",
                "0 is less than 1",
                "Write 1 or more",
            ],
        ),
        (
            format!("{ACCOUNT}[listen]\ndays = \"1\"\n"),
            [
                "replyd.toml:9",
                "listen.days",
                "not text",
                "without quotation marks",
            ],
        ),
        (
            format!("{ACCOUNT}[listen]\nidle_max = \"10m\"\n"),
            [
                "replyd.toml:9",
                "listen.idle_max",
                "10 min is more than 9 min",
                "or less",
            ],
        ),
        (
            format!("{ACCOUNT}[reply]\ngoal_threshold = 7\n"),
            [
                "replyd.toml:9",
                "reply.goal_threshold",
                "7 is not between 0 and 1",
                "0.7",
            ],
        ),
        (
            format!("{ACCOUNT}[reply]\nmode = \"auto-ak\"\n"),
            [
                "replyd.toml:9",
                "reply.mode",
                "is not one of off, draft",
                "Did you mean \"auto-ack\"?",
            ],
        ),
        (
            format!("{ACCOUNT}[reply]\nsales_email = \"team\"\n"),
            [
                "replyd.toml:9",
                "reply.sales_email",
                "no mail address",
                "sales@example.com",
            ],
        ),
        (
            format!("{ACCOUNT}[reply]\nsales_addresses = \"a@example.com\"\n"),
            [
                "replyd.toml:9",
                "reply.sales_addresses",
                "a list is wanted, not text",
                "[\"…\", \"…\"]",
            ],
        ),
        (
            format!("{ACCOUNT}[reply]\ntemplates_dir = \"none\"\n"),
            [
                "replyd.toml:9",
                "reply.templates_dir",
                "there is no folder",
                "remove the key",
            ],
        ),
        (
            format!("{ACCOUNT}[store]\ndatabase = \".\"\n"),
            [
                "replyd.toml:9",
                "store.database",
                "is a folder",
                "Name the file",
            ],
        ),
        (
            format!("{ACCOUNT}[log]\nfilter = \"a=b=c\"\n"),
            [
                "replyd.toml:9",
                "log.filter",
                "is no filter",
                "replyd=debug",
            ],
        ),
        (
            with_line("address = \"sales@example.com\"", "address = \"sales\""),
            [
                "replyd.toml:4",
                "accounts[sales].address",
                "no mail address",
                "Write an address",
            ],
        ),
        (
            with_line(
                "address = \"sales@example.com\"",
                "address = \"a@b.example\\nBcc: x@y.example\"",
            ),
            [
                "replyd.toml:4",
                "accounts[sales].address",
                "line breaks",
                "one line",
            ],
        ),
        (
            with_line(host, ""),
            [
                "replyd.toml:2",
                "accounts[sales].imap.host",
                "the server is missing",
                "Set imap.host",
            ],
        ),
        (
            with_line(host, "imap.host = \"imaps://imap.example.com\""),
            [
                "replyd.toml:6",
                "accounts[sales].imap.host",
                "has a scheme",
                "the host alone",
            ],
        ),
        (
            with_line(host, "imap.host = \"a b\""),
            [
                "replyd.toml:6",
                "accounts[sales].imap.host",
                "is no host name",
                "imap.example.com",
            ],
        ),
        (
            with_line(host, &format!("{host}\nimap.port = 0")),
            [
                "replyd.toml:7",
                "accounts[sales].imap.port",
                "0 is less than 1",
                "1 or more",
            ],
        ),
        (
            with_line(host, &format!("{host}\nimap.security = \"plain\"")),
            [
                "replyd.toml:7",
                "accounts[sales].imap.security",
                "unprotected",
                "Write tls or starttls",
            ],
        ),
        (
            with_line(host, &format!("{host}\nimap.ca_file = \"none.pem\"")),
            [
                "replyd.toml:7",
                "accounts[sales].imap.ca_file",
                "cannot read",
                "BEGIN CERTIFICATE",
            ],
        ),
        (
            with_line(host, &format!("{host}\nmailboxes = []")),
            [
                "replyd.toml:7",
                "accounts[sales].mailboxes",
                "no mailbox is named",
                "INBOX",
            ],
        ),
        (
            with_line(host, &format!("{host}\nmailboxes = [\"INBOX\", \"Inbox\"]")),
            [
                "replyd.toml:7",
                "accounts[sales].mailboxes",
                "named twice",
                "Name it once",
            ],
        ),
        (
            "[accounts]\naddress = \"x@example.com\"\n".to_owned(),
            [
                "replyd.toml:1",
                "accounts",
                "a list of tables",
                "[[accounts]] with two brackets",
            ],
        ),
        (
            format!("{ACCOUNT}volume = 5\n"),
            [
                "replyd.toml:8",
                "accounts.volume",
                "unknown key",
                "Remove it",
            ],
        ),
    ] {
        let error = World::with_toml(&toml).error();
        assert!(
            error.starts_with("Settings: replyd.toml:"),
            "one problem only:\n{error}"
        );
        assert_has(&error, &parts);
    }
}

#[test]
fn places_are_variables_and_flags_too() {
    let mut world = World::with_toml(ACCOUNT).var("REPLYD_DAYS", "0");
    world.flags.interval = Some("-5".to_owned());
    world.flags.log_format = Some("xml".to_owned());
    assert_has(
        &world.error(),
        &[
            "environment variable REPLYD_DAYS: listen.days: 0 is less than 1",
            "--interval: listen.interval: \"-5\" is not understood",
            "--log-format: log.format: \"xml\" is not one of text, json",
        ],
    );
}

#[test]
fn every_problem_is_told_at_once() {
    let toml = "\
[[accounts]]
name = \"a\"
adress = \"a@example.com\"
imap.host = \"imap.example.com\"
imap.port = 70000
[listen]
interval = 0
[replly]
";
    let world = World::with_toml(toml).var("REPLYD_INTERVALL", "5");
    let error = world.load().unwrap_err();
    assert_eq!(error.exit().code(), 64);
    assert_has(
        &error.to_string(),
        &[
            "accounts.adress: unknown key. Did you mean address?",
            "replyd.toml:8: replly: unknown key. Did you mean reply?",
            "REPLYD_INTERVALL: unknown name. Did you mean REPLYD_INTERVAL?",
            "listen.interval: 0 s",
            "imap.port: 70000 is more than 65535",
            "accounts[a].address: the address is missing",
            "accounts[a].smtp.host: the server is missing",
            "accounts[a].imap.password: the secret is missing",
        ],
    );
}

#[test]
fn a_key_in_the_wrong_table_is_pointed_to_its_own() {
    let error = World::with_toml(&format!("interval = 5\n{ACCOUNT}")).error();
    assert_has(
        &error,
        &["replyd.toml:1: interval: unknown key. Did you mean listen.interval?"],
    );
}

#[test]
fn a_file_that_is_not_toml_is_named_with_its_line_and_nothing_else_is_said() {
    let error = World::with_toml(&format!("{ACCOUNT}\n[listen\n")).error();
    assert!(
        error.starts_with("Settings: replyd.toml:9: not valid TOML"),
        "{error}"
    );
}

#[test]
fn without_an_account_the_error_shows_both_ways() {
    let error = World::empty().error();
    assert_has(&error, &["no mailbox account", "[[accounts]]", "IMAP_USER"]);
}

#[test]
fn variables_of_an_account_that_is_not_there_are_errors() {
    let world = World::with_toml(ACCOUNT).var("REPLYD_ACCOUNT_SUPPORT_PASSWORD", "x");
    assert_has(
        &world.error(),
        &["REPLYD_ACCOUNT_SUPPORT_PASSWORD", "No [[accounts]]"],
    );
}

#[test]
fn replyd_config_in_an_env_file_is_refused_because_it_would_come_too_late() {
    let world = World::with_toml(ACCOUNT);
    world.file("cwd/.env", "REPLYD_CONFIG=/elsewhere.toml\n");
    assert_has(
        &world.error(),
        &[".env:1 REPLYD_CONFIG", "no effect here", "--config"],
    );
}
