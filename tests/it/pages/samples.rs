//! Sample data for every page: what the render tests look at, and what a person can look at.
#![allow(
    clippy::wildcard_imports,
    clippy::too_many_lines,
    clippy::too_many_arguments,
    clippy::many_single_char_names,
    reason = "sample data is long, and reads best in one line for each value"
)]

use askama::Template;
use paddock::{
    catalog::form::{Choice, Control, Field},
    web::{
        admin, approvals, audit, catalog, environments, gate, home, problem, quotas, requests, runs,
        shell::{AlarmLine, Preferences, Section, Shell, Viewer},
        ui::*,
        zone::Zone,
    },
};

/// A rendered page and its name.
pub struct Sample {
    pub name: &'static str,
    pub html: String,
}

pub(super) fn put(into: &mut Vec<Sample>, name: &'static str, page: impl Template) {
    into.push(Sample { name, html: page.render().unwrap() });
}

pub(super) fn shell(title: &str, section: Section) -> Shell {
    Shell {
        title: title.into(),
        section,
        viewer: Some(Viewer {
            person: Person::named("Lena Lead"),
            role: "Team lead in payments".into(),
            can_approve: true,
            approvals: 3,
            can_audit: true,
            can_admin: true,
            projects: vec![("payments".into(), "Payments".into()), ("storefront".into(), "Storefront".into())],
            project: Some("payments".into()),
        }),
        preferences: Preferences::default(),
        zone: Zone { chosen: None, browser: Some("Europe/Oslo".into()) },
        demo: true,
        here: "/".into(),
        alarms: Vec::new(),
        reminders: Vec::new(),
        notice: None,
    }
}

/// The same for somebody for whom requests have waited long.
fn reminded(shell: Shell) -> Shell {
    let line = |text: &str, href: &str, label| AlarmLine { text: s(text), href: s(href), label };
    let late = line("2 requests have waited for you for more than 1 day.", "/approvals", "Look at them");
    let asked = "Dana Developer asked for an answer to “Create orders-history-db”, 5 minutes ago.";
    Shell { reminders: vec![late, line(asked, "/approvals/x", "Look at it")], ..shell }
}

fn gate(title: &str) -> Shell {
    Shell { viewer: None, ..shell(title, Section::Elsewhere) }
}

