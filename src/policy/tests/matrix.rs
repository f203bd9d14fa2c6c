//! The table: who may do what to which thing, on the default set.

use std::fmt::Write as _;
use std::str::FromStr as _;

use super::*;

const PEOPLE: [(&str, &[Role]); 6] = [
    ("nobody", &[]),
    ("developer", &[Role::Developer]),
    ("lead", &[Role::Lead]),
    ("admin", &[Role::Admin]),
    ("auditor", &[Role::Auditor]),
    ("dev+audit", &[Role::Developer, Role::Auditor]),
];

/// The rows: a name and the question, but for the roles.
fn rows() -> Vec<(String, Question)> {
    let mut rows = Vec::new();
    for action in Action::ALL {
        for kind in compile::kinds_of(*action) {
            match kind {
                ResourceKind::Environment => rows.extend(environment_rows(*action)),
                ResourceKind::Request => rows.extend(request_rows(*action)),
                ResourceKind::AuditLog => {
                    rows.push(row(*action, "audit log of everything", Resource::audit_log(None)));
                    rows.push(row(*action, "audit log of the project", Resource::audit_log(Some("payments"))));
                }
                ResourceKind::Project | ResourceKind::Platform
                    if matches!(action, Action::AskForRole | Action::BreakGlass) =>
                {
                    rows.extend(elevation_rows(*action, *kind));
                }
                ResourceKind::Project => rows.push(row(*action, "project", Resource::project("payments"))),
                ResourceKind::Platform => rows.push(row(*action, "platform", Resource::platform())),
                ResourceKind::Template => rows.push(row(*action, "template", Resource::new(*kind, "postgres"))),
                ResourceKind::PolicyVersion => {
                    for (whose, editor) in [("own", "usr_ada"), ("other's", "usr_bob")] {
                        let version = Resource { editors: vec![editor.to_owned()], ..Resource::new(*kind, "pol_1") };
                        rows.push(row(*action, &format!("{whose} version"), version));
                    }
                }
                ResourceKind::CatalogSource => rows.push(row(*action, "catalog source", Resource::new(*kind, "src_1"))),
            }
        }
    }
    rows
}

fn row(action: Action, name: &str, resource: Resource) -> (String, Question) {
    (format!("{action} / {name}"), Question { resource, ..question(action, &[], "dev") })
}

fn elevation_rows(action: Action, kind: ResourceKind) -> Vec<(String, Question)> {
    let (place, resource) = match kind {
        ResourceKind::Project => ("project", Resource::project("payments")),
        _ => ("platform", Resource::platform()),
    };
    let asked = [
        ("admin, 4 hours", Role::Admin, 14_400),
        ("admin, longer", Role::Admin, 14_401),
        ("lead, a week", Role::Lead, 604_800),
        ("lead, longer", Role::Lead, 604_801),
    ];
    asked
        .map(|(what, role, seconds)| {
            let (name, mut question) = row(action, &format!("{place}, {what}"), resource.clone());
            question.context.asked_role = Some(role);
            question.context.lifetime_seconds = Some(seconds);
            (name, question)
        })
        .into()
}

fn environment_rows(action: Action) -> Vec<(String, Question)> {
    let mut rows = Vec::new();
    for kind in ["dev", "test", "prod", "staging"] {
        for (whose, owner) in [("own", "usr_ada"), ("other's", "usr_bob")] {
            if action == Action::CreateEnvironment && whose != "own" {
                continue;
            }
            let mut question = question(action, &[], kind);
            question.resource.owner = Some(owner.to_owned());
            rows.push((format!("{action} / {whose} {kind}"), question));
        }
    }
    if [Action::CreateEnvironment, Action::UpdateEnvironment, Action::ExtendEnvironment].contains(&action) {
        for (life, seconds) in [("too long a life", Some(604_801)), ("endless life", None)] {
            let mut question = question(action, &[], "dev");
            question.context.lifetime_seconds = seconds;
            rows.push((format!("{action} / own dev, {life}"), question));
        }
    }
    rows
}

