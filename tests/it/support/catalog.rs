//! Templates of a test's own: a folder below that of the application, read as a catalog source.

use paddock::base::Actor;
use paddock::catalog::{self, NewSource, SourceKind};

use super::app::TestApp;

/// Adds a template with these files, as a source of its slug.
pub async fn add_template(test: &TestApp, slug: &str, files: &[(&str, &str)]) {
    let root = test.folder.path().join("catalogs").join(slug);
    let folder = root.join(slug);
    std::fs::create_dir_all(&folder).unwrap();
    for (name, text) in files {
        std::fs::write(folder.join(name), text).unwrap();
    }
    let op = test.op(Actor::Operator);
    let source = NewSource {
        slug: slug.to_owned(),
        kind: SourceKind::Folder,
        location: root.display().to_string(),
        branch: None,
        folder: String::new(),
    };
    let id = catalog::add_source(&test.app.db, &op, source).await.unwrap();
    assert_eq!(catalog::sync(&test.app.db, &op, id).await.unwrap().added, 1);
}
