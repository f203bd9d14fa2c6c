//! The way from a worker to a target, here the Postgres provider's server: cut or half-open at each word
//! of an apply and of a destroy, and slow. What nobody knows is looked for by the next attempt, which
//! makes nothing a second time.

use std::time::Duration;

use paddock::providers::{Job, PostgresProvider, Provider as _, ProviderError};
use sqlx::{Connection as _, PgConnection};

use crate::providers::conformance::{next_attempt, next_run};
use crate::providers::host::RecordingHost;
use crate::providers::postgres::job_on;
use crate::support::proxy::{Network, Proxy, Towards};
use crate::support::server::Server;

const OPERATIONS: [&str; 2] = ["create", "delete"];

struct Scene {
    proxy: Proxy,
    host: RecordingHost,
    admin: PgConnection,
    _folder: tempfile::TempDir,
}

impl Scene {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let options = Server::get().options("postgres");
        Self {
            proxy: Proxy::start(&options),
            host: RecordingHost::new(folder.path()),
            admin: PgConnection::connect_with(&options).await.unwrap(),
            _folder: folder,
        }
    }

    /// A new environment on the server, by way of the proxy.
    fn job(&self) -> Job {
        job_on(&self.proxy.url(&Server::get().url("postgres")))
    }

    /// The same work by another worker, whose way to the server is good.
    fn elsewhere(job: &Job) -> Job {
        Job { target: job_on(&Server::get().url("postgres")).target, ..next_attempt(job) }
    }

    async fn work(&self, job: &Job) -> Result<(), ProviderError> {
        if job.operation == "delete" {
            PostgresProvider.destroy(job, &self.host).await
        } else {
            PostgresProvider.apply(job, &self.host).await
        }
    }

    /// The role and the database of the environment, by their oids.
    async fn objects(&mut self, job: &Job) -> Vec<(String, i64)> {
        let id = job.environment.0.simple().to_string();
        sqlx::query_as(
            "SELECT 'role', oid::bigint FROM pg_roles WHERE rolname LIKE '%' || $1
             UNION ALL SELECT 'database', oid::bigint FROM pg_database WHERE datname LIKE '%' || $1",
        )
        .bind(&id[id.len() - 12..])
        .fetch_all(&mut self.admin)
        .await
        .unwrap()
    }

    /// What the next attempt makes of what the first one left.
    async fn goes_on(&mut self, job: &Job, what: &str) {
        let before = self.objects(job).await;
        self.work(&Self::elsewhere(job)).await.unwrap_or_else(|error| panic!("{what}: {error}"));
        let after = self.objects(job).await;
        if job.operation == "delete" {
            assert_eq!(after, [], "{what}");
        } else {
            assert_eq!(after.len(), 2, "{what}: {after:?}");
            assert!(before.iter().all(|one| after.contains(one)), "{what}: made again: {before:?}, {after:?}");
        }
    }
}

#[tokio::test]
async fn cut_at_every_word() {
    let mut scene = Scene::new().await;
    let (mut unknown, mut cut) = (0, 0);
    for towards in [Towards::Server, Towards::Client] {
        let mut whole = false;
        for pieces in 0.. {
            let mut job = scene.job();
            let mut passed = true;
            for operation in OPERATIONS {
                if operation == "delete" {
                    job = next_run(&job, operation);
                }
                scene.proxy.cut_after(towards, pieces);
                let first = scene.work(&job).await;
                let burnt = scene.proxy.mend();
                let what = format!("{operation}, {towards:?} cut after {pieces}: {first:?}");
                cut += usize::from(burnt);
                passed &= !burnt;
                match first {
                    // The last word is a good-bye.
                    Ok(()) | Err(ProviderError::Retryable { .. }) => {}
                    Err(ProviderError::Unknown { .. }) => unknown += 1,
                    Err(other) => panic!("{what}: {other}"),
                }
                scene.goes_on(&job, &what).await;
            }
            whole |= passed;
            if whole {
                break;
            }
        }
    }
    assert!(cut > 40 && unknown >= 8, "{cut} times cut, {unknown} times unknown");
}

/// The first worker is never heard of again, and its connection stays open with the lock in its hands.
#[tokio::test]
async fn half_open_at_every_word() {
    let mut scene = Scene::new().await;
    let mut frozen = 0;
    for towards in [Towards::Server, Towards::Client] {
        let mut whole = false;
        for pieces in 0.. {
            let mut job = scene.job();
            let mut passed = true;
            for operation in OPERATIONS {
                if operation == "delete" {
                    job = next_run(&job, operation);
                }
                scene.proxy.freeze_after(towards, pieces);
                let heard = tokio::select! {
                    first = scene.work(&job) => { first.unwrap(); true }
                    () = scene.proxy.burnt() => false,
                };
                scene.proxy.mend();
                frozen += usize::from(!heard);
                passed &= heard;
                scene.goes_on(&job, &format!("{operation}, {towards:?} half-open after {pieces}")).await;
            }
            whole |= passed;
            if whole {
                break;
            }
        }
    }
    assert!(frozen > 40, "{frozen} times frozen");
}

/// A way that was half-open from the beginning is given up in time, and said so.
#[tokio::test]
async fn slow_and_narrow_and_then_nothing() {
    let mut scene = Scene::new().await;
    for network in [Network::Slow(Duration::from_millis(40)), Network::Narrow(16 * 1024)] {
        let job = scene.job();
        scene.proxy.set(network);
        scene.work(&job).await.unwrap();
        assert_eq!(scene.objects(&job).await.len(), 2, "{network:?}");
        scene.work(&next_run(&job, "delete")).await.unwrap();
        assert_eq!(scene.objects(&job).await, [], "{network:?}");
    }
    scene.proxy.set(Network::HalfOpen);
    let job = scene.job();
    let error = scene.work(&job).await.unwrap_err();
    assert!(matches!(&error, ProviderError::Retryable { message } if message.ends_with("within 10 s")), "{error:?}");
    scene.proxy.mend();
    scene.goes_on(&job, "after a half-open way").await;
    scene.work(&next_run(&job, "delete")).await.unwrap();
}
