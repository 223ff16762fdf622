//! Understanding a mail: how long it takes on top of mail-parser, over a folder of real mail, by
//! size, and for hostile shapes. Prints tables; docs/BENCHMARKS.md has figures.
//!
//! `cargo bench --bench understanding [-- FOLDER]`, where FOLDER holds a cases.jsonl of
//! messages (docs/PARSE.md); without it tests/data.

#![expect(clippy::print_stdout, reason = "the tables are what a bench is for")]
#![expect(clippy::unwrap_used, reason = "a bench stops at what it cannot read")]
#![expect(clippy::cast_precision_loss, reason = "figures for people")]

use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use replyd::keys::Keys;
use replyd::nature::{self, Ours};
use replyd::understand;
use serde_json::Value;

/// A measurement is repeated until it took this long in all.
const ENOUGH: Duration = Duration::from_millis(60);
/// Growth of the time for eight times the size, above which a shape is not linear.
const TOO_STEEP: f64 = 16.0;

struct Bench {
    keys: Keys,
    ours: Ours,
}

impl Bench {
    fn understand(&self, raw: &[u8]) {
        black_box(understand::message(black_box(raw), &self.ours, &self.keys));
    }
}

fn mail_parser(raw: &[u8]) {
    black_box(mail_parser::MessageParser::default().parse(black_box(raw)));
}

/// The best time of several runs: what the code takes when nothing else runs.
fn time(mut run: impl FnMut()) -> Duration {
    let mut best = Duration::MAX;
    let mut all = Duration::ZERO;
    let mut runs = 0;
    while runs < 3 || all < ENOUGH && runs < 2000 {
        let started = Instant::now();
        run();
        let took = started.elapsed();
        best = best.min(took);
        all += took;
        runs += 1;
        if all > Duration::from_secs(5) {
            break;
        }
    }
    best
}

fn us(d: Duration) -> f64 {
    d.as_secs_f64() * 1e6
}

fn corpus(bench: &Bench, folder: &Path) {
    let index = std::fs::read_to_string(folder.join("cases.jsonl")).unwrap();
    let mut files: Vec<PathBuf> = index
        .lines()
        .map(|l| serde_json::from_str::<Value>(l).unwrap())
        .filter(|v| v["form"] == "message")
        .map(|v| folder.join(v["file"].as_str().unwrap()))
        .collect();
    files.sort();
    files.dedup();
    let mut rows: Vec<(f64, f64)> = Vec::new();
    let mut bytes = 0;
    for file in &files {
        let raw = std::fs::read(file).unwrap();
        bytes += raw.len();
        let parser = us(time(|| mail_parser(&raw)));
        let whole = us(time(|| bench.understand(&raw)));
        rows.push((parser, whole));
    }
    println!(
        "{} messages, {} bytes in the mean",
        files.len(),
        bytes / files.len().max(1)
    );
    println!("\n| µs a mail | median | 90 % | 99 % | most |\n| --- | ---: | ---: | ---: | ---: |");
    let line = |name: &str, of: &dyn Fn(&(f64, f64)) -> f64| {
        let mut all: Vec<f64> = rows.iter().map(of).collect();
        all.sort_by(f64::total_cmp);
        let at = |share: f64| all[((all.len() - 1) as f64 * share).round() as usize];
        println!(
            "| {name} | {:.0} | {:.0} | {:.0} | {:.0} |",
            at(0.5),
            at(0.9),
            at(0.99),
            at(1.0)
        );
    };
    line("mail-parser alone", &|r| r.0);
    line("replyd, whole understanding", &|r| r.1);
    line("replyd on top of mail-parser", &|r| (r.1 - r.0).max(0.0));
}

const HEAD: &str = "From: Ann Lee <ann@x.example>\r\nTo: s@me.example\r\nSubject: Re: Offer\r\n\
    Date: Fri, 03 May 2024 10:00:00 +0200\r\nMessage-ID: <r@x.example>\r\nIn-Reply-To: <s@me.example>\r\n";

fn plain(body: &str) -> Vec<u8> {
    format!("{HEAD}Content-Type: text/plain; charset=utf-8\r\n\r\n{body}").into_bytes()
}

fn html(body: &str) -> Vec<u8> {
    format!("{HEAD}Content-Type: text/html; charset=utf-8\r\n\r\n{body}").into_bytes()
}

fn filled(unit: &str, bytes: usize) -> String {
    unit.repeat(bytes / unit.len() + 1)
}

const PROSE: &str =
    "Dear sales team, we would like to see the flat on Tuesday at ten, if that suits you.\r\n";
const QUOTE: &str =
    "> Would you like to schedule a viewing this week? Reply STOP to get no more mail.\r\n";
const PAGE: &str = "<div class=MsoNormal style='margin:0'><p>We would <b>like</b> to see the flat &amp; the garden.</p></div>\n";

