//! A person in a Chromium: what they see, click and type. Everything waits until it is possible.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;
use thirtyfour::LoggingPrefsLogLevel;
use thirtyfour::common::command::{Command, ExtensionCommand};
use thirtyfour::components::SelectElement;
use thirtyfour::prelude::*;
use tokio::time::Instant;

use super::stage::Stage;
use crate::support::wait::PATIENCE;

const FLAGS: [&str; 10] = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1440,900",
];

/// A Chromium with a profile of its own.
pub struct Browser {
    /// The driver's session; it is closed when this is dropped.
    pub driver: WebDriver,
    /// What it looks at.
    pub stage: Arc<Stage>,
    /// Whether scripts run.
    pub script: bool,
    /// What the browser and axe said against the pages.
    complaints: Mutex<Vec<String>>,
    address: String,
    _profile: TempDir,
}

impl Browser {
    /// Nobody yet.
    pub async fn open_with(stage: &Arc<Stage>, script: bool) -> Self {
        let profile = tempfile::tempdir().unwrap();
        let mut wishes = DesiredCapabilities::chrome();
        for flag in FLAGS {
            wishes.add_arg(flag).unwrap();
        }
        wishes.add_arg(&format!("--user-data-dir={}", profile.path().display())).unwrap();
        wishes.set_browser_log_level(LoggingPrefsLogLevel::All).unwrap();
        if !script {
            let off = json!({"profile.managed_default_content_settings.javascript": 2});
            wishes.add_experimental_option("prefs", off).unwrap();
        }
        let url = stage.driver().await;
        let address = url.trim_start_matches("http://").to_owned();
        let driver = WebDriver::new(url, wishes).await;
        let driver = driver.unwrap_or_else(|error| panic!("no Chromium (scripts/setup installs one): {error}"));
        Self { driver, stage: Arc::clone(stage), script, complaints: Mutex::default(), address, _profile: profile }
    }

    /// A demo person, signed in by one click.
    pub async fn of(stage: &Arc<Stage>, script: bool, login: &str) -> Self {
        let this = Self::open_with(stage, script).await;
        this.sign_in(login).await;
        this
    }

    /// Signs a demo person in by one click.
    pub async fn sign_in(&self, login: &str) {
        self.open("/sign-in").await;
        self.click(&format!("button[name=person][value={login}]")).await;
        self.until_at("/", |path| path == "/").await;
    }

    /// Signs out by the menu.
    pub async fn sign_out(&self) {
        self.click("summary.menu-person").await;
        self.press("Sign out").await;
        self.until_at("/sign-in", |path| path == "/sign-in").await;
    }

    /// Goes to an address of the product.
    pub async fn open(&self, path: &str) {
        self.driver.goto(format!("{}{path}", self.stage.url)).await.unwrap();
    }

    /// The page again.
    pub async fn reload(&self) {
        self.driver.refresh().await.unwrap();
    }

    /// The path of the address, without its query.
    pub async fn path(&self) -> String {
        self.driver.current_url().await.unwrap().path().to_owned()
    }

    /// Waits until the path is a certain one; returns it.
    pub async fn until_at(&self, what: &str, fits: impl Fn(&str) -> bool) -> String {
        let look = async || Some(self.path().await).filter(|path| fits(path));
        self.until(&format!("the address is {what}"), look).await
    }

    /// The text of everything that fits the selector and is shown, with single spaces; empty when
    /// there is none. Read in one go: between two looks a page may replace its parts.
    pub async fn text(&self, css: &str) -> String {
        let read = "return [...document.querySelectorAll(arguments[0])]
            .filter((one) => one.checkVisibility({ visibilityProperty: true })).map((one) => one.innerText).join(' ')";
        let text = self.driver.execute(read, vec![json!(css)]).await.ok().and_then(|found| found.convert().ok());
        let words: String = text.unwrap_or_default();
        words.split_whitespace().flat_map(|word| [word, " "]).collect()
    }

    /// Waits until the part of the page says this.
    pub async fn see_in(&self, css: &str, words: &str) -> String {
        let look = async || Some(self.text(css).await).filter(|text| text.contains(words));
        self.until(&format!("{css} says “{words}”"), look).await
    }

