//! The main job from end to end: a developer gets a database in production, with a lead's approval,
//! uses it, extends it and deletes it; an auditor finds every step.

use std::sync::Arc;

use sqlx::{Connection as _, Executor as _, PgConnection};

use super::browser::Browser;
use super::stage::Stage;

#[tokio::test]
async fn a_database_in_production_with_scripts() {
    Play::new(true, "payments", "ledger-db").await.act().await;
}

#[tokio::test]
async fn a_database_in_production_without_scripts() {
    Play::new(false, "storefront", "basket-db").await.act().await;
}

/// Who is on the stage.
struct Play {
    stage: Arc<Stage>,
    developer: Browser,
    lead: Browser,
    script: bool,
    project: &'static str,
    name: &'static str,
}

impl Play {
    async fn new(script: bool, project: &'static str, name: &'static str) -> Self {
        let stage = Stage::get().await;
        let developer = Browser::of(&stage, script, "developer").await;
        let lead = Browser::of(&stage, script, "lead").await;
        Self { stage, developer, lead, script, project, name }
    }

    async fn act(self) {
        self.request().await;
        let held = self.stage.hold_new_roles().await;
        self.approve("The ledger goes live on Monday.", "approval").await;
        let environment = {
            self.developer.see_later(".page-actions", "Run").await;
            self.developer.press("Run").await;
            self.developer.until_at("a run", |path| path.starts_with("/runs/run_")).await;
            self.watch(held).await
        };
        let url = self.reveal(&environment).await;
        use_it(&url).await;
        self.extend(&environment).await;
        self.delete(&environment, &url).await;
        self.audit(&environment).await;
        self.developer.no_complaints(&["status of 422"]).await;
        self.lead.no_complaints(&[]).await;
    }

    /// axe runs as a script of the page.
    async fn inspect(&self, who: &Browser, name: &str) {
        if self.script {
            who.inspect(name).await;
        }
    }

    /// From the catalog to a request that waits, seeing the verdict change.
    async fn request(&self) {
        let b = &self.developer;
        self.inspect(b, "home-empty").await;
        b.press("Catalog").await;
        b.until_at("the catalog", |path| path == "/catalog").await;
        b.see("Postgres database").await;
        self.inspect(b, "catalog").await;
        b.press("Postgres database").await;
        b.until_at("the template", |path| path == "/catalog/postgres-database").await;
        self.inspect(b, "template").await;
        b.press("Request").await;
        b.until_at("the form", |path| path == "/catalog/postgres-database/request").await;
        // By a link of its own: tests that run at the same time share people, and these have drafts.
        b.open(&format!("/catalog/postgres-database/request?test={}", self.name)).await;
        b.select("#f-project", self.project).await;
        self.check_if_needed().await;
        b.choose("environment_type", "dev").await;
        self.check_if_needed().await;
        b.see_in("#verdict", "Nobody has to agree").await;
        b.choose("environment_type", "prod").await;
        self.check_if_needed().await;
        let verdict = b.see_in("#verdict", "Needs one approval").await;
        for part in ["a lead of the project who is not the requester must approve", "Lee Okafor", "of 5", "Ends"] {
            assert!(verdict.contains(part), "“{part}” is not in the verdict: {verdict}");
        }
        let [before, after] = quota(&b.text("#verdict .verdict-quota").await);
        assert_eq!(after, before + 1, "{verdict}");
        assert!(b.attribute("#verdict .verdict-time time", "datetime").await.is_some(), "{verdict}");
        b.choose("inputs/size", "medium").await;
        b.fill("#f-name", self.name).await;
        b.fill("#f-reason", "Checkout needs a ledger of its own.").await;
        // The verdict that typing asked for must have come, so that the pictures show it.
        b.see_in("#verdict", "Needs one approval").await;
        assert_eq!(b.value("#f-name").await, self.name);
        self.inspect(b, "request-form").await;
        b.click("#verdict .verdict-foot button[data-busy], #verdict .verdict-bar button").await;
        b.until_at("the request", |path| path.starts_with("/requests/req_")).await;
        b.see_later("#live", "Waits for Lee Okafor").await;
        self.inspect(b, "request-waiting").await;
    }

    /// Without scripts the verdict comes by a button.
    async fn check_if_needed(&self) {
        if !self.script {
            self.developer.press("Check").await;
            self.developer.until_at("the form", |path| path.ends_with("/request") || path.ends_with("/extend")).await;
        }
    }

    /// The lead finds it in the inbox and approves.
    async fn approve(&self, reason: &str, picture: &str) {
        let b = &self.lead;
        b.open("/approvals").await;
        b.see(self.name).await;
        self.inspect(b, &format!("{picture}-list")).await;
        let link = format!("//a[contains(@class, 'row-link')][contains(., '{}')]", self.name);
        b.click_by(thirtyfour::By::XPath(link)).await;
        b.until_at("the approval", |path| path.starts_with("/approvals/req_")).await;
        b.see("Dana Reyes").await;
        b.see("Your review").await;
        b.fill("#f-reason", reason).await;
        self.inspect(b, picture).await;
        b.press("Approve").await;
        b.see("pproved").await;
    }

