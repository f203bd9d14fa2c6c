//! A plan is made with a host that saves nothing, whatever the provider tries.

use async_trait::async_trait;
use axum::http::StatusCode;
use paddock::providers::{
    Finding, Host, Job, NewState, Output, Plan, PostgresProvider, Provider, ProviderError, Resource, StateLock,
    StateOrigin, Target, TargetForm,
};
use serde_json::json;

use crate::api::{create, text};
use crate::support::app::TestApp;
use crate::support::http::Site;

/// Postgres, but its plan writes state, both ways.
struct Writes(PostgresProvider);

#[async_trait]
impl Provider for Writes {
    fn name(&self) -> &'static str {
        self.0.name()
    }

    async fn check(&self) -> Result<(), String> {
        self.0.check().await
    }

    fn target_form(&self) -> &'static TargetForm {
        self.0.target_form()
    }

    async fn check_target(&self, target: &Target) -> Vec<Finding> {
        self.0.check_target(target).await
    }

    async fn plan(&self, _: &Job, host: &dyn Host) -> Result<Plan, ProviderError> {
        let lock = StateLock { id: "plan".to_owned(), info: json!({"ID": "plan"}) };
        assert!(host.lock_state(&lock).await?.is_none());
        let (origin, lineage, bytes) = (StateOrigin::Written, "of a plan", &b"{}"[..]);
        let kept = host.keep_state(NewState { origin, lineage, serial: 1, bytes, lock: &lock.id }).await;
        let saved = host.save_state(b"of a plan").await;
        assert!(kept.is_err(), "a version was kept");
        Err(saved.expect_err("the state was saved"))
    }

    async fn apply(&self, job: &Job, host: &dyn Host) -> Result<(), ProviderError> {
        self.0.apply(job, host).await
    }

    async fn collect(&self, job: &Job, host: &dyn Host) -> Result<(Vec<Output>, Vec<Resource>), ProviderError> {
        self.0.collect(job, host).await
    }

    async fn destroy(&self, job: &Job, host: &dyn Host) -> Result<(), ProviderError> {
        self.0.destroy(job, host).await
    }

    async fn read_back(&self, job: &Job, host: &dyn Host) -> Result<Vec<Resource>, ProviderError> {
        self.0.read_back(job, host).await
    }
}

#[tokio::test]
async fn a_plan_that_wants_to_write_state_fails() {
    let site = Site::start().await;
    let developer = site.client("developer").await;
    let made = developer.post("/api/v1/requests", &create("prod", "orders")).await.expect(StatusCode::CREATED);
    TestApp::plan_by(&site.test.with_provider(Writes(PostgresProvider))).await;
    let now = developer.json(&format!("/api/v1/requests/{}", text(&made, "/id"))).await;
    assert_eq!(text(&now, "/plan/state"), "failed", "{now:#}");
    assert!(text(&now, "/plan/error").contains("which a plan must not do"), "{now:#}");
    assert_eq!(site.number("SELECT count(*) FROM state_version").await, 0);
    assert_eq!(site.number("SELECT count(*) FROM environment WHERE provider_state IS NOT NULL").await, 0);
}
