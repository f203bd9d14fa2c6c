//! Every address of the pages, once: the constants are the router's patterns, the functions make links.
//!
//! `{…}` parts are ids in their prefixed text or slugs; both need no escaping.

use std::fmt::Display;

/// Home.
pub const HOME: &str = "/";
/// Sign-in: local form, demo people, identity provider.
pub const SIGN_IN: &str = "/sign-in";
/// Starts the sign-in at the identity provider.
pub const SIGN_IN_OIDC: &str = "/sign-in/oidc";
/// Where the identity provider sends people back.
pub const SIGN_IN_OIDC_CALLBACK: &str = crate::identity::CALLBACK_PATH;
/// One-click sign-in, with `--demo` only.
pub const SIGN_IN_DEMO: &str = "/sign-in/demo";
/// Ends the session.
pub const SIGN_OUT: &str = "/sign-out";
/// First visit: one-time code and the first admin.
pub const SET_UP: &str = "/set-up";
/// Everything that the viewer may see, by its name.
pub const SEARCH: &str = "/search";
/// Theme, density, rail, zone, project.
pub const PREFERENCES: &str = "/preferences";
/// What the viewer may do, and why.
pub const WHY: &str = "/why";
/// What the viewer holds, and asking for more.
pub const OWN_ROLES: &str = "/preferences/roles";
/// Taking back what one asked for, or giving back what one got.
pub const OWN_ROLE_END: &str = "/preferences/roles/{elevation}/end";
/// The viewer's API tokens.
pub const TOKENS: &str = "/preferences/tokens";
/// Ends one of them.
pub const TOKEN_REVOKE: &str = "/preferences/tokens/{token}/revoke";
/// Who decides for the viewer, and for whom the viewer does.
pub const DELEGATIONS: &str = "/preferences/delegations";
/// Takes one back.
pub const DELEGATION_END: &str = "/preferences/delegations/{delegation}/end";
/// Templates.
pub const CATALOG: &str = "/catalog";
/// One template.
pub const TEMPLATE: &str = "/catalog/{template}";
/// Request form of a template.
pub const TEMPLATE_REQUEST: &str = "/catalog/{template}/request";
/// What environments cost, by month.
pub const COSTS: &str = "/costs";
/// What was used in a month, line by line, for other programs.
pub const COSTS_CSV: &str = "/costs.csv";
/// The budget of a project.
pub const COSTS_BUDGET: &str = "/costs/budget/{project}";
/// Taking it away.
pub const COSTS_BUDGET_REMOVE: &str = "/costs/budget/{project}/remove";
/// Requests.
pub const REQUESTS: &str = "/requests";
/// One request.
pub const REQUEST: &str = "/requests/{request}";
/// Takes a request back.
pub const REQUEST_WITHDRAW: &str = "/requests/{request}/withdraw";
/// The requester asks for an answer.
pub const REQUEST_REMIND: &str = "/requests/{request}/remind";
/// Requests that wait for the viewer.
pub const APPROVALS: &str = "/approvals";
/// One request with everything an approver needs; post: the review.
pub const APPROVAL: &str = "/approvals/{request}";
/// Approving a request with changes.
pub const APPROVAL_CHANGES: &str = "/approvals/{request}/changes";
/// Agreeing to changes.
pub const SUGGESTION_ACCEPT: &str = "/requests/{request}/suggestions/{suggestion}/accept";
/// Not agreeing to changes.
pub const SUGGESTION_DECLINE: &str = "/requests/{request}/suggestions/{suggestion}/decline";
/// Environments.
pub const ENVIRONMENTS: &str = "/environments";
/// The same list as a table for other programs.
pub const ENVIRONMENTS_CSV: &str = "/environments.csv";
/// One environment.
pub const ENVIRONMENT: &str = "/environments/{environment}";
/// New inputs.
pub const ENVIRONMENT_UPDATE: &str = "/environments/{environment}/update";
/// Longer life.
pub const ENVIRONMENT_EXTEND: &str = "/environments/{environment}/extend";
/// Starts, stops, hibernates or restarts one.
pub const ENVIRONMENT_POWER: &str = "/environments/{environment}/power/{operation}";
/// Runs an action of the template.
pub const ENVIRONMENT_ACT: &str = "/environments/{environment}/actions/{action}";
/// When one stops by itself.
pub const ENVIRONMENT_SCHEDULE: &str = "/environments/{environment}/schedule";
/// Lets its next stop pass.
pub const ENVIRONMENT_STOP_SKIP: &str = "/environments/{environment}/schedule/skip";
/// Puts its next stop off.
pub const ENVIRONMENT_STOP_DELAY: &str = "/environments/{environment}/schedule/delay";
/// The way into one.
pub const ENVIRONMENT_CONNECT: &str = "/environments/{environment}/connect";
/// The end.
pub const ENVIRONMENT_DELETE: &str = "/environments/{environment}/delete";
/// Shows one secret output; post only, audited.
pub const ENVIRONMENT_REVEAL: &str = "/environments/{environment}/reveal";
/// Compares it with what its last run left; post only.
pub const ENVIRONMENT_DRIFT_CHECK: &str = "/environments/{environment}/drift/check";
/// Accepts what differs; post only, audited.
pub const ENVIRONMENT_DRIFT_ACCEPT: &str = "/environments/{environment}/drift/accept";
/// Asks for an update without changes; post only.
pub const ENVIRONMENT_REAPPLY: &str = "/environments/{environment}/drift/reapply";
/// Gives it to another member of its project; post only.
pub const ENVIRONMENT_HAND_OVER: &str = "/environments/{environment}/hand-over";
/// One run.
pub const RUN: &str = "/runs/{run}";
/// What happens in a run, as server-sent events with ready markup.
pub const RUN_EVENTS: &str = "/runs/{run}/events";
/// The whole log as text.
pub const RUN_LOG: &str = "/runs/{run}/log.txt";
/// Stops a run.
pub const RUN_CANCEL: &str = "/runs/{run}/cancel";
/// Tries a failed run again.
pub const RUN_RETRY: &str = "/runs/{run}/retry";
/// The audit log.
pub const AUDIT: &str = "/audit";
/// One audit record.
pub const AUDIT_RECORD: &str = "/audit/{record}";
/// Catalog sources.
pub const ADMIN_CATALOG: &str = "/admin/catalog";
/// Reads one source again.
pub const ADMIN_CATALOG_SYNC: &str = "/admin/catalog/{source}/sync";
/// The queue.
pub const ADMIN_QUEUE: &str = "/admin/queue";
/// Setting a freeze.
pub const ADMIN_FREEZES: &str = "/admin/freezes";
/// Closing a circuit.
pub const ADMIN_CIRCUIT_CLOSE: &str = "/admin/circuits/{circuit}/close";
/// Lifting a freeze.
pub const ADMIN_FREEZE_LIFT: &str = "/admin/freezes/{freeze}/lift";
/// The workers.
pub const ADMIN_WORKERS: &str = "/admin/workers";
/// Telling a worker to take no more.
pub const ADMIN_WORKER_DRAIN: &str = "/admin/workers/{worker}/drain";
/// Telling a worker to take runs again.
pub const ADMIN_WORKER_RESUME: &str = "/admin/workers/{worker}/resume";
/// The targets.
pub const ADMIN_TARGETS: &str = "/admin/targets";
/// Connecting a target.
pub const ADMIN_TARGET_NEW: &str = "/admin/targets/new";
/// One target.
pub const ADMIN_TARGET: &str = "/admin/targets/{target}";
/// Changing its name and settings.
pub const ADMIN_TARGET_EDIT: &str = "/admin/targets/{target}/edit";
/// Checking it now.
pub const ADMIN_TARGET_CHECK: &str = "/admin/targets/{target}/check";
/// Bringing a new credential.
pub const ADMIN_TARGET_ROTATE: &str = "/admin/targets/{target}/rotate";
/// Using it for a project environment type.
pub const ADMIN_TARGET_BIND: &str = "/admin/targets/{target}/bind";
/// Using it there no more.
pub const ADMIN_TARGET_UNBIND: &str = "/admin/targets/{target}/unbind";
/// What holds its runs.
pub const ADMIN_TARGET_LIMITS: &str = "/admin/targets/{target}/limits";
/// Its end.
pub const ADMIN_TARGET_DISCONNECT: &str = "/admin/targets/{target}/disconnect";
/// Who holds which role.
pub const ADMIN_ROLES: &str = "/admin/roles";
/// Roles that people asked for, or took in an emergency.
pub const ADMIN_ROLES_ASKED: &str = "/admin/roles/asked";
/// One of them.
pub const ADMIN_ROLE_ASKED: &str = "/admin/roles/asked/{elevation}";
/// Deciding on it.
pub const ADMIN_ROLE_DECIDE: &str = "/admin/roles/asked/{elevation}/decide";
/// Reviewing it.
pub const ADMIN_ROLE_REVIEW: &str = "/admin/roles/asked/{elevation}/review";
/// Giving a role.
pub const ADMIN_ROLE_NEW: &str = "/admin/roles/new";
/// One that somebody holds.
pub const ADMIN_ROLE: &str = "/admin/roles/{role}";
/// Taking it away.
pub const ADMIN_ROLE_TAKE: &str = "/admin/roles/{role}/take";
/// The quotas.
pub const ADMIN_QUOTAS: &str = "/admin/quotas";
/// Adding a quota.
pub const ADMIN_QUOTA_NEW: &str = "/admin/quotas/new";
/// Changing one quota.
pub const ADMIN_QUOTA: &str = "/admin/quotas/{quota}";
/// Removes it.
pub const ADMIN_QUOTA_REMOVE: &str = "/admin/quotas/{quota}/remove";
/// The price book.
pub const ADMIN_PRICES: &str = "/admin/prices";
/// Every price as a file.
pub const ADMIN_PRICES_CSV: &str = "/admin/prices.csv";
/// Adding an item.
pub const ADMIN_PRICE_NEW: &str = "/admin/prices/new";
/// Importing a file.
pub const ADMIN_PRICE_IMPORT: &str = "/admin/prices/import";
/// The currency of all prices.
pub const ADMIN_PRICE_CURRENCY: &str = "/admin/prices/currency";
/// The prices of one item.
pub const ADMIN_PRICE: &str = "/admin/prices/items/{item}";
/// The versions of the policies.
pub const ADMIN_POLICIES: &str = "/admin/policies";
/// Beginning a draft.
pub const ADMIN_POLICY_NEW: &str = "/admin/policies/new";
/// One version.
pub const ADMIN_POLICY: &str = "/admin/policies/{number}";
/// Its editor.
pub const ADMIN_POLICY_EDIT: &str = "/admin/policies/{number}/edit";
/// Adding a rule to it by form.
pub const ADMIN_POLICY_RULE: &str = "/admin/policies/{number}/rule";
/// Which decisions of the past it would make otherwise.
pub const ADMIN_POLICY_REPLAY: &str = "/admin/policies/{number}/replay";
/// What is proved of a version.
pub const ADMIN_POLICY_PROOFS: &str = "/admin/policies/{number}/proofs";
/// What it would say to a request.
pub const ADMIN_POLICY_TRY: &str = "/admin/policies/{number}/try";
/// Asking another admin to publish it.
pub const ADMIN_POLICY_PROPOSE: &str = "/admin/policies/{number}/propose";
/// Making a draft of it again.
pub const ADMIN_POLICY_TAKE_BACK: &str = "/admin/policies/{number}/take-back";
/// Giving it up.
pub const ADMIN_POLICY_DISCARD: &str = "/admin/policies/{number}/discard";
/// Putting it in force.
pub const ADMIN_POLICY_PUBLISH: &str = "/admin/policies/{number}/publish";
/// What targets hold that nobody owns.
pub const ADMIN_ORPHANS: &str = "/admin/orphans";
/// Looking for it now; post only.
pub const ADMIN_ORPHANS_LOOK: &str = "/admin/orphans/look";
/// One orphan.
pub const ADMIN_ORPHAN: &str = "/admin/orphans/{orphan}";
/// Giving it back; post only.
pub const ADMIN_ORPHAN_ADOPT: &str = "/admin/orphans/{orphan}/adopt";
/// Its end; post only.
pub const ADMIN_ORPHAN_DESTROY: &str = "/admin/orphans/{orphan}/destroy";
/// Where browsers report what the content security policy refused.
pub const CSP_REPORTS: &str = "/csp-reports";
/// Content-hashed assets.
pub const STATIC: &str = "/static/{file}";

