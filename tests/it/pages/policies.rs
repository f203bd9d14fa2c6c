//! Sample data of the pages of policies.

use paddock::base::FieldError;
use paddock::web::policies::view::{
    ChangeRow, Checked, DiffLine, FlipRow, FlipTable, Flipped, FlippedProject, GrantRow, GrantsView, PoliciesPage,
    PolicyEditPage, PolicyPage, ProblemRow, ProofRow, ProofsPage, ReplayPage, Replayed, RulePage, RulePreview, RuleRow,
    Side, Tried, TryPage, VersionActions, VersionRow,
};
use paddock::web::shell::Section;
use paddock::web::ui::{Crumb, Fact, FormError, FormSection, Look, Pill, Tab, own_field, text_control};

use super::samples::{Sample, o, put, s, shell, tabs, when};

fn checked(valid: bool) -> Checked {
    let problem = ProblemRow {
        place: o("Line 12, column 8"),
        rule: o("no-large-databases"),
        message: s("Attribute `input` in context not found."),
        hint: o("Did you mean `inputs`?"),
    };
    Checked {
        valid,
        headline: s(if valid { "Valid: 35 rules" } else { "1 thing is wrong" }),
        problems: if valid { vec![] } else { vec![problem] },
        against: s("Against version 3, which is in force"),
        changes: vec![
            ChangeRow {
                pill: Pill::of("ready").saying("Added"),
                id: s("no-large-databases"),
                effect: "forbids",
                reason: s("Large databases are not made here."),
                words: vec![],
            },
            ChangeRow {
                pill: Pill::of("needs_approval").saying("Changed"),
                id: s("leads-review-requests"),
                effect: "permits",
                reason: s("Leads approve and reject the requests of their projects."),
                words: vec![s("its conditions changed"), s("@owner is “platform team”, and was not there")],
            },
        ],
    }
}

pub fn put_all(pages: &mut Vec<Sample>) {
    let row = |title: &str, pill: Pill, published: bool| VersionRow {
        title: s(title),
        href: s("/admin/policies/4"),
        pill,
        note: s("Large databases only after a talk with the platform team"),
        author: s("ada"),
        changed: when("2 min ago"),
        published_by: s(if published { "lee" } else { "" }),
        published: published.then(|| when("3 Nov")),
    };
    let list = PoliciesPage {
        shell: shell("Policies", Section::Admin),
        tabs: tabs(),
        lede: s("1 version waits for another admin to publish."),
        warnings: vec![s("The rules come from the folder /etc/paddock/policies: change them there, in Git.")],
        rows: vec![
            row("Version 4", Pill::of("awaiting_approval").saying("Proposed"), false),
            row("Version 3", Pill::of("published").saying("In force"), true),
        ],
        draft_action: o("/admin/policies/new"),
        empty: None,
    };
    put(pages, "policies", list);
    for (name, valid) in [("policy_edit", true), ("policy_edit_wrong", false)] {
        let page = PolicyEditPage {
            shell: shell("Write version 4", Section::Admin),
            crumbs: vec![Crumb::to("Policies", "/admin/policies"), Crumb::to("Version 4", "/admin/policies/4")],
            title: s("Write version 4"),
            lede: s("Rules in Cedar. Nothing changes for anybody until another admin publishes the version."),
            action: s("/admin/policies/4/edit"),
            generation: s("2"),
            note: s("No large ones"),
            source: s("@id(\"a\")\n@reason(\"A.\")\npermit (principal, action, resource);"),
            checked: checked(valid),
            errors: vec![],
            cancel_href: s("/admin/policies/4"),
        };
        put(pages, name, page);
    }
    let page = PolicyPage {
        shell: shell("Policies, version 4", Section::Admin),
        crumbs: vec![Crumb::to("Policies", "/admin/policies")],
        title: s("Policies, version 4"),
        lede: s("Large databases only after a talk with the platform team"),
        pill: Pill::of("awaiting_approval").saying("Proposed"),
        number: 4,
        facts: vec![
            Fact::new("Written by", "ada and grace"),
            Fact::link("Made from", "version 3", "/admin/policies/3"),
            Fact { value: s("by ada"), ..Fact::time("Proposed", when("2 min ago")) },
            Fact::id("Digest", "9fceb02d"),
        ],
        warnings: vec![],
        checked: Some(checked(true)),
        diff: vec![
            DiffLine::Gap(s("212 lines are the same")),
            DiffLine::Same(s("@id(\"leads-review-requests\")")),
            DiffLine::Removed(s("when { context.roles.contains(Role::\"lead\") };")),
            DiffLine::Added(s("when { context.roles.contains(Role::\"lead\") && !principal.system };")),
        ],
        rules: vec![
            RuleRow {
                id: s("leads-approve-outside-dev-and-test"),
                effect: "permits",
                reason: s("Outside dev and test, a lead of the project who is not the requester must approve."),
                owner: o("platform team"),
                approval: o("2 × lead"),
                exception: None,
                observed: None,
            },
            RuleRow {
                id: s("no-large-databases"),
                effect: "forbids",
                reason: s("Large databases are not made here."),
                owner: None,
                approval: None,
                exception: o("lead, for 7 days at most"),
                observed: o("only watched: it would have counted in 3 decisions of the last 30 days"),
            },
        ],
        try_href: o("/admin/policies/4/try"),
        replay_href: o("/admin/policies/4/replay"),
        proofs_href: o("/admin/policies/4/proofs"),
        source: s("permit (principal, action, resource);"),
        actions: VersionActions {
            generation: s("3"),
            in_force: s("3"),
            edit_href: None,
            rule_href: o("/admin/policies/4/rule"),
            propose: None,
            publish: o("/admin/policies/4/publish"),
            take_back: o("/admin/policies/4/take-back"),
            discard: o("/admin/policies/4/discard"),
            draft: o("/admin/policies/new"),
            note: o("You wrote in it or proposed it, so another admin must publish it."),
        },
    };
    put(pages, "policy", page);
    put_rules(pages);
    put_replays(pages);
}

