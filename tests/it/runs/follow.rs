//! Following a run: what is there already comes at once.

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