/// Sign-in, and afterwards this address of ours.
pub fn sign_in_then(here: &str) -> String {
    let next = url::form_urlencoded::byte_serialize(here.as_bytes()).collect::<String>();
    format!("{SIGN_IN}?next={next}")
}
/// Starts the sign-in at the identity provider, and afterwards this address of ours.
pub fn sign_in_oidc_then(here: &str) -> String {
    let next = url::form_urlencoded::byte_serialize(here.as_bytes()).collect::<String>();
    format!("{SIGN_IN_OIDC}?next={next}")
}
/// What the viewer may do at an address, and why.
pub fn why(here: &str) -> String {
    let of = url::form_urlencoded::byte_serialize(here.as_bytes()).collect::<String>();
    format!("{WHY}?of={of}")
}

/// Ends an API token of the viewer's.
pub fn token_revoke(token: impl Display) -> String {
    format!("/preferences/tokens/{token}/revoke")
}

/// Where a delegation is taken back.
pub fn delegation_end(delegation: impl Display) -> String {
    format!("/preferences/delegations/{delegation}/end")
}
/// A template's page.
pub fn template(template: impl Display) -> String {
    format!("/catalog/{template}")
}
/// A template's request form.
pub fn template_request(template: impl Display) -> String {
    format!("/catalog/{template}/request")
}
/// Compares an environment with what its last run left.
pub fn drift_check(environment: impl Display) -> String {
    format!("/environments/{environment}/drift/check")
}
/// Gives an environment to another member of its project.
pub fn hand_over(environment: impl Display) -> String {
    format!("/environments/{environment}/hand-over")
}
/// Accepts what differs of an environment.
pub fn drift_accept(environment: impl Display) -> String {
    format!("/environments/{environment}/drift/accept")
}
/// Asks for an update of an environment without changes.
pub fn reapply(environment: impl Display) -> String {
    format!("/environments/{environment}/drift/reapply")
}
/// A request's page.
pub fn request(request: impl Display) -> String {
    format!("/requests/{request}")
}
/// Takes a request back.
pub fn request_withdraw(request: impl Display) -> String {
    format!("/requests/{request}/withdraw")
}
/// Asks for an answer to a request.
pub fn request_remind(request: impl Display) -> String {
    format!("/requests/{request}/remind")
}
/// A request as its approver sees it.
pub fn approval(request: impl Display) -> String {
    format!("/approvals/{request}")
}