pub(super) fn when(shown: &str) -> When {
    When { iso: "2026-11-21T18:00:00Z".into(), shown: shown.into(), exact: "21 Nov 2026, 19:00 UTC+1".into() }
}
pub(super) fn s(x: &str) -> String {
    x.to_string()
}
pub(super) fn o(x: &str) -> Option<String> {
    if x.is_empty() { None } else { Some(x.into()) }
}
fn f(p: &str, label: &str, help: &str, required: bool, control: Control, errors: &[&str]) -> Field {
    Field {
        pointer: format!("/{p}"),
        name: p.into(),
        label: s(label),
        help: o(help),
        required,
        read_only: false,
        secret: false,
        control,
        errors: errors.iter().map(|e| s(e)).collect(),
    }
}
fn c(v: &str, l: &str, h: &str, sel: bool) -> Choice {
    Choice { value: s(v), label: s(l), help: o(h), selected: sel }
}
fn text(v: &str) -> Control {
    Control::Text { value: s(v), pattern: None, min_length: None, max_length: Some(40), placeholder: None }
}
fn verdict(outcome: Outcome) -> Verdict {
    let (headline, rule, id, advice, approvers, note, button) = match outcome {
        Outcome::Allowed => (
            "Allowed",
            "Developers create in dev and test of their projects.",
            "developer-creates-dev-test",
            None,
            vec![],
            "Nobody has to agree.",
            "Create",
        ),
        Outcome::NeedsApproval => (
            "Needs one approval",
            "Production needs a lead of the project.",
            "prod-needs-lead",
            None,
            vec![Person::named("Lena Lead"), Person::named("Mette Holm")],
            "One of them must agree.",
            "Ask for approval",
        ),
        Outcome::Denied => (
            "Not allowed",
            "Auditors read everything and change nothing.",
            "auditor-read-only",
            Some("Ask a developer of payments to request it."),
            vec![],
            "Approval would not change it.",
            "Create",
        ),
        Outcome::Waits => (
            "Waits in line, as number 3",
            "Developers may create environments in dev.",
            "developers-create",
            Some(
                "It goes on by itself after 2 of it is given back, by orders-db in payments (yours, 2); or after an \
                 admin raises the quota. It holds nothing until then, and you can withdraw it.",
            ),
            vec![],
            "Nobody has to agree.",
            "Wait in line",
        ),
        Outcome::Incomplete => (
            "Not decided yet",
            "",
            "",
            Some("Fill in the name; then Paddock can say what policy decides."),
            vec![],
            "Known when the form is complete.",
            "Create",
        ),
    };
    Verdict {
        outcome,
        headline: s(headline),
        rules: if id.is_empty() { vec![] } else { vec![Rule { text: s(rule), id: s(id), excepted: false }] },
        advice: advice.map(s),
        approvers,
        approvers_note: s(note),
        quotas: vec![
            QuotaBar::new("Environments in payments, prod", 3, 4, 6),
            QuotaBar::new("Databases", 5, if outcome == Outcome::Denied { 11 } else { 6 }, 10),
        ],
        cost: cost(),
        ends: Some(when("17 Feb 2027, 18:00 UTC+1")),
        ends_note: s("We warn you 7 days and 1 day before."),
        exception: (outcome == Outcome::Denied).then(|| ExceptionView {
            asked: false,
            words: s(
                "This once it can pass with the approval of a lead of payments. Say why. It lasts at most 7 days.",
            ),
            people: vec![Person::named("Lena Lead"), Person::named("Mette Holm")],
        }),
        changes: vec![],
        button: s(button),
        share: Some(Share {
            href: s("/catalog/postgres/request?name=orders-db"),
            link: s("https://paddock.example/x"),
            command: s("curl …"),
            document: s("operation: create"),
            send: s("curl …"),
        }),
        saved: None,
    }
}
/// What two items cost of which one has no price.
fn cost() -> CostView {
    let line = |title: &str, terms: &str, month| CostLine { title: s(title), terms: s(terms), month };
    CostView {
        headline: s("at least 60.74 EUR a month"),
        note: s(
            "While it runs; 2.00 EUR while it is stopped. 14.17 EUR if it runs until its end (7 days). Not priced: gpu.t4.",
        ),
        lines: vec![
            line("Small machine", "2 × 0.0416 EUR an hour, while it runs", o("60.74 EUR")),
            line("gpu.t4", "1, while it runs", None),
        ],
    }
}
fn form(outcome: Outcome, errors: bool) -> requests::view::RequestFormPage {
    let e: &[&str] = if errors { &["must be 3 to 40 small letters, digits or dashes"] } else { &[] };
    let sections = vec![
        FormSection {
            id: s("where"),
            title: s("Where"),
            help: s("Decides limits and who approves"),
            reshapes: true,
            fields: vec![
                f(
                    "project",
                    "Project",
                    "",
                    true,
                    Control::Select {
                        choices: vec![c("payments", "payments", "", true), c("search", "search", "", false)],
                    },
                    &[],
                ),
                f(
                    "owner",
                    "Owner",
                    "",
                    true,
                    Control::Select { choices: vec![c("d", "Dana Developer (you)", "", true)] },
                    &[],
                ),
                f(
                    "environment_type",
                    "Environment type",
                    "Postgres server payments-prod, kept at most 180 days",
                    true,
                    Control::Radios {
                        choices: vec![
                            c("dev", "dev", "", false),
                            c("test", "test", "", false),
                            c("prod", "prod", "", true),
                        ],
                    },
                    &[],
                ),
            ],
        },
        FormSection {
            id: s("inputs"),
            title: s("Database"),
            help: s("You can change all of this later, except the version going down"),
            reshapes: false,
            fields: vec![
                f(
                    "inputs/size",
                    "Size",
                    "",
                    true,
                    Control::Radios {
                        choices: vec![
                            c("S", "S", "1 connection pool", false),
                            c("M", "M", "2 connection pools", false),
                            c("L", "L", "4 connection pools", true),
                            c("XL", "XL", "8 connection pools", false),
                        ],
                    },
                    &[],
                ),
                f(
                    "inputs/storage",
                    "Storage",
                    "20 to 1,000 GiB.",
                    true,
                    Control::Number { value: s("100"), min: o("20"), max: o("1000"), step: o("10"), unit: o("GiB") },
                    &[],
                ),
                f(
                    "inputs/version",
                    "Version",
                    "",
                    true,
                    Control::Select {
                        choices: vec![c("17", "17.2 (recommended)", "", true), c("16", "16.6", "", false)],
                    },
                    &[],
                ),
                f("inputs/backup", "Nightly backup", "Kept for 7 days.", false, Control::Switch { checked: true }, &[]),
                f(
                    "inputs/extensions",
                    "Extensions",
                    "",
                    false,
                    Control::Checks {
                        choices: vec![
                            c("pgvector", "pgvector", "", true),
                            c("pg_trgm", "pg_trgm", "", true),
                            c("postgis", "postgis", "", false),
                        ],
                    },
                    &[],
                ),
                f(
                    "inputs/tags",
                    "Tags",
                    "At most 5.",
                    false,
                    Control::List {
                        can_add: true,
                        can_remove: true,
                        items: vec![
                            f("inputs/tags/0", "Tag 1", "", true, text("orders"), &[]),
                            f("inputs/tags/1", "Tag 2", "", true, text("history"), &[]),
                        ],
                    },
                    &[],
                ),
                f(
                    "inputs/owner",
                    "Contact",
                    "",
                    false,
                    Control::Group {
                        fields: vec![
                            f("inputs/owner/mail", "Mail", "", true, text("orders@example.org"), &[]),
                            f("inputs/owner/chat", "Chat channel", "", false, text(""), &[]),
                        ],
                    },
                    &[],
                ),
                Field {
                    secret: true,
                    ..f(
                        "inputs/password",
                        "Initial password",
                        "Stored encrypted, never shown again.",
                        false,
                        text(""),
                        &[],
                    )
                },
                f(
                    "inputs/extra",
                    "Extra settings",
                    "",
                    false,
                    Control::Json { value: s("{\n  \"work_mem\": \"64MB\"\n}") },
                    &[],
                ),
            ],
        },
        FormSection {
            id: s("life"),
            title: s("Name and life"),
            help: s("The name is part of the address"),
            reshapes: false,
            fields: vec![
                f("name", "Name", "Free in payments", true, text("orders-history-db"), e),
                f(
                    "lifetime",
                    "Lifetime",
                    "At most 180 days in prod",
                    true,
                    Control::Select { choices: vec![c("90", "90 days", "", true), c("30", "30 days", "", false)] },
                    &[],
                ),
                f(
                    "why",
                    "Why",
                    "Approvers read this first.",
                    false,
                    Control::LongText {
                        value: s(
                            "<script>alert(1)</script> Order history moves out of the monolith on 1 December; we need a week of shadow traffic first.",
                        ),
                    },
                    &[],
                ),
            ],
        },
    ];
    requests::view::RequestFormPage {
        shell: shell("Request a Postgres database", Section::Catalog),
        crumbs: vec![Crumb::to("Catalog", "/catalog"), Crumb::to("Postgres database", "/catalog/postgres")],
        title: s("Request a Postgres database"),
        lede: s(""),
        action: s("/catalog/postgres/request"),
        submission_key: s("k"),
        link: s("project=payments"),
        draft: errors.then(|| requests::view::DraftNote {
            when: when("3 min ago"),
            secrets: true,
            continue_href: None,
        }),
        errors: FormError::collect(&sections),
        sections,
        verdict: verdict(outcome),
    }
}
fn decision(state: &str) -> DecisionView {
    DecisionView {
        pill: Pill::of(state),
        rules: vec![Rule {
            text: s("Production needs a lead of the project who is not the requester."),
            id: s("prod-needs-lead"),
            excepted: false,
        }],
        advice: None,
        requirements: vec![Requirement {
            who: s("A lead of payments"),
            progress: s("nobody yet"),
            satisfied: false,
            people: vec![Person::named("Lena Lead"), Person::named("Mette Holm")],
            also: vec![s("If it waits for 1 day: an admin of payments can as well.")],
        }],
        reviews: vec![Review {
            person: Person::named("Mette Holm"),
            pill: Pill::of("approved"),
            reason: o("Fine for a week of shadow traffic."),
            when: when("2 min ago"),
        }],
        observed: o("would have been denied"),
        observed_rules: vec![paddock::web::ui::Rule {
            text: s("Large ones wait."),
            id: s("large-wait"),
            excepted: false,
        }],
        policy_digest: s("7c1e90ab"),
        when: when("12 min ago"),
    }
}
fn rrow(t: &str, p: &str, w: &str) -> requests::view::RequestRow {
    requests::view::RequestRow {
        title: s(t),
        href: s("/requests/x"),
        icon: "database",
        template: s("Postgres database"),
        place: s("payments, prod"),
        pill: Pill::of(p),
        requester: Person::named("Dana Developer"),
        waits_for: s(w),
        mark: None,
        when: when("12 min ago"),
    }
}
fn pager(t: &str) -> Pager {
    Pager { summary: s(t), first_href: None, next_href: o("/environments?after=x") }
}
fn tl() -> Vec<TimelineItem> {
    vec![
        TimelineItem {
            look: Look::Go,
            icon: "circle-check",
            sentence: s("Update succeeded"),
            href: o("/requests/x"),
            note: None,
            when: when("10:04"),
        },
        TimelineItem {
            look: Look::Busy,
            icon: "loader-circle",
            sentence: s("Worker started the run, attempt 1"),
            href: o("/requests/x"),
            note: None,
            when: when("10:01"),
        },
        TimelineItem {
            look: Look::Go,
            icon: "user-round-check",
            sentence: s("Lena Lead approved the request"),
            href: None,
            note: o("Fine for a week of shadow traffic."),
            when: when("9:58"),
        },
        TimelineItem {
            look: Look::Off,
            icon: "send",
            sentence: s("Dana Developer requested size L instead of M"),
            href: None,
            note: None,
            when: when("9:41"),
        },
    ]
}
fn facts() -> Vec<Fact> {
    vec![
        Fact::link("Template", "Postgres database 1.2.0", "/catalog/postgres"),
        Fact::new("Project", "payments"),
        Fact::new("Environment type", "prod"),
        Fact::new("Owner", "Dana Developer"),
        Fact::new("Ends", "17 Feb 2027, 18:00 UTC+1"),
        Fact::id("Id", "env_01jd3m0x7me9k8qkq2n6v0s0aa"),
    ]
}
fn plan() -> Plan {
    Plan {
        summary: s("2 create, 1 change, 1 replace, 1 destroy"),
        aside: s("approved as shown"),
        rows: vec![
            PlanRow {
                sign: PlanSign::Create,
                resource: s("aws_cloudwatch_alarm.cpu"),
                what: s("CPU over 80% for 10 min pages payments"),
            },
            PlanRow {
                sign: PlanSign::Change,
                resource: s("aws_db_instance.main"),
                what: s("instance_class db.m7g.large → db.m7g.xlarge"),
            },
            PlanRow {
                sign: PlanSign::Replace,
                resource: s("aws_db_parameter_group.pg17"),
                what: s("family forces a new one, no data in it"),
            },
        ],
        destroys: vec![PlanRow {
            sign: PlanSign::Destroy,
            resource: s("aws_db_snapshot.pre_417"),
            what: s("snapshot of 3 Sep, 61 GiB, cannot be restored"),
        }],
    }
}
/// Every page, in the states that look different.
pub fn all() -> Vec<Sample> {
    let mut pages = Vec::new();
    gates(&mut pages);
    catalogs(&mut pages);
    request_pages(&mut pages);
    approval_pages(&mut pages);
    environment_pages(&mut pages);
    run_pages(&mut pages);
    audit_pages(&mut pages);
    admin_quotas(&mut pages);
    others(&mut pages);
    super::policies::put_all(&mut pages);
    super::costs::put_all(&mut pages);
    super::prices::put_all(&mut pages);
    super::delegations::put_all(&mut pages);
    super::roles::put_all(&mut pages);
    pages
}
pub(super) fn tabs() -> Vec<Tab> {
    vec![
        Tab { label: s("Mine"), count: o("3"), href: s("?"), current: false },
        Tab { label: s("All in payments"), count: o("13"), href: s("?"), current: true },
        Tab { label: s("Ending in 7 days"), count: o("4"), href: s("?"), current: false },
    ]
}
fn filter() -> FilterBar {
    FilterBar {
        action: s("/environments"),
        q: s(""),
        placeholder: s("Filter by name, owner, template"),
        selects: vec![FilterSelect {
            label: s("State"),
            name: s("state"),
            choices: vec![(s(""), s("Any state")), (s("ready"), s("Ready"))],
            value: s(""),
        }],
        keep: vec![(s("view"), s("all"))],
        chips: vec![
            Chip { field: s("State"), value: s("not deleted"), remove_href: s("?") },
            Chip { field: s("Project"), value: s("payments"), remove_href: s("?") },
        ],
    }
}
fn act(label: &str, icon: &'static str, variant: &'static str, post: bool) -> Action {
    Action { label: s(label), href: s("/environments/x/update"), icon, variant, post, new_tab: false }
}

