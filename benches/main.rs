//! Ratios to what Postgres itself does on the same machine in the same run.
//!
//! Absolute numbers of a shared machine mean little; each figure here stands beside a probe that is
//! taken before and after it (A/B/A). Run with `cargo bench`. It needs a Postgres 15 or newer with
//! `pgbench` (the one on the PATH or in Debian's place) and uses a private cluster.
//! `cargo bench -- submit list` measures only those; the names are those of the files here.
//! `PADDOCK_BENCH_ROWS` sets the largest table of the list (default 100000, the gate is 1000000).
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::cast_precision_loss,
    clippy::items_after_statements,
    reason = "a bench stops at the first surprise and prints its results"
)]

mod decide;
mod followers;
mod list;
mod load;
mod overhead;
mod pgbench;
mod process;
mod replay;
mod runs;
mod start;
mod submit;
mod verdict;
mod world;

use std::time::Duration;

/// How long each measurement runs.
pub const SPAN: Duration = Duration::from_secs(5);
/// How many clients at once.
pub const CLIENTS: usize = 8;

fn main() {
    // `cargo test --benches` and `cargo bench -- --list` only want to know that it compiles.
    if std::env::args().any(|argument| argument == "--list" || argument == "--test") {
        return;
    }
    followers::raise_limit();
    let names: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect();
    let wanted = |name: &str| names.is_empty() || names.iter().any(|one| one == name);
    if wanted("decide") {
        decide::run();
    }
    if names == ["decide"] {
        return;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let world = world::World::start().await;
        submit::first(&world).await;
        if wanted("submit") {
            submit::run(&world).await;
        }
        // Before a worker of the application is there: it would look at the same queue.
        if wanted("runs") {
            runs::run(&world).await;
        }
        if wanted("followers") {
            followers::run(&world).await;
        }
        if wanted("start") {
            start::run(&world).await;
        }
        if wanted("overhead") {
            overhead::run(&world).await;
        }
        if wanted("list") {
            list::run(&world).await;
        }
        if wanted("verdict") {
            verdict::run(&world).await;
        }
        if wanted("replay") {
            replay::run(&world).await;
        }
        if wanted("process") {
            process::run(&world);
        }
        world.stop().await;
    });
}

/// One line of the result.
pub fn result(what: &str, ratio: f64, gate: f64, more: &str) {
    let verdict = if ratio >= gate { "ok" } else { "BELOW" };
    println!("{what:<46} {ratio:>6.2}  (gate {gate:.2})  {verdict:<5}  {more}");
}
