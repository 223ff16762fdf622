use super::super::{Visible, of_mail, own_words, split_page};
use super::*;
use crate::mime;

fn split(html: &str) -> Visible {
    split_page(&Page::read(html))
}

/// As the programs write them, shortened; the quoted text has no other mark.
#[test]
fn the_marks_of_mail_programs_are_known() {
    const OLD: &str = "<div>Hi Ann,</div><p>Come and see the flat.</p>";
    for (program, html) in [
        (
            "Gmail",
            format!(
                "<div dir=\"ltr\">No.</div><br><div class=\"gmail_quote\"><div dir=\"ltr\" class=\"gmail_attr\">Az \u{130}r\u{e1}s ekkor: Sales<br></div>\
             <blockquote class=\"gmail_quote\" style=\"margin:0px 0px 0px 0.8ex;border-left:1px solid rgb(204,204,204)\">{OLD}</blockquote></div>"
            ),
        ),
        (
            "Gmail 2024",
            format!(
                "<div dir=\"ltr\">No.</div><br><div class=\"gmail_quote gmail_quote_container\"><div class=\"gmail_attr\">X:<br></div>\
             <blockquote class=\"gmail_quote\">{OLD}</blockquote></div>"
            ),
        ),
        (
            "Gmail, forwarded",
            format!(
                "<div>No.</div><div class=\"gmail_quote\"><div class=\"gmail_attr\">---------- Forwarded message ---------<br>From: S</div>{OLD}<blockquote>x</blockquote>y</div>"
            ),
        ),
        (
            "Outlook on the web",
            format!(
                "<div>No.</div><div id=\"appendonsend\"></div><hr style=\"width:98%\"><div id=\"divRplyFwdMsg\"><b>Odesl\u{e1}no:</b> x</div>{OLD}"
            ),
        ),
        (
            "Outlook.com, header only",
            format!("<div>No.</div><div id=\"divRplyFwdMsg\"><b>X:</b> S</div><div>{OLD}</div>"),
        ),
        (
            "Outlook",
            format!(
                "<p class=MsoNormal>No.</p><div><div style='border:none;border-top:solid #E1E1E1 1.0pt;padding:3.0pt 0cm 0cm 0cm'>\
             <p class=MsoNormal><b>Mittente:</b> S &lt;s@me.example&gt;<br><b>Quando:</b> 3<br></p></div></div>{OLD}"
            ),
        ),
        (
            "Outlook 2010",
            format!(
                "<p class=MsoNormal>No.</p><div style='border:none;border-top:solid #B5C4DF 1.0pt;padding:3.0pt 0in 0in 0in'>\
             <p><b>X:</b> S <b>Y:</b> 3 May</p></div>{OLD}"
            ),
        ),
        (
            "Outlook for iOS",
            format!(
                "<div>No.</div><div id=\"ms-outlook-mobile-signature\">Get it</div><div id=\"mail-editor-reference-message-container\"><div>{OLD}</div></div>"
            ),
        ),
        (
            "Outlook for Mac",
            format!(
                "<div>No.</div><span id=\"OLK_SRC_BODY_SECTION\"><div style=\"border-top:#b5c4df 1pt solid\"><b>X:</b></div>{OLD}</span>"
            ),
        ),
        (
            "Hotmail",
            format!("<div>No.</div><hr id=\"stopSpelling\">Date: x<br>{OLD}"),
        ),
        (
            "Yahoo",
            format!(
                "<div>No.</div><div id=\"ydp123yahoo_quoted_1\" class=\"ydp123yahoo_quoted\"><div>S wrote:</div>{OLD}</div>"
            ),
        ),
        (
            "Yahoo, class",
            format!("<div>No.</div><div class=\"yahoo_quoted\" id=\"yahoo_quoted_7\">{OLD}</div>"),
        ),
        (
            "Apple Mail",
            format!(
                "<div>No.</div><div><br><blockquote type=\"cite\"><div>{OLD}</div></blockquote></div>"
            ),
        ),
        (
            "Thunderbird",
            format!(
                "<p>No.</p><div class=\"moz-cite-prefix\">X<br></div><blockquote type=\"cite\" cite=\"mid:1@x\">{OLD}</blockquote>"
            ),
        ),
        (
            "Thunderbird, forwarded",
            format!(
                "<p>No.</p><div class=\"moz-forward-container\">-------- X --------<table class=\"moz-email-headers-table\"></table>{OLD}</div>"
            ),
        ),
        (
            "Proton",
            format!(
                "<div>No.</div><div class=\"protonmail_quote\">X:<br><blockquote class=\"protonmail_quote\" type=\"cite\">{OLD}</blockquote></div>"
            ),
        ),
        (
            "Tutanota",
            format!(
                "<div>No.</div><div>3. May 2024, 10:00 by s@me.example:<br></div><blockquote class=\"tutanota_quote\">{OLD}</blockquote>"
            ),
        ),
        (
            "Zoho",
            format!(
                "<div>No.</div><div class=\"zmail_extra\" style=\"border-top:1px solid\"><div>---- X ----</div><blockquote>{OLD}</blockquote></div>"
            ),
        ),
        (
            "Freshdesk",
            format!(
                "<div>No.</div><div class=\"freshdesk_quote\"><blockquote class=\"freshdesk_quote\">{OLD}</blockquote></div>"
            ),
        ),
        (
            "Front",
            format!(
                "<div>No.</div><blockquote type=\"cite\" class=\"front-blockquote\">{OLD}</blockquote>"
            ),
        ),
        (
            "HubSpot",
            format!("<div>No.</div><div class=\"hs_reply\">{OLD}</div>"),
        ),
        (
            "GMX",
            format!(
                "<div>No.</div><div name=\"quote\" style=\"margin:10px 5px;border-left:2px solid #C3D9E5\">{OLD}</div>"
            ),
        ),
        (
            "Spark",
            format!(
                "<div name=\"messageBodySection\">No.</div><div name=\"messageReplySection\">{OLD}</div>"
            ),
        ),
        (
            "mail.ru",
            format!(
                "<div>No.</div><blockquote style=\"border-left:1px solid #0857A6;margin:10px\">{OLD}</blockquote>"
            ),
        ),
        (
            "163.com",
            format!(
                "<div>No.</div><blockquote id=\"isReplyContent\" style=\"padding-left:1ex\">{OLD}</blockquote>"
            ),
        ),
        (
            "Samsung",
            format!(
                "<div>No.</div><div id=\"composer_signature\">S</div><div><!-- originalMessage --></div><div>{OLD}</div>"
            ),
        ),
        (
            "a bar at the left",
            format!(
                "<div>No.</div><blockquote style=\"border-left: 2px solid blue\">{OLD}</blockquote>"
            ),
        ),
        (
            "no mark at all",
            format!("<div>No.</div><blockquote>{OLD}</blockquote>"),
        ),
        (
            "Zendesk",
            format!("No.<br>##- Please type your reply above this line -##<br>{OLD}"),
        ),
        (
            "header in text",
            format!(
                "<div>No.</div><br><b>From:</b> S &lt;s@me.example&gt;<br><b>Sent:</b> x<br><b>To:</b> A<br><br>{OLD}"
            ),
        ),
    ] {
        let v = split(&html);
        assert_eq!(v.new_text, "No.", "{program}: {v:?}");
        assert!(v.quoted.contains("flat"), "{program}");
    }
}