/// The form to approve a request with changes.
pub fn approval_changes(request: impl Display) -> String {
    format!("/approvals/{request}/changes")
}

/// Where the requester agrees to changes.
pub fn suggestion_accept(request: impl Display, suggestion: impl Display) -> String {
    format!("/requests/{request}/suggestions/{suggestion}/accept")
}

/// Where the requester does not.
pub fn suggestion_decline(request: impl Display, suggestion: impl Display) -> String {
    format!("/requests/{request}/suggestions/{suggestion}/decline")
}
/// An environment's page.
pub fn environment(environment: impl Display) -> String {
    format!("/environments/{environment}")
}
/// New inputs for an environment.
pub fn environment_update(environment: impl Display) -> String {
    format!("/environments/{environment}/update")
}
/// Longer life for an environment.
pub fn environment_extend(environment: impl Display) -> String {
    format!("/environments/{environment}/extend")
}
/// Starts, stops, hibernates or restarts an environment.
pub fn environment_power(environment: impl Display, operation: &str) -> String {
    format!("/environments/{environment}/power/{operation}")
}
/// Runs an action of the template.
pub fn environment_act(environment: impl Display, action: &str) -> String {
    format!("/environments/{environment}/actions/{action}")
}
/// When an environment stops by itself.
pub fn environment_schedule(environment: impl Display) -> String {
    format!("/environments/{environment}/schedule")
}
/// Lets the next stop pass.
pub fn environment_stop_skip(environment: impl Display) -> String {
    format!("/environments/{environment}/schedule/skip")
}
/// Puts the next stop off.
pub fn environment_stop_delay(environment: impl Display) -> String {
    format!("/environments/{environment}/schedule/delay")
}
/// The way into an environment.
pub fn environment_connect(environment: impl Display) -> String {
    format!("/environments/{environment}/connect")
}
/// The end of an environment.
pub fn environment_delete(environment: impl Display) -> String {
    format!("/environments/{environment}/delete")
}
/// Shows one secret output.
pub fn environment_reveal(environment: impl Display) -> String {
    format!("/environments/{environment}/reveal")
}
/// A run's page.
pub fn run(run: impl Display) -> String {
    format!("/runs/{run}")
}
/// A run's events after this log line.
pub fn run_events(run: impl Display, after: impl Display) -> String {
    format!("/runs/{run}/events?after={after}")
}
/// A run's whole log.
pub fn run_log(run: impl Display) -> String {
    format!("/runs/{run}/log.txt")
}
/// Stops a run.
pub fn run_cancel(run: impl Display) -> String {
    format!("/runs/{run}/cancel")
}
/// Tries a failed run again.
pub fn run_retry(run: impl Display) -> String {
    format!("/runs/{run}/retry")
}
/// An audit record's page.
pub fn audit_record(record: impl Display) -> String {
    format!("/audit/{record}")
}
/// Audit records about one thing.
pub fn audit_of(object: impl Display) -> String {
    format!("/audit?object={object}")
}
/// Reads one catalog source again.
pub fn admin_catalog_sync(source: impl Display) -> String {
    format!("/admin/catalog/{source}/sync")
}
/// An orphan's page.
pub fn admin_orphan(orphan: impl Display) -> String {
    format!("/admin/orphans/{orphan}")
}
/// Gives an orphan back to its environment.
pub fn admin_orphan_adopt(orphan: impl Display) -> String {
    format!("/admin/orphans/{orphan}/adopt")
}
/// Ends an orphan.
pub fn admin_orphan_destroy(orphan: impl Display) -> String {
    format!("/admin/orphans/{orphan}/destroy")
}
/// Closes a circuit.
pub fn admin_circuit_close(circuit: impl Display) -> String {
    format!("/admin/circuits/{circuit}/close")
}

