//! Following a run: what is there already comes at once, and all of it.

use std::time::Duration;

use futures_util::FutureExt as _;
use paddock::orchestrator::{Followers, RunState, Signals};
use tokio_util::sync::CancellationToken;

use super::yard::{Yard, settings};

#[tokio::test]
async fn a_second_reader_does_not_wait_for_the_next_look() {
    let yard = Yard::open().await;
    let _worker = yard.work(settings("one", 1));
    let id = yard.queue("ok followed", 1).await;
    yard.until_state(id, RunState::Succeeded).await;
    let stop = CancellationToken::new();
    let (signals, _exchange) = Signals::new(yard.db().clone(), stop.clone());
    let (followers, looking) = Followers::new(yard.db().clone(), &signals, stop.clone());
    let looking = tokio::spawn(looking);
    let mut first = followers.follow(id, 0);
    assert_eq!(first.next().await.unwrap().lines.len(), 3);
    // No further look: whatever the second one gets was there before.
    stop.cancel();
    looking.await.unwrap();
    let news = followers.follow(id, 1).next().now_or_never().expect("it comes at once").unwrap();
    assert_eq!(news.lines.iter().map(|line| line.seq).collect::<Vec<_>>(), [2, 3]);
    assert!(news.last);
    assert!(followers.follow(id, 3).next().now_or_never().expect("also without lines").unwrap().last);
}

/// A look brings the last 500 lines: who is further behind reads on from where it is.
#[tokio::test]
async fn every_reader_sees_every_line_of_a_long_log() {
    let yard = Yard::open().await;
    let _worker = yard.work(settings("one", 1));
    let id = yard.queue("ok followed", 1).await;
    yard.until_state(id, RunState::Succeeded).await;
    let more = "INSERT INTO log_line (run_id, seq, attempt, step, stream, text)
                SELECT id, n, 1, 'collect', 'stdout', 'more' FROM run, generate_series(4, 1700) AS n";
    assert_eq!(yard.execute(more).await, 1697);
    yard.execute("UPDATE run SET log_seq = 1700").await;
    let stop = CancellationToken::new();
    let (signals, _exchange) = Signals::new(yard.db().clone(), stop.clone());
    let (followers, looking) = Followers::new(yard.db().clone(), &signals, stop.clone());
    let looking = tokio::spawn(looking);
    let mut first = followers.follow(id, 1700);
    first.next().await.unwrap();
    // No further look: nobody gets its lines because somebody else came.
    stop.cancel();
    looking.await.unwrap();
    for after in [0, 0, 650, 1400, 1699] {
        let mut reader = followers.follow(id, after);
        let mut seen = Vec::new();
        loop {
            let news = tokio::time::timeout(Duration::from_secs(10), reader.next()).await;
            let news = news.expect("the rest comes by itself").unwrap();
            seen.extend(news.lines.iter().map(|line| line.seq));
            if news.last {
                break;
            }
        }
        assert_eq!(seen, (after + 1..=1700).collect::<Vec<_>>(), "from after line {after}");
    }
}
