//! Every page with its address, and the layers around them.
//!
//! From the outside in: operation id and log line, security headers, compression, error pages,
//! body limit, time-out, panics, the cross-site guard, and for most pages the session.

use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;
use tower_http::limit::RequestBodyLimitLayer;
use tower_http::timeout::TimeoutLayer;

use super::requests::form;
use super::{
    admin, approvals, assets, audit, catalog, costs, environments, gate, orphans, policies, preferences, prices,
    problem, queue, quotas, reports, requests, roles, runs, search, targets, urls, visitor,
};
use crate::app::App;
use crate::app::http::{begin, security_headers};

/// The largest body that a page takes.
const BODY_LIMIT: usize = 1024 * 1024;
/// How long an answer may take; streams are not bound by it.
const TIME_OUT: Duration = Duration::from_secs(30);

/// The pages.
pub fn router(app: App) -> Router {
    let time_out = TimeoutLayer::with_status_code(StatusCode::SERVICE_UNAVAILABLE, TIME_OUT);
    let require = from_fn_with_state(app.clone(), visitor::require);
    let pages = Router::new().merge(pages().layer(require.clone())).merge(gate()).layer(time_out);
    let texts = Router::new().route(urls::RUN_LOG, get(runs::text)).route(urls::COSTS_CSV, get(costs::csv));
    let texts = texts.layer(require.clone());
    let pages = pages.merge(texts).fallback(problem::not_found);
    // Events are not compressed, and the layer would keep room for an encoder beside each reader.
    let events = Router::new().route(urls::RUN_EVENTS, get(runs::follow)).layer(require);
    Router::new()
        .merge(around(&app, pages, unguarded()).layer(CompressionLayer::new()))
        .merge(around(&app, events, Router::new()))
        .layer(from_fn_with_state(app.clone(), security_headers))
        .layer(from_fn_with_state(app.clone(), begin))
        .with_state(app)
}

/// The layers that hold mishaps: what is not allowed, too large, or panics.
fn around(app: &App, guarded: Router<App>, unguarded: Router<App>) -> Router<App> {
    guarded
        .layer(from_fn_with_state(app.clone(), problem::guard))
        .merge(unguarded)
        .layer(CatchPanicLayer::custom(problem::panicked))
        .layer(RequestBodyLimitLayer::new(BODY_LIMIT))
        .layer(from_fn_with_state(app.clone(), problem::show))
}

