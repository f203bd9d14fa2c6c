//! `GET /costs?month=2026-11&project=payments&by=template`

use std::collections::BTreeMap;

use axum::response::Response;
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive as _;

use super::view::{CostRow, CostsPage};
use super::{budget, month_of};
use crate::app::Visible;
use crate::cost::{self, BudgetTerms, Money, Month};
use crate::environments::costs::{self, Accrued, MonthCosts, Subject};
use crate::policy::{Action, Resource};
use crate::projects::{self, Project};
use crate::web::answer::{self, Form, Query};
use crate::web::cost::{missing, money, summed};
use crate::web::error::{PageError, sentence};
use crate::web::shell::Section;
use crate::web::ui::{Empty, Fact, FilterBar, FilterSelect, Tab};
use crate::web::visitor::Visitor;
use crate::web::{frame, listing, urls};

/// The most rows that are shown; the dearest come first.
const MOST: usize = 200;

/// What rows are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum By {
    Project,
    Environment,
    Template,
    Type,
}

impl By {
    const ALL: [Self; 4] = [Self::Project, Self::Environment, Self::Template, Self::Type];

    fn word(self) -> &'static str {
        match self {
            Self::Project => "project",
            Self::Environment => "environment",
            Self::Template => "template",
            Self::Type => "type",
        }
    }

    fn columns(self) -> (&'static str, &'static str) {
        match self {
            Self::Project => ("Project", "By project"),
            Self::Environment => ("Environment", "By environment"),
            Self::Template => ("Template", "By template"),
            Self::Type => ("Environment type", "By type"),
        }
    }

    /// Key, name, what stands beside it, address.
    fn group(self, subject: &Subject, month: Month) -> (String, String, String, Option<String>) {
        let none = String::new;
        match self {
            Self::Project => {
                let (slug, month) = (subject.project_slug.as_str(), month.to_string());
                let href = listing::href(urls::COSTS, [("project", slug), ("month", month.as_str())]);
                (subject.project_slug.clone(), subject.project_name.clone(), none(), Some(href))
            }
            Self::Environment => {
                let sub = format!("{}, {}", subject.project_slug, subject.environment_type);
                (subject.id.to_string(), subject.name.clone(), sub, Some(urls::environment(subject.id)))
            }
            Self::Template => {
                let href = urls::template(&subject.template_slug);
                (subject.template_slug.clone(), subject.template_name.clone(), none(), Some(href))
            }
            Self::Type => (subject.environment_type.clone(), subject.environment_type.clone(), none(), None),
        }
    }
}

/// The page.
pub async fn page(visitor: Visitor, query: Query) -> Result<Response, PageError> {
    let month = month_of(&visitor, &query)?;
    let mut connection = visitor.app.db.acquire().await?;
    let visible = visitor.visible(&mut connection, Action::ReadProject).await?;
    let mut projects = projects::list(&mut connection, None).await?;
    projects.retain(|project| visible.contains(project.id));
    let chosen = query.get("project");
    // A project that the viewer does not know of has nothing for them.
    let shown = projects.iter().find(|one| one.slug == chosen);
    let seen = match (chosen, shown) {
        ("", _) => visible.clone(),
        (_, Some(project)) => visible.within(project.id),
        (_, None) => Visible::nothing(),
    };
    let wanted = costs::Wanted { projects: seen.projects(), parts: seen.parts() };
    let found = costs::month(&mut connection, month, &wanted).await?;
    // The budget is one of the whole project.
    let budget = match shown.filter(|project| visible.is_whole(project.id)) {
        Some(project) => cost::budget(&mut connection, project.id, false).await?,
        None => None,
    };
    drop(connection);
    let usual = if chosen.is_empty() { By::Project } else { By::Environment };
    let by = By::ALL.into_iter().find(|by| by.word() == query.get("by")).unwrap_or(usual);
    let total = found.total();
    let (rows, more) = rows(&found, by);
    let of_month = |month: Month| {
        let text = month.to_string();
        listing::href(urls::COSTS, listing::without(&query, &["month"]).chain([("month", text.as_str())]))
    };
    let present = Month::of(visitor.op.now());
    let may_export = visitor.app.policy.allows(&visitor.app.platform_question(
        &visitor.op,
        &visitor.access,
        Action::ReadAdmin,
        Resource::platform(),
    ));
    let month_text = month.to_string();
    let page = CostsPage {
        shell: frame::shell(&visitor, Section::Costs, "Costs").await?,
        lede: lede(chosen, &projects),
        month: month.words(),
        before_href: of_month(month.before()),
        after_href: (month < present).then(|| of_month(month.after())),
        csv_href: may_export.then(|| listing::href(urls::COSTS_CSV, [("month", month_text.as_str())])),
        tabs: tabs(&query, by),
        filter: (projects.len() > 1).then(|| bar(&projects, &query)),
        sums: if rows.is_empty() { Vec::new() } else { sums(&found, &total) },
        budget: budget.map_or_else(Vec::new, |one| terms(&one.terms, &found.currency)),
        budget_href: shown.filter(|_| budget::may_manage(&visitor)).map(|one| urls::costs_budget(&one.slug)),
        notes: notes(&visitor, &found, &total),
        column: by.columns().0,
        goes_on: found.goes_on(),
        empty: rows.is_empty().then(|| empty(month, present)),
        has_notes: rows.iter().any(|row| !row.note.is_empty()),
        rows,
        more,
    };
    answer::page(&page)
}

