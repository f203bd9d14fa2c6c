//! Sync into Postgres: versions, problems, retirement, audit.

use paddock::base::Actor;
use paddock::catalog::{self, CatalogError, Filter, Kind, NewSource, SourceKind, VersionState};
use serde_json::json;

use super::fixture::{Folder, Source, add, counts};

async fn slugs(source: &Source, query: &str) -> Vec<String> {
    let filter = Filter { query: query.into(), ..Filter::default() };
    let listing = catalog::list(source.db(), &filter).await.unwrap();
    listing.templates.into_iter().map(|one| one.template.slug).collect()
}

#[tokio::test]
async fn the_sample_catalog_has_no_problem_and_is_found_by_words_and_facets() {
    let source = Source::new(SourceKind::Embedded, "").await;
    let first = source.sync().await;
    assert_eq!(source.problems().await, "");
    assert_eq!(first.added, i32::try_from(slugs(&source, "").await.len()).unwrap());
    assert_eq!(source.sync().await, counts(0, 0, first.added, 0), "a second sync changes nothing");
    assert_eq!(slugs(&source, "post data").await, ["postgres-database"]);
    assert_eq!(slugs(&source, "SCAFF").await, ["service-repository"], "tags are searched");
    assert!(slugs(&source, "nothing like it").await.is_empty());
    let filter = Filter { provider: Some("terraform".into()), kind: Some(Kind::Environment), ..Filter::default() };
    let listing = catalog::list(source.db(), &filter).await.unwrap();
    assert_eq!(listing.templates.len(), 1);
    assert!(listing.facets.providers.len() > 1, "a facet counts without its own filter");
    assert!(listing.templates[0].template.requestable().is_ok());
    let (_, version) = catalog::get_template(&mut *source.connection().await, "service-repository").await.unwrap();
    assert!(!version.readme.is_empty());
    let files = catalog::template_files(&mut *source.connection().await, version.id).await.unwrap();
    assert!(files.iter().any(|file| file.path == "deploy.sh" && file.executable));
}

#[tokio::test]
async fn new_content_is_a_new_version_and_old_content_comes_back() {
    let folder = Folder::new();
    folder.template("db", "Database");
    let source = Source::new(SourceKind::Folder, folder.path().to_str().unwrap()).await;
    assert_eq!(source.sync().await, counts(1, 0, 0, 0));
    let (template, one) = catalog::get_template(&mut *source.connection().await, "db").await.unwrap();
    assert_eq!((one.number, one.version.as_str(), one.state), (1, "1.0.0", VersionState::Published));

    folder.write("db/main.tf", "output \"x\" { value = 2 }\n");
    assert_eq!(source.sync().await, counts(0, 1, 0, 0));
    let two = catalog::current_version(&mut *source.connection().await, template.id).await.unwrap();
    assert_eq!(two.number, 2);
    let old = catalog::get_version(&mut *source.connection().await, one.id).await.unwrap();
    assert_eq!((old.state, old.digest), (VersionState::Deprecated, one.digest));
    let files = catalog::template_files(&mut *source.connection().await, one.id).await.unwrap();
    assert_eq!(files.iter().find(|file| file.path == "main.tf").unwrap().content, b"output \"x\" { value = 1 }\n");

    folder.template("db", "Database");
    assert_eq!(source.sync().await, counts(0, 1, 0, 0));
    let versions = catalog::list_versions(source.db(), template.id).await.unwrap();
    let states: Vec<_> = versions.iter().map(|v| (v.number, v.state)).collect();
    assert_eq!(states, [(2, VersionState::Deprecated), (1, VersionState::Published)]);

    // A version's content never changes, whoever asks.
    let changed = sqlx::query("UPDATE template_version SET readme = 'x'").execute(source.db().pool()).await;
    assert!(changed.unwrap_err().to_string().contains("never changed"));
    assert_eq!(
        source.audit().await,
        [
            "catalog.synced first",
            "catalog.synced first",
            "catalog.synced first",
            "catalog_source.added first",
            "template_version.published db 1.0.0",
            "template_version.published db 1.0.0",
            "template_version.republished db 1.0.0",
        ]
    );
}

#[tokio::test]
async fn a_bad_template_hides_no_good_one_and_keeps_its_last_good_version() {
    let folder = Folder::new();
    folder.template("a", "A").template("b", "B");
    let source = Source::new(SourceKind::Folder, folder.path().to_str().unwrap()).await;
    source.sync().await;
    folder.write("a/paddock.yaml", "name: [\n").template("c", "C").write("d/paddock.yaml", "nmae: D\n");
    assert_eq!(source.sync().await, counts(1, 0, 1, 0));
    assert_eq!(slugs(&source, "").await, ["a", "b", "c"]);
    let problems = source.problems().await;
    assert!(problems.contains("a/paddock.yaml:1:7: error: This is not valid YAML"), "{problems}");
    assert!(
        problems.contains("d/paddock.yaml:1:1: error: nmae: There is no key “nmae” here. Did you mean “name”?"),
        "{problems}"
    );

    folder.template("a", "A");
    std::fs::remove_dir_all(folder.at("d")).unwrap();
    assert_eq!(source.sync().await, counts(0, 0, 3, 0));
    assert_eq!(source.problems().await, "", "problems are those of the last sync");
}