    /// Waits until the page says this.
    pub async fn see(&self, words: &str) {
        self.see_in("main", words).await;
    }

    /// Waits until the part of the page says this: scripts bring it, or without them a reload.
    pub async fn see_later(&self, css: &str, words: &str) {
        let look = async || {
            if self.text(css).await.contains(words) {
                return Some(());
            }
            if !self.script {
                self.reload().await;
            }
            None
        };
        self.until(&format!("{css} says “{words}” in the end"), look).await;
    }

    /// The first element that is shown.
    pub async fn shown(&self, by: By) -> WebElement {
        self.until(&format!("{by:?} is shown"), async || {
            for element in self.driver.find_all(by.clone()).await.ok()? {
                if element.is_displayed().await.unwrap_or(false) {
                    return Some(element);
                }
            }
            None
        })
        .await
    }

    /// Clicks the first that fits and can be clicked.
    pub async fn click(&self, css: &str) {
        self.click_by(By::Css(css)).await;
    }

    /// Clicks the link or button with these words.
    pub async fn press(&self, label: &str) {
        let words = format!("normalize-space()=\"{label}\" or @aria-label=\"{label}\"");
        self.click_by(By::XPath(format!("//*[self::a or self::button or self::summary][{words}]"))).await;
    }

    /// Goes on in the tab that was opened last, and leaves the others.
    pub async fn follow_to_new_tab(&self) {
        let tabs = self
            .until("a new tab", async || {
                let tabs = self.driver.windows().await.ok()?;
                (tabs.len() > 1).then_some(tabs)
            })
            .await;
        let here = self.driver.window().await.unwrap();
        for tab in tabs.into_iter().filter(|tab| *tab != here) {
            self.driver.switch_to_window(tab).await.unwrap();
        }
    }

    /// Clicks a radio button or a check box by its label.
    pub async fn choose(&self, name: &str, value: &str) {
        let input = format!("input[@name=\"{name}\" and @value=\"{value}\"]");
        self.click_by(By::XPath(format!("//label[descendant::{input}]"))).await;
        let css = format!("input[name=\"{name}\"][value=\"{value}\"]:checked");
        self.until(&format!("{name} is {value}"), async || self.driver.find(By::Css(&css)).await.ok()).await;
    }

    /// Chooses from a list.
    pub async fn select(&self, css: &str, value: &str) {
        let element = self.shown(By::Css(css)).await;
        SelectElement::new(&element).await.unwrap().select_by_value(value).await.unwrap();
    }

    /// The same by another way to find it.
    pub async fn click_by(&self, by: By) {
        self.until(&format!("{by:?} can be clicked"), async || {
            for element in self.driver.find_all(by.clone()).await.ok()? {
                let ready =
                    element.is_displayed().await.unwrap_or(false) && element.is_enabled().await.unwrap_or(false);
                if ready && element.click().await.is_ok() {
                    return Some(());
                }
                // It may lie below the bar on top.
                element.scroll_into_view().await.ok();
            }
            None
        })
        .await;
    }

    /// Empties the field and types.
    pub async fn fill(&self, css: &str, text: &str) {
        // As a person does it: into the field, all of it marked, and over it. WebDriver's own "clear"
        // leaves the field and makes it count as untouched.
        self.click(css).await;
        let element = self.shown(By::Css(css)).await;
        element.send_keys(Key::Control + "a").await.unwrap();
        element.send_keys(text).await.unwrap();
    }

    /// What stands in a field.
    pub async fn value(&self, css: &str) -> String {
        self.shown(By::Css(css)).await;
        let value = "return document.querySelector(arguments[0]).value";
        self.driver.execute(value, vec![json!(css)]).await.unwrap().convert().unwrap()
    }

    /// An attribute of the first that fits.
    pub async fn attribute(&self, css: &str, name: &str) -> Option<String> {
        let read = "return document.querySelector(arguments[0])?.getAttribute(arguments[1]) ?? null";
        self.driver.execute(read, vec![json!(css), json!(name)]).await.unwrap().convert().unwrap()
    }