fn reply(bytes: usize) -> Vec<u8> {
    let attribution = "\r\nOn Tue, 30 Apr 2024 at 9:00, Sales <s@me.example> wrote:\r\n";
    plain(&format!(
        "{}{attribution}{}",
        filled(PROSE, bytes / 2),
        filled(QUOTE, bytes / 2)
    ))
}

fn page(bytes: usize) -> Vec<u8> {
    html(&format!(
        "<html><body>{}<blockquote type=cite>{}</blockquote></body></html>",
        filled(PAGE, bytes / 2),
        filled(PAGE, bytes / 2)
    ))
}

fn attached(bytes: usize) -> Vec<u8> {
    let data = filled(
        "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWZnaGlqa2xtbm9wcXJzdHV2d3h5ejAxMjM0NTY3ODkr\r\n",
        bytes,
    );
    format!(
        "{HEAD}Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\n{PROSE}\r\n--b\r\n\
         Content-Type: application/pdf; name=a.pdf\r\nContent-Transfer-Encoding: base64\r\n\r\n{data}\r\n--b--\r\n"
    )
    .into_bytes()
}

type Shape = fn(usize) -> Vec<u8>;

fn sizes(bench: &Bench) {
    println!(
        "\n| ms, by size | 1 KB | 10 KB | 100 KB | 1 MB | 5 MB | 25 MB | mail-parser, 25 MB |"
    );
    println!("| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |");
    let shapes: [(&str, Shape); 3] = [
        ("reply in plain text, half of it quoted", reply),
        ("reply in HTML, half of it quoted", page),
        ("short text with an attachment", attached),
    ];
    for (name, make) in shapes {
        print!("| {name} |");
        for kilobytes in [1, 10, 100, 1000, 5000, 25_000] {
            let raw = make(kilobytes * 1000);
            print!(" {:.2} |", us(time(|| bench.understand(&raw))) / 1000.0);
        }
        let raw = make(25_000_000);
        println!(" {:.1} |", us(time(|| mail_parser(&raw))) / 1000.0);
    }
    println!("\n(of a mail 1 MiB of text, 2 MiB of HTML and 64 MiB in all are read)");
}

type Make = Box<dyn Fn(usize) -> Vec<u8>>;