fn catalogs(pages: &mut Vec<Sample>) {
    let facet = |t: &str, n: &str, cs: &[(&str, u64, bool)]| Facet {
        title: s(t),
        name: s(n),
        choices: cs
            .iter()
            .map(|(l, c, on)| FacetChoice { value: s(l), label: s(l), count: *c, checked: *on })
            .collect(),
    };
    let card = |n: &str, i: &'static str, sub: &str, d: &str| catalog::view::TemplateCard {
        name: s(n),
        href: s("/catalog/postgres"),
        icon: i,
        sub: s(sub),
        summary: s(d),
        notes: vec![
            catalog::view::CardNote {
                look: Look::Off,
                icon: "timer",
                strong: s("ready in 4 s"),
                rest: s(", half of the time"),
            },
            catalog::view::CardNote {
                look: Look::Go,
                icon: "shield-check",
                strong: s("Straight away"),
                rest: s(" in dev and test"),
            },
        ],
    };
    put(
        pages,
        "catalog",
        catalog::view::CatalogPage {
            shell: shell("Catalog", Section::Catalog),
            lede: s("What you can request, and on which terms."),
            q: s(""),
            facets: vec![
                facet("Kind", "kind", &[("Environment", 3, true), ("Workspace", 0, false)]),
                facet(
                    "Provider",
                    "provider",
                    &[("Postgres", 1, false), ("Terraform", 1, false), ("Command", 1, false)],
                ),
                facet("Project", "project", &[("payments", 3, false), ("search", 2, false)]),
            ],
            chips: vec![Chip { field: s("Kind"), value: s("Environment"), remove_href: s("/catalog") }],
            cards: vec![
                card(
                    "Postgres database",
                    "database",
                    "Postgres · 1.2.0",
                    "A database with a role of its own and a connection string, on the shared server.",
                ),
                card(
                    "Terraform stack",
                    "layers",
                    "Terraform · 0.4.1",
                    "Random names and files, to see plan and apply without any cloud account.",
                ),
                card(
                    "Service skeleton",
                    "git-branch",
                    "Command · 2.0.0",
                    "A Git repository from a service skeleton, with a first commit and a README.",
                ),
            ],
            pager: Pager { summary: s("3 of 3 templates"), ..Default::default() },
            empty: None,
        },
    );
    put(
        pages,
        "catalog_empty",
        catalog::view::CatalogPage {
            shell: shell("Catalog", Section::Catalog),
            lede: s("What you can request."),
            q: s(""),
            facets: vec![],
            chips: vec![],
            cards: vec![],
            pager: Pager::default(),
            empty: Some(Empty {
                icon: "package",
                title: s("No templates yet"),
                text: s("A catalog source brings templates from a folder or a Git repository. Add one, then sync it."),
                action: Some((s("Open catalog sources"), s("/admin/catalog"))),
            }),
        },
    );
    put(
        pages,
        "template",
        catalog::view::TemplatePage {
            shell: shell("Postgres database", Section::Catalog),
            crumbs: vec![Crumb::to("Catalog", "/catalog")],
            name: s("Postgres database"),
            icon: "database",
            lede: s("A database with a role of its own and a connection string."),
            pill: None,
            request_href: o("/requests/x"),
            cannot: None,
            description_html: o(
                "<p>Makes a <strong>database</strong> on the server of the environment type.</p><h3>Limits</h3><ul><li>100 connections</li><li><code>pg_trgm</code> only</li></ul><pre><code>psql $DATABASE_URL</code></pre>",
            ),
            makes: vec![s("A database, owned by a role of its own"), s("A connection string as a secret output")],
            inputs: vec![
                catalog::view::InputRow {
                    label: s("Size"),
                    name: s("size"),
                    kind: s("one of S, M, L"),
                    required: true,
                    default: o("S"),
                    help: o("Sets the connection limit."),
                },
                catalog::view::InputRow {
                    label: s("Extensions"),
                    name: s("extensions"),
                    kind: s("list of text"),
                    required: false,
                    default: None,
                    help: None,
                },
            ],
            outputs: vec![
                catalog::view::OutputSpec { name: s("host"), help: s("Where it listens."), sensitive: false },
                catalog::view::OutputSpec { name: s("password"), help: s("Of the role."), sensitive: true },
            ],
            places: vec![
                catalog::view::PlaceRow {
                    place: s("payments, dev"),
                    pill: Pill::of("allowed"),
                    words: s("At most 30 days"),
                },
                catalog::view::PlaceRow {
                    place: s("payments, prod"),
                    pill: Pill::of("needs_approval"),
                    words: s("A lead of payments must agree"),
                },
            ],
            facts: vec![
                Fact::new("Provider", "Postgres"),
                Fact::new("Source", "sample catalog"),
                Fact::id("Digest", "sha256:7c1e90ab44d1"),
            ],
            versions: vec![
                catalog::view::VersionRow {
                    version: s("1.2.0"),
                    pill: Pill::of("published"),
                    digest: s("7c1e90ab"),
                    commit: o("9fceb02"),
                    when: when("3 days ago"),
                },
                catalog::view::VersionRow {
                    version: s("1.1.0"),
                    pill: Pill::of("deprecated"),
                    digest: s("aa1e90ab"),
                    commit: None,
                    when: when("2 months ago"),
                },
            ],
        },
    );
}