    /// Steps and lines come while the developer looks. Returns the environment's address.
    async fn watch(&self, held: super::stage::HeldRoles) -> String {
        let b = &self.developer;
        b.see_later(".page-title", "Running").await;
        b.see_later("#log", "role").await;
        if self.script {
            b.inspect("run-live").await;
            b.eval("window.stillTheSamePage = true").await;
        }
        let lines_before = b.driver.find_all(thirtyfour::By::Css(".log-line")).await.unwrap().len();
        held.release().await;
        b.see_later(".page-title", "Succeeded").await;
        let lines = b.driver.find_all(thirtyfour::By::Css(".log-line")).await.unwrap().len();
        assert!(lines > lines_before, "{lines} lines of log, {lines_before} before");
        let steps = b.text("#run-steps").await;
        assert!(steps.contains("5 of 5 done") && steps.contains("Apply"), "the steps are {steps}");
        if self.script {
            assert_eq!(b.eval("return window.stillTheSamePage").await, true, "the page was loaded again");
            b.inspect("run").await;
        }
        let link = b.attribute("main a[href^='/environments/env_']", "href").await.unwrap();
        b.open(&link).await;
        b.see_later(".page-title", "Ready").await;
        link
    }

    /// The connection URL, which is masked at first.
    async fn reveal(&self, environment: &str) -> String {
        let b = &self.developer;
        assert!(!b.text("#outputs").await.contains("postgres://"), "a secret is shown before anybody asked");
        self.inspect(b, "environment").await;
        b.press("Show url (this is recorded)").await;
        let row = "//dl[contains(@class, 'outputs')]/div[dt[normalize-space()='url']]/dd[contains(@class, 'mono')]";
        let url = b.shown(thirtyfour::By::XPath(row)).await.text().await.unwrap();
        assert!(url.starts_with("postgres"), "{url}");
        self.inspect(b, "environment-revealed").await;
        b.open(environment).await;
        assert!(!b.text("#outputs").await.contains(&url), "a secret stays after the page was left");
        url
    }

    /// A longer life in production needs the lead again.
    async fn extend(&self, environment: &str) {
        let b = &self.developer;
        let end = self.end().await;
        b.press("Extend").await;
        b.until_at("the form", |path| path.ends_with("/extend")).await;
        b.select("#f-lifetime", "90d").await;
        self.check_if_needed().await;
        b.see_in("#verdict", "Needs one approval").await;
        b.fill("#f-reason", "The launch moved.").await;
        self.inspect(b, "extend-form").await;
        b.click("#verdict .verdict-foot button[data-busy], #verdict .verdict-bar button").await;
        b.until_at("the request", |path| path.starts_with("/requests/req_")).await;
        self.approve("Fine.", "approval-extend").await;
        b.until("the page says another end", async || {
            b.open(environment).await;
            (self.end().await != end).then_some(())
        })
        .await;
    }

    /// When the environment ends, as its page says.
    async fn end(&self) -> String {
        self.developer.see_in(".next-event", "elete").await
    }

    /// By typing its name; the database is gone afterwards.
    async fn delete(&self, environment: &str, url: &str) {
        let b = &self.developer;
        b.open(environment).await;
        b.press("Delete…").await;
        b.until_at("the last question", |path| path.ends_with("/delete")).await;
        self.inspect(b, "delete").await;
        b.fill("#f-name", "something-else").await;
        if self.script {
            assert!(!b.shown(thirtyfour::By::Css("#destroy")).await.is_enabled().await.unwrap());
        } else {
            b.click("#destroy").await;
            b.see("One thing needs a change").await;
        }
        PgConnection::connect(url).await.unwrap().close().await.unwrap();
        b.fill("#f-name", self.name).await;
        b.click("#destroy").await;
        b.until_at("somewhere else", |path| !path.ends_with("/delete")).await;
        b.open(environment).await;
        b.see_later(".page-title", "Deleted").await;
        let refused = PgConnection::connect(url).await;
        assert!(refused.is_err(), "the database is still there");
        self.inspect(b, "environment-deleted").await;
    }

    /// Every step is in the audit log, and each record can be opened.
    async fn audit(&self, environment: &str) {
        let b = &self.lead;
        b.sign_out().await;
        b.sign_in("auditor").await;
        b.press("Audit").await;
        b.until_at("the audit log", |path| path == "/audit").await;
        self.inspect(b, "audit").await;
        b.fill("#f-object", environment.rsplit_once('/').unwrap().1).await;
        b.press("Search").await;
        b.see_in(".chips, .filter-bar, main", self.name).await;
        let actions = b.text(".audit-rows .act").await;
        for action in [
            "request.submitted",
            "request.reviewed",
            "request.approved",
            "environment.requested",
            "run.started",
            "environment.ready",
            "output.revealed",
            "environment.extended",
            "environment.deleted",
            "request.succeeded",
        ] {
            assert!(actions.split_whitespace().any(|found| found == action), "{action} is not among {actions}");
        }
        b.click(".audit-rows li:last-child a").await;
        b.until_at("a record", |path| path.starts_with("/audit/aud_")).await;
        b.see("This record can't be changed or removed").await;
        b.see(self.name).await;
        self.inspect(b, "audit-record").await;
    }
}

/// A real client works with the database.
async fn use_it(url: &str) {
    let mut connection = PgConnection::connect(url).await.unwrap();
    connection.execute("CREATE TABLE entry (amount bigint NOT NULL)").await.unwrap();
    connection.execute("INSERT INTO entry SELECT generate_series(1, 4)").await.unwrap();
    let sum: i64 =
        sqlx::query_scalar("SELECT sum(amount)::bigint FROM entry").fetch_one(&mut connection).await.unwrap();
    assert_eq!(sum, 10);
    connection.close().await.unwrap();
}

/// The first two numbers.
fn quota(text: &str) -> [u64; 2] {
    let mut numbers = text.split_whitespace().filter_map(|word| word.parse().ok());
    [numbers.next().unwrap_or_else(|| panic!("{text}")), numbers.next().unwrap_or_else(|| panic!("{text}"))]
}