fn put_rules(pages: &mut Vec<Sample>) {
    let text = "@id(\"no-large-databases\")\n@reason(\"Large databases are not made here.\")\nforbid (\n    principal,\n    action == Action::\"CreateEnvironment\",\n    resource\n);";
    let tab =
        |label: &str, current: bool| Tab { label: s(label), count: None, href: s("/admin/policies/4/rule"), current };
    for (name, rule) in
        [("policy_rule", Some((s("Nobody may create environments."), s(text)))), ("policy_rule_empty", None)]
    {
        let wrong = [FieldError::new("/id", "is taken by another rule of the draft")];
        let found: &[FieldError] = if rule.is_some() { &[] } else { &wrong };
        let section = FormSection {
            id: s("about"),
            title: s("About the rule"),
            help: s("People see its name and its reason wherever it decides."),
            fields: vec![own_field(found, "id", "Name", None, true, text_control("no-large-databases", "", Some(80)))],
            reshapes: false,
        };
        let page = RulePage {
            shell: shell("Add a rule to version 4", Section::Admin),
            crumbs: vec![Crumb::to("Policies", "/admin/policies"), Crumb::to("Version 4", "/admin/policies/4")],
            title: s("Add a rule to version 4"),
            lede: s("A rule without writing Cedar. It goes to the end of the draft."),
            tabs: vec![
                tab("Allow", false),
                tab("Forbid", true),
                tab("Ask for approval", false),
                tab("Limit lifetimes", false),
            ],
            action: s("/admin/policies/4/rule"),
            kind: "forbid",
            generation: s("2"),
            errors: FormError::collect(std::slice::from_ref(&section)),
            sections: vec![section],
            preview: RulePreview { rule, problems: vec![] },
            cancel_href: s("/admin/policies/4"),
        };
        put(pages, name, page);
    }
}

fn side(state: &str, sentence: &str, rules: &[&str]) -> Side {
    Side { pill: Pill::of(state), sentence: s(sentence), rules: rules.iter().map(|id| s(id)).collect() }
}

