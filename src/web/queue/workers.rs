//! `GET /admin/workers`: who executes runs, and telling them to take no more.

use axum::extract::Path;
use axum::response::Response;

use super::view::{WorkerRowView, WorkersPage};
use super::{look, manage, tabs};
use crate::orchestrator::{self, WorkerState};
use crate::web::answer;
use crate::web::error::PageError;
use crate::web::shell::Section;
use crate::web::ui::{Empty, Pill};
use crate::web::visitor::Visitor;
use crate::web::words::{Times, count};
use crate::web::{frame, urls};

/// The page.
pub async fn page(visitor: Visitor) -> Result<Response, PageError> {
    look(&visitor)?;
    let may_manage = manage(&visitor).is_ok();
    let workers = orchestrator::workers(&mut *visitor.app.db.acquire().await?).await?;
    let times = visitor.times();
    let taking = workers.iter().filter(|worker| !worker.draining && !worker.silent).count();
    let page = WorkersPage {
        shell: frame::shell(&visitor, Section::Admin, "Workers").await?,
        lede: format!(
            "{}. A draining worker finishes what it runs.",
            count(taking, "worker takes runs", "workers take runs")
        ),
        tabs: tabs(urls::ADMIN_WORKERS),
        empty: workers.is_empty().then(empty),
        rows: workers.into_iter().map(|worker| row(worker, &times, may_manage)).collect(),
    };
    answer::page(&page)
}

/// `POST /admin/workers/{worker}/drain`
pub async fn drain(visitor: Visitor, Path(name): Path<String>) -> Result<Response, PageError> {
    tell(&visitor, &name, true, "It takes no more runs, and finishes what it runs.").await
}

/// `POST /admin/workers/{worker}/resume`
pub async fn resume(visitor: Visitor, Path(name): Path<String>) -> Result<Response, PageError> {
    tell(&visitor, &name, false, "It takes runs again.").await
}

async fn tell(visitor: &Visitor, name: &str, drain: bool, said: &str) -> Result<Response, PageError> {
    let permit = manage(visitor)?;
    let told = visitor.app.drain_worker(&visitor.op, &permit, name, drain).await;
    told.map_err(|error| PageError::from(error).link("Workers", urls::ADMIN_WORKERS))?;
    Ok(answer::see_other_saying(urls::ADMIN_WORKERS, said))
}

fn empty() -> Empty {
    Empty {
        icon: "server",
        title: "No worker is there".to_owned(),
        text: "Nothing is executed until one starts: run “paddock worker”, or “paddock up” for everything.".to_owned(),
        action: None,
    }
}

fn row(worker: WorkerState, times: &Times, may_manage: bool) -> WorkerRowView {
    let pill = if worker.silent {
        Pill::of("failed").saying("Silent")
    } else if worker.draining && worker.busy > 0 {
        Pill::of("stopping").saying("Draining")
    } else if worker.draining {
        Pill::of("stopped").saying("Drained")
    } else if worker.busy > 0 {
        Pill::of("running").saying("At work")
    } else {
        Pill::of("ready").saying("Idle")
    };
    let action = if worker.drain_requested {
        ("Resume", urls::admin_worker_resume(&worker.name))
    } else {
        ("Drain", urls::admin_worker_drain(&worker.name))
    };
    WorkerRowView {
        pill,
        slots: format!("{} of {}", worker.busy, worker.slots),
        labels: worker.labels,
        version: worker.version,
        seen: times.near(worker.seen_at),
        started: times.near(worker.started_at),
        action: may_manage.then_some(action),
        name: worker.name,
    }
}
