//! What people do at the pages.

use fantoccini::key::Key;
use lettre::Message;
use lettre::message::{Attachment, MultiPart, SinglePart};
use serde_json::{Value, json};

use crate::axe;
use crate::browser::Browser;
use crate::common::bin::Running;
use crate::common::dovecot::PASSWORD;
use crate::common::lead::hand_over;
use crate::common::ports::Port;
use crate::common::scenario::{DESK, QUESTION, SUBJECT, Scenario, Setting, WISH};

/// A page may weigh so much with all that it loads.
const MAX_BYTES: u64 = 150 * 1024;

/// A desk with its service, and somebody before its page.
struct Scene {
    browser: Browser,
    running: Running,
    scenario: Scenario,
    token: String,
    _port: Port,
}

impl Scene {
    #[track_caller]
    fn new(leads: usize) -> Self {
        let scenario = Scenario::new(Setting {
            leads,
            ..Setting::default()
        });
        scenario.import(std::time::Duration::from_secs(86_400));
        let made = scenario
            .replyd
            .ok(&["token", "create", "--name", "anna", "--scope", "admin"]);
        let token = made
            .stdout()
            .split_whitespace()
            .find(|word| word.starts_with("replyd_"))
            .expect("A token")
            .to_owned();
        let port = Port::reserve();
        let address = format!("127.0.0.1:{}", port.number());
        let mut running = scenario.replyd.start(&["run", "--listen", &address]);
        running.wait_for_rows("the account to be live", |rows| {
            (rows.count("accounts WHERE state = 'live' AND verified_at IS NOT NULL") == 1)
                .then_some(())
        });
        Self {
            browser: Browser::start(&format!("http://{address}")),
            running,
            scenario,
            token,
            _port: port,
        }
    }

    /// Signs in by the form, at the page that was asked for.
    #[track_caller]
    fn sign_in(&self, path: &str) {
        self.browser.open(path);
        assert_eq!(self.browser.path(), "/sign-in");
        self.browser.fill("#token", &self.token);
        self.browser.click("button");
        self.browser.wait_for("Sign out");
    }

    /// A lead answers by mail.
    #[track_caller]
    fn reply(&self, lead: usize, text: &str) {
        let lead = self.scenario.leads.get(lead).expect("A lead");
        lead.reply(text).send(&self.scenario.host.postfix);
    }

    /// The conversation of a lead.
    #[track_caller]
    fn conversation(&self, lead: usize) -> String {
        let lead = self.scenario.leads.get(lead).expect("A lead");
        let id: i64 = self.scenario.replyd.rows().value(
            "SELECT cl.id FROM campaign_leads cl JOIN leads l ON l.id = cl.lead_id WHERE l.lead_id = ?1",
            [&lead.lead_id],
        );
        format!("/conversations/{id}")
    }

    #[track_caller]
    fn wait_for_rows(&mut self, what: &str, from: &str) {
        self.running
            .wait_for_rows(what, |rows| (rows.count(from) > 0).then_some(()));
    }
}

#[test]
fn a_reply_appears_in_an_open_inbox_without_a_reload_and_its_draft_is_edited_approved_and_sent() {
    let mut scene = Scene::new(1);
    let wrong = {
        let browser = &scene.browser;
        browser.open("/");
        browser.fill("#token", "replyd_wrong");
        browser.click("button");
        browser.wait_for("not known");
        browser.path()
    };
    assert_eq!(wrong, "/sign-in");
    scene.sign_in("/");
    let browser = &scene.browser;
    browser.wait_for("No reply yet");
    browser.run("window.stays = true");
    scene.reply(0, QUESTION);
    browser.wait_for("service charges");
    browser.wait_for("draft waits");
    assert_eq!(
        browser.run("return window.stays === true"),
        Value::Bool(true)
    );
    browser.wait(
        "the number in the title",
        "document.title.startsWith('(1)')",
    );

    browser.click("[data-row]");
    browser.wait_for("Draft of an answer");
    browser.wait(
        "the reply's new text",
        "document.querySelector('.theirs .text').innerText.includes('service charges')",
    );
    // What it quotes is folded.
    assert!(
        !browser.text().contains("ready to be seen"),
        "{}",
        browser.text()
    );
    browser.fill(
        "[name=body]",
        "Dear Ann,\n\nthey are 3 Euro a month.\n\nBest regards",
    );
    browser.click("button[value=approve]");
    browser.wait_for("the mail is on its way");
    scene.wait_for_rows(
        "the approved mail to be sent",
        "outbox WHERE state = 'sent' AND automatic = 0 AND body LIKE '%3 Euro a month%'",
    );
    // The page hears of it, and of nothing that waits any more.
    scene.browser.wait(
        "the mail as sent",
        "document.querySelector('.ours:last-child .badge.good')",
    );
    scene.browser.open("/?state=person");
    scene.browser.wait_for("Nothing waits for you");
    scene.browser.open("/");
    assert!(
        !scene
            .browser
            .run("return document.title")
            .to_string()
            .contains("(1)")
    );
    scene.running.terminate().assert_code(0);
}