    /// Types into whatever has the focus.
    pub async fn keys(&self, keys: impl Into<thirtyfour::TypingData>) {
        self.driver.action_chain().send_keys(keys).perform().await.unwrap();
    }

    /// The value of a script, which runs also where the page's own do not.
    pub async fn eval(&self, script: &str) -> Value {
        self.driver.execute(script.to_owned(), Vec::new()).await.unwrap().json().clone()
    }

    /// A command of Chromium's own protocol.
    pub async fn command(&self, name: &str, parameters: Value) -> Value {
        let command = Cdp(json!({"cmd": name, "params": parameters}));
        self.driver.cmd(Command::ExtensionCommand(Box::new(command))).await.unwrap().value().unwrap()
    }

    /// Looks again and again until there is something.
    pub async fn until<T>(&self, what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(found) = look().await {
                return found;
            }
            if Instant::now() > deadline {
                self.fail(&format!("waited {} s in vain: {what}", PATIENCE.as_secs())).await;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Fails with all that helps to understand.
    pub async fn fail(&self, why: &str) -> ! {
        let url = self.driver.current_url().await.map(|url| url.to_string()).unwrap_or_default();
        let picture = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("browser-{}.png", std::process::id()));
        self.driver.screenshot(&picture).await.ok();
        let text = match self.driver.find(By::Css("body")).await {
            Ok(body) => body.text().await.unwrap_or_default(),
            Err(error) => error.to_string(),
        };
        let log = self.driver.browser_log().await.unwrap_or_default();
        let said = self.stage.said();
        let tail: Vec<&str> = said.lines().rev().take(20).collect();
        panic!(
            "{why}\nat {url}\npicture: {}\n--- page\n{text}\n--- console\n{log:#?}\n--- paddock, newest first\n{}",
            picture.display(),
            tail.join("\n")
        );
    }

    /// Something is wrong with a page; the test goes on, and fails at its end.
    pub fn complain(&self, text: String) {
        self.complaints.lock().unwrap().push(text);
    }

    /// Takes what the browser complained of since the last call. `expected`: answers such as 422
    /// that the test asked for, which Chromium reports, too.
    pub async fn listen(&self, expected: &[&str]) {
        for entry in self.driver.browser_log().await.unwrap() {
            let bad = entry.level == "SEVERE" || entry.message.contains("Content Security Policy");
            if bad && !expected.iter().any(|part| entry.message.contains(part)) {
                self.complain(format!("console: {}", entry.message));
            }
        }
    }

    /// Nobody complained, and the product tells of no defect.
    pub async fn no_complaints(&self, expected: &[&str]) {
        self.listen(expected).await;
        let complaints = self.complaints.lock().unwrap().clone();
        assert!(complaints.is_empty(), "{}", complaints.join("\n"));
        let said = self.stage.said();
        let bad = ["content security policy report", " ERROR ", "panicked"];
        let found: Vec<&str> = said.lines().filter(|line| bad.iter().any(|part| line.contains(part))).collect();
        assert!(found.is_empty(), "the product has a defect: {found:#?}");
    }
}

impl Drop for Browser {
    /// Closes the session by hand: the driver's own client waits for a runtime that this blocks.
    fn drop(&mut self) {
        let session = self.driver.session_id().to_string();
        if let Ok(mut stream) = TcpStream::connect(&self.address) {
            let request =
                format!("DELETE /session/{session} HTTP/1.1\r\nHost: {0}\r\nConnection: close\r\n\r\n", self.address);
            stream.set_read_timeout(Some(PATIENCE)).ok();
            // The driver answers when Chromium is gone; it does not close the connection.
            let sent = stream.write_all(request.as_bytes());
            sent.and_then(|()| stream.read(&mut [0; 1024])).ok();
        }
        self.driver.clone().leak().ok();
    }
}

#[derive(Debug)]
struct Cdp(Value);

impl ExtensionCommand for Cdp {
    fn parameters_json(&self) -> Option<Value> {
        Some(self.0.clone())
    }

    fn method(&self) -> http::Method {
        http::Method::POST
    }

    fn endpoint(&self) -> Arc<str> {
        "/goog/cdp/execute".into()
    }
}