fn request_rows(action: Action) -> Vec<(String, Question)> {
    let mut rows: Vec<(String, Question)> =
        [("own", Some("usr_ada")), ("other's", Some("usr_bob")), ("unknown's", None)]
            .map(|(whose, id)| (format!("{action} / {whose} request"), about_request(action, &[], id)))
            .into();
    for (of, group) in [("auditors", Group::Role(Role::Auditor)), ("the team", Group::Team("payments".into()))] {
        for (whose, requester) in [("own", "usr_ada"), ("other's", "usr_bob")] {
            let mut question = about_request(action, &[], Some(requester));
            question.resource.asked = vec![group.clone()];
            rows.push((format!("{action} / {whose} request, asks {of}"), question));
        }
    }
    rows
}

fn cell(decision: &Decision) -> String {
    match decision.outcome {
        Outcome::Allowed => "yes".to_owned(),
        Outcome::NeedsApproval => {
            decision.requirements.iter().map(|it| format!("asks {}", it.by)).collect::<Vec<_>>().join("+")
        }
        Outcome::Denied if ids(decision) == [ENGINE_ERROR] => "ERROR".to_owned(),
        Outcome::Denied if decision.rules[0].effect == Effect::Forbid => "FORBIDDEN".to_owned(),
        Outcome::Denied => "-".to_owned(),
    }
}

/// One line per row, made when it is asked for.
fn lines(engine: &PolicyEngine) -> impl Iterator<Item = String> {
    rows().into_iter().map(move |(name, mut question)| {
        let mut line = format!("{name:<48}");
        for (_, roles) in PEOPLE {
            // Where there is no project, the role is held on the platform.
            let held = roles.iter().copied().collect();
            match question.resource.project {
                Some(_) => question.principal.project_roles = held,
                None => question.principal.platform_roles = held,
            }
            write!(line, "{:<11}", cell(&engine.decide(&question))).unwrap();
        }
        format!("{line}{}", strangers(engine, question))
    })
}

/// Somebody with every role in another project, a lead of the whole platform, and Paddock itself.
fn strangers(engine: &PolicyEngine, mut question: Question) -> String {
    question.principal.platform_roles.clear();
    question.principal.project_roles.clear();
    // Roles of another project reach the engine only by mistake, where the resource has no project.
    if question.resource.project.is_none() {
        question.principal.project_roles = Role::ALL.into();
    }
    let elsewhere = cell(&engine.decide(&question));
    question.principal.project_roles.clear();
    question.principal.platform_roles = [Role::Lead].into();
    let lead = cell(&engine.decide(&question));
    question.principal = Principal::system("reconciler.expiry");
    let paddock = cell(&engine.decide(&question));
    question.context.lifetime_seconds = Some(0);
    let expired = cell(&engine.decide(&question));
    format!("{elsewhere:<11}{lead:<15}{paddock:<11}{expired}").trim_end().to_owned()
}

#[test]
fn roles_actions_resources() {
    let mut table = format!("{:<48}", "");
    for (person, _) in PEOPLE {
        write!(table, "{person:<11}").unwrap();
    }
    table.push_str("elsewhere  platform lead  paddock    paddock, expired");
    for line in lines(&engine()) {
        write!(table, "\n{line}").unwrap();
    }
    insta::assert_snapshot!(table);
}

/// Deletes every rule of the default set in turn: the table must show each of them.
#[test]
fn every_default_rule_shows_in_the_table() {
    let engine = engine();
    let whole: Vec<String> = lines(&engine).collect();
    let policies: Vec<_> = cedar_policy::PolicySet::from_str(&engine.source()).unwrap().policies().cloned().collect();
    assert!(policies.len() > 15);
    for skipped in &policies {
        let rest = policies.iter().filter(|policy| policy.id() != skipped.id());
        let rest: Vec<String> = rest.filter_map(cedar_policy::Policy::to_cedar).collect();
        let weaker = engine_of(&rest.join("\n"));
        let shows = lines(&weaker).zip(&whole).any(|(line, before)| line != *before);
        assert!(shows, "the table does not show the rule {:?}", skipped.annotation("id"));
    }
}