#[test]
fn the_whole_path_goes_by_the_keyboard_alone() {
    let mut scene = Scene::new(2);
    scene.reply(0, QUESTION);
    scene.reply(1, WISH);
    scene.wait_for_rows("a draft", "drafts WHERE state = 'open'");
    let browser = &scene.browser;
    browser.open("/");
    // The field has the focus already.
    browser.press(&scene.token);
    browser.press(&Key::Enter.to_string());
    browser.wait_for("Sign out");
    browser.press(&Key::Tab.to_string());
    assert_eq!(
        browser.run("return document.activeElement.className"),
        json!("skip")
    );
    // Search, then the rows by j and k.
    browser.press("/");
    browser.press("service charges");
    browser.press(&Key::Enter.to_string());
    browser.wait("a hit", "document.querySelector('mark')");
    browser.press("j");
    browser.press(&Key::Enter.to_string());
    browser.wait_for("Draft of an answer");
    browser.press("?");
    browser.wait("the list of keys", "document.querySelector('dialog').open");
    browser.press(&Key::Escape.to_string());
    browser.wait(
        "the list to be closed, and the focus outside it",
        "!document.querySelector('dialog').open && !document.activeElement.closest('dialog')",
    );
    browser.press("r");
    browser.wait(
        "the text to have the focus",
        "document.activeElement.name === 'body'",
    );
    // A text that is not sent is there again after a reload.
    browser.press(&(Key::Control + "a"));
    browser.press("By keyboard alone");
    browser.run("window.onbeforeunload = null");
    browser.wait(
        "the text to be kept",
        "Object.values(localStorage).some((v) => v.includes('keyboard alone'))",
    );
    browser.press(&(Key::Control + &Key::Enter.to_string()));
    browser.wait_for("the mail is on its way");
    scene.wait_for_rows(
        "the mail to be sent",
        "outbox WHERE state = 'sent' AND automatic = 0 AND body LIKE '%By keyboard alone%'",
    );
    let browser = &scene.browser;
    browser.press("u");
    browser.wait("the inbox", "location.pathname === '/'");
    browser.press("g");
    browser.press("s");
    browser.wait("the state", "location.pathname === '/state'");
    browser.tab_to("#why");
    browser.press("Audit");
    browser.tab_to(".danger");
    browser.run("window.confirm = () => true");
    browser.press(&Key::Enter.to_string());
    browser.wait_for("All automatic mail is switched off");
    browser.open("/leads");
    browser.wait_for("Audit");
    scene.running.terminate().assert_code(0);
}

