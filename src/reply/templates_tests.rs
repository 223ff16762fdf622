use super::*;

fn text() -> LeadText {
    LeadText {
        lead_name: "Ann Lee".into(),
        lead_label: "Ann Lee".into(),
        lead_email: "ann@example.com".into(),
        project: "Riverside".into(),
        campaign: "Spring".into(),
        sender_name: "Example Homes".into(),
        channel: "email".into(),
        goal: "property viewing".into(),
        goal_title: "Property Viewing".into(),
        message: "Book me in.".into(),
        reply_subject: "Re: Hello".into(),
        acknowledged: true,
        ..LeadText::default()
    }
}

const EN: Language = Language::Known("en");

#[test]
fn the_exact_subjects_are_those_of_the_predecessor() {
    let t = Templates::load(None).unwrap();
    let sales = t.lead(TemplateKind::SalesGoal, EN, &text()).unwrap();
    assert_eq!(
        sales.subject,
        "🚨 Lead Ready: Ann Lee - Property Viewing Request"
    );
    let lead = t.lead(TemplateKind::Acknowledgment, EN, &text()).unwrap();
    assert_eq!(lead.subject, "Thank you for your interest in Riverside");
    assert!(lead.body.starts_with("Dear Ann Lee,\n"), "{}", lead.body);
    assert!(lead.body.contains("request for a property viewing"));
    assert!(lead.body.ends_with("Example Homes Sales Team\n"));
}

#[test]
fn the_sales_notice_names_what_sales_need() {
    let t = Templates::load(None).unwrap();
    let body = t.lead(TemplateKind::SalesGoal, EN, &text()).unwrap().body;
    for part in [
        "Name: Ann Lee",
        "Email: ann@example.com",
        "Phone: Not provided",
        "Project: Riverside",
        "Goal: Property Viewing",
        "\"Book me in.\"",
        "Campaign: Spring",
        "Channel: email",
        "Please follow up with this lead promptly.",
        "This is an automated notification from Example Homes.",
    ] {
        assert!(body.contains(part), "{part} is missing in {body}");
    }
}

#[test]
fn values_are_data_and_cannot_break_a_subject() {
    let t = Templates::load(None).unwrap();
    let mut evil = text();
    evil.lead_label = "Ann\r\nBcc: all@example.com\u{0}{{ campaign }}".into();
    let sales = t.lead(TemplateKind::SalesGoal, EN, &evil).unwrap();
    assert!(!sales.subject.contains(['\r', '\n', '\0']));
    assert!(
        sales
            .subject
            .contains("Ann Bcc: all@example.com {{ campaign }}")
    );
}

#[test]
fn a_lead_without_a_name_is_greeted_without_one() {
    let t = Templates::load(None).unwrap();
    let mut nameless = text();
    nameless.lead_name.clear();
    let ack = t.lead(TemplateKind::Acknowledgment, EN, &nameless).unwrap();
    assert!(ack.body.starts_with("Hello,\n"));
}

#[test]
fn the_digest_lists_its_items_and_counts_the_rest() {
    let t = Templates::load(None).unwrap();
    let digest = DigestText {
        items: vec![
            DigestLine {
                name: "Ann".into(),
                email: "ann@example.com".into(),
                message: "When?".into(),
                ..DigestLine::default()
            },
            DigestLine::default(),
        ],
        total: 7,
        more: 5,
        drafts_open: 3,
    };
    let mail = t.digest(&digest).unwrap();
    assert_eq!(mail.subject, "7 replies to look at");
    for part in [
        "1. Ann <ann@example.com>",
        "\"When?\"",
        "2. Not provided <unknown>",
        "and 5 more",
        "person: 3.",
    ] {
        assert!(
            mail.body.contains(part),
            "{part} is missing in {}",
            mail.body
        );
    }
}

fn load_with(file: &str, text: &str) -> Result<Templates, TemplateError> {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join(file), text).unwrap();
    Templates::load(Some(dir.path()))
}

