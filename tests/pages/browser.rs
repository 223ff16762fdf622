//! A browser of its own for each test: chromedriver on a port of ours, a profile in a temp folder.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use fantoccini::key::Key;
use fantoccini::{Client, ClientBuilder, Locator};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::common::PATIENCE;
use crate::common::janitor::Janitor;
use crate::common::ports::Port;

/// How often a page is looked at while something is waited for.
const LOOK: Duration = Duration::from_millis(50);

/// See the file.
#[derive(Debug)]
pub(crate) struct Browser {
    client: Client,
    runtime: Runtime,
    driver: Child,
    base: String,
    _port: Port,
    _profile: TempDir,
    _janitor: Janitor,
}

impl Browser {
    /// Starts one that looks at `base`, such as `http://127.0.0.1:8025`.
    #[track_caller]
    pub(crate) fn start(base: &str) -> Self {
        let (port, profile) = (Port::reserve(), tempfile::tempdir().expect("A folder"));
        let driver = Command::new("chromedriver")
            .arg(format!("--port={}", port.number()))
            .env("HOME", profile.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("Start chromedriver: install chromium-driver, as ./test does");
        let janitor = Janitor::watch("kill \"$1\"", &driver.id().to_string());
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("Start a runtime");
        let args: Vec<String> = [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--disable-dev-shm-usage",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--window-size=1200,900",
        ]
        .map(str::to_owned)
        .into_iter()
        .chain([format!("--user-data-dir={}", profile.path().display())])
        .collect();
        let wanted = json!({
            "goog:chromeOptions": { "args": args },
            "goog:loggingPrefs": { "browser": "ALL" },
        });
        let url = format!("http://127.0.0.1:{}", port.number());
        let client = runtime.block_on(async {
            let until = Instant::now() + PATIENCE;
            loop {
                let Value::Object(wanted) = wanted.clone() else {
                    unreachable!("it is an object")
                };
                match ClientBuilder::new(hyper_util::client::legacy::connect::HttpConnector::new())
                    .capabilities(wanted)
                    .connect(&url)
                    .await
                {
                    Ok(client) => break client,
                    Err(e) if Instant::now() > until => panic!("No browser: {e}"),
                    Err(_) => tokio::time::sleep(LOOK).await,
                }
            }
        });
        Self {
            client,
            runtime,
            driver,
            base: base.to_owned(),
            _port: port,
            _profile: profile,
            _janitor: janitor,
        }
    }

    /// Opens a page.
    #[track_caller]
    pub(crate) fn open(&self, path: &str) {
        let url = format!("{}{path}", self.base);
        self.runtime
            .block_on(self.client.goto(&url))
            .unwrap_or_else(|e| panic!("Open {path}: {e}"));
    }

    /// The path of the page that is shown.
    #[track_caller]
    pub(crate) fn path(&self) -> String {
        let url = self.runtime.block_on(self.client.current_url());
        url.expect("An address").path().to_owned()
    }

    /// What a script of the test gives back.
    #[track_caller]
    pub(crate) fn run(&self, script: &str) -> Value {
        self.runtime
            .block_on(self.client.execute(script, Vec::new()))
            .unwrap_or_else(|e| panic!("Run {script:.80}: {e}"))
    }

    /// The same for one that calls the last argument when it is done.
    #[track_caller]
    pub(crate) fn run_async(&self, script: &str) -> Value {
        self.runtime
            .block_on(self.client.execute_async(script, Vec::new()))
            .unwrap_or_else(|e| panic!("Run {script:.80}: {e}"))
    }

    /// Waits until a script of the test gives back what counts as true.
    #[track_caller]
    pub(crate) fn wait(&self, what: &str, script: &str) {
        let until = Instant::now() + PATIENCE;
        loop {
            // In the middle of a change of pages there is nothing to ask.
            let got = self.runtime.block_on(
                self.client
                    .execute(&format!("return !!({script})"), Vec::new()),
            );
            if matches!(got, Ok(Value::Bool(true))) {
                return;
            }
            assert!(
                Instant::now() < until,
                "{what} did not come; the page is {}:\n{}",
                self.path(),
                self.text()
            );
            std::thread::park_timeout(LOOK);
        }
    }

    /// Waits for a text on the page.
    #[track_caller]
    pub(crate) fn wait_for(&self, text: &str) {
        let script = format!("document.body.innerText.includes({})", json!(text));
        self.wait(&format!("{text:?}"), &script);
    }

    /// All text that is shown.
    #[track_caller]
    pub(crate) fn text(&self) -> String {
        let text = self.run("return document.body ? document.body.innerText : ''");
        text.as_str().unwrap_or_default().to_owned()
    }

    /// Clicks on what a CSS selector names.
    #[track_caller]
    pub(crate) fn click(&self, css: &str) {
        let client = self.client.clone();
        self.runtime
            .block_on(async move { client.find(Locator::Css(css)).await?.click().await })
            .unwrap_or_else(|e| panic!("Click {css}: {e}"));
    }

    /// Replaces the text of a field.
    #[track_caller]
    pub(crate) fn fill(&self, css: &str, text: &str) {
        self.runtime
            .block_on(async {
                let field = self.client.find(Locator::Css(css)).await?;
                field.clear().await?;
                field.send_keys(text).await
            })
            .unwrap_or_else(|e| panic!("Fill {css}: {e}"));
    }

    /// Presses keys where the focus is.
    #[track_caller]
    pub(crate) fn press(&self, keys: &str) {
        self.runtime
            .block_on(async { self.client.active_element().await?.send_keys(keys).await })
            .unwrap_or_else(|e| panic!("Press {keys:?}: {e}"));
    }

    /// Presses Tab until what a CSS selector names has the focus.
    #[track_caller]
    pub(crate) fn tab_to(&self, css: &str) {
        let here = format!("return document.activeElement.matches({})", json!(css));
        for _ in 0..120 {
            if self.run(&here) == Value::Bool(true) {
                return;
            }
            self.press(&Key::Tab.to_string());
        }
        panic!("Tab never comes to {css}:\n{}", self.text());
    }

    /// Light or dark, as the system would say it.
    #[track_caller]
    pub(crate) fn theme(&self, theme: &str) {
        self.devtools(
            "Emulation.setEmulatedMedia",
            &json!({ "features": [{ "name": "prefers-color-scheme", "value": theme }] }),
        );
    }

    /// As wide and high as a phone, or as a screen.
    #[track_caller]
    pub(crate) fn size(&self, width: u32, height: u32) {
        self.devtools(
            "Emulation.setDeviceMetricsOverride",
            &json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false }),
        );
    }

    /// A command of the DevTools protocol, by chromedriver's own endpoint.
    #[track_caller]
    fn devtools(&self, command: &'static str, params: &Value) {
        let ask = DevTools {
            command,
            params: params.clone(),
        };
        self.runtime
            .block_on(self.client.issue_cmd(ask))
            .unwrap_or_else(|e| panic!("{command}: {e}"));
    }

    /// Addresses of everything that the page has loaded, frames aside.
    #[track_caller]
    pub(crate) fn loaded(&self) -> Vec<String> {
        let names = self.run(
            "return performance.getEntriesByType('resource').concat(performance.getEntriesByType('navigation')).map((e) => e.name)",
        );
        serde_json::from_value(names).expect("Names")
    }

    /// Bytes of the page with its style sheet, script and icon, as they are sent.
    #[track_caller]
    pub(crate) fn weight(&self) -> u64 {
        let bytes = self.run(
            "return performance.getEntriesByType('resource').concat(performance.getEntriesByType('navigation')).reduce((n, e) => n + e.decodedBodySize, 0)",
        );
        bytes.as_u64().expect("Bytes")
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let closed = self.runtime.block_on(self.client.clone().close());
        if let Err(e) = closed {
            eprintln!("The browser was not closed: {e}");
        }
        if self.driver.kill().is_ok() && self.driver.wait().is_err() {
            eprintln!("chromedriver could not be waited for");
        }
    }
}

/// What joining addresses may meet.
type ParseError = <reqwest::Url as std::str::FromStr>::Err;

/// `POST /session/{id}/goog/cdp/execute`.
#[derive(Debug)]
struct DevTools {
    command: &'static str,
    params: Value,
}

impl fantoccini::wd::WebDriverCompatibleCommand for DevTools {
    fn endpoint(
        &self,
        base_url: &reqwest::Url,
        session_id: Option<&str>,
    ) -> Result<reqwest::Url, ParseError> {
        let session = session_id.unwrap_or_default();
        base_url.join(&format!("session/{session}/goog/cdp/execute"))
    }

    fn method_and_body(&self, _: &reqwest::Url) -> (axum::http::Method, Option<String>) {
        let body = json!({ "cmd": self.command, "params": self.params });
        (axum::http::Method::POST, Some(body.to_string()))
    }
}