#[test]
fn a_script_in_a_mail_does_not_run_and_no_request_leaves_the_origin_of_the_page() {
    let mut scene = Scene::new(1);
    let lead = scene.scenario.leads.first().expect("A lead").clone();
    let elsewhere = Port::reserve();
    let elsewhere = format!("http://127.0.0.1:{}", elsewhere.number());
    let evil = format!(
        "<p>Hello <b>there</b></p><script>top.document.title='owned';document.title='owned'</script>\
         <img src=\"{elsewhere}/pixel.png\" onerror=\"top.document.title='owned'\">\
         <iframe src=\"{elsewhere}/frame\"></iframe><link rel=stylesheet href=\"{elsewhere}/a.css\">\
         <style>@import url({elsewhere}/b.css);</style><div style=\"background:url({elsewhere}/c.png)\">x</div>\
         <form action=\"{elsewhere}/form\"><input name=pw></form><svg onload=\"top.document.title='owned'\"></svg>"
    );
    let text = "<script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\"> & more";
    let mail = Message::builder()
        .from(
            "\"<script>document.title='owned'</script>\" <lead0@people.example>"
                .parse()
                .expect("From"),
        )
        .to(DESK.parse().expect("To"))
        .subject(format!(
            "Re: {SUBJECT} <script>document.title='owned'</script>"
        ))
        .message_id(Some(format!("<{}>", lead.answer_id)))
        .in_reply_to(format!("<{}>", lead.campaign_id))
        .multipart(MultiPart::alternative_plain_html(text.to_owned(), evil))
        .expect("A mail");
    hand_over(&scene.scenario.host.postfix, &mail);
    scene.wait_for_rows("the reply", "conversations WHERE sender = 'customer'");
    let conversation = scene.conversation(0);
    scene.sign_in("/");
    let browser = &scene.browser;
    browser.wait_for("<script>");
    browser.open(&conversation);
    browser.wait_for("<script>document.title='owned'</script>");
    browser.run("document.addEventListener('securitypolicyviolation', (e) => { (window.stopped ||= []).push(e.violatedDirective) })");
    browser.click("details[id^=html] > summary");
    browser.wait("the frame", "document.querySelector('iframe[src]')");
    browser.wait(
        "the frame to be loaded",
        "performance.getEntriesByType('resource').some((e) => e.name.endsWith('/html'))",
    );
    let title = |what: &str| {
        let title = browser.run("return document.title");
        assert!(!title.to_string().contains("owned"), "{what}: {title}");
    };
    title("the frame");
    assert_eq!(browser.run("return window.stopped || null"), Value::Null);
    let origin = browser.run("return location.origin");
    let origin = origin.as_str().expect("An origin");
    for name in browser.loaded() {
        assert!(name.starts_with(origin), "{name} is not of {origin}");
    }
    // Alone, under its own policy, it can do as little.
    let frame = browser.run("return document.querySelector('iframe').getAttribute('src')");
    browser.open(frame.as_str().expect("A path"));
    browser.wait_for("Hello there");
    title("the mail alone");
    assert!(
        !browser
            .run("return document.documentElement.outerHTML")
            .to_string()
            .contains(&elsewhere)
    );
    for name in browser.loaded() {
        assert!(name.starts_with(origin), "{name} is not of {origin}");
    }
    scene.running.terminate().assert_code(0);
}

#[test]
fn a_mail_in_the_wrong_conversation_is_put_where_it_belongs() {
    let mut scene = Scene::new(2);
    scene.reply(0, QUESTION);
    scene.wait_for_rows("a draft", "drafts WHERE state = 'open'");
    let (wrong, right) = (scene.conversation(0), scene.conversation(1));
    scene.sign_in(&wrong);
    let browser = &scene.browser;
    browser.click("details[id^=lead] > summary");
    browser.fill(
        "details[id^=lead] input[name=lead]",
        "nobody@people.example",
    );
    browser.click("details[id^=lead] button");
    browser.wait_for("No other lead has this key or address");
    browser.click("details[id^=lead] > summary");
    browser.fill("details[id^=lead] input[name=lead]", "lead1@people.example");
    browser.click("details[id^=lead] button");
    browser.wait_for("The mail was moved here");
    assert_eq!(browser.path(), right);
    browser.wait_for("service charges");
    browser.open(&wrong);
    assert!(
        !browser.text().contains("service charges"),
        "{}",
        browser.text()
    );
    let rows = scene.scenario.replyd.rows();
    assert_eq!(
        rows.count("outbox WHERE automatic = 1 AND job_id IS NOT NULL"),
        0
    );
    scene.running.terminate().assert_code(0);
}

