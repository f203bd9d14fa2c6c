//! What is to happen in which run: the way of an undisturbed one, cut into the deaths of many.

/// Deaths of one run.
const DEATHS: usize = 3;
/// Points that are reached as often as time has it.
const BY_TIME: [&str; 4] = ["log.written", "state.sealed", "state.written", "state.saved"];
/// Points on the way back of a run whose worker died.
const REAPED: [&str; 3] = ["reap.released", "reap.audited", "reap.committed"];
/// Points on the way back of a run whose step is to be tried again.
const RELEASED: [&str; 3] = ["release.released", "release.audited", "release.committed"];

/// The failpoints that an operation reaches, and how often each.
pub type Path = Vec<(String, usize)>;
/// What is to happen in each run: arms without their scope.
pub type Cases = Vec<Vec<String>>;

/// Every point kills once, several of them one after the other in one run.
pub fn deaths(path: &Path, seed: usize) -> Cases {
    let mut arms: Vec<(u64, String)> = path
        .iter()
        .map(|(name, count)| {
            let drawn = draw(seed, name);
            let turns = if BY_TIME.contains(&name.as_str()) { 1 } else { *count as u64 };
            (draw(seed, &format!("{name} place")), format!("{name}@{}:kill", 1 + drawn % turns))
        })
        .collect();
    arms.sort();
    let mut runs: Cases = arms.chunks(DEATHS).map(|chunk| chunk.iter().map(|(_, arm)| arm.clone()).collect()).collect();
    for (run, name) in runs.iter_mut().zip(REAPED) {
        run.push(format!("{name}:kill"));
    }
    runs
}

/// A step fails, and the worker dies while it gives the run back.
pub fn returns(path: &Path, seed: usize) -> Cases {
    let steps = steps(path) as u64;
    let run = |name| vec![format!("step.call@{}:fail", 1 + draw(seed, name) % steps), format!("{name}:kill")];
    RELEASED.map(run).into()
}

/// Every step fails once, and every step is done twice: by the same attempt, or, where it may not, by
/// the next one, because nobody knows of the first time.
pub fn repetitions(path: &Path, by_one_attempt: bool) -> Cases {
    let again = |step| {
        if by_one_attempt { format!("step.call@{step}:twice") } else { format!("step.answered@{step}:kill") }
    };
    (1..=steps(path)).flat_map(|step| [vec![format!("step.call@{step}:fail")], vec![again(step)]]).collect()
}

/// A run for an arm that did not fire, with what must happen beside it so that its point is reached at all.
pub fn alone(arm: String) -> Vec<String> {
    let name = point(&arm);
    if REAPED.contains(&name) {
        vec!["step.begun:kill".to_owned(), arm]
    } else if RELEASED.contains(&name) {
        vec!["step.call:fail".to_owned(), arm]
    } else {
        vec![arm]
    }
}

/// The name of an arm's failpoint.
pub fn point(arm: &str) -> &str {
    arm.split(['@', ':']).next().unwrap()
}

/// The arm for one run only.
pub fn scoped(arm: &str, label: &str) -> String {
    let (place, action) = arm.rsplit_once(':').unwrap();
    format!("{place}#{label}:{action}")
}

fn steps(path: &Path) -> usize {
    path.iter().find(|(name, _)| name == "step.call").unwrap().1
}

fn draw(seed: usize, what: &str) -> u64 {
    let digest = paddock::base::Digest::of(format!("{seed} {what}").as_bytes()).0;
    u64::from_be_bytes(digest[..8].try_into().unwrap()) >> 1
}