/// Lifts a freeze.
pub fn admin_freeze_lift(freeze: impl Display) -> String {
    format!("/admin/freezes/{freeze}/lift")
}
/// Tells a worker to take no more.
pub fn admin_worker_drain(worker: impl Display) -> String {
    format!("/admin/workers/{worker}/drain")
}
/// Tells a worker to take runs again.
pub fn admin_worker_resume(worker: impl Display) -> String {
    format!("/admin/workers/{worker}/resume")
}
/// Connecting a target of this provider.
pub fn admin_target_new(provider: impl Display) -> String {
    format!("{ADMIN_TARGET_NEW}?provider={provider}")
}
/// A version of the policies.
pub fn admin_policy(number: impl Display) -> String {
    format!("/admin/policies/{number}")
}
/// Adding a rule of this kind to a draft by form.
pub fn admin_policy_rule(number: impl Display, kind: &str) -> String {
    format!("/admin/policies/{number}/rule?kind={kind}")
}
/// What is done to a version: `edit`, `rule`, `propose`, `take-back`, `discard`, `publish`.
pub fn admin_policy_verb(number: impl Display, verb: &str) -> String {
    format!("/admin/policies/{number}/{verb}")
}
/// A target's page.
pub fn admin_target(target: impl Display) -> String {
    format!("/admin/targets/{target}")
}
/// What is done to a target: `edit`, `check`, `rotate`, `bind`, `unbind`, `limits`, `disconnect`.
pub fn admin_target_verb(target: impl Display, verb: &str) -> String {
    format!("/admin/targets/{target}/{verb}")
}