fn lede(chosen: &str, projects: &[Project]) -> String {
    match projects.iter().find(|one| one.slug == chosen) {
        Some(project) => format!("What the environments of {} cost, by the prices of each day.", project.name),
        None => "What environments cost, by the prices of each day.".to_owned(),
    }
}

fn rows(found: &MonthCosts, by: By) -> (Vec<CostRow>, String) {
    let mut groups: BTreeMap<String, (String, String, Option<String>, Accrued)> = BTreeMap::new();
    for one in &found.environments {
        let (key, name, sub, href) = by.group(&one.subject, found.month);
        let group = groups.entry(key).or_insert_with(|| (name, sub, href, Accrued::default()));
        group.3.add(&one.accrued);
    }
    let mut groups: Vec<_> = groups.into_values().collect();
    groups.sort_by(|a, b| (b.3.forecast, &a.0).cmp(&(a.3.forecast, &b.0)));
    let most = groups.first().map(|group| group.3.forecast.exact()).unwrap_or_default();
    let rest: Vec<_> = groups.split_off(groups.len().min(MOST));
    let more = if rest.is_empty() {
        String::new()
    } else {
        let cost: Money = rest.iter().map(|group| group.3.so_far).sum();
        format!("And {} more, which cost {} together.", rest.len(), money(cost.told(), &found.currency))
    };
    let row = |(name, sub, href, accrued): (String, String, Option<String>, Accrued)| CostRow {
        name,
        sub,
        href,
        so_far: summed(accrued.so_far, &accrued, &found.currency),
        forecast: if found.goes_on() { summed(accrued.forecast, &accrued, &found.currency) } else { String::new() },
        share: share(accrued.forecast.exact(), most),
        note: sentence(&missing(&accrued).join("; ")),
    };
    (groups.into_iter().map(row).collect(), more)
}

fn share(part: Decimal, whole: Decimal) -> u8 {
    if whole.is_zero() {
        return 0;
    }
    (part / whole * Decimal::ONE_HUNDRED).round().to_u8().unwrap_or(100).min(100)
}

fn sums(found: &MonthCosts, total: &Accrued) -> Vec<Fact> {
    let told = |cost| summed(cost, total, &found.currency);
    let mut sums = vec![Fact::new(if found.goes_on() { "So far" } else { "In all" }, told(total.so_far))];
    if found.goes_on() {
        sums.push(Fact::new("By the end of the month", told(total.forecast)));
    }
    sums
}

/// A budget in rows.
fn terms(terms: &BudgetTerms, currency: &str) -> Vec<Fact> {
    let above =
        |label: &str, percent: Option<i32>| percent.map(|percent| Fact::new(label, format!("above {percent} % of it")));
    let amount = Fact::new("Each month", money(terms.amount, currency));
    let thresholds = [
        above("Requests are warned", terms.warn_above),
        above("A lead must agree", terms.approve_above),
        above("Requests are denied", terms.deny_above),
    ];
    std::iter::once(amount).chain(thresholds.into_iter().flatten()).collect()
}

fn notes(visitor: &Visitor, found: &MonthCosts, total: &Accrued) -> Vec<String> {
    let mut notes = Vec::new();
    if !total.is_whole() {
        notes.push(format!("Not in the sum: {}.", missing(total).join("; ")));
    }
    if let Some(since) = found.since {
        let at = visitor.times().at(since).shown;
        notes.push(format!("Costs are known since {at}: what was there before is counted from then on."));
    }
    if found.goes_on() && !found.environments.is_empty() {
        let how = "By the end of the month: if everything stays as it is, until the month or its life ends.";
        notes.push(how.to_owned());
    }
    notes
}

fn tabs(query: &Form, by: By) -> Vec<Tab> {
    let tab = |one: By| Tab {
        label: one.columns().1.to_owned(),
        count: None,
        href: listing::href(urls::COSTS, listing::without(query, &["by"]).chain([("by", one.word())])),
        current: one == by,
    };
    By::ALL.map(tab).into()
}

fn bar(projects: &[Project], query: &Form) -> FilterBar {
    let choices = projects.iter().map(|one| (one.slug.clone(), one.name.clone()));
    let select = FilterSelect {
        label: "Project".to_owned(),
        name: "project".to_owned(),
        choices: std::iter::once((String::new(), "All projects".to_owned())).chain(choices).collect(),
        value: query.get("project").to_owned(),
    };
    FilterBar {
        action: urls::COSTS.to_owned(),
        q: String::new(),
        placeholder: String::new(),
        chips: Vec::new(),
        selects: vec![select],
        keep: listing::without(query, &["project"]).map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
    }
}

fn empty(month: Month, present: Month) -> Empty {
    let text = if month > present { "This month has not begun." } else { "No environment that you may see was there." };
    Empty {
        icon: "coins",
        title: format!("Nothing cost anything in {}", month.words()),
        text: text.to_owned(),
        action: None,
    }
}