fn request_pages(pages: &mut Vec<Sample>) {
    put(pages, "request", form(Outcome::NeedsApproval, false));
    put(pages, "request_denied", form(Outcome::Denied, true));
    put(pages, "request_waits", form(Outcome::Waits, false));
    put(pages, "request_ok", form(Outcome::Allowed, false));
    put(
        pages,
        "requests",
        requests::view::RequestsPage {
            shell: shell("Requests", Section::Requests),
            lede: s("What was asked for, and what came of it."),
            tabs: tabs(),
            filter: FilterBar { selects: vec![], chips: vec![], ..filter() },
            rows: vec![
                rrow("Create orders-history-db", "awaiting_approval", "Lena Lead"),
                rrow("Extend ledger-db", "succeeded", ""),
                rrow("Delete load-test-nov", "running", ""),
                rrow("Create gpu-farm", "denied", ""),
                rrow("Update orders-db", "rejected", ""),
            ],
            pager: pager("5 requests"),
            empty: None,
        },
    );
    put(
        pages,
        "request_page",
        requests::view::RequestPage {
            shell: shell("Create orders-history-db", Section::Requests),
            crumbs: vec![Crumb::to("Requests", "/requests")],
            title: s("Create orders-history-db"),
            pill: Pill::of("awaiting_approval"),
            lede: s("Postgres database 1.2.0 · payments, prod · asked by Dana Developer 12 min ago"),
            waiting: o("Waits for Lena Lead or Mette Holm"),
            line: vec![],
            withdraw_action: o("/requests/x/withdraw"),
            remind_action: o("/requests/x/remind"),
            review_href: o("/approvals/x"),
            exception_href: None,
            retry_action: None,
            environment_href: None,
            run_href: None,
            why: o("Order history moves out of the monolith on 1 December."),
            suggestions: vec![requests::view::SuggestionCard {
                id: s("sug_1"),
                title: s("Lena Lead would agree with changes"),
                reason: s("A month is enough for the shadow traffic."),
                when: when("3 min ago"),
                changes: vec![Fact { before: o("90 days"), ..Fact::new("Lifetime", "30 days") }],
                waits: None,
                accept_action: o("/requests/x/suggestions/y/accept"),
                decline_action: o("/requests/x/suggestions/y/decline"),
            }],
            planning: Some(requests::view::Planning {
                look: Look::Bad,
                title: s("The plan could not be made"),
                text: s("the server does not answer"),
                run_href: s("/runs/x"),
                retry_action: o("/runs/x/retry"),
            }),
            plan: Some(plan()),
            decision: decision("needs_approval"),
            inputs: vec![Fact::new("Size", "L"), Fact { before: o("M"), ..Fact::new("Pool", "L") }],
            cost: Some(cost()),
            facts: facts(),
            timeline: tl(),
            live: true,
        },
    );
}