/// Each makes a mail of about so many bytes.
fn hostile() -> Vec<(&'static str, Make)> {
    let text = |unit: &'static str| -> Make { Box::new(move |n| plain(&filled(unit, n))) };
    let markup = |unit: &'static str| -> Make { Box::new(move |n| html(&filled(unit, n))) };
    let header = |unit: &'static str| -> Make {
        Box::new(move |n| format!("{HEAD}{}\r\n\r\nYes.\r\n", filled(unit, n)).into_bytes())
    };
    vec![
        (
            "quotes in quotes",
            Box::new(|n| {
                let mut body = String::new();
                let mut depth = 0;
                while body.len() < n {
                    depth = depth % 200 + 1;
                    body.push_str(&">".repeat(depth));
                    body.push_str(" text\r\n");
                }
                plain(&body)
            }),
        ),
        (
            "quoted and new lines in turn",
            text("> Is it free?\r\nYes.\r\n"),
        ),
        ("one endless line", text("word ")),
        ("one endless line without blanks", text("x")),
        (
            "starts of attributions",
            text("On 3.4.2024 at 10:00, <a@b.example\r\n"),
        ),
        (
            "attributions",
            text("On 3.4.2024 at 10:00, Ann <a@b.example> wrote:\r\n"),
        ),
        (
            "attributions on one line",
            text("No. On 3.4.2024 Ann <a@b.example> wrote: "),
        ),
        ("headers of quoted mail", text("From: a\r\nSent: b\r\n")),
        ("half a header of quoted mail", text("To: a\r\n\r\n")),
        ("separators", text("-----Original Message\r\n")),
        ("signature marks", text("--\r\n")),
        ("closings", text("Best regards,\r\n")),
        ("colons", text(":")),
        ("at signs", text("a@b ")),
        ("digits and dots", text("1.1.")),
        ("blank lines", text("\r\n")),
        ("uuencode", text("begin 644 a\r\n#0V%T\r\n`\r\nend\r\n")),
        (
            "words of delivery reports",
            text("550 5.1.1 user unknown could not be delivered to a@b.example "),
        ),
        (
            "words of absences",
            text("I am out of the office until and back on the of the "),
        ),
        (
            "10,000 parts",
            Box::new(|n| {
                let part = "--b\r\nContent-Type: text/plain; name=a\r\n\r\nx\r\n";
                format!(
                    "{HEAD}Content-Type: multipart/mixed; boundary=b\r\n\r\n{}--b--\r\n",
                    filled(part, n)
                )
                .into_bytes()
            }),
        ),
        (
            "parts in parts",
            Box::new(|n| {
                let mut raw = HEAD.to_owned();
                let mut i = 0;
                while raw.len() < n {
                    raw.push_str(&format!(
                        "Content-Type: multipart/mixed; boundary=b{i}\r\n\r\n--b{i}\r\n"
                    ));
                    i += 1;
                }
                raw.into_bytes()
            }),
        ),
        (
            "mails in mails",
            Box::new(|n| {
                format!(
                    "{HEAD}{}",
                    filled("Content-Type: message/rfc822\r\n\r\n", n)
                )
                .into_bytes()
            }),
        ),
        (
            "lines that may be boundaries",
            Box::new(|n| {
                let mut raw = HEAD.to_owned();
                for i in 0..100 {
                    raw.push_str(&format!(
                        "Content-Type: multipart/mixed; boundary=b{i}\r\n\r\n--b{i}\r\n"
                    ));
                }
                raw.push_str("\r\n");
                raw.push_str(&filled("--b\r\n", n));
                raw.into_bytes()
            }),
        ),
        ("fields", header("X-Spam: yes, very much so indeed\r\n")),
        ("one endless field", header("word ")),
        ("lines that are no fields", header("no field at all\r\n")),
        (
            "addresses",
            Box::new(|n| {
                format!("To: {}\r\n{HEAD}\r\nYes.", filled("Ann <a@b.example>, ", n)).into_bytes()
            }),
        ),
        (
            "ids",
            Box::new(|n| {
                format!(
                    "References: {}\r\n{HEAD}\r\nYes.",
                    filled("<a@b.example> ", n)
                )
                .into_bytes()
            }),
        ),
        (
            "encoded words",
            Box::new(|n| {
                format!(
                    "Subject: {}\r\n{HEAD}\r\nYes.",
                    filled("=?utf-8?q?=C3?= ", n)
                )
                .into_bytes()
            }),
        ),
        (
            "quoted-printable",
            Box::new(|n| {
                format!(
                    "{HEAD}Content-Transfer-Encoding: quoted-printable\r\n\r\n{}",
                    filled("=C3=A9=\r\n= =", n)
                )
                .into_bytes()
            }),
        ),
        (
            "bytes of no charset",
            Box::new(|n| {
                let mut raw = plain("");
                raw.extend([0xc3, 0xa9, 0xff, 0xe9].repeat(n / 4));
                raw
            }),
        ),
        ("deep HTML", markup("<div>")),
        ("deep quotes in HTML", markup("<blockquote type=cite>x")),
        (
            "quotes of Gmail in HTML",
            markup("<div class=gmail_quote><blockquote class=gmail_quote>x</blockquote>"),
        ),
        (
            "borders of Outlook in HTML",
            markup("<div style='border:none;border-top:solid'>"),
        ),
        ("tables in HTML", markup("<table><tr><td>x")),
        ("formatting in HTML", markup("<b><i><u><p>x")),
        ("end tags in HTML", markup("</b></i>")),
        (
            "attributes in HTML",
            Box::new(|n| html(&format!("<p {}>x", filled("a=1 class=b ", n)))),
        ),
        ("entities in HTML", markup("&amp;&notit;&#x41;")),
        ("angle brackets", markup("<")),
        ("comments in HTML", markup("<!--x-->")),
        ("lines of HTML", markup("<br>x")),
    ]
}

fn shapes(bench: &Bench) {
    println!(
        "\n| hostile shape, ms | 64 KB | 512 KB | ratio | mail-parser, 512 KB |\n| --- | ---: | ---: | ---: | ---: |"
    );
    let mut steep = 0;
    for (name, make) in hostile() {
        let [small, large] = [64_000, 512_000].map(make);
        let (a, b) = (
            time(|| bench.understand(&small)),
            time(|| bench.understand(&large)),
        );
        let parser = time(|| mail_parser(&large));
        let ratio = us(b) / us(a).max(1.0);
        let mark = if ratio > TOO_STEEP && us(b) > 20_000.0 {
            steep += 1;
            " **not linear**"
        } else {
            ""
        };
        println!(
            "| {name} | {:.2} | {:.2} | {ratio:.1}{mark} | {:.1} |",
            us(a) / 1000.0,
            us(b) / 1000.0,
            us(parser) / 1000.0
        );
    }
    println!("\n{steep} shapes are not linear");
}

fn main() {
    let folder = std::env::args()
        .skip(1)
        .find(|a| !a.starts_with("--"))
        .map_or_else(
            || Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data"),
            PathBuf::from,
        );
    nature::warm_up();
    let bench = Bench {
        keys: Keys::unsaved().unwrap(),
        ours: Ours::default(),
    };
    corpus(&bench, &folder);
    sizes(&bench);
    shapes(&bench);
}
