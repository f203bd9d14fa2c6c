//! A migrated database for one test, cloned from a template, dropped when the test passes.

use std::sync::atomic::{AtomicU32, Ordering};

use paddock::db::{Db, migrate};
use sqlx::postgres::PgConnectOptions;
use tokio::sync::OnceCell;

use super::server::Server;

static TEMPLATE: OnceCell<String> = OnceCell::const_new();
static NEXT: AtomicU32 = AtomicU32::new(0);

/// A database of its own.
pub struct TestDatabase {
    /// Its pool, as the application uses it.
    pub db: Db,
    name: String,
}

impl TestDatabase {
    /// With every migration applied.
    pub async fn new() -> Self {
        let server = server().await;
        let template = TEMPLATE.get_or_init(make_template).await;
        let name = format!("{template}_{}", NEXT.fetch_add(1, Ordering::SeqCst));
        server.execute(format!("CREATE DATABASE {name} TEMPLATE {template}")).await.unwrap();
        Self { db: Db::with_options(server.options(&name), 10), name }
    }

    /// Without any table.
    pub async fn empty() -> Self {
        let server = server().await;
        let name = format!("{}_empty_{}", prefix(), NEXT.fetch_add(1, Ordering::SeqCst));
        server.execute(format!("CREATE DATABASE {name}")).await.unwrap();
        Self { db: Db::with_options(server.options(&name), 10), name }
    }

    /// How to connect to it as a role that may do everything.
    pub fn options(&self) -> PgConnectOptions {
        Server::get().options(&self.name)
    }

    /// The same as a URL, for the real program's `DATABASE_URL`.
    pub fn url(&self) -> String {
        Server::get().url(&self.name)
    }
}

async fn server() -> &'static Server {
    tokio::task::spawn_blocking(Server::get).await.unwrap()
}

fn prefix() -> String {
    format!("paddock_it_{}", std::process::id())
}

async fn make_template() -> String {
    let name = prefix();
    let server = Server::get();
    server.execute(format!("CREATE DATABASE {name}")).await.unwrap();
    let db = Db::with_options(server.options(&name), 1);
    migrate(&db).await.unwrap();
    db.close().await;
    name
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the database of this test is kept: {}", self.name);
            return;
        }
        let statement = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name);
        // A failed clean-up must not hide how the test ended.
        let work = move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(Server::get().execute(statement)).ok();
        };
        drop(std::thread::spawn(work).join());
    }
}