fn approval_pages(pages: &mut Vec<Sample>) {
    let row = |t: &str, p: &str| LinkRow {
        title: s(t),
        href: s("/environments/x"),
        sub: s("payments, dev"),
        pill: Some(Pill::of(p)),
        when: Some(when("3 Nov")),
        soon: false,
    };
    put(
        pages,
        "approvals",
        approvals::view::ApprovalsPage {
            shell: reminded(shell("Approvals", Section::Approvals)),
            lede: s("Requests that wait for you. Nobody approves their own."),
            chips: vec![],
            tabs: tabs()[..2].to_vec(),
            rows: vec![
                requests::view::RequestRow {
                    mark: o("Dana Developer asked for an answer, 5 minutes ago"),
                    ..rrow("Create orders-history-db", "awaiting_approval", "you")
                },
                rrow("Extend ledger-db", "awaiting_approval", "you"),
            ],
            pager: Pager { summary: s("2 requests"), ..Default::default() },
            empty: None,
        },
    );
    put(
        pages,
        "approvals_empty",
        approvals::view::ApprovalsPage {
            shell: shell("Approvals", Section::Approvals),
            lede: s("Requests that wait for you. Nobody approves their own."),
            chips: vec![],
            tabs: tabs()[..2].to_vec(),
            rows: vec![],
            pager: Pager { summary: s("0 requests"), ..Default::default() },
            empty: Some(Empty {
                icon: "inbox",
                title: s("Nothing waits for you"),
                text: s("When somebody asks for something that needs your agreement, it shows up here."),
                action: None,
            }),
        },
    );
    put(
        pages,
        "approval",
        approvals::view::ApprovalPage {
            shell: shell("Review", Section::Approvals),
            crumbs: vec![Crumb::to("Approvals", "/approvals")],
            title: s("Create orders-history-db"),
            pill: Pill::of("awaiting_approval"),
            lede: s("Postgres database 1.2.0 in payments, prod"),
            action: s("/approvals/x"),
            errors: vec![FormError { text: s("Say why you reject it"), href: s("#f-reason") }],
            reason: s(""),
            absent: o("Mette Holm"),
            changes_href: o("/approvals/x/changes"),
            cannot: None,
            requester: Person::named("Dana Developer"),
            requester_role: s("Developer in payments"),
            asked: when("12 min ago"),
            why: o("Order history moves out of the monolith on 1 December; we need a week of shadow traffic first."),
            inputs: vec![Fact::new("Size", "L"), Fact::new("Storage", "100 GiB")],
            planning: None,
            plan: Some(plan()),
            seen: s("d1"),
            decision: DecisionView { reviews: vec![], ..decision("needs_approval") },
            quotas: vec![QuotaBar::new("Environments in payments, prod", 3, 4, 6)],
            cost: Some(cost()),
            facts: vec![Fact::new("Lifetime", "90 days"), Fact::new("Ends", "17 Feb 2027, 18:00 UTC+1")],
            history: vec![row("Create checkout-preview", "succeeded"), row("Create gpu-farm", "rejected")],
            history_summary: s("4 in 90 days, 1 rejected"),
        },
    );
    put(
        pages,
        "approval_changes",
        approvals::view::ChangesPage {
            shell: shell("Approve with changes", Section::Approvals),
            crumbs: vec![Crumb::to("Approvals", "/approvals"), Crumb::to("Create orders-history-db", "/approvals/x")],
            title: s("Approve with changes: Create orders-history-db"),
            lede: s("Dana Developer accepts them or not. Nothing is altered without them."),
            action: s("/approvals/x/changes"),
            cancel_href: s("/approvals/x"),
            absent: o("Mette Holm"),
            errors: vec![FormError { text: s("Nothing is changed."), href: s("") }],
            sections: form(Outcome::Allowed, true).sections,
        },
    );
}

