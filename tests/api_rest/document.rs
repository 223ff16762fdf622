//! The OpenAPI document.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::client::{run, token};
use crate::common::desk::Desk;
use crate::world;

#[test]
fn the_document_is_the_one_that_is_kept_and_its_viewer_loads_nothing_from_elsewhere() {
    let desk = Desk::known(1);
    let (_running, web) = run(&desk.replyd, &[]);
    let served = web.get("/api/openapi.json").assert(200).json();
    let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/openapi.json");
    let kept = std::fs::read_to_string(kept).unwrap_or_default();
    let kept: Value = serde_json::from_str(&kept).unwrap_or_default();
    assert!(
        served == kept,
        "docs/openapi.json is not what is served; take over what GET /api/openapi.json answers"
    );
    let page = web.get("/api/docs/");
    page.assert(200);
    let policy = page.header("content-security-policy");
    assert!(policy.contains("script-src 'self';"), "{policy}");
    assert!(!page.body.contains("https://"), "{}", page.body);
    let script = web.get("/api/docs/swagger-ui-bundle.js");
    assert!(script.assert(200).body.len() > 100_000);
    let start = web.get("/api/docs/swagger-initializer.js");
    assert!(start.assert(200).body.contains("/api/openapi.json"));
}

/// The requests that schemathesis (PyPI) makes of the document: no 5xx, no answer that the document
/// does not know.
#[test]
fn long_no_request_that_the_document_allows_fails_or_is_answered_otherwise() {
    let w = world(&[]);
    let token = token(&w.desk.replyd, &["--name", "probe", "--scope", "admin"]);
    let place = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/schemathesis-venv");
    let tool = place.join("bin/schemathesis");
    if !tool.exists() {
        let made = Command::new("python3")
            .args(["-m", "venv"])
            .arg(&place)
            .status();
        assert!(made.unwrap().success());
        let pip = Command::new(place.join("bin/pip"))
            .args(["install", "-q", "schemathesis==4.32.5"])
            .status();
        assert!(pip.unwrap().success());
    }
    let out = Command::new(tool)
        .args(["run", &format!("http://{}/api/openapi.json", w.web.address)])
        .args(["--header", &format!("Authorization: Bearer {token}")])
        .args(["--checks", "not_a_server_error,response_schema_conformance,status_code_conformance,content_type_conformance"])
        // Events do not end; what the predecessor generated is 501 on purpose.
        .args(["--exclude-path", "/api/events"])
        .args(["--exclude-path-regex", "/(generate-messages|regenerate-and-send)$"])
        .args(["--max-examples", "30", "--seed", "7"])
        .args(["--phases", "examples,coverage,fuzzing", "--request-timeout", "60"])
        .current_dir(w.desk.replyd.database().parent().unwrap())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&out.stdout);
    println!("{text}");
    assert!(
        out.status.success(),
        "{text}{}",
        String::from_utf8_lossy(&out.stderr)
    );
}
