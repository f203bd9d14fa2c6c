//! Roles as an admin sees them.

use paddock::base::FieldError;
use paddock::web::roles::view::{RoleFormPage, RoleRow, RolesPage};
use paddock::web::shell::Section;
use paddock::web::ui::{Crumb, Fact, FilterBar, FormError, FormSection, Pager, Tab, own_field, text_control};

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
}
