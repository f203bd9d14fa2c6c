//! Orphans: what targets hold with our mark and nobody owns, and what an admin says about it.

pub mod view;

use axum::extract::Path;
use axum::response::Response;

use self::view::{LookRow, OrphanPage, OrphanRow, OrphansPage};
use crate::base::id::OrphanId;
use crate::environments::State;
use crate::environments::orphans::{self, InventoryResult, Looked, Orphan, OrphanState};
use crate::orchestrator;
use crate::policy::{Action, Permit, Resource, ability};
use crate::web::answer::{self, Form, Query};
use crate::web::error::PageError;
use crate::web::shell::Section;
use crate::web::ui::{Crumb, Empty, Fact, Pill};
use crate::web::visitor::Visitor;
use crate::web::words::{Times, count};
use crate::web::{frame, listing, queue, urls};

/// How many are on a page.
const PAGE_SIZE: i64 = 50;
/// How many lines of a run are shown.
const LINES: i64 = 100;

fn look(visitor: &Visitor) -> Result<Permit<ability::ReadAdmin>, PageError> {
    let (app, op, access) = (&visitor.app, &visitor.op, &visitor.access);
    Ok(app.policy.permit(&app.platform_question(op, access, Action::ReadAdmin, Resource::platform()))?)
}

fn manage(visitor: &Visitor) -> Result<Permit<ability::ManageOrphans>, PageError> {
    let (app, op, access) = (&visitor.app, &visitor.op, &visitor.access);
    Ok(app.policy.permit(&app.platform_question(op, access, Action::ManageOrphans, Resource::platform()))?)
}

/// `GET /admin/orphans`
pub async fn list_page(visitor: Visitor, query: Query) -> Result<Response, PageError> {
    look(&visitor)?;
    let mut connection = visitor.app.db.acquire().await?;
    let total = orphans::count(&mut connection).await?;
    let page = orphans::list(&mut connection, listing::cursor(&query)?, PAGE_SIZE).await?;
    let looks = orphans::looks(&mut connection).await?;
    drop(connection);
    let times = visitor.times();
    let lede = match total {
        0 => "Everything with our mark at the targets belongs to an environment, as far as is known.".to_owned(),
        some => format!(
            "{} at targets that no environment owns. Nothing is removed by itself.",
            count(some, "thing", "things")
        ),
    };
    answer::page(&OrphansPage {
        shell: frame::shell(&visitor, Section::Admin, "Orphans").await?,
        lede,
        tabs: queue::tabs(urls::ADMIN_ORPHANS),
        pager: listing::pager(
            urls::ADMIN_ORPHANS,
            &query,
            count(total, "orphan", "orphans"),
            page.next_cursor.as_deref(),
        ),
        empty: page.items.is_empty().then(empty),
        rows: page.items.iter().map(|orphan| row(orphan, &times)).collect(),
        looks: looks.into_iter().map(|one| look_row(one, &times)).collect(),
        look_action: manage(&visitor).is_ok().then(|| urls::ADMIN_ORPHANS_LOOK.to_owned()),
    })
}

fn empty() -> Empty {
    Empty {
        icon: "circle-check",
        title: "There are no orphans".to_owned(),
        text: "What Paddock made carries its mark. What carries it and belongs to no environment appears here."
            .to_owned(),
        action: None,
    }
}

fn row(orphan: &Orphan, times: &Times) -> OrphanRow {
    OrphanRow {
        thing: orphan.thing.id.clone(),
        href: urls::admin_orphan(orphan.id),
        kind: orphan.thing.r#type.clone(),
        pill: pill(orphan),
        target: orphan.target_slug.clone(),
        environment: whose(orphan),
        cost: orphan.thing.cost.clone().unwrap_or_else(|| "not known".to_owned()),
        found: times.near(orphan.found_at),
    }
}

fn pill(orphan: &Orphan) -> Pill {
    match orphan.state {
        OrphanState::Found if orphan.error.is_some() => Pill::of("failed").saying("Could not destroy"),
        OrphanState::Found => Pill::of("requested").saying("Waits for a person"),
        OrphanState::Destroying => Pill::of("updating").saying("Destroying"),
        OrphanState::Destroyed => Pill::of("deleted").saying("Destroyed"),
        OrphanState::Adopted => Pill::of("ready").saying("Adopted"),
        OrphanState::Gone => Pill::of("withdrawn").saying("Gone"),
    }
}

fn whose(orphan: &Orphan) -> (String, Option<String>) {
    match (&orphan.environment, orphan.thing.environment) {
        (Some((name, State::Deleted)), Some(id)) => (format!("{name}, deleted"), Some(urls::environment(id))),
        (Some((name, _)), Some(id)) => (name.clone(), Some(urls::environment(id))),
        (None, Some(id)) => (format!("{id}, not known here"), None),
        (_, None) => ("not said".to_owned(), None),
    }
}

