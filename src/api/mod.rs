//! The API, version 1: the contract between Paddock and every other program.
//!
//! Each area has a file with its routes, its views (what goes out) and nothing else; the use-cases
//! are those of the pages. Every handler takes a [`caller::Caller`], which cannot be made without
//! a credential that reaches far enough, and asks it for permits. Every route stands in
//! [`routes()`] with its `OpenAPI` operation, so none is without one. What goes wrong leaves as
//! problem JSON (RFC 9457), made in [`error`] only.

mod audit;
mod budgets;
mod callbacks;
mod caller;
mod costs;
mod decisions;
mod delegations;
mod drafts;
mod drift;
mod elevations;
mod environments;
mod error;
mod events;
mod extract;
mod health;
mod me;
mod openapi;
mod orphans;
mod outputs;
mod page;
mod policies;
mod prices;
mod projects;
mod queue;
mod quotas;
mod replay;
mod requests;
mod roles;
mod runs;
mod schedules;
mod states;
mod suggestions;
mod targets;
mod templates;
mod trial;
mod verdicts;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::{from_fn, from_fn_with_state};
use tower_http::catch_panic::CatchPanicLayer;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::{App, http};

pub use error::ProblemDocument;
pub use openapi::document;

/// The largest body that is read.
const LONGEST_BODY: usize = 1024 * 1024;

/// The API, ready to be served or merged with the pages: `/api/…`, `/healthz` and `/readyz`.
pub fn router(app: App) -> Router {
    let (router, _) = routes().split_for_parts();
    router
        .method_not_allowed_fallback(error::wrong_method)
        .layer(CatchPanicLayer::custom(error::panicked))
        .layer(DefaultBodyLimit::max(LONGEST_BODY))
        .layer(from_fn(error::in_time))
        .layer(from_fn(error::render))
        .layer(from_fn_with_state(app.clone(), http::security_headers))
        .layer(from_fn_with_state(app.clone(), http::begin))
        .with_state(app)
}

/// The routes of those who look after the platform.
fn admin_routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .merge(policy_routes())
        .routes(routes!(queue::get_queue))
        .routes(routes!(queue::list_workers))
        .routes(routes!(queue::drain_worker))
        .routes(routes!(queue::resume_worker))
        .routes(routes!(queue::set_freeze))
        .routes(routes!(queue::lift_freeze))
        .routes(routes!(queue::close_circuit))
        .routes(routes!(targets::list_target_forms))
        .routes(routes!(targets::list_targets, targets::connect_target))
        .routes(routes!(targets::get_target, targets::change_target, targets::disconnect_target))
        .routes(routes!(targets::check_target))
        .routes(routes!(targets::rotate_target))
        .routes(routes!(targets::bind_target))
        .routes(routes!(targets::unbind_target))
        .routes(routes!(targets::limit_target))
        .routes(routes!(quotas::list_quotas, quotas::add_quota))
        .routes(routes!(delegations::list_delegations, delegations::give_delegation))
        .routes(routes!(delegations::end_delegation))
        .routes(routes!(roles::list_roles, roles::give_role))
        .routes(routes!(roles::get_role, roles::change_role, roles::take_role))
        .routes(routes!(elevations::decide_elevation))
        .routes(routes!(elevations::review_elevation))
        .routes(routes!(quotas::get_quota, quotas::change_quota, quotas::remove_quota))
        .routes(routes!(prices::get_price_book, prices::set_price_book))
        .routes(routes!(prices::import_prices))
        .routes(routes!(prices::export_prices))
        .routes(routes!(prices::list_prices, prices::add_price_item))
        .routes(routes!(prices::get_price, prices::add_price))
        .routes(routes!(orphans::list_orphans))
        .routes(routes!(orphans::list_looks))
        .routes(routes!(orphans::look_now))
        .routes(routes!(orphans::get_orphan))
        .routes(routes!(orphans::adopt_orphan))
        .routes(routes!(orphans::destroy_orphan))
}

/// Every route with its operation.
fn routes() -> OpenApiRouter<App> {
    let v1 = OpenApiRouter::new()
        .routes(routes!(me::get_me))
        .routes(routes!(elevations::list_elevations, elevations::ask_for_role))
        .routes(routes!(elevations::get_elevation, elevations::end_elevation))
        .routes(routes!(templates::list_templates))
        .routes(routes!(templates::get_template))
        .routes(routes!(templates::get_template_version))
        .routes(routes!(projects::list_projects))
        .routes(routes!(projects::get_project))
        .routes(routes!(budgets::get_budget, budgets::set_budget, budgets::remove_budget))
        .routes(routes!(verdicts::ask_verdict))
        .routes(routes!(requests::list_requests, requests::submit_request))
        .routes(routes!(requests::get_request))
        .routes(routes!(requests::review_request))
        .routes(routes!(requests::withdraw_request))
        .routes(routes!(requests::remind_request))
        .routes(routes!(suggestions::suggest_changes))
        .routes(routes!(suggestions::accept_changes))
        .routes(routes!(suggestions::decline_changes))
        .routes(routes!(environments::list_environments))
        .routes(routes!(environments::get_environment))
        .routes(routes!(environments::get_resources))
        .routes(routes!(environments::get_timeline))
        .routes(routes!(costs::get_cost))
        .routes(routes!(costs::get_costs))
        .routes(routes!(costs::get_cost_lines))
        .routes(routes!(schedules::get_schedule, schedules::set_schedule, schedules::delete_schedule))
        .routes(routes!(schedules::skip_stop))
        .routes(routes!(schedules::delay_stop))
        .routes(routes!(drift::hand_over))
        .routes(routes!(drift::get_drift))
        .routes(routes!(drift::check_drift))
        .routes(routes!(drift::accept_drift))
        .routes(routes!(outputs::get_outputs))
        .routes(routes!(states::list_state_versions))
        .routes(routes!(runs::get_run))
        .routes(routes!(runs::get_logs))
        .routes(routes!(runs::cancel_run))
        .routes(routes!(runs::retry_run))
        .routes(routes!(events::follow_run))
        .merge(admin_routes())
        .routes(routes!(callbacks::call_back))
        .routes(routes!(audit::list_audit))
        .routes(routes!(audit::get_audit_record));
    let api =
        OpenApiRouter::new().routes(routes!(openapi::get_document)).nest("/v1", v1).fallback(error::unknown_address);
    OpenApiRouter::with_openapi(openapi::base())
        .routes(routes!(health::healthz))
        .routes(routes!(health::readyz))
        .nest("/api", api)
}

/// The routes of policies.
fn policy_routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(policies::list_policies, policies::draft_policies))
        .routes(routes!(policies::check_policies))
        .routes(routes!(policies::get_policies, policies::write_policies))
        .routes(routes!(replay::replay_policies))
        .routes(routes!(trial::try_policies))
        .routes(routes!(policies::propose_policies))
        .routes(routes!(policies::take_back_policies))
        .routes(routes!(policies::discard_policies))
        .routes(routes!(policies::publish_policies))
}
