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
    /// Where it is, if not on the test binary's server: then it ends with that place.
    elsewhere: Option<url::Url>,
}

impl TestDatabase {
    /// With every migration applied.
    pub async fn new() -> Self {
        let server = server().await;
        let template = TEMPLATE.get_or_init(make_template).await;
        let name = format!("{template}_{}", NEXT.fetch_add(1, Ordering::SeqCst));
        server.execute(format!("CREATE DATABASE {name} TEMPLATE {template}")).await.unwrap();
        Self { db: Db::with_options(server.options(&name), 10), name, elsewhere: None }
    }

    /// Without any table.
    pub async fn empty() -> Self {
        let server = server().await;
        let name = format!("{}_empty_{}", prefix(), NEXT.fetch_add(1, Ordering::SeqCst));
        server.execute(format!("CREATE DATABASE {name}")).await.unwrap();
        Self { db: Db::with_options(server.options(&name), 10), name, elsewhere: None }
    }

    /// The database at this URL, which has no table yet, with every migration applied.
    pub async fn at(url: &str) -> Self {
        let url = url::Url::parse(url).unwrap();
        let db = Db::with_options(url.as_str().parse().unwrap(), 10);
        migrate(&db).await.unwrap();
        Self { db, name: url.path().trim_start_matches('/').to_owned(), elsewhere: Some(url) }
    }

    /// How to connect to it as a role that may do everything.
    pub fn options(&self) -> PgConnectOptions {
        self.url().parse().unwrap()
    }

    /// The same as a URL, for the real program's `DATABASE_URL`.
    pub fn url(&self) -> String {
        self.elsewhere.as_ref().map_or_else(|| Server::get().url(&self.name), ToString::to_string)
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
        if self.elsewhere.is_some() {
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
