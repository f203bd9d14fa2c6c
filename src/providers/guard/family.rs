//! The processes below the guard, as `/proc` has them: how many, and how much memory they hold.

use rustix::process::Pid;

use super::{Limits, TOO_LARGE, TOO_MANY};

/// The guard's own children.
pub fn children() -> Vec<Pid> {
    children_of("self").into_iter().filter_map(Pid::from_raw).collect()
}

/// The exit code that says which limit all of them together exceed.
pub fn exceeds(limits: &Limits) -> Option<u8> {
    let all = descendants(limits.processes);
    if all.len() as u64 > limits.processes {
        return Some(TOO_MANY);
    }
    let memory: u64 = all.iter().filter_map(|pid| anonymous(*pid)).sum();
    (memory > limits.memory).then_some(TOO_LARGE)
}

/// All below the guard; not many more than `most`.
fn descendants(most: u64) -> Vec<i32> {
    let mut found: Vec<i32> = children_of("self");
    let mut next = 0;
    while let Some(pid) = found.get(next).copied() {
        if found.len() as u64 > most {
            break;
        }
        found.extend(children_of(&pid.to_string()));
        next += 1;
    }
    found
}

fn children_of(process: &str) -> Vec<i32> {
    let Ok(threads) = std::fs::read_dir(format!("/proc/{process}/task")) else { return Vec::new() };
    let lists = threads.flatten().filter_map(|thread| std::fs::read_to_string(thread.path().join("children")).ok());
    lists
        .flat_map(|list| list.split_whitespace().filter_map(|number| number.parse().ok()).collect::<Vec<_>>())
        .collect()
}

/// Bytes in memory that are not of files, so that a program is not counted anew for each of its processes.
fn anonymous(pid: i32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_holds_some_memory() {
        let pid = i32::try_from(std::process::id()).unwrap();
        let bytes = anonymous(pid).unwrap();
        assert!((100_000..100_000_000_000).contains(&bytes), "{bytes}");
        assert_eq!(anonymous(-1), None);
    }
}
