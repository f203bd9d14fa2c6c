//! A replay of 100,000 stored decisions by a set of 1,000 rules, against deciding the same questions in
//! memory: what reading them from Postgres costs, and what remembering equal questions saves.

use std::time::{Duration, Instant};

use paddock::base::cursor::Cursor;
use paddock::base::{Actor, Origin};
use paddock::policy::replay::Replay;
use paddock::policy::{self, PolicyEngine};

use crate::world::World;
use crate::{decide, result};

const DECISIONS: usize = 100_000;
/// The longest that a replay may take on two cores.
const GATE: Duration = Duration::from_secs(60);

pub async fn run(world: &World) {
    let few = PolicyEngine::embedded().unwrap();
    let many = PolicyEngine::from_source(&decide::many_rules(&few)).unwrap();
    let app = &world.app;
    let op = app.op(Actor::System { part: "policies" }, Origin::internal("cli"));
    let mut tx = app.db.begin().await.unwrap();
    for number in 0..DECISIONS {
        let question = decide::question(number);
        policy::record(&mut tx, &op, &question, &few.decide(&question)).await.unwrap();
    }
    tx.commit().await.unwrap();
    let before = decided(&few, &many);
    let began = Instant::now();
    let replay = Replay::new(&few, &many);
    let mut connection = app.db.acquire().await.unwrap();
    let (mut from, mut seen) = (Some(Cursor { at: jiff::Timestamp::UNIX_EPOCH, id: uuid::Uuid::nil() }), 0);
    while let Some(place) = from {
        let part = replay.part(&mut connection, place, GATE).await.unwrap();
        seen += part.seen;
        from = part.next;
    }
    let took = began.elapsed();
    drop(connection);
    let probe = f64::midpoint(before.as_secs_f64(), decided(&few, &many).as_secs_f64());
    let more = format!("{seen} decisions in {took:.1?} (gate {GATE:.0?}), deciding alone {probe:.1} s");
    result("replay / deciding the same in memory", probe / took.as_secs_f64(), 0.5, &more);
    if took > GATE {
        println!("replay, whole                                  ABOVE its gate");
    }
}

/// How long both sets take for the same questions.
fn decided(few: &PolicyEngine, many: &PolicyEngine) -> Duration {
    let began = Instant::now();
    for number in 0..DECISIONS {
        let question = decide::question(number);
        std::hint::black_box((few.decide(&question), many.decide(&question)));
    }
    began.elapsed()
}