/// A role that somebody asked for, or took in an emergency.
pub fn admin_role_asked(elevation: impl Display) -> String {
    format!("/admin/roles/asked/{elevation}")
}

/// Decides on it.
pub fn admin_role_decide(elevation: impl Display) -> String {
    format!("/admin/roles/asked/{elevation}/decide")
}

/// Reviews it.
pub fn admin_role_review(elevation: impl Display) -> String {
    format!("/admin/roles/asked/{elevation}/review")
}

/// Takes back what the viewer asked for, or gives back what they got.
pub fn own_role_end(elevation: impl Display) -> String {
    format!("/preferences/roles/{elevation}/end")
}

/// A role that somebody holds.
pub fn admin_role(role: impl Display) -> String {
    format!("/admin/roles/{role}")
}

/// Where it is taken away.
pub fn admin_role_take(role: impl Display) -> String {
    format!("/admin/roles/{role}/take")
}

/// The prices of one item.
pub fn admin_price(item: impl Display) -> String {
    format!("/admin/prices/items/{item}")
}

/// The budget of a project.
pub fn costs_budget(project: impl Display) -> String {
    format!("/costs/budget/{project}")
}

/// Where it is taken away.
pub fn costs_budget_remove(project: impl Display) -> String {
    format!("/costs/budget/{project}/remove")
}