fn environment_pages(pages: &mut Vec<Sample>) {
    let er = |n: &str,
              t: &str,
              p: &str,
              own: &str,
              ends: &str,
              note: &str,
              soon,
              newer: Option<&str>,
              icon,
              over: Option<&str>| environments::view::EnvironmentRow {
        name: s(n),
        href: s("/environments/x"),
        icon,
        environment_type: s(t),
        project: s("payments"),
        pill: Pill::of(p),
        marks: vec![],
        template: s("Postgres database"),
        version: s("1.1.3"),
        newer: newer.map(Pill::newer_version),
        owner: Person::named(own),
        ends: if ends.is_empty() { None } else { Some(when(ends)) },
        ends_note: s(note),
        soon,
        overdue: over.map(s),
    };
    let rows = vec![
        er("orders-db", "prod", "updating", "Alice Berg", "in 90 days", "17 Feb", false, None, "database", None),
        er("checkout-preview-812", "dev", "ready", "Jonas Lind", "in 5 h", "today 15:00", true, None, "box", None),
        er("ledger-db", "prod", "ready", "Mette Holm", "in 61 days", "19 Jan", false, Some("1.2.0"), "database", None),
        er("refunds-sandbox", "test", "failed", "Sam Okoro", "in 3 days", "22 Nov", false, None, "layers", None),
        er("fraud-notebook", "dev", "requested", "Priya Nair", "", "7 days after approval", false, None, "box", None),
        er(
            "ledger-db-restore",
            "test",
            "provisioning",
            "Mette Holm",
            "in 2 days",
            "21 Nov",
            false,
            None,
            "database",
            None,
        ),
        er(
            "psp-simulator",
            "test",
            "faulted",
            "Jonas Lind",
            "",
            "clean-up failed",
            false,
            Some("1.2.0"),
            "layers",
            Some("overdue"),
        ),
        er("load-test-nov", "dev", "deleting", "Priya Nair", "now", "until 10:05", false, None, "box", None),
    ];
    put(
        pages,
        "environments",
        environments::view::EnvironmentsPage {
            shell: shell("Environments", Section::Environments),
            lede: s("What payments runs now, who owns it, and when it ends."),
            tabs: tabs(),
            filter: filter(),
            rows,
            pager: pager("8 environments · updated 10:01:23 UTC+1"),
            csv_href: o("/environments.csv?view=all"),
            empty: None,
        },
    );
    let out =
        |n: &str, v: Option<&str>, sec| environments::view::OutputRow { name: s(n), value: v.map(s), sensitive: sec };
    let env = |state: &str, fail: bool| environments::view::EnvironmentPage {
        in_line: o("Update orders-db: waits in line for a quota, as number 2").zip(o("/requests/x")),
        schedule: Some(environments::view::ScheduleCard {
            facts: facts(),
            edit_href: Some(s("/environments/x/schedule")),
            skip_action: Some(s("/environments/x/schedule/skip")),
            delay_action: None,
        }),
        shell: shell("orders-db", Section::Environments),
        crumbs: vec![Crumb::to("Environments", "/environments")],
        name: s("orders-db"),
        pill: Pill::of(state),
        marks: vec![Pill::drifted(), Pill::newer_version("1.3.0")],
        hand_over: Some(environments::view::HandOverCard {
            gone: o(
                "Dana Developer is gone: deactivated, or no member of Payments any more. Somebody should take it over.",
            ),
            members: vec![(s("lead"), s("Lee Okafor"))],
            action: o("/environments/x/hand-over"),
        }),
        drift: Some(environments::view::DriftCard {
            headline: s("It is not as its last run left it, as far as is known since 3 Oct."),
            drifted: true,
            trouble: o("The last check failed: the database server does not answer."),
            checked: Some((when("10:01"), o("/runs/x"))),
            next: Some(when("tomorrow 10:01")),
            differences: vec![environments::view::DifferenceRow {
                address: s("role"),
                kind: "changed",
                words: s("connections 20 → 200"),
                accepted: None,
            }],
            accepted: vec![environments::view::DifferenceRow {
                address: s("database"),
                kind: "changed",
                words: s("every role of the server may connect"),
                accepted: o("dana, 2 Oct: the migration needs it"),
            }],
            seen: s("d1"),
            accept_action: o("/environments/x/drift/accept"),
            reapply_action: o("/environments/x/drift/reapply"),
            submission_key: s("k"),
        }),
        lede: s("Postgres database 1.2.0 · payments, prod · owned by Dana Developer"),
        next_event: Some(NextEvent {
            first: s("Deletes"),
            at: Some(when("17 Feb 2027, 18:00 UTC+1")),
            then: s("in 90 days; we warn you 7 days and 1 day before"),
            aside: s("at most 180 days in prod"),
            soon: false,
        }),
        actions: vec![
            act("Update", "pencil", "outline", false),
            act("Extend", "calendar-plus", "outline", false),
            act("Delete…", "trash-2", "danger", false),
        ],
        working: if state == "updating" { Some((s("Updating: Apply, 2 min 43 s"), s("/runs/x"))) } else { None },
        failure: if fail {
            Some(Failure {
                title: s("Apply failed after 12 s"),
                text: s("ERROR: permission denied to create database (42501)"),
                advice: s("Retry it, or change the inputs. What was made before the error is listed below."),
            })
        } else {
            None
        },
        outputs: vec![
            out("host", Some("127.0.0.1"), false),
            out("port", Some("5499"), false),
            out("database", Some("orders_01jd3m"), false),
            out("user", Some("orders_app"), false),
            out("password", None, true),
            out("connection_string", None, true),
        ],
        reveal_action: o("/environments/x/reveal"),
        resources: vec![environments::view::ResourceRow {
            name: s("orders_01jd3m"),
            kind: s("database"),
            id: s("pg:payments-prod/orders_01jd3m"),
        }],
        inputs: vec![Fact::new("Size", "L"), Fact::new("Extensions", "pgvector, pg_trgm")],
        cost: Some(cost()),
        spent: vec![
            Fact::new("So far", "at least 12.30 EUR"),
            Fact::new("November 2026", "4.10 EUR"),
            Fact::new("Not in the sum", "Gpu.t4 had no price."),
        ],
        facts: facts(),
        cannot: vec![Fact::new("Delete", "Needs the role lead in project payments.")],
        timeline: tl(),
        audit_href: o("/audit?object=env"),
        versions: vec![environments::view::VersionRow {
            version: 2,
            note: s("serial 4, rescued"),
            changes: s("changed terraform_data.size (input, output)"),
            by: Some((s("Update, attempt 2"), s("/runs/x"))),
            who: Some("Dana Developer".to_owned()),
            written: when("10:01"),
        }],
        runs: vec![
            environments::view::RunRow {
                operation: s("Update"),
                href: s("/requests/x"),
                pill: Pill::of("running"),
                attempt: s("attempt 1"),
                took: s("2 min 43 s"),
                when: when("10:01"),
            },
            environments::view::RunRow {
                operation: s("Create"),
                href: s("/requests/x"),
                pill: Pill::of("succeeded"),
                attempt: s("attempt 2"),
                took: s("4 s"),
                when: when("3 Sep, 14:20"),
            },
        ],
        live: true,
    };
    put(pages, "environment", env("ready", false));
    put(pages, "environment_failed", env("failed", true));
    put(pages, "environment_busy", env("updating", false));
    let day =
        |value: &str, label: &str| Choice { value: s(value), label: s(label), help: None, selected: value != "su" };
    let time = |value: &str| Control::Text {
        value: s(value),
        pattern: None,
        min_length: None,
        max_length: Some(60),
        placeholder: o("19:00"),
    };
    put(
        pages,
        "schedule",
        environments::view::SchedulePage {
            shell: shell("Schedule of orders-db", Section::Environments),
            crumbs: vec![Crumb::to("Environments", "/environments"), Crumb::to("orders-db", "/environments/x")],
            name: s("orders-db"),
            action: s("/environments/x/schedule"),
            back_href: s("/environments/x"),
            fields: vec![
                f(
                    "/days",
                    "Days",
                    "",
                    true,
                    Control::Checks { choices: vec![day("mo", "Monday"), day("su", "Sunday")] },
                    &[],
                ),
                f(
                    "/stop",
                    "Stop at",
                    "Wall-clock time",
                    false,
                    time("late"),
                    &["Must be a time of day such as 19:00."],
                ),
                f("/zone", "Time zone", "", true, time("Europe/Vienna"), &[]),
            ],
        },
    );
    put(
        pages,
        "delete",
        environments::view::DeletePage {
            shell: shell("Delete orders-db", Section::Environments),
            crumbs: vec![Crumb::to("Environments", "/environments"), Crumb::to("orders-db", "/environments/x")],
            name: s("orders-db"),
            action: s("/environments/x/delete"),
            back_href: s("/environments/x"),
            submission_key: s("k"),
            errors: vec![],
            typed: true,
            typed_name: s(""),
            lost: vec![s("The database orders_01jd3m with all its data"), s("The role orders_app and its password")],
            terms: o("A lead of payments must agree before it is deleted."),
            button: s("Ask to delete"),
            denied: false,
        },
    );
}

