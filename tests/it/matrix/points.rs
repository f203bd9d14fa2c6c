//! The table of failpoints against the source.

use std::collections::BTreeSet;
use std::path::Path;

use paddock::base::failpoint::POINTS;

/// Every name that `src` hands to a function of `failpoint`.
fn named() -> BTreeSet<String> {
    let mut named = BTreeSet::new();
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap();
            for call in ["reach(\"", "reach_for(\"", "injected(\""] {
                named.extend(text.split(call).skip(1).map(|rest| rest.split('"').next().unwrap().to_owned()));
            }
        }
    }
    named
}

#[test]
fn the_table_has_every_failpoint_of_the_source_once() {
    let table: BTreeSet<String> = POINTS.iter().map(|&name| name.to_owned()).collect();
    assert_eq!(table.len(), POINTS.len(), "a name stands twice in the table");
    assert_eq!(table, named());
}