/// Pages for people who are signed in.
fn pages() -> Router<App> {
    Router::new()
        .merge(administration())
        .route(urls::HOME, get(super::home::page))
        .route(urls::SEARCH, get(search::page))
        .route(urls::PREFERENCES, get(preferences::page))
        .route(urls::WHY, get(super::why::page))
        .route(urls::OWN_ROLES, get(roles::own_page).post(roles::ask))
        .route(urls::OWN_ROLE_END, post(roles::end_own))
        .route(urls::TOKENS, get(preferences::tokens::show).post(preferences::tokens::make))
        .route(urls::TOKEN_REVOKE, post(preferences::tokens::revoke))
        .route(urls::DELEGATIONS, get(preferences::delegations::show).post(preferences::delegations::give))
        .route(urls::DELEGATION_END, post(preferences::delegations::end))
        .route(urls::CATALOG, get(catalog::list_page))
        .route(urls::TEMPLATE, get(catalog::template_page))
        .route(urls::TEMPLATE_REQUEST, get(form::show_create).post(form::post_create))
        .route(urls::REQUESTS, get(requests::list::page))
        .route(urls::REQUEST, get(requests::detail::page))
        .route(urls::REQUEST_WITHDRAW, post(requests::detail::withdraw))
        .route(urls::REQUEST_REMIND, post(requests::remind::remind))
        .route(urls::APPROVALS, get(approvals::list::page))
        .route(urls::APPROVAL, get(approvals::review::page).post(approvals::review::post))
        .route(urls::APPROVAL_CHANGES, get(approvals::changes::page).post(approvals::changes::post))
        .route(urls::SUGGESTION_ACCEPT, post(requests::suggestions::accept))
        .route(urls::SUGGESTION_DECLINE, post(requests::suggestions::decline))
        .route(urls::ENVIRONMENTS, get(environments::list_page))
        .route(urls::ENVIRONMENTS_CSV, get(environments::csv))
        .route(urls::ENVIRONMENT, get(environments::page))
        .route(urls::ENVIRONMENT_REVEAL, post(environments::reveal))
        .route(urls::ENVIRONMENT_POWER, post(environments::power))
        .route(urls::ENVIRONMENT_SCHEDULE, get(environments::schedule_page).post(environments::schedule_post))
        .route(urls::ENVIRONMENT_STOP_SKIP, post(environments::schedule_skip))
        .route(urls::ENVIRONMENT_STOP_DELAY, post(environments::schedule_delay))
        .route(urls::ENVIRONMENT_CONNECT, get(environments::connect))
        .route(urls::ENVIRONMENT_DELETE, get(environments::delete_page).post(environments::delete_post))
        .route(urls::ENVIRONMENT_DRIFT_CHECK, post(environments::drift::check))
        .route(urls::ENVIRONMENT_DRIFT_ACCEPT, post(environments::drift::accept))
        .route(urls::ENVIRONMENT_HAND_OVER, post(environments::handover::hand_over))
        .route(urls::ENVIRONMENT_REAPPLY, post(environments::drift::reapply))
        .route(urls::COSTS, get(costs::page))
        .route(urls::COSTS_BUDGET, get(costs::budget::page).post(costs::budget::change))
        .route(urls::COSTS_BUDGET_REMOVE, post(costs::budget::remove))
        .route(urls::AUDIT, get(audit::list_page))
        .route(urls::AUDIT_RECORD, get(audit::page))
        .route(urls::RUN, get(runs::page))
        .route(urls::RUN_CANCEL, post(runs::cancel))
        .route(urls::RUN_RETRY, post(runs::retry))
        .route(urls::ENVIRONMENT_UPDATE, get(form::show_update).post(form::post_update))
        .route(urls::ENVIRONMENT_ACT, get(form::show_act).post(form::post_act))
        .route(urls::ENVIRONMENT_EXTEND, get(form::show_extend).post(form::post_extend))
}