fn run_pages(pages: &mut Vec<Sample>) {
    let step = |n: &str, p: &str, t: &str| runs::view::StepRow {
        name: s(n),
        pill: Pill::of(p),
        took: s(t),
        href: if p == "pending" { None } else { Some(format!("#step-{n}")) },
    };
    let line = |n: u64, st, t: &str| runs::view::LogEntry::Line {
        number: n,
        at: when("09:58:38"),
        stream: st,
        spans: runs::ansi::spans(t),
    };
    let log = vec![
        line(118, "stdout", "Plan: 2 to add, 1 to change, 1 to replace, 1 to destroy."),
        runs::view::LogEntry::Step {
            id: s("step-guard"),
            name: s("Check against plan"),
            pill: Pill::of("succeeded"),
            took: s("1 s"),
        },
        line(119, "stdout", "plan digest 7c1e…90ab equals the approved one"),
        runs::view::LogEntry::Step {
            id: s("step-apply"),
            name: s("Apply"),
            pill: Pill::of("running"),
            took: s("2 min 43 s"),
        },
        line(120, "stdout", "aws_db_parameter_group.pg17: \u{1b}[33mReplacing…\u{1b}[0m"),
        line(
            121,
            "stdout",
            "aws_db_parameter_group.pg17: \u{1b}[32mCreation complete\u{1b}[0m after 4s [id=orders-pg17-0a4]",
        ),
        line(122, "stderr", "Warning: Argument is deprecated"),
        line(
            123,
            "stdout",
            "aws_db_instance.main: \u{1b}[1m\u{1b}[34mModifying…\u{1b}[0m [id=orders-db] with a very long line that goes on and on and on until it is wider than the frame of the log so that it scrolls sideways",
        ),
    ];
    let run = |fail: bool| runs::view::RunPage {
        shell: shell("Update orders-db", Section::Environments),
        crumbs: vec![
            Crumb::to("Environments", "/environments"),
            Crumb::to("orders-db", "/environments/x"),
            Crumb::to("Runs", "/environments/x#runs"),
        ],
        title: s("Update orders-db"),
        pill: Pill::of(if fail { "failed" } else { "running" }),
        lede: s(
            "Size M to L, template 1.1.3 to 1.2.0 · payments, prod · asked by Dana Developer, approved by Lena Lead",
        ),
        next_event: Some(NextEvent {
            first: s("Ready in about 3 min"),
            at: None,
            then: s("deletes 17 Feb 2027, 18:00 UTC+1"),
            aside: s("Attempt 1, started 09:58:02, running for 3 min 21 s"),
            soon: false,
        }),
        actions: vec![if fail {
            act("Retry", "rotate-cw", "primary", true)
        } else {
            act("Cancel run", "square", "danger", true)
        }],
        failure: if fail {
            Some(Failure {
                title: s("Apply failed after 2 min 43 s"),
                text: s("Error: creating RDS DB Instance (orders-db-b): InvalidParameterValue: max storage"),
                advice: s("Change the storage and retry. Nothing was destroyed."),
            })
        } else {
            None
        },
        plan: Some(plan()),
        facts: vec![],
        steps: vec![
            step("Check out template", "succeeded", "2 s"),
            step("Initialise", "succeeded", "14 s"),
            step("Plan", "succeeded", "21 s"),
            step("Check against plan", "succeeded", "1 s"),
            step("Apply", if fail { "failed" } else { "running" }, "2 min 43 s"),
            step("Read outputs", "pending", "about 4 s"),
            step("Take inventory", "pending", "about 6 s"),
        ],
        steps_summary: s("4 of 7 done"),
        log: log.clone(),
        earlier_href: o("/runs/x?from=1#L21"),
        later_href: None,
        q: s(""),
        found: None,
        page_href: s("/runs/x"),
        log_href: s("/runs/x/log.txt"),
        first_error_href: if fail { o("/runs/x?at=error") } else { None },
        waiting: o("waiting for the provider, last answer 7 s ago"),
        live: if fail {
            None
        } else {
            Some(runs::view::LiveRun { page: s("/runs/x"), events: s("/runs/x/events?after=123"), follows: true })
        },
    };
    put(pages, "run", run(false));
    put(pages, "run_failed", run(true));
}

fn audit_pages(pages: &mut Vec<Sample>) {
    let ar = |l, i, t: &str, a: &str| audit::view::AuditRow {
        look: l,
        icon: i,
        sentence: s(t),
        href: s("/audit/x"),
        action: s(a),
        at: when("10:04:12"),
    };
    put(
        pages,
        "audit",
        audit::view::AuditPage {
            shell: shell("Audit", Section::Audit),
            lede: s("Who did what to what, when, and why it was allowed. Records can't be changed or removed."),
            filter: audit::view::AuditFilter {
                actions: vec![s("request.submit"), s("output.reveal")],
                ..Default::default()
            },
            chips: vec![Chip { field: s("To what"), value: s("env_01jd3m0x7me9k8"), remove_href: s("/audit") }],
            days: vec![
                audit::view::AuditDay {
                    title: s("Today, 21 November"),
                    rows: vec![
                        ar(
                            Look::Wait,
                            "eye",
                            "Dana Developer showed the secret output password of orders-db",
                            "output.reveal",
                        ),
                        ar(Look::Go, "user-round-check", "Lena Lead approved Create orders-db", "request.approve"),
                        ar(Look::Off, "send", "Dana Developer requested orders-db in payments, prod", "request.submit"),
                    ],
                },
                audit::view::AuditDay {
                    title: s("Friday, 20 November"),
                    rows: vec![ar(
                        Look::Bad,
                        "circle-x",
                        "Aude Auditor was denied to create gpu-farm in payments, prod",
                        "request.deny",
                    )],
                },
            ],
            pager: pager("4 records"),
            empty: None,
        },
    );
    put(
        pages,
        "audit_record",
        audit::view::AuditRecordPage {
            shell: shell("Audit record", Section::Audit),
            crumbs: vec![Crumb::to("Audit", "/audit")],
            title: s("Dana Developer requested orders-db in payments, prod"),
            pill: Pill::of("succeeded"),
            when: when("21 Nov 2026, 10:04:12 UTC+1"),
            facts: vec![
                Fact::new("Who", "Dana Developer"),
                Fact::new("Action", "request.submit"),
                Fact::link("Object", "orders-db", "/environments/x"),
                Fact::new("From", "127.0.0.1, browser"),
                Fact::id("Operation", "op_01jd3m0x7m"),
                Fact::id("Record", "aud_01jd3m0x7m"),
            ],
            decision: Some(decision("needs_approval")),
            changes: vec![Fact { before: o("ready"), ..Fact::new("State", "updating") }],
            details: o("{\n  \"inputs\": {\n    \"size\": \"L\"\n  }\n}"),
        },
    );
}

fn others(pages: &mut Vec<Sample>) {
    put(
        pages,
        "admin_catalog",
        admin::view::AdminCatalogPage {
            shell: shell("Catalog sources", Section::Admin),
            tabs: tabs(),
            lede: s("Where templates come from, and what is wrong with them."),
            sources: vec![admin::view::SourceCard {
                id: s("source-1"),
                name: s("sample"),
                pill: Pill::of("failed").saying("2 problems"),
                facts: vec![
                    Fact::new("Folder", "catalog"),
                    Fact::id("Commit", "9fceb02d0ae598e95dc970b74767f19372d61af8"),
                ],
                synced: Some(when("2 min ago")),
                sync_action: o("/admin/catalog/x/sync"),
                problems: vec![
                    admin::view::SourceProblem {
                        file: s("broken/paddock.yaml"),
                        line: Some(12),
                        key: o("inputs.size.type"),
                        message: s("«strng» is not a type; use string, number, boolean, array or object"),
                        warning: false,
                    },
                    admin::view::SourceProblem {
                        file: s("redis/environment.yaml"),
                        line: Some(3),
                        key: o("runnr"),
                        message: s("Unknown key; did you mean «runner»?"),
                        warning: true,
                    },
                ],
                templates: vec![admin::view::SourceTemplate {
                    name: s("Postgres database"),
                    href: s("/catalog/postgres"),
                    version: s("1.2.0"),
                    pill: Pill::of("published"),
                    folder: s("postgres"),
                }],
            }],
            form: None,
            errors: vec![],
            empty: None,
        },
    );
    put(
        pages,
        "problem",
        problem::view::ProblemPage {
            shell: shell("Not found", Section::Elsewhere),
            title: s("There is no such environment"),
            sentence: s("It was deleted, its address is wrong, or you may not see it."),
            next: s("Look for it in the list of environments, or ask its owner."),
            operation_id: s("op_01jd3m0x7me9k8qkq2n6v0s0aa"),
            links: vec![(s("Environments"), s("/environments")), (s("Home"), s("/"))],
        },
    );
    let mut g = gate("Not allowed");
    g.demo = false;
    put(
        pages,
        "problem_gate",
        problem::view::ProblemPage {
            shell: g,
            title: s("Sign-in did not work"),
            sentence: s("The identity provider sent you back without a valid answer."),
            next: s("Try again; if it happens again, tell your platform admin the operation."),
            operation_id: s("op_01jd3m0x7me9k8qkq2n6v0s0aa"),
            links: vec![(s("Sign in again"), s("/sign-in"))],
        },
    );
}