#[test]
fn a_file_replaces_its_template_and_another_language_is_added() {
    let t = load_with(
        "acknowledgment.txt",
        "Subject: Hi {{ lead_name }}\r\n\r\nOurs.\r\n",
    )
    .unwrap();
    let mail = t.lead(TemplateKind::Acknowledgment, EN, &text()).unwrap();
    assert_eq!(
        (mail.subject.as_str(), mail.body.as_str()),
        ("Hi Ann Lee", "Ours.\n")
    );
    assert!(!t.speaks("", Language::Known("sv")));

    let swedish = "Subject: Tack för ditt intresse för {{ project }}\n\nHej\n";
    let t = load_with("acknowledgment.sv.txt", swedish).unwrap();
    assert!(
        t.speaks("", Language::Known("sv")) && t.speaks("", EN) && t.speaks("", Language::Unknown)
    );
    assert!(!t.speaks("", Language::Known("fi")) && !t.speaks("", Language::Other));
    let sv = t
        .lead(TemplateKind::Acknowledgment, Language::Known("sv"), &text())
        .unwrap();
    assert_eq!(sv.body, "Hej\n");
    // What has no Swedish file is English.
    let plain = t
        .lead(TemplateKind::AnswerDraft, Language::Known("sv"), &text())
        .unwrap();
    assert!(plain.body.starts_with("Dear Ann Lee"));
    let answer = t
        .lead(TemplateKind::Answer, Language::Known("de"), &text())
        .unwrap();
    assert!(answer.body.starts_with("Guten Tag Ann Lee"));
    assert!(t.answers_in("", Language::Known("fr")) && !t.answers_in("", Language::Known("sv")));
}

#[test]
fn a_wrong_file_is_refused_with_its_name_and_the_reason() {
    for (file, content, what) in [
        (
            "acknowledgement.txt",
            "Subject: x\n\ny",
            "not the name of a template",
        ),
        (
            "sales_goal.de.txt",
            "Subject: x\n\ny",
            "not the name of a template",
        ),
        ("acknowledgment.txt", "Hello\n\ny", "Subject:"),
        ("acknowledgment.txt", "Subject:\n\ny", "subject is empty"),
        (
            "acknowledgment.txt",
            "Subject: x\n\n{{ answer }}",
            "the text is empty",
        ),
        (
            "acknowledgment.txt",
            "Subject: x\n\n{{ leadname }}",
            "unknown variable leadname",
        ),
        (
            "acknowledgment.txt",
            "Subject: {{ nmae }}\n\nx",
            "unknown variable nmae",
        ),
        (
            "acknowledgment.txt",
            "Subject: x\n\n{% if lead_name %}",
            "unexpected end",
        ),
        ("nudge.txt", "{{ project | nofilter }}", "nofilter"),
        (
            "sales_digest.txt",
            "Subject: x\n\n{{ lead_name }}",
            "unknown variable lead_name",
        ),
        ("nudge.txt", &"x".repeat(70_000), "larger than"),
    ] {
        let error = load_with(file, content).unwrap_err().to_string();
        assert!(error.contains(what), "{file}: {error}");
        let stem = file.split('.').next().unwrap();
        assert!(error.contains(stem), "{error} does not name {file}");
    }
    let missing = Templates::load(Some(Path::new("/nonexistent/templates"))).unwrap_err();
    assert!(missing.to_string().contains("/nonexistent/templates"));
}

#[test]
fn other_files_of_the_folder_are_left_alone() {
    assert!(load_with("README.md", "{{ what").is_ok());
}

#[test]
fn an_error_while_rendering_shows_no_value() {
    let t = load_with(
        "nudge.txt",
        "{% if lead_name %}{{ project | int }}{% endif %}",
    );
    // The sample is refused at load already, with the line and without the value.
    let error = t.unwrap_err().to_string();
    assert!(error.contains("nudge") && error.contains(":1"), "{error}");
    assert!(!error.contains("Ann Lee"), "{error}");
}

