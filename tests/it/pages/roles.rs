//! Roles as an admin sees them.

use paddock::base::FieldError;
use paddock::web::roles::view::{
    AskedPage, AskedRolesPage, AskedRow, JudgeForm, OwnRolesPage, OwnRow, RoleFormPage, RoleRow, RolesPage,
};
use paddock::web::shell::{AlarmLine, Section};
use paddock::web::ui::{
    Crumb, Fact, FilterBar, FormError, FormSection, Look, Pager, Pill, Rule, Tab, choice, own_field, text_control,
};

use paddock::web::why::view::{WhyPage, WhyRow, WhySection};

use super::samples::{Sample, o, put, s, shell, when};

/// The list, and one role with a mistake in its form.
pub(super) fn put_all(all: &mut Vec<Sample>) {
    let row = |name: &str, key: &str, role: &str, place: &str, ends: Option<&str>, by: &str| RoleRow {
        name: s(name),
        key: s(key),
        href: o("/admin/roles/x"),
        role: s(role),
        place: s(place),
        ends: ends.map(when),
        by: s(by),
    };
    let page = RolesPage {
        shell: shell("Roles", Section::Admin),
        tabs: vec![Tab { label: s("Roles"), count: None, href: s("/admin/roles"), current: true }],
        lede: s("Who holds which role, where and until when."),
        filter: FilterBar {
            action: s("/admin/roles"),
            q: s(""),
            placeholder: s("Name, team, role or project"),
            selects: Vec::new(),
            keep: Vec::new(),
            chips: Vec::new(),
        },
        rows: vec![
            row("Nora Lind", "nora", "lead", "payments", Some("in 8 hours"), "Ada Lindqvist"),
            row("Site reliability", "team sre, 4 people", "developer", "the platform", None, "the identity provider"),
            row("Lee Okafor", "lee.okafor@payments.example.com", "lead", "payments", None, "set-up"),
        ],
        to_judge: 2,
        give_href: Some("/admin/roles/new"),
        empty: None,
        pager: Pager { summary: s("3 roles"), first_href: None, next_href: o("/admin/roles?after=x") },
    };
    put(all, "roles", page);
    let found = [FieldError::new("/lifetime", "is a length of time such as 8h or 30d, or empty")];
    let help = "From now on, such as 8h or 30d. Empty: until it is taken away.";
    let section = FormSection {
        id: s("role"),
        title: s("Another end"),
        help: s("In place of the one that it has."),
        fields: vec![own_field(
            &found,
            "lifetime",
            "For how long",
            Some(help),
            false,
            text_control("soon", "30d", None),
        )],
        reshapes: false,
    };
    let page = RoleFormPage {
        shell: shell("Role", Section::Admin),
        crumbs: vec![Crumb::to("Roles", "/admin/roles")],
        title: s("Nora Lind: lead in payments"),
        lede: String::new(),
        action: s("/admin/roles/x"),
        seen: o("none"),
        facts: vec![
            Fact::new("Who", "nora"),
            Fact::new("Given by", "Ada Lindqvist"),
            Fact::time("Ends", when("in 8 hours")),
        ],
        errors: FormError::collect(std::slice::from_ref(&section)),
        section,
        submit: "Save",
        take_action: o("/admin/roles/x/take"),
    };
    put(all, "role-form", page);
    put_asked(all);
}