#[tokio::test]
async fn a_template_that_left_is_retired_and_comes_back() {
    let folder = Folder::new();
    folder.template("a", "A").template("b", "B");
    let source = Source::new(SourceKind::Folder, folder.path().to_str().unwrap()).await;
    source.sync().await;
    std::fs::remove_dir_all(folder.at("a")).unwrap();
    assert_eq!(source.sync().await, counts(0, 0, 1, 1));
    assert_eq!(source.sync().await, counts(0, 0, 1, 0), "it is retired once");
    assert_eq!(slugs(&source, "").await, ["b"]);
    let (_, version) = catalog::get_template(&mut *source.connection().await, "a").await.unwrap();
    assert_eq!(version.state, VersionState::Retired);
    assert!(version.requestable().unwrap_err().contains("removed from its catalog source"));
    folder.template("a", "A");
    assert_eq!(source.sync().await, counts(0, 1, 1, 0));
    assert_eq!(slugs(&source, "").await, ["a", "b"]);
}

#[tokio::test]
async fn a_moved_template_stays_the_same_one() {
    let folder = Folder::new();
    folder.template("old/db", "Database");
    let source = Source::new(SourceKind::Folder, folder.path().to_str().unwrap()).await;
    source.sync().await;
    let (before, _) = catalog::get_template(&mut *source.connection().await, "db").await.unwrap();
    std::fs::rename(folder.at("old"), folder.at("new")).unwrap();
    assert_eq!(source.sync().await, counts(0, 0, 1, 0));
    let (after, _) = catalog::get_template(&mut *source.connection().await, &before.id.to_string()).await.unwrap();
    assert_eq!((after.path.as_str(), after.id), ("new/db", before.id));
}

#[tokio::test]
async fn two_sources_do_not_take_each_others_slugs() {
    let (one, two) = (Folder::new(), Folder::new());
    one.template("db", "Mine");
    two.template("db", "Theirs").template("cache", "Cache");
    let source = Source::new(SourceKind::Folder, one.path().to_str().unwrap()).await;
    source.sync().await;
    let second = add(source.db(), &source.op, "second", SourceKind::Folder, two.path().to_str().unwrap()).await;
    assert_eq!(catalog::sync(source.db(), &source.op, second).await.unwrap(), counts(1, 0, 0, 0));
    let problems = catalog::problems(source.db(), second).await.unwrap();
    assert_eq!(
        super::fixture::lines(&problems),
        "db/paddock.yaml: error: slug: The slug “db” belongs to a template of the catalog source “first”. Set another “slug”, or rename the folder."
    );
    assert_eq!(catalog::get_template(&mut *source.connection().await, "db").await.unwrap().0.name, "Mine");
}

#[tokio::test]
async fn a_source_that_cannot_be_read_says_so_and_keeps_everything() {
    let folder = Folder::new();
    folder.template("db", "Database");
    let source = Source::new(SourceKind::Folder, folder.path().to_str().unwrap()).await;
    source.sync().await;
    std::fs::remove_dir_all(folder.path()).unwrap();
    let error = catalog::sync(source.db(), &source.op, source.id).await.unwrap_err();
    assert!(error.to_string().contains("cannot be opened"), "{error}");
    let stored = catalog::list_sources(source.db()).await.unwrap();
    assert!(stored[0].sync_error.as_deref().unwrap().contains("cannot be opened"));
    assert_eq!(slugs(&source, "").await, ["db"]);
    assert_eq!(source.audit().await.iter().filter(|said| *said == "catalog.synced first").count(), 2);
    std::fs::create_dir(folder.path()).unwrap();
}