/// One quota.
pub fn admin_quota(quota: impl Display) -> String {
    format!("/admin/quotas/{quota}")
}
/// Removes it.
pub fn admin_quota_remove(quota: impl Display) -> String {
    format!("/admin/quotas/{quota}/remove")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn fit(pairs: &[(String, &str)]) {
        for (link, pattern) in pairs {
            let open = pattern.find('{').unwrap();
            let close = pattern.find('}').unwrap();
            assert_eq!(link, &format!("{}x{}", &pattern[..open], &pattern[close + 1..]));
        }
    }

    #[test]
    fn links_fit_the_patterns_of_the_router() {
        fit(&[
            (token_revoke("x"), TOKEN_REVOKE),
            (own_role_end("x"), OWN_ROLE_END),
            (admin_role_asked("x"), ADMIN_ROLE_ASKED),
            (admin_role_decide("x"), ADMIN_ROLE_DECIDE),
            (admin_role_review("x"), ADMIN_ROLE_REVIEW),
            (template("x"), TEMPLATE),
            (template_request("x"), TEMPLATE_REQUEST),
            (request("x"), REQUEST),
            (request_withdraw("x"), REQUEST_WITHDRAW),
            (request_remind("x"), REQUEST_REMIND),
            (approval("x"), APPROVAL),
            (approval_changes("x"), APPROVAL_CHANGES),
            (environment("x"), ENVIRONMENT),
            (environment_update("x"), ENVIRONMENT_UPDATE),
            (environment_extend("x"), ENVIRONMENT_EXTEND),
            (environment_schedule("x"), ENVIRONMENT_SCHEDULE),
            (environment_stop_skip("x"), ENVIRONMENT_STOP_SKIP),
            (environment_stop_delay("x"), ENVIRONMENT_STOP_DELAY),
            (environment_connect("x"), ENVIRONMENT_CONNECT),
            (environment_delete("x"), ENVIRONMENT_DELETE),
            (environment_reveal("x"), ENVIRONMENT_REVEAL),
            (drift_check("x"), ENVIRONMENT_DRIFT_CHECK),
            (drift_accept("x"), ENVIRONMENT_DRIFT_ACCEPT),
            (reapply("x"), ENVIRONMENT_REAPPLY),
            (hand_over("x"), ENVIRONMENT_HAND_OVER),
            (run("x"), RUN),
            (run_log("x"), RUN_LOG),
            (run_cancel("x"), RUN_CANCEL),
            (run_retry("x"), RUN_RETRY),
            (audit_record("x"), AUDIT_RECORD),
        ]);
        for (link, pattern) in [
            (environment_power("x", "stop"), ENVIRONMENT_POWER.replace("{operation}", "stop")),
            (environment_act("x", "greet"), ENVIRONMENT_ACT.replace("{action}", "greet")),
        ] {
            assert_eq!(link, pattern.replace("{environment}", "x"));
        }
        for (link, pattern) in
            [(suggestion_accept("x", "y"), SUGGESTION_ACCEPT), (suggestion_decline("x", "y"), SUGGESTION_DECLINE)]
        {
            assert_eq!(link, pattern.replace("{request}", "x").replace("{suggestion}", "y"));
        }
        assert_eq!(run_events("x", 7), "/runs/x/events?after=7");
    }

    #[test]
    fn links_of_admins_fit_the_patterns_of_the_router() {
        fit(&[
            (admin_price("x"), ADMIN_PRICE),
            (costs_budget("x"), COSTS_BUDGET),
            (costs_budget_remove("x"), COSTS_BUDGET_REMOVE),
            (admin_quota("x"), ADMIN_QUOTA),
            (admin_quota_remove("x"), ADMIN_QUOTA_REMOVE),
            (admin_orphan("x"), ADMIN_ORPHAN),
            (admin_orphan_adopt("x"), ADMIN_ORPHAN_ADOPT),
            (admin_orphan_destroy("x"), ADMIN_ORPHAN_DESTROY),
            (admin_catalog_sync("x"), ADMIN_CATALOG_SYNC),
            (admin_circuit_close("x"), ADMIN_CIRCUIT_CLOSE),
            (admin_freeze_lift("x"), ADMIN_FREEZE_LIFT),
            (admin_worker_drain("x"), ADMIN_WORKER_DRAIN),
            (admin_worker_resume("x"), ADMIN_WORKER_RESUME),
            (admin_policy("x"), ADMIN_POLICY),
            (admin_policy_verb("x", "edit"), ADMIN_POLICY_EDIT),
            (admin_policy_verb("x", "replay"), ADMIN_POLICY_REPLAY),
            (admin_policy_verb("x", "try"), ADMIN_POLICY_TRY),
            (admin_policy_verb("x", "proofs"), ADMIN_POLICY_PROOFS),
            (admin_policy_verb("x", "propose"), ADMIN_POLICY_PROPOSE),
            (admin_policy_verb("x", "take-back"), ADMIN_POLICY_TAKE_BACK),
            (admin_policy_verb("x", "discard"), ADMIN_POLICY_DISCARD),
            (admin_policy_verb("x", "publish"), ADMIN_POLICY_PUBLISH),
            (admin_target("x"), ADMIN_TARGET),
            (admin_target_verb("x", "edit"), ADMIN_TARGET_EDIT),
            (admin_target_verb("x", "check"), ADMIN_TARGET_CHECK),
            (admin_target_verb("x", "rotate"), ADMIN_TARGET_ROTATE),
            (admin_target_verb("x", "bind"), ADMIN_TARGET_BIND),
            (admin_target_verb("x", "unbind"), ADMIN_TARGET_UNBIND),
            (admin_target_verb("x", "limits"), ADMIN_TARGET_LIMITS),
            (admin_target_verb("x", "disconnect"), ADMIN_TARGET_DISCONNECT),
        ]);
    }
}