#[test]
fn signatures_are_known_by_their_marks() {
    for html in [
        "<div>No.</div><div class=\"gmail_signature\" data-smartmail=\"gmail_signature\">Ann</div>",
        "<div>No.</div><div class=\"moz-signature\">Ann</div>",
        "<div>No.</div><div id=\"Signature\"><p>Ann</p></div>",
        "<div>No.</div><div id=\"AppleMailSignature\">Ann</div>",
        "<div>No.</div><div name=\"messageSignatureSection\">Ann</div>",
        "<div>No.</div><div>-- <br>Ann</div>",
    ] {
        let v = split(html);
        assert_eq!(v.new_text, "No.", "{html}");
        assert!(v.signature.contains("Ann"), "{html}");
    }
}

#[test]
fn answers_between_the_quotes_of_a_program_are_kept_with_them() {
    let v = split(
        "<div class=\"gmail_quote\"><div class=\"gmail_attr\">On Tue, Sales wrote:</div>\
         <blockquote class=\"gmail_quote\">Is Monday fine?</blockquote><div>Yes, at ten.</div>\
         <blockquote class=\"gmail_quote\">And the price?</blockquote><div>Too high.</div>\
         <blockquote class=\"gmail_quote\">Bye</blockquote></div>",
    );
    assert_eq!(
        v.new_text,
        "> Is Monday fine?\n\nYes, at ten.\n\n> And the price?\n\nToo high."
    );
    assert_eq!(
        own_words(&v.new_text, v.nothing_new),
        "Yes, at ten.\n\n\nToo high."
    );
    assert!(!v.sure && !v.nothing_new);
}