#[tokio::test]
async fn a_source_is_checked_when_it_is_added() {
    let source = Source::new(SourceKind::Embedded, "").await;
    let new = |slug: &str, kind, location: &str, branch: Option<&str>, inside: &str| NewSource {
        slug: slug.into(),
        kind,
        location: location.into(),
        branch: branch.map(Into::into),
        folder: inside.into(),
    };
    let taken = catalog::add_source(source.db(), &source.op, new("first", SourceKind::Embedded, "", None, "")).await;
    assert!(matches!(taken, Err(CatalogError::SourceExists(_))));
    for (bad, pointer) in [
        (new("Not a slug", SourceKind::Embedded, "", None, ""), "/slug"),
        (new("a", SourceKind::Folder, "relative", None, ""), "/location"),
        (new("a", SourceKind::Folder, "/tmp", None, "../up"), "/folder"),
        (new("a", SourceKind::Git, "ext::sh -c id", None, ""), "/location"),
        (new("a", SourceKind::Git, "https://user:token@git.example.com/x.git", None, ""), "/location"),
        (new("a", SourceKind::Git, "https://token@git.example.com/x.git", None, ""), "/location"),
        (new("a", SourceKind::Git, "http://git.example.com/x.git", None, ""), "/location"),
        (new("a", SourceKind::Git, "--upload-pack=id", None, ""), "/location"),
        (new("a", SourceKind::Git, "ssh://-oProxyCommand=id/x", None, ""), "/location"),
        (new("a", SourceKind::Git, "https://git.example.com/x.git", Some("--x"), ""), "/branch"),
        (new("a", SourceKind::Git, "https://git.example.com/x.git", Some("a..b"), ""), "/branch"),
    ] {
        let Err(CatalogError::InvalidSource(errors)) = catalog::add_source(source.db(), &source.op, bad.clone()).await
        else {
            panic!("{bad:?} was taken")
        };
        assert_eq!(errors[0].pointer, pointer, "{bad:?}");
    }
}

#[tokio::test]
async fn definitions_of_azure_deployment_environments_are_imported_unchanged() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/ade-devcenter-catalog");
    let source = Source::new(SourceKind::Folder, path).await;
    assert_eq!(source.sync().await, counts(5, 0, 0, 0));
    assert_eq!(source.problems().await, "");
    let (template, version) =
        catalog::get_template(&mut *source.connection().await, "container-app-with-cosmos-azd-template").await.unwrap();
    assert_eq!(template.provider, "azure");
    assert!(version.requestable().unwrap_err().contains("does not deploy to Azure yet"));
    assert_eq!(version.provider_config, json!({"runner": "ARM", "template": "azuredeploy.json"}));
    assert_eq!(version.inputs_schema["required"], json!(["runtimeType"]));
    assert_eq!(
        version.inputs_schema["properties"]["runtimeType"],
        json!({
            "title": "Runtime Type", "type": "string", "enum": ["python", "nodejs", "java"],
            "description": "Runtime Type of the container App runtime,eg python, nodejs or java.",
        })
    );
    let (sandbox, version) = catalog::get_template(&mut *source.connection().await, "sandbox").await.unwrap();
    assert_eq!((sandbox.summary.as_str(), version.version.as_str()), ("Sandbox environment", "1"));
    assert_eq!(version.inputs_schema["properties"], json!({}));
}

#[tokio::test]
async fn a_definition_that_brings_the_scripts_of_its_runner_can_be_requested() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/ade-runner-catalog");
    let source = Source::new(SourceKind::Folder, path).await;
    assert_eq!(source.sync().await, counts(1, 0, 0, 0));
    assert_eq!(
        source.problems().await,
        "Environments/Notes/environment.yaml: warning: runner: deploy.sh and delete.sh run in \
         “registry.example.com/runners/notes:1.2” where a worker has a container engine, else on the worker, with the \
         tools installed there."
    );
    let (template, version) = catalog::get_template(&mut *source.connection().await, "notes").await.unwrap();
    assert_eq!(template.provider, "command");
    version.requestable().unwrap();
    assert_eq!(
        version.provider_config,
        json!({"deploy": "deploy.sh", "delete": "delete.sh", "template": "conf/main.conf",
               "image": "registry.example.com/runners/notes:1.2", "image_is_optional": true})
    );
}

#[tokio::test]
async fn a_reconciler_that_finds_nothing_new_leaves_no_record() {
    let folder = Folder::new();
    folder.template("db", "Database");
    let source = Source::new(SourceKind::Folder, folder.path().to_str().unwrap()).await;
    let system = source.op.clone().with_actor(Actor::System { part: "reconciler.catalog" });
    let records = async || source.audit().await.iter().filter(|said| *said == "catalog.synced first").count();
    for (content, expected) in [("1", 1), ("1", 1), ("2", 2), ("2", 2)] {
        folder.write("db/main.tf", content);
        catalog::sync(source.db(), &system, source.id).await.unwrap();
        assert_eq!(records().await, expected);
    }
    std::fs::remove_dir_all(folder.path()).unwrap();
    for _ in 0..2 {
        assert!(catalog::sync(source.db(), &system, source.id).await.is_err());
        assert_eq!(records().await, 3, "a failure is told once");
    }
    folder.write("db/main.tf", "2").template("db", "Database").write("db/main.tf", "2");
    catalog::sync(source.db(), &system, source.id).await.unwrap();
    assert_eq!(records().await, 4, "and so is its end");
}

#[test]
fn requestable_providers_are_those_of_the_registry() {
    let folder = Folder::new();
    let settings = crate::providers::machine::settings(folder.path());
    let known: Vec<&str> = paddock::providers::Registry::standard(&settings).names().collect();
    let mut listed = catalog::PROVIDERS.to_vec();
    listed.sort_unstable();
    assert_eq!(known, listed);
}
