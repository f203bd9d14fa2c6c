//! A catalog folder of its own for one test, and an operation to work in.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use paddock::base::id::CatalogSourceId;
use paddock::base::{Actor, ManualClock, Op, Origin, SeededEntropy};
use paddock::catalog::{self, NewSource, Problem, SourceKind, SyncCounts};
use paddock::db::{Db, Held};

use crate::support::TestDatabase;

/// A folder that is removed when the test ends.
pub struct Folder(tempfile::TempDir);

impl Folder {
    pub fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    pub fn at(&self, path: &str) -> PathBuf {
        self.0.path().join(path)
    }

    /// Writes a file and the folders above it.
    pub fn write(&self, path: &str, content: impl AsRef<[u8]>) -> &Self {
        let path = self.at(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
        self
    }

    /// Writes a small template that has no problem.
    pub fn template(&self, folder: &str, name: &str) -> &Self {
        self.write(&format!("{folder}/paddock.yaml"), format!("name: {name}\nversion: 1.0.0\nprovider: terraform\n"))
            .write(&format!("{folder}/main.tf"), "output \"x\" { value = 1 }\n")
    }

    /// What a sync would find wrong, one line each.
    pub fn lint(&self) -> String {
        lines(&catalog::lint(self.path()).unwrap())
    }
}

pub fn lines(problems: &[Problem]) -> String {
    problems.iter().map(Problem::to_string).collect::<Vec<_>>().join("\n")
}

pub fn op() -> Op {
    let clock = ManualClock::new("2027-01-02T03:04:05Z".parse().unwrap());
    let entropy = SeededEntropy::new(u64::from(std::process::id()));
    Op::new(Actor::Operator, Origin::internal("cli"), Arc::new(clock), Arc::new(entropy))
}

/// A database with one source.
pub struct Source {
    pub database: TestDatabase,
    pub op: Op,
    pub id: CatalogSourceId,
}

impl Source {
    pub async fn new(kind: SourceKind, location: &str) -> Self {
        let database = TestDatabase::new().await;
        let op = op();
        let id = add(&database.db, &op, "first", kind, location).await;
        Self { database, op, id }
    }

    pub fn db(&self) -> &Db {
        &self.database.db
    }

    pub async fn connection(&self) -> Held {
        self.db().acquire().await.unwrap()
    }

    pub async fn sync(&self) -> SyncCounts {
        catalog::sync(self.db(), &self.op, self.id).await.unwrap()
    }

    pub async fn problems(&self) -> String {
        lines(&catalog::problems(self.db(), self.id).await.unwrap())
    }

    /// Actions and objects of the audit log, sorted: records of one transaction have one time.
    pub async fn audit(&self) -> Vec<String> {
        let mut connection = self.db().acquire().await.unwrap();
        let page = paddock::audit::list(&mut connection, &paddock::audit::Filter::default(), None, 100).await.unwrap();
        let mut said: Vec<String> = page.items.iter().map(|r| format!("{} {}", r.action, r.object_label)).collect();
        said.sort();
        said
    }
}

pub async fn add(db: &Db, op: &Op, slug: &str, kind: SourceKind, location: &str) -> CatalogSourceId {
    let source = NewSource { slug: slug.into(), kind, location: location.into(), branch: None, folder: String::new() };
    catalog::add_source(db, op, source).await.unwrap()
}

pub fn counts(added: i32, updated: i32, unchanged: i32, removed: i32) -> SyncCounts {
    SyncCounts { added, updated, unchanged, removed }
}