fn gates(pages: &mut Vec<Sample>) {
    let demo = [
        ("developer", "Dana Developer", "Developer in payments and search"),
        ("lead", "Lena Lead", "Team lead of payments"),
        ("admin", "Adam Admin", "Platform admin"),
        ("auditor", "Aude Auditor", "Auditor: reads everything, changes nothing"),
    ];
    put(
        pages,
        "sign_in",
        gate::view::SignInPage {
            shell: gate("Sign in"),
            errors: vec![],
            local: true,
            user: String::new(),
            oidc: Some("Sign in with Example SSO".into()),
            oidc_href: s("/sign-in/oidc?next=%2F"),
            next: "/".into(),
            demo_people: demo
                .iter()
                .map(|(k, n, r)| gate::view::DemoPerson {
                    key: k.to_string(),
                    person: Person::named(n),
                    role: r.to_string(),
                })
                .collect(),
        },
    );
    let mut s = gate("Set up");
    s.demo = false;
    put(
        pages,
        "set_up",
        gate::view::SetUpPage {
            shell: s,
            errors: vec![FormError {
                text: "The code is not the one that was printed.".into(),
                href: "#f-code".into(),
            }],
            code: "abc".into(),
            name: String::new(),
            user: String::new(),
            password_rule: "at least 12 characters".into(),
        },
    );
    put(
        pages,
        "session_ended",
        gate::view::SessionEndedPage {
            shell: gate("Sign in again"),
            sign_in: "/sign-in".into(),
            action: "/catalog/x/request".into(),
            fields: vec![("name".into(), "<script>alert(1)</script>".into())],
        },
    );
    let row = |t: &str, sub: &str, p: &str, w: Option<&str>, soon| LinkRow {
        title: t.into(),
        href: "/environments/x".into(),
        sub: sub.into(),
        pill: if p.is_empty() { None } else { Some(Pill::of(p)) },
        when: w.map(when),
        soon,
    };
    put(
        pages,
        "home",
        home::view::HomePage {
            shell: shell("Home", Section::Home),
            title: "Hello, Lena".into(),
            lede: "You have 3 environments; one ends today.".into(),
            mine: vec![
                row("orders-db", "Postgres database · payments, prod", "updating", Some("in 90 days"), false),
                row("checkout-preview-812", "Terraform stack · payments, dev", "ready", Some("in 5 h"), true),
                row("refunds-sandbox", "Service skeleton · payments, test", "failed", Some("in 3 days"), false),
            ],
            first_step: None,
            drafts: vec![row("Request Postgres database", "Draft, not sent", "", Some("3 min ago"), false)],
            open_requests: vec![row(
                "Create ledger-db",
                "payments, prod · waits for Lena Lead",
                "awaiting_approval",
                Some("12 min ago"),
                false,
            )],
            to_approve: Some(vec![
                row(
                    "Dana asks to create orders-history-db",
                    "Postgres database in payments, prod",
                    "",
                    Some("12 min ago"),
                    false,
                ),
                row("Dana asks to extend ledger-db", "30 days more in payments, prod", "", Some("2 h ago"), false),
            ]),
            expiring: vec![row("checkout-preview-812", "payments, dev", "", Some("in 5 h"), true)],
            recent: vec![home::view::RecentTemplate {
                name: "Postgres database".into(),
                href: "/catalog/postgres".into(),
                request_href: "/requests/x".into(),
                icon: "database",
                sub: "Postgres · 1.2.0".into(),
            }],
        },
    );
}

/// Quotas as an admin sees them, and the form of one that is full.
fn admin_quotas(all: &mut Vec<Sample>) {
    let row = |of: &str, dimension: &str, taken: u64, limit: u64, note: &str| quotas::view::QuotaRow {
        of: s(of),
        href: o("/admin/quotas/x"),
        dimension: s(dimension),
        bar: QuotaBar::new("Taken", taken, taken, limit),
        note: s(note),
    };
    let group = |id, title, rows| quotas::view::QuotaGroup { id, title, rows };
    put(
        all,
        "quotas",
        quotas::view::QuotasPage {
            shell: shell("Quotas", Section::Admin),
            tabs: vec![Tab { label: s("Quotas"), count: None, href: s("/admin/quotas"), current: true }],
            lede: s("1 quota is used up: requests there are refused or wait."),
            groups: vec![
                group(
                    "organisation",
                    "Organisation",
                    vec![row("Everything", "vcpu", 310, 500, "12 of it reserved; 3 requests wait in line")],
                ),
                group(
                    "project_environment_type",
                    "Environment types of projects",
                    vec![
                        row("payments dev", "environments", 10, 10, ""),
                        row("payments prod", "memory_gib", 20, 64, "8 stopped, not counted"),
                    ],
                ),
                group("user", "Users", vec![row("Each user without their own", "vcpu", 12, 16, "")]),
            ],
            add_href: Some("/admin/quotas/new"),
            empty: None,
        },
    );
    let number = Control::Number { value: s("-1"), min: o("0"), max: None, step: None, unit: None };
    let choices = vec![choice("counts", "Counts", None, true), choice("free", "Does not count", None, false)];
    let section = FormSection {
        id: s("quota"),
        title: s("Limit"),
        help: s("Requests meet it from now on."),
        fields: vec![
            f(
                "maximum",
                "Limit",
                "What is there stays, also where it is more.",
                true,
                number,
                &["Must not be negative."],
            ),
            f("stopped", "What is stopped", "", true, Control::Radios { choices }, &[]),
        ],
        reshapes: false,
    };
    put(
        all,
        "quota-form",
        quotas::view::QuotaFormPage {
            shell: shell("Quota", Section::Admin),
            crumbs: vec![Crumb::to("Quotas", "/admin/quotas")],
            title: s("Environments of payments dev"),
            lede: s("A lower limit touches nothing that is there."),
            action: s("/admin/quotas/x"),
            generation: Some(3),
            bar: Some(QuotaBar::new("Taken", 10, 10, 10)),
            errors: FormError::collect(std::slice::from_ref(&section)),
            section,
            submit: "Save",
            cancel_href: "/admin/quotas",
            remove_action: o("/admin/quotas/x/remove"),
        },
    );
}
