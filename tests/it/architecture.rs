//! The shape of the source: which room may import which, where SQL may stand, how long files may be.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The rooms from the ground up; a room may import what stands in a line above its own, and itself.
/// `docs/ARCHITECTURE.md` tells why. Rooms of one line reach one another through `app`.
const RANKS: &[&[&str]] = &[
    &["base"],
    &["config", "telemetry", "db"],
    &["audit", "policy", "providers"],
    &["identity", "orchestrator"],
    &["catalog", "projects", "graph", "cost", "notifications"],
    &["environments"],
    &["requests"],
    &["app"],
    &["web", "api"],
    // Starts pages and API, so it stands above them.
    &["cli"],
];

const LONGEST_SOURCE: usize = 600;
const LONGEST_TEMPLATE: usize = 150;

struct Source {
    path: PathBuf,
    text: String,
}

impl Source {
    /// The first folder below `src`, or the name of the file there.
    fn room(&self) -> &str {
        let below = self.path.strip_prefix("src").unwrap();
        below.iter().next().unwrap().to_str().unwrap().trim_end_matches(".rs")
    }

    fn is_test(&self) -> bool {
        self.path.iter().any(|part| part == "tests" || part == "tests.rs")
    }

    /// The text without comments: what follows `//` on a line.
    fn code(&self) -> String {
        let lines = self.text.lines();
        lines.map(|line| line.split_once("//").map_or(line, |(code, _)| code)).collect::<Vec<_>>().join("\n")
    }
}

fn sources(folder: &str, extension: &str) -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    let mut folders = vec![root.join(folder)];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = std::fs::read_dir(&folder) else { continue };
        for entry in entries {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|found| found == extension) {
                let text = std::fs::read_to_string(&path).unwrap();
                found.push(Source { path: path.strip_prefix(root).unwrap().to_owned(), text });
            }
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

/// The rooms that a text names: `crate::room` and `crate::{room, other::Thing}`.
fn imports(code: &str) -> Vec<String> {
    let mut rooms = Vec::new();
    for (at, part) in code.match_indices("crate::") {
        let before = code[..at].chars().next_back();
        if before.is_some_and(|c| c.is_alphanumeric() || c == '_') {
            continue;
        }
        let rest = &code[at + part.len()..];
        match rest.strip_prefix('{') {
            Some(list) => rooms.extend(top_of_list(list)),
            None => rooms.push(word(rest)),
        }
    }
    rooms
}

/// The first word of each entry of a list in braces, whose opening one is gone.
fn top_of_list(list: &str) -> Vec<String> {
    let mut depth = 0_usize;
    let mut entries = vec![String::new()];
    for c in list.chars() {
        match c {
            '}' if depth == 0 => break,
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => entries.push(String::new()),
            _ => {}
        }
        if depth == 0 && c != ',' {
            entries.last_mut().unwrap().push(c);
        }
    }
    entries.iter().map(|entry| word(entry.trim())).filter(|word| !word.is_empty()).collect()
}

fn word(text: &str) -> String {
    text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}

#[test]
fn the_reader_of_imports_finds_them() {
    let code = "use crate::base::Op;\nuse crate::{audit, db::{Db, Tx},\n web as w};\nfn f() { crate::policy::decide() }\nmycrate::x";
    assert_eq!(imports(code), ["base", "audit", "db", "web", "policy"]);
}

#[test]
fn rooms_import_only_what_lies_below() {
    let ranks: BTreeMap<&str, usize> =
        RANKS.iter().enumerate().flat_map(|(rank, rooms)| rooms.iter().map(move |room| (*room, rank))).collect();
    let mut wrong = Vec::new();
    for source in sources("src", "rs") {
        let room = source.room();
        if matches!(room, "lib" | "main") {
            continue;
        }
        let Some(rank) = ranks.get(room) else {
            wrong.push(format!("{}: the room “{room}” is not in the table", source.path.display()));
            continue;
        };
        for imported in imports(&source.code()) {
            let below = ranks.get(imported.as_str()).is_some_and(|other| other < rank);
            if imported != room && !below {
                wrong.push(format!("{}: {room} must not import {imported}", source.path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn pages_and_api_never_name_the_database() {
    let named = sources("src", "rs").into_iter().filter(|source| matches!(source.room(), "web" | "api"));
    let wrong: Vec<_> = named.filter(|source| source.code().contains("sqlx")).map(|source| source.path).collect();
    assert!(wrong.is_empty(), "sqlx in a page or the API: {wrong:?}");
}

#[test]
fn sql_stands_in_stores_only() {
    let is_store = |path: &Path| path.iter().any(|part| part == "store" || part == "store.rs");
    let wrong: Vec<_> = sources("src", "rs")
        .into_iter()
        // The room of the database itself, and providers, whose target is a database of others.
        .filter(|source| !matches!(source.room(), "db" | "providers") && !is_store(&source.path) && !source.is_test())
        .filter(|source| {
            let code = source.code();
            ["sqlx::query", "sqlx::raw_sql", "query!(", "query_as!(", "query_scalar!("]
                .iter()
                .any(|sql| code.contains(sql))
        })
        .map(|source| source.path)
        .collect();
    assert!(wrong.is_empty(), "SQL outside a store: {wrong:?}");
}

/// A role that has ended counts for nothing: whoever asks what somebody holds reads `role_now`.
#[test]
fn only_identity_reads_roles_that_may_have_ended() {
    let elsewhere = sources("src", "rs").into_iter().filter(|source| !source.path.starts_with("src/identity"));
    let wrong: Vec<_> = elsewhere.filter(|source| source.code().contains("role_binding")).map(|it| it.path).collect();
    assert!(wrong.is_empty(), "role_binding outside of identity: {wrong:?}");
}

/// Where a role counts is said once: whoever reads roles outside of identity asks `role_counts`.
#[test]
fn where_a_role_counts_is_said_in_one_place() {
    for source in sources("src", "rs").into_iter().filter(|source| !source.path.starts_with("src/identity")) {
        let code = source.code();
        let count = |words: &str| code.matches(words).count();
        assert!(count("role_now") <= count("role_counts("), "{}", source.path.display());
    }
}

#[test]
fn files_stay_readable_in_one_sitting() {
    let mut wrong = Vec::new();
    for (folder, extension, longest) in [("src", "rs", LONGEST_SOURCE), ("templates", "html", LONGEST_TEMPLATE)] {
        for source in sources(folder, extension) {
            let lines = source.text.lines().count();
            if lines > longest && !source.is_test() {
                wrong.push(format!("{}: {lines} lines, at most {longest}", source.path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}