fn asked_row(end: Option<(&'static str, String)>) -> AskedRow {
    AskedRow {
        name: s("Nora Lind"),
        href: s("/admin/roles/asked/x"),
        label: s("lead in payments"),
        pill: Pill { look: Look::Wait, icon: "user-round-check", word: "Waiting".into() },
        reason: s("Ada is away, and the release waits for somebody who approves it."),
        answer: s("Ada Lindqvist: For today"),
        asked: when("5 minutes ago"),
        ends: Some(when("in 8 hours")),
        end,
    }
}

/// One's own roles, what was asked for, and one of them.
fn put_asked(all: &mut Vec<Sample>) {
    let mut shown = shell("Your roles", Section::Elsewhere);
    shown.alarms = vec![AlarmLine {
        text: s("Lee Okafor took the role admin in payments in an emergency, 5 minutes ago."),
        href: s("/admin/roles/asked/x"),
        label: "Review it",
    }];
    let found = [FieldError::new("/reason", "say what it is for")];
    let long = paddock::catalog::form::Control::LongText { value: String::new() };
    let section = FormSection {
        id: s("ask"),
        title: s("Ask for a role"),
        help: s("For a time. Somebody who gives roles decides."),
        fields: vec![
            own_field(
                &found,
                "project",
                "Where",
                Some("The short name of a project."),
                false,
                text_control("payments", "payments", None),
            ),
            own_field(&found, "reason", "What for", None, true, long),
        ],
        reshapes: false,
    };
    let own = |role: &str, ends: Option<&str>| OwnRow {
        role: s(role),
        place: s("Payments"),
        ends: ends.map(when),
        by: s("your team Site reliability"),
    };
    let page = OwnRolesPage {
        shell: shown.clone(),
        tabs: vec![Tab { label: s("Your roles"), count: None, href: s("/preferences/roles"), current: true }],
        rows: vec![own("developer", None), own("lead", Some("in 8 hours"))],
        asked: vec![asked_row(Some(("Give back", s("/preferences/roles/x/end"))))],
        errors: FormError::collect(std::slice::from_ref(&section)),
        section: section.clone(),
        emergencies: vec![s("admin in payments")],
    };
    put(all, "roles-own", page);
    shown.section = Section::Admin;
    let page = AskedRolesPage {
        shell: shown.clone(),
        crumbs: vec![Crumb::to("Roles", "/admin/roles")],
        tabs: vec![Tab { label: s("Roles"), count: None, href: s("/admin/roles"), current: true }],
        lede: s("Roles for a time."),
        shows: vec![Tab { label: s("All"), count: None, href: s("/admin/roles/asked"), current: true }],
        rows: vec![asked_row(None)],
        empty: None,
        pager: Pager { summary: s("1 role"), first_href: None, next_href: None },
    };
    put(all, "roles-asked", page);
    let page = AskedPage {
        shell: shown,
        crumbs: vec![Crumb::to("Roles", "/admin/roles")],
        title: s("Nora Lind: lead in payments"),
        pill: Pill { look: Look::Wait, icon: "user-round-check", word: "Waiting".into() },
        note: Some("Somebody else decides on what you ask for, and reviews what you took."),
        facts: vec![
            Fact::new("Reason", "Ada is away"),
            Fact::new("For", "8 hours"),
            Fact::time("Asked", when("5 minutes ago")),
        ],
        did_href: o("/audit?actor=nora"),
        errors: FormError::collect(std::slice::from_ref(&section)),
        judge: Some(JudgeForm {
            action: s("/admin/roles/asked/x/decide"),
            section,
            yes: ("grant", "Grant it"),
            no: ("decline", "Decline"),
        }),
    };
    put(all, "role-asked", page);
    put_why(all);
}

/// What one may do, and why.
fn put_why(all: &mut Vec<Sample>) {
    let rule = Rule { text: s("Production needs a lead of the project."), id: s("prod-needs-lead"), excepted: false };
    let row = |what: &str, state: &str, word: &'static str| WhyRow {
        what: s(what),
        pill: Pill::of(state).saying(word),
        rules: vec![rule.clone()],
        asks: vec![s("a lead of payments")],
        help: vec![(s("lead in payments"), s("/preferences/roles?role=lead"))],
    };
    let page = WhyPage {
        shell: shell("What you may do", Section::Elsewhere),
        of: s("/catalog"),
        note: Some("What this address names is not there, or you may not see it."),
        projects: vec![choice("payments", "Payments", None, true), choice("storefront", "Storefront", None, false)],
        sections: vec![WhySection {
            id: "project",
            title: s("In Payments"),
            help: "Without a template and inputs.",
            rows: vec![
                row("Create an environment in prod", "needs_approval", "With approval"),
                row("Read the audit log", "denied", "No"),
            ],
        }],
    };
    put(all, "why", page);
}