#[test]
fn what_people_indent_and_quote_themselves_is_theirs() {
    for html in [
        "Our wishes:<blockquote style=\"margin:0 0 0 40px;border:none;padding:0px\"><div>a balcony</div></blockquote>",
        "As they say<blockquote class=\"gmail_quote\"><div class=\"gmail_default\">a balcony</div></blockquote>",
        "<div style=\"border:none;border-top:solid #E1E1E1 1.0pt\">a balcony</div>",
    ] {
        let v = split(html);
        assert!(v.new_text.contains("balcony"), "{html}: {v:?}");
    }
}

fn mail(plain: &str, html: &str) -> Visible {
    of_mail(&mime::parse(
        format!(
            "From: a@x.example\nContent-Type: multipart/alternative; boundary=b\n\n\
             --b\nContent-Type: text/plain\n\n{plain}\n--b\nContent-Type: text/html\n\n{html}\n--b--\n"
        )
        .as_bytes(),
    ))
}

#[test]
fn of_plain_text_and_html_the_marks_decide() {
    // The plain text alone would be unsure.
    let html = "<div>No.</div><div class=yahoo_quoted>On Tue, 3 May 2024, S &lt;s@x.example&gt; wrote:<br>Come.</div>";
    let plain = "No.\n\nOn Tue, 3 May 2024, S <s@x.example> wrote:\nCome.";
    let v = mail(plain, html);
    assert_eq!((v.new_text.as_str(), v.sure), ("No.", true));
    assert!(!super::super::split(plain).sure);
    // A header in a language that nobody knows.
    let html = "<p>No.</p><div id=divRplyFwdMsg><b>Qa:</b> S<br><b>Xi:</b> 3</div><p>Come.</p>";
    let v = mail("No.\n\nQa: S\nXi: 3\n\nCome.", html);
    assert_eq!(v.new_text, "No.");
    // Marks that leave nothing: the text decides.
    let v = mail("No.\n> Come.", "<div class=yahoo_quoted>No.<br>Come.</div>");
    assert_eq!(v.new_text, "No.");
    // Without marks in HTML the text decides.
    let v = mail("No.\n> Come.", "<p>No.</p><p>Come.</p>");
    assert_eq!(v.new_text, "No.");
}

#[test]
fn hostile_pages_take_linear_time() {
    for html in [
        "<blockquote class=gmail_quote>x".repeat(40_000),
        "<div class=gmail_quote>".repeat(80_000),
        "<div style='border:none;border-top:solid'>".repeat(40_000),
        "<div id=appendonsend></div>".repeat(60_000),
        "<blockquote type=cite>a</blockquote>b".repeat(40_000),
        "<blockquote>a</blockquote>".repeat(60_000),
    ] {
        let v = split(&html);
        assert!(v.new_text.len() <= html.len());
    }
}

#[test]
fn a_bare_block_quote_below_a_persons_own_words_stays() {
    for (html, kept) in [
        (
            "<p>My wife says:</p><blockquote>We want the garden flat.</blockquote><p>Is it free?</p>",
            "garden flat",
        ),
        (
            "<p>He said:</p><blockquote><p>Prices fall</p></blockquote><p>Do you agree?</p>",
            "Prices fall",
        ),
        (
            "<div>My questions <b>are</b>:</div><blockquote>Is it free?</blockquote>",
            "Is it free?",
        ),
    ] {
        let v = split(html);
        assert!(v.new_text.contains(kept), "{html}: {}", v.new_text);
    }
    for above in [
        "On 6 July 2026 Sales wrote:",
        "Sales &lt;s@me.example&gt;:",
        "Sales wrote:",
    ] {
        let v = split(&format!(
            "<p>No.</p><p>{above}</p><blockquote><p>See the flat.</p></blockquote>"
        ));
        assert!(v.new_text.starts_with("No."), "{above}");
        assert!(!v.new_text.contains("flat"), "{above}: {}", v.new_text);
    }
}