fn look_row(look: Looked, times: &Times) -> LookRow {
    let pill = match look.result {
        None => Pill::of("waiting").saying("Not yet"),
        Some(InventoryResult::Listed) => Pill::of("ready").saying("Listed"),
        Some(InventoryResult::CannotTell) => Pill::of("skipped").saying("Cannot tell"),
        Some(InventoryResult::Failed) => Pill::of("failed"),
    };
    LookRow {
        href: urls::admin_target(&look.target),
        target: look.target,
        pill,
        when: look.at.map(|at| times.near(at)),
        next: look.due_at.map(|at| times.near(at)),
        reason: look.reason.unwrap_or_default(),
    }
}

/// `POST /admin/orphans/look`
pub async fn look_now(visitor: Visitor) -> Result<Response, PageError> {
    let permit = manage(&visitor)?;
    visitor.app.look_for_orphans(&permit).await?;
    Ok(answer::see_other_saying(urls::ADMIN_ORPHANS, "Every target is looked over as soon as a worker comes to it."))
}

fn id_of(text: &str) -> Result<OrphanId, PageError> {
    text.parse().map_err(|_| PageError::not_found("orphan"))
}

/// `GET /admin/orphans/{orphan}`
pub async fn page(visitor: Visitor, Path(id): Path<String>) -> Result<Response, PageError> {
    look(&visitor)?;
    let mut connection = visitor.app.db.acquire().await?;
    let orphan = orphans::get(&mut connection, id_of(&id)?).await?;
    let log = match orphan.run {
        Some(run) => orchestrator::log_lines(&mut connection, run, 0, LINES).await?,
        None => Vec::new(),
    };
    drop(connection);
    let may = orphan.state == OrphanState::Found && manage(&visitor).is_ok();
    let times = visitor.times();
    let adoptable = orphan.can_be_adopted();
    let mut shell = frame::shell(&visitor, Section::Admin, &orphan.thing.id).await?;
    shell.here = urls::admin_orphan(orphan.id);
    answer::page(&OrphanPage {
        shell,
        crumbs: vec![Crumb::to("Orphans", urls::ADMIN_ORPHANS)],
        name: orphan.thing.id.clone(),
        pill: pill(&orphan),
        lede: format!("{} on {} that no environment owns", orphan.thing.r#type, orphan.target_slug),
        facts: facts(&orphan, &times),
        error: orphan.error.clone(),
        log: log.into_iter().map(|line| line.text).collect(),
        no_adoption: (may && !adoptable)
            .then(|| "It cannot be adopted: the environment that its mark names does not live here.".to_owned()),
        adopt_action: (may && adoptable).then(|| urls::admin_orphan_adopt(orphan.id)),
        destroy_action: may.then(|| urls::admin_orphan_destroy(orphan.id)),
        live: orphan.state == OrphanState::Destroying,
    })
}

fn facts(orphan: &Orphan, times: &Times) -> Vec<Fact> {
    let (words, href) = whose(orphan);
    let mut facts = vec![
        Fact::id("Id at the target", orphan.thing.id.clone()),
        Fact::new("Kind", orphan.thing.r#type.clone()),
        Fact::link("Target", orphan.target_slug.clone(), urls::admin_target(&orphan.target_slug)),
        match href {
            Some(href) => Fact::link("Environment by its mark", words, href),
            None => Fact::new("Environment by its mark", words),
        },
        Fact::new("Cost", orphan.thing.cost.clone().unwrap_or_else(|| "not known".to_owned())),
    ];
    if let Some(at) = orphan.thing.since {
        facts.push(Fact::time("There since", times.at(at)));
    }
    facts.push(Fact::time("Found", times.at(orphan.found_at)));
    facts.push(Fact::time("Seen last", times.at(orphan.seen_at)));
    facts
}

/// `POST /admin/orphans/{orphan}/adopt`, with `reason`.
pub async fn adopt(visitor: Visitor, Path(id): Path<String>, form: Form) -> Result<Response, PageError> {
    let permit = manage(&visitor)?;
    let (id, back) = (id_of(&id)?, urls::admin_orphan(id_of(&id)?));
    let adopted = visitor.app.adopt_orphan(&visitor.op, &permit, id, form.get("reason")).await;
    adopted.map_err(|error| PageError::from(error).link("The orphan", &back))?;
    Ok(answer::see_other_saying(&back, "Its environment has it again."))
}

/// `POST /admin/orphans/{orphan}/destroy`, with `reason` and the thing's id as `name`.
pub async fn destroy(visitor: Visitor, Path(id): Path<String>, form: Form) -> Result<Response, PageError> {
    let permit = manage(&visitor)?;
    let (id, back) = (id_of(&id)?, urls::admin_orphan(id_of(&id)?));
    let orphan = orphans::get(&mut *visitor.app.db.acquire().await?, id).await?;
    if form.get("name").trim() != orphan.thing.id {
        let words = format!("Type {} to confirm: this is not undone.", orphan.thing.id);
        return Err(PageError::invalid(&words).link("The orphan", &back));
    }
    let asked = visitor.app.destroy_orphan(&visitor.op, &permit, id, form.get("reason")).await;
    asked.map_err(|error| PageError::from(error).link("The orphan", &back))?;
    Ok(answer::see_other_saying(&back, "A run destroys it."))
}