#[test]
fn an_own_answer_is_sent_and_what_is_handled_or_put_off_leaves_the_list() {
    let mut scene = Scene::new(2);
    scene.reply(0, QUESTION);
    scene.reply(1, QUESTION);
    scene.wait_for_rows(
        "two who wait",
        "(SELECT count(*) AS n FROM inbox WHERE person + drafts > 0) WHERE n = 2",
    );
    let (first, second) = (scene.conversation(0), scene.conversation(1));
    scene.sign_in(&first);
    let browser = &scene.browser;
    browser.fill("#until", "2020-01-01");
    browser.run("document.getElementById('until').form.noValidate = true");
    browser.click("form[action$=snooze] button");
    browser.wait_for("Name a day from tomorrow on");
    browser.run("document.getElementById('until').value = new Date(Date.now() + 3 * 864e5).toISOString().slice(0, 10)");
    browser.click("form[action$=snooze] button");
    browser.wait_for("Snoozed.");
    scene.wait_for_rows(
        "it is put off",
        "desk_marks WHERE snoozed_until IS NOT NULL",
    );
    let browser = &scene.browser;
    // It is seen as put off, with its draft, in the conversation and in the inbox, and waits nowhere.
    browser.wait_for("snoozed until");
    browser.wait_for("Draft of an answer");
    browser.open("/?state=all");
    browser.wait_for("snoozed until");
    let tab = browser
        .run("return document.querySelector('.tabs a[href*=drafts] .count')?.textContent || ''");
    assert_eq!(tab, json!("1"), "the draft of the other");
    browser.open(&second);
    browser.run("document.getElementById('write').open = true");
    browser.fill("#answer", "Thank you, whom shall we ask?");
    browser.click("form[action$=answer] button");
    browser.wait_for("Your answer is on its way");
    scene.wait_for_rows(
        "the answer to be sent",
        "outbox WHERE state = 'sent' AND automatic = 0 AND body LIKE '%whom shall we ask%'",
    );
    let browser = &scene.browser;
    browser.open(&first);
    browser.click("form[action$=handled] button");
    browser.wait_for("Handled.");
    browser.wait_for("handled by anna");
    browser.open("/?state=all");
    browser.wait_for("handled by anna");
    let rows = scene.scenario.replyd.rows();
    assert_eq!(rows.count("inbox WHERE person + drafts > 0"), 0);
    scene.running.terminate().assert_code(0);
}

#[test]
fn a_click_on_an_attachment_fetches_it_from_the_mailbox_and_what_cannot_be_fetched_is_told() {
    let mut scene = Scene::new(1);
    let lead = scene.scenario.leads.first().expect("A lead").clone();
    let bytes: Vec<u8> = (0..600 * 1024_u32)
        .map(|n| (n.wrapping_mul(n) >> 7).to_le_bytes()[0])
        .collect();
    let pdf = lettre::message::header::ContentType::parse("application/pdf").expect("A type");
    let html = lettre::message::header::ContentType::TEXT_HTML;
    let mail = Message::builder()
        .from(lead.from.parse().expect("From"))
        .to(DESK.parse().expect("To"))
        .subject(format!("Re: {SUBJECT}"))
        .message_id(Some(format!("<{}>", lead.answer_id)))
        .in_reply_to(format!("<{}>", lead.campaign_id))
        .multipart(
            MultiPart::mixed()
                .singlepart(SinglePart::plain(QUESTION.to_owned()))
                .singlepart(Attachment::new("Grün \"1\".pdf".to_owned()).body(bytes.clone(), pdf))
                .singlepart(
                    Attachment::new("page.html".to_owned())
                        .body("<script>document.title='owned'</script>".to_owned(), html),
                ),
        )
        .expect("A mail");
    hand_over(&scene.scenario.host.postfix, &mail);
    scene.wait_for_rows("the reply", "conversations WHERE sender = 'customer'");
    scene.wait_for_rows("a draft", "drafts WHERE state = 'open'");
    let conversation = scene.conversation(0);
    scene.sign_in(&conversation);
    let browser = &scene.browser;
    // Only the beginning of the mail was read, which the second file does not stand in.
    browser.click("details[id^=files] > summary");
    browser.wait_for("1 or more attachments");
    browser.click("form[action$=files] button");
    browser.wait_for("2 attachments");
    browser.run("document.querySelectorAll('details').forEach((d) => { d.open = true })");
    browser.wait_for("page.html");
    let sum = browser.run_async(
        "const done = arguments[arguments.length - 1]; (async () => {
            const all = [];
            for (const a of document.querySelectorAll('.files a')) {
                const r = await fetch(a.href);
                const b = new Uint8Array(await r.arrayBuffer());
                all.push([r.status, b.length, b.reduce((s, x) => (s * 31 + x) % 1000003, 7),
                    r.headers.get('content-disposition').slice(0, 10), r.headers.get('content-type')]);
            }
            return all;
        })().then(done, (e) => done(String(e)))",
    );
    let digest = |bytes: &[u8]| {
        bytes
            .iter()
            .fold(7_u64, |s, x| (s * 31 + u64::from(*x)) % 1_000_003)
    };
    let page = b"<script>document.title='owned'</script>";
    assert_eq!(
        sum,
        json!([
            [
                200,
                bytes.len(),
                digest(&bytes),
                "attachment",
                "application/pdf"
            ],
            [
                200,
                page.len(),
                digest(page),
                "attachment",
                "application/octet-stream"
            ],
        ])
    );
    // A click saves it: the page stays, and nothing of it runs.
    browser.click(".files li:last-child a");
    assert_eq!(browser.path(), conversation);
    let title = browser.run("return document.title").to_string();
    assert!(!title.contains("owned"), "{title}");

    let mut imap = scene.scenario.host.dovecot.connect();
    imap.login(DESK, PASSWORD);
    imap.ok("SELECT INBOX");
    imap.ok("STORE 1:* +FLAGS (\\Deleted)");
    imap.ok("EXPUNGE");
    browser.run("document.querySelectorAll('details').forEach((d) => { d.open = true })");
    browser.click(".files li:first-child a");
    browser.wait_for("The mail is no longer in the mailbox");
    scene.running.terminate().assert_code(0);
}

