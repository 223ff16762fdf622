//! axe-core's findings on each page (the npm package that ./test installs).

use std::path::Path;

use serde_json::Value;

use crate::browser::Browser;

/// What a page must not have: the levels of axe-core from which on somebody is kept out.
const SERIOUS: [&str; 2] = ["serious", "critical"];

/// Looks at the page that is shown; gives its serious findings, one line each.
#[track_caller]
pub(crate) fn findings(browser: &Browser) -> Vec<String> {
    let file =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("target/npm/node_modules/axe-core/axe.min.js");
    let axe = std::fs::read_to_string(&file)
        .unwrap_or_else(|e| panic!("{}: {e}: ./test installs it", file.display()));
    // WebDriver's scripts are not the page's: its policy does not forbid them.
    browser.run(&axe);
    let got = browser.run_async(
        "const done = arguments[arguments.length - 1];
         axe.run(document, { resultTypes: ['violations'] }).then(
             (r) => done(r.violations.map((v) => [v.impact, v.id, v.help,
                 v.nodes.slice(0, 3).map((n) => n.target.join(' ') + ' ' + (n.failureSummary || '').split('\\n').slice(1, 2).join(' '))])),
             (e) => done([['critical', 'axe', String(e), []]]));",
    );
    let Value::Array(all) = got else {
        panic!("axe-core said {got}");
    };
    all.iter()
        .filter(|v| SERIOUS.iter().any(|level| v[0] == *level))
        .map(ToString::to_string)
        .collect()
}
