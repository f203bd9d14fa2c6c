//! What `serve` needs: time until it is ready on an existing database, and memory when idle.

use crate::world::World;

/// MiB.
const MEMORY_GATE: u64 = 60;

pub fn run(world: &World) {
    let ready = world.ready_after;
    let ok = if ready.as_millis() <= 1000 { "ok" } else { "ABOVE" };
    println!("serve, ready on an existing database           {ready:.0?} (gate 1 s)  {ok}");
    match world.idle_memory.map(|kib| kib / 1024) {
        Some(mib) => {
            let ok = if mib <= MEMORY_GATE { "ok" } else { "ABOVE" };
            println!("serve, idle memory (RSS)                       {mib} MiB (gate {MEMORY_GATE} MiB)  {ok}");
        }
        None => println!("serve, idle memory: /proc is not there"),
    }
}