#[test]
fn every_page_is_light_and_axe_core_finds_nothing_serious_in_both_themes_and_on_a_phone() {
    let mut scene = Scene::new(2);
    let browser = &scene.browser;
    browser.open("/sign-in");
    assert_eq!(axe::findings(browser), [""; 0], "/sign-in");
    scene.sign_in("/");
    // Empty pages first, then with something on them.
    look_at(browser, &["/", "/unmatched", "/suppressions", "/state"]);
    scene.reply(0, QUESTION);
    scene.reply(1, WISH);
    scene.wait_for_rows("a draft", "drafts WHERE state = 'open'");
    scene.wait_for_rows(
        "an acknowledgement",
        "outbox WHERE kind = 'acknowledgment' AND state = 'sent'",
    );
    let browser = &scene.browser;
    browser.open("/suppressions");
    browser.fill("#address", "nobody@people.example");
    browser.click("form[action='/suppressions/add'] button");
    browser.wait_for("gets no mail from now on");
    let (asked, thanked) = (scene.conversation(0), scene.conversation(1));
    look_at(
        browser,
        &[
            "/",
            "/?state=all",
            "/?q=service",
            "/?q=nothing-has-this",
            &asked,
            &thanked,
            "/campaigns",
            "/campaigns/1",
            "/leads",
            "/suppressions",
            "/state",
            "/conversations/999999",
        ],
    );
    scene.running.terminate().assert_code(0);
}

/// Weighs each page, and lets axe-core look at it in both themes, wide and on a phone.
#[track_caller]
fn look_at(browser: &Browser, paths: &[&str]) {
    let mut found = Vec::new();
    for path in paths {
        for (theme, width) in [("light", 1200), ("dark", 1200), ("dark", 390)] {
            browser.theme(theme);
            browser.size(width, 900);
            browser.open(path);
            // Everything folded is looked at as well.
            browser.run("document.querySelectorAll('details').forEach((d) => { if (!d.id.startsWith('html')) d.open = true })");
            for finding in axe::findings(browser) {
                found.push(format!("{path} {theme} {width}: {finding}"));
            }
            let wide = browser.run("return document.documentElement.scrollWidth - innerWidth");
            assert!(
                wide.as_i64().is_some_and(|n| n <= 0),
                "{path} is wider than {width} by {wide}"
            );
        }
        let bytes = browser.weight();
        println!("{path}: {bytes} bytes with all that it loads");
        assert!(bytes <= MAX_BYTES, "{path} weighs {bytes} bytes");
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}