#[test]
fn a_folder_with_a_campaigns_name_replaces_the_texts_for_that_campaign_alone() {
    let dir = tempfile::tempdir().unwrap();
    let own = dir.path().join("Autumn - North");
    std::fs::create_dir(&own).unwrap();
    std::fs::write(dir.path().join("nudge.txt"), "See {{ project }}?").unwrap();
    std::fs::write(
        own.join("acknowledgment.txt"),
        "Subject: For {{ lead_name }}\n\nWe met in {{ project }}.",
    )
    .unwrap();
    std::fs::write(own.join("acknowledgment.sv.txt"), "Subject: Tack\n\nHej").unwrap();
    let t = Templates::load(Some(dir.path())).unwrap();
    let autumn = LeadText {
        campaign: "autumn - north".into(),
        ..text()
    };
    let kind = TemplateKind::Acknowledgment;
    assert_eq!(t.lead(kind, EN, &autumn).unwrap().subject, "For Ann Lee");
    assert_eq!(
        t.lead(kind, EN, &text()).unwrap().subject,
        "Thank you for your interest in Riverside"
    );
    // What the campaign has not is taken from the folder above it.
    let nudge = t.lead(TemplateKind::Nudge, EN, &autumn).unwrap();
    assert_eq!(nudge.body, "See Riverside?\n");
    assert!(t.speaks("Autumn - North", Language::Known("sv")));
    assert!(!t.speaks("Spring", Language::Known("sv")));
    assert_eq!(t.campaigns().collect::<Vec<_>>(), ["autumn - north"]);
    // A slash cannot stand in a folder's name.
    assert_eq!(folder_name("Autumn / North"), "Autumn - North");
    assert_eq!(folder_name(".."), "-.");
}

#[test]
fn html_stands_beside_its_text_and_values_are_escaped_in_it() {
    let dir = tempfile::tempdir().unwrap();
    let page = dir.path().join("acknowledgment.html");
    std::fs::write(&page, "<p>Dear {{ lead_name }}</p>").unwrap();
    let e = Templates::load(Some(dir.path())).unwrap_err().to_string();
    assert!(e.contains("put acknowledgment.txt beside it"), "{e}");
    let txt = dir.path().join("acknowledgment.txt");
    std::fs::write(txt, "Subject: Hello\n\nDear {{ lead_name }}").unwrap();
    let t = Templates::load(Some(dir.path())).unwrap();
    let sly = LeadText {
        lead_name: "<b>Ann</b>".into(),
        ..text()
    };
    let done = t.lead(TemplateKind::Acknowledgment, EN, &sly).unwrap();
    assert_eq!(done.body, "Dear <b>Ann</b>\n");
    let html = done.html.unwrap();
    assert!(html.starts_with("<p>Dear &lt;b&gt;Ann"), "{html}");

    std::fs::write(&page, "<p>{{ nobody }}</p>").unwrap();
    let e = Templates::load(Some(dir.path())).unwrap_err().to_string();
    assert!(e.contains("unknown variable nobody"), "{e}");
    std::fs::write(dir.path().join("sales_goal.html"), "x").unwrap();
    let e = Templates::load(Some(dir.path())).unwrap_err().to_string();
    assert!(e.contains("sales_goal.html is not the name"), "{e}");
}

#[test]
fn a_preview_is_filled_with_sample_values_and_names_what_is_not_there() {
    let t = Templates::load(None).unwrap();
    for name in TemplateKind::names() {
        let shown = t.preview(name, "en", "Spring").unwrap();
        assert!(!shown.body.trim().is_empty(), "{name}");
    }
    let e = t.preview("welcome", "en", "").unwrap_err().to_string();
    assert!(e.contains("sales_goal"), "{e}");
    let e = t.preview("nudge", "sv", "").unwrap_err().to_string();
    assert!(e.contains("nudge.sv.txt"), "{e}");
}