/// Pages of those who look after the platform.
fn administration() -> Router<App> {
    Router::new()
        .route(urls::ADMIN_CATALOG, get(admin::catalog::show).post(admin::catalog::add))
        .route(urls::ADMIN_CATALOG_SYNC, post(admin::catalog::sync))
        .route(urls::ADMIN_QUEUE, get(queue::page))
        .route(urls::ADMIN_FREEZES, post(queue::set))
        .route(urls::ADMIN_FREEZE_LIFT, post(queue::lift))
        .route(urls::ADMIN_CIRCUIT_CLOSE, post(queue::close_circuit))
        .route(urls::ADMIN_WORKERS, get(queue::workers_page))
        .route(urls::ADMIN_WORKER_DRAIN, post(queue::drain))
        .route(urls::ADMIN_WORKER_RESUME, post(queue::resume))
        .route(urls::ADMIN_TARGETS, get(targets::list_page))
        .route(urls::ADMIN_TARGET_NEW, get(targets::connect::show).post(targets::connect::post))
        .route(urls::ADMIN_TARGET, get(targets::page::show))
        .route(urls::ADMIN_TARGET_EDIT, get(targets::edit::show).post(targets::edit::post))
        .route(urls::ADMIN_TARGET_CHECK, post(targets::act::check))
        .route(urls::ADMIN_TARGET_ROTATE, post(targets::act::rotate))
        .route(urls::ADMIN_TARGET_BIND, post(targets::act::bind))
        .route(urls::ADMIN_TARGET_UNBIND, post(targets::act::unbind))
        .route(urls::ADMIN_TARGET_LIMITS, post(targets::act::limit))
        .route(urls::ADMIN_TARGET_DISCONNECT, post(targets::act::disconnect))
        .route(urls::ADMIN_ROLES, get(roles::list_page))
        .route(urls::ADMIN_ROLES_ASKED, get(roles::asked_list))
        .route(urls::ADMIN_ROLE_ASKED, get(roles::asked_page))
        .route(urls::ADMIN_ROLE_DECIDE, post(roles::decide))
        .route(urls::ADMIN_ROLE_REVIEW, post(roles::review))
        .route(urls::ADMIN_ROLE_NEW, get(roles::give_page).post(roles::give))
        .route(urls::ADMIN_ROLE, get(roles::page).post(roles::change))
        .route(urls::ADMIN_ROLE_TAKE, post(roles::take))
        .route(urls::ADMIN_QUOTAS, get(quotas::list_page))
        .route(urls::ADMIN_QUOTA_NEW, get(quotas::add_page).post(quotas::add))
        .route(urls::ADMIN_QUOTA, get(quotas::page).post(quotas::change))
        .route(urls::ADMIN_QUOTA_REMOVE, post(quotas::remove))
        .route(urls::ADMIN_PRICES, get(prices::list_page))
        .route(urls::ADMIN_PRICES_CSV, get(prices::csv))
        .route(urls::ADMIN_PRICE_NEW, get(prices::add_page).post(prices::add))
        .route(urls::ADMIN_PRICE_IMPORT, get(prices::import_page).post(prices::import))
        .route(urls::ADMIN_PRICE_CURRENCY, post(prices::set_currency))
        .route(urls::ADMIN_PRICE, get(prices::item_page).post(prices::price))
        .route(urls::ADMIN_ORPHANS, get(orphans::list_page))
        .route(urls::ADMIN_ORPHANS_LOOK, post(orphans::look_now))
        .route(urls::ADMIN_ORPHAN, get(orphans::page))
        .route(urls::ADMIN_ORPHAN_ADOPT, post(orphans::adopt))
        .route(urls::ADMIN_ORPHAN_DESTROY, post(orphans::destroy))
        .route(urls::ADMIN_POLICIES, get(policies::list_page))
        .route(urls::ADMIN_POLICY_NEW, post(policies::act::draft))
        .route(urls::ADMIN_POLICY, get(policies::page::show))
        .route(urls::ADMIN_POLICY_EDIT, get(policies::edit::show).post(policies::edit::post))
        .route(urls::ADMIN_POLICY_RULE, get(policies::rule::show).post(policies::rule::post))
        .route(urls::ADMIN_POLICY_REPLAY, get(policies::replay::show).post(policies::replay::go_on))
        .route(urls::ADMIN_POLICY_PROOFS, get(policies::proofs::show))
        .route(urls::ADMIN_POLICY_TRY, get(policies::trial::show))
        .route(urls::ADMIN_POLICY_PROPOSE, post(policies::act::propose))
        .route(urls::ADMIN_POLICY_TAKE_BACK, post(policies::act::take_back))
        .route(urls::ADMIN_POLICY_DISCARD, post(policies::act::discard))
        .route(urls::ADMIN_POLICY_PUBLISH, post(policies::act::publish))
}

/// Pages that anybody may open.
fn gate() -> Router<App> {
    Router::new()
        .route(urls::SIGN_IN, get(gate::sign_in::page).post(gate::sign_in::local))
        .route(urls::SIGN_IN_DEMO, post(gate::sign_in::demo))
        .route(urls::SIGN_IN_OIDC, get(gate::oidc::begin))
        .route(urls::SIGN_IN_OIDC_CALLBACK, get(gate::oidc::finish))
        .route(urls::SIGN_OUT, post(gate::sign_in::sign_out))
        .route(urls::SET_UP, get(gate::set_up::page).post(gate::set_up::complete))
        .route(urls::PREFERENCES, post(preferences::change))
}

/// Assets, which change nothing, and reports, which browsers send without saying from where.
fn unguarded() -> Router<App> {
    Router::new().route(urls::STATIC, get(assets::serve)).route(urls::CSP_REPORTS, post(reports::receive))
}