fn put_replays(pages: &mut Vec<Sample>) {
    let row = |word: &'static str, before: Side, after: Side, href: Option<String>| FlipRow {
        pill: Pill::of("denied").saying(word),
        asked: s("ada: create an environment of the type dev in project payments"),
        href,
        cost: o("1,230.00 EUR a month"),
        when: when("3 days ago"),
        before,
        after,
    };
    let allowed = side("allowed", "Allowed: Developers make environments in dev and test.", &["developers-make"]);
    let denied = side(
        "denied",
        "Denied by the rule no-large-databases: Large databases are not made here.",
        &["no-large-databases"],
    );
    let projects = vec![
        FlippedProject {
            name: s("payments"),
            rows: vec![
                row("Newly denied", allowed.clone(), denied.clone(), o("/requests/req_x")),
                row("Newly allowed", denied.clone(), allowed.clone(), None),
            ],
            more: o("1042 decisions more"),
        },
        FlippedProject { name: s("storefront"), rows: vec![], more: o("3 decisions more") },
    ];
    let flipped = |count: &str, cost: Option<String>| Flipped { count: s(count), cost };
    let some = flipped("2", o("1,230.00 EUR a month; of 2, 1 had no price"));
    let many = flipped("1041", o("no price is known"));
    let sums = [some, flipped("1", o("12.00 EUR a month")), flipped("0", None), many];
    let tables = vec![
        FlipTable {
            heading: "Project",
            note: None,
            rows: vec![(s("payments"), sums.clone()), (s("All"), sums.clone())],
        },
        FlipTable {
            heading: "Team",
            note: Some("By the teams of whoever asked: somebody of two teams counts in both."),
            rows: vec![(s("In no team"), sums)],
        },
    ];
    let text = |name: &str, label: &str| own_field(&[], name, label, None, false, text_control("", "7d", None));
    let page = TryPage {
        shell: shell("Try version 4", Section::Admin),
        crumbs: vec![Crumb::to("Policies", "/admin/policies"), Crumb::to("Version 4", "/admin/policies/4")],
        title: s("Try version 4"),
        lede: s("What this version would say to a request, beside what is said now."),
        action: s("/admin/policies/4/try"),
        errors: vec![],
        section: FormSection {
            id: s("try"),
            title: s("The request"),
            help: s("It need not be about something that exists."),
            fields: vec![text("person", "Who asks"), text("lifetime", "Lifetime")],
            reshapes: false,
        },
        tried: Some(Tried {
            look: Look::Bad,
            headline: s("Newly denied"),
            asked: s("ada: create an environment of the type dev in project payments"),
            before: allowed.clone(),
            after: denied.clone(),
        }),
    };
    put(pages, "policy-try", page);
    let page = ProofsPage {
        shell: shell("What is proved", Section::Admin),
        crumbs: vec![Crumb::to("Policies", "/admin/policies"), Crumb::to("Version 4", "/admin/policies/4")],
        title: s("What is proved"),
        proofs: vec![
            ProofRow {
                pill: Pill::of("ready").saying("Holds"),
                claim: "No rule fails",
                found: s("1204 questions asked"),
            },
            ProofRow {
                pill: Pill::of("failed").saying("Broken"),
                claim: "Nobody approves their own request",
                found: s("For example somebody with the role lead: approve or reject a request in project payments."),
            },
        ],
        grants: Some(GrantsView {
            help: s("Asked with 1,204 questions about what differs from the version in force."),
            rows: vec![GrantRow {
                example: s(
                    "somebody with the role developer: create an environment of the type prod in project payments",
                ),
                before: Pill::of("needs_approval"),
                after: Pill::of("allowed"),
            }],
        }),
    };
    put(pages, "policy-proofs", page);
    for (name, look, reached) in
        [("policy-replayed", Look::Wait, None), ("policy-replaying", Look::Busy, Some(when("3 Oct 2026, 12:00 UTC")))]
    {
        let page = ReplayPage {
            shell: shell("Replay version 4", Section::Admin),
            crumbs: vec![Crumb::to("Policies", "/admin/policies"), Crumb::to("Version 4", "/admin/policies/4")],
            title: s("Replay version 4"),
            lede: s("The stored decisions are made again by this version and by what is in force."),
            action: s("/admin/policies/4/replay"),
            days: [7, 30, 90].map(|days| (days.to_string(), format!("the last {days} days"), days == 30)).to_vec(),
            from: s(""),
            error: reached.is_some().then_some("The date is not a date: write it as 2026-11-21."),
            replayed: Some(Replayed {
                look,
                headline: s("1047 of 5012 decisions flip"),
                since: when("22 Oct 2026, 12:00 UTC"),
                reached,
                against: s("Against version 3, which is in force"),
                lost: o("2 decisions cannot be made again. Whether they flip is not known."),
                tables: tables.clone(),
                projects: projects.clone(),
                action: s("/admin/policies/4/replay"),
                so_far: s("{}"),
            }),
        };
        put(pages, name, page);
    }
}
