//! Git sources: repositories on this machine, and over HTTP through Git's own server program.

use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use gix::objs::tree::EntryKind;
use paddock::catalog::{self, NewSource, SourceKind, VersionState};
use tokio::io::AsyncWriteExt as _;

use super::fixture::{Folder, Source, counts};
use crate::support::program::command;

const MANIFEST: &str = "name: Database\nversion: 1.0.0\nprovider: terraform\n";

/// Writes one commit to a branch of a bare repository.
fn commit(repository: &gix::Repository, branch: &str, files: &[(&str, EntryKind, &[u8])]) -> String {
    let tree = write_tree(repository, files);
    let who =
        gix::actor::Signature { name: "T".into(), email: "t@example.com".into(), time: gix::date::Time::new(0, 0) };
    let commit = gix::objs::Commit {
        tree,
        parents: Vec::new().into(),
        author: who.clone(),
        committer: who,
        encoding: None,
        message: "x".into(),
        extra_headers: Vec::new(),
    };
    let id = repository.write_object(&commit).unwrap().detach();
    let name = format!("refs/heads/{branch}");
    repository.reference(name.as_str(), id, gix::refs::transaction::PreviousValue::Any, "test").unwrap();
    id.to_string()
}

fn write_tree(repository: &gix::Repository, files: &[(&str, EntryKind, &[u8])]) -> gix::ObjectId {
    let mut tree = gix::objs::Tree::empty();
    let mut folders: std::collections::BTreeMap<&str, Vec<(&str, EntryKind, &[u8])>> =
        std::collections::BTreeMap::new();
    for (path, kind, content) in files {
        match path.split_once('/') {
            Some((folder, rest)) => folders.entry(folder).or_default().push((rest, *kind, content)),
            None => {
                let oid = match kind {
                    EntryKind::Commit => gix::ObjectId::null(gix::hash::Kind::Sha1),
                    _ => repository.write_blob(content).unwrap().detach(),
                };
                tree.entries.push(gix::objs::tree::Entry { mode: (*kind).into(), filename: (*path).into(), oid });
            }
        }
    }
    for (folder, files) in folders {
        let oid = write_tree(repository, &files);
        tree.entries.push(gix::objs::tree::Entry { mode: EntryKind::Tree.into(), filename: folder.into(), oid });
    }
    tree.entries.sort();
    repository.write_object(&tree).unwrap().detach()
}

fn repository(folder: &Folder) -> gix::Repository {
    let options = gix::open::Options::isolated();
    gix::ThreadSafeRepository::init_opts(
        folder.at("catalog.git"),
        gix::create::Kind::Bare,
        gix::create::Options::default(),
        options,
    )
    .unwrap()
    .to_thread_local()
}

async fn add(
    source: &Source,
    slug: &str,
    location: &str,
    branch: &str,
    folder: &str,
) -> paddock::base::id::CatalogSourceId {
    let new = NewSource {
        slug: slug.into(),
        kind: SourceKind::Git,
        location: location.into(),
        branch: Some(branch.into()),
        folder: folder.into(),
    };
    catalog::add_source(source.db(), &source.op, new).await.unwrap()
}

#[tokio::test]
async fn a_branch_becomes_templates_with_their_commit() {
    let folder = Folder::new();
    let repository = repository(&folder);
    let blob = EntryKind::Blob;
    let first = commit(
        &repository,
        "main",
        &[
            ("templates/db/paddock.yaml", blob, MANIFEST.as_bytes()),
            ("templates/db/run.sh", EntryKind::BlobExecutable, b"#!/bin/sh\n"),
            ("templates/bad/paddock.yaml", blob, b"name: B\nprovider: terraform\n"),
            ("templates/bad/link", EntryKind::Link, b"/etc/passwd"),
            ("templates/module", EntryKind::Commit, b""),
            ("elsewhere/other/paddock.yaml", blob, MANIFEST.as_bytes()),
        ],
    );
    let source = Source::new(SourceKind::Embedded, "").await;
    let path = folder.at("catalog.git");
    let id = add(&source, "git", path.to_str().unwrap(), "main", "templates").await;
    assert_eq!(catalog::sync(source.db(), &source.op, id).await.unwrap(), counts(1, 0, 0, 0));
    let problems = catalog::problems(source.db(), id).await.unwrap();
    insta::assert_snapshot!(super::fixture::lines(&problems), @r#"
    bad/link: error: This is a symbolic link. Links are never followed: put the file itself here.
    module: warning: This is a submodule. Submodules are not fetched: put the files themselves here.
    "#);
    let (_, one) = catalog::get_template(&mut *source.connection().await, "db").await.unwrap();
    assert_eq!(one.source_commit.as_deref(), Some(first.as_str()));
    let files = catalog::template_files(&mut *source.connection().await, one.id).await.unwrap();
    let seen: Vec<_> = files.iter().map(|file| (file.path.as_str(), file.executable)).collect();
    assert_eq!(seen, [("paddock.yaml", false), ("run.sh", true)]);

    commit(&repository, "main", &[("templates/x/paddock.yaml", blob, b"name: X\nprovider: terraform\n")]);
    assert_eq!(catalog::sync(source.db(), &source.op, id).await.unwrap(), counts(1, 0, 0, 1));
    let (_, gone) = catalog::get_template(&mut *source.connection().await, "db").await.unwrap();
    assert_eq!((gone.id, gone.state), (one.id, VersionState::Retired));
}

#[tokio::test]
async fn what_a_hostile_tree_names_is_never_a_path() {
    let folder = Folder::new();
    let repository = repository(&folder);
    commit(
        &repository,
        "main",
        &[
            ("a/paddock.yaml", EntryKind::Blob, MANIFEST.as_bytes()),
            ("b/paddock.yaml", EntryKind::Blob, MANIFEST.as_bytes()),
            ("b/..", EntryKind::Blob, b"x"),
            ("b/back\\slash", EntryKind::Blob, b"x"),
            ("c/.git/hooks/post-checkout", EntryKind::BlobExecutable, b"#!/bin/sh\ntouch /tmp/owned\n"),
            ("c/paddock.yaml", EntryKind::Blob, MANIFEST.as_bytes()),
        ],
    );
    let source = Source::new(SourceKind::Embedded, "").await;
    let id = add(&source, "git", folder.at("catalog.git").to_str().unwrap(), "main", "").await;
    assert_eq!(catalog::sync(source.db(), &source.op, id).await.unwrap().added, 2);
    let problems = catalog::problems(source.db(), id).await.unwrap();
    insta::assert_snapshot!(super::fixture::lines(&problems), @r#"
    b/..: error: Its name has characters that no template file may have. Rename it.
    b/back\slash: error: Its name has characters that no template file may have. Rename it.
    "#);
    let (_, version) = catalog::get_template(&mut *source.connection().await, "c").await.unwrap();
    let files = catalog::template_files(&mut *source.connection().await, version.id).await.unwrap();
    assert_eq!(files.len(), 1, "history and hooks are no part of a template");
}

#[tokio::test]
async fn what_is_missing_is_named() {
    let folder = Folder::new();
    let repository = repository(&folder);
    commit(&repository, "main", &[("a/paddock.yaml", EntryKind::Blob, MANIFEST.as_bytes())]);
    let source = Source::new(SourceKind::Embedded, "").await;
    let path = folder.at("catalog.git");
    let path = path.to_str().unwrap();
    for (slug, location, branch, inside, words) in [
        ("g1", path, "nope", "", "The repository has no branch “nope”."),
        ("g2", path, "main", "nope", "The repository has no folder “nope” on this branch."),
        ("g3", "/nonexistent/x.git", "main", "", "There is no Git repository at “/nonexistent/x.git”"),
        ("g4", "https://169.254.169.254/x.git", "main", "", "from which no catalog is read"),
        ("g5", "http://localhost:9/x.git", "main", "", "“http://localhost:9/x.git”, branch “main” cannot be fetched"),
    ] {
        let id = add(&source, slug, location, branch, inside).await;
        let error = catalog::sync(source.db(), &source.op, id).await.unwrap_err().to_string();
        assert!(error.contains(words), "{slug}: {error}");
    }
}

/// Git's own HTTP server program, behind the web server that we have.
async fn serve(root: &Path) -> String {
    serve_to(root, "").await
}

/// The same, for whoever sends this `Authorization`.
async fn serve_to(root: &Path, wanted: &'static str) -> String {
    let root = Arc::new(root.to_owned());
    let answer = move |method: Method, uri: Uri, headers: HeaderMap, body: Bytes| {
        let root = Arc::clone(&root);
        async move {
            let text = |name: &str| headers.get(name).and_then(|v| v.to_str().ok()).unwrap_or_default().to_owned();
            if text("authorization") != wanted {
                let ask = ("www-authenticate", "Basic realm=\"git\"");
                return (StatusCode::UNAUTHORIZED, [ask]).into_response();
            }
            let mut child = tokio::process::Command::new("git")
                .arg("http-backend")
                .env("GIT_PROJECT_ROOT", &*root)
                .env("GIT_HTTP_EXPORT_ALL", "1")
                .env("REQUEST_METHOD", method.as_str())
                .env("PATH_INFO", uri.path())
                .env("QUERY_STRING", uri.query().unwrap_or_default())
                .env("CONTENT_TYPE", text("content-type"))
                .env("GIT_PROTOCOL", text("git-protocol"))
                .env("GIT_CONFIG_COUNT", "1")
                .env("GIT_CONFIG_KEY_0", "safe.directory")
                .env("GIT_CONFIG_VALUE_0", "*")
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .spawn()
                .unwrap();
            let mut input = child.stdin.take().unwrap();
            let write = async move {
                input.write_all(&body).await.ok();
            };
            let (output, ()) = tokio::join!(child.wait_with_output(), write);
            let output = output.unwrap().stdout;
            let cut = output.windows(4).position(|w| w == b"\r\n\r\n").unwrap_or(output.len());
            let head = String::from_utf8_lossy(&output[..cut]).into_owned();
            let mut response = Response::builder();
            for (name, value) in head.lines().filter_map(|line| line.split_once(": ")) {
                response = match name {
                    "Status" => response.status(value.split(' ').next().unwrap_or("500")),
                    _ => response.header(name, value),
                };
            }
            response.body(Body::from(output.get(cut + 4..).unwrap_or_default().to_vec())).unwrap()
        }
    };
    listen(axum::Router::new().fallback(answer)).await
}

async fn listen(router: axum::Router) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

#[tokio::test(flavor = "multi_thread")]
async fn a_branch_is_fetched_over_http() {
    if std::process::Command::new("git").arg("--version").output().is_err() {
        eprintln!("there is no git on this machine to serve a repository with: not tried");
        return;
    }
    let folder = Folder::new();
    let repository = repository(&folder);
    commit(&repository, "main", &[("a/paddock.yaml", EntryKind::Blob, b"name: A\nprovider: terraform\n")]);
    let wanted = commit(&repository, "release/1", &[("b/paddock.yaml", EntryKind::Blob, MANIFEST.as_bytes())]);
    let address = format!("{}/catalog.git", serve(folder.path()).await);
    let source = Source::new(SourceKind::Embedded, "").await;
    let id = add(&source, "git", &address, "release/1", "").await;
    assert_eq!(catalog::sync(source.db(), &source.op, id).await.unwrap(), counts(1, 0, 0, 0));
    let stored = catalog::list_sources(source.db()).await.unwrap();
    assert_eq!(stored[1].source_commit.as_deref(), Some(wanted.as_str()));
    assert_eq!(catalog::sync(source.db(), &source.op, id).await.unwrap(), counts(0, 0, 1, 0), "every time afresh");
    let id = add(&source, "missing", &address, "no-such-branch", "").await;
    let error = catalog::sync(source.db(), &source.op, id).await.unwrap_err().to_string();
    assert!(error.contains("branch “no-such-branch” cannot be fetched"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn redirects_are_not_followed() {
    let hits = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&hits);
    let inner = listen(axum::Router::new().fallback(move || {
        counter.fetch_add(1, Ordering::SeqCst);
        async { StatusCode::OK }
    }))
    .await;
    let outer = listen(axum::Router::new().fallback(move |uri: Uri| {
        let target = format!("{inner}{uri}");
        async move { (StatusCode::FOUND, [("location", target)]) }
    }))
    .await;
    let source = Source::new(SourceKind::Embedded, "").await;
    let id = add(&source, "git", &format!("{outer}/x.git"), "main", "").await;
    assert!(catalog::sync(source.db(), &source.op, id).await.is_err());
    assert_eq!(hits.load(Ordering::SeqCst), 0);
}

/// The verb with these credentials: what it said, and whether it went well.
fn add_with(database: &str, credentials: &Path, slug: &str, address: &str) -> (String, bool) {
    let mut command = command(&["catalog", "add", slug, address, "--branch", "main"]);
    command.env("DATABASE_URL", database).env("PADDOCK_GIT_CREDENTIALS_FILE", credentials);
    let output = command.output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (String::from_utf8(said).unwrap(), output.status.success())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_private_server_gets_its_credential_and_no_other_server_does() {
    if std::process::Command::new("git").arg("--version").output().is_err() {
        eprintln!("there is no git on this machine to serve a repository with: not tried");
        return;
    }
    let folder = Folder::new();
    let repository = repository(&folder);
    commit(&repository, "main", &[("a/paddock.yaml", EntryKind::Blob, MANIFEST.as_bytes())]);
    // reader:t0ken-of-the-test
    let private = serve_to(folder.path(), "Basic cmVhZGVyOnQwa2VuLW9mLXRoZS10ZXN0").await;
    let seen = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&seen);
    let other = listen(axum::Router::new().fallback(move |headers: HeaderMap| {
        counter.fetch_add(usize::from(headers.contains_key("authorization")), Ordering::SeqCst);
        async { (StatusCode::UNAUTHORIZED, [("www-authenticate", "Basic realm=\"git\"")]) }
    }))
    .await;
    let source = Source::new(SourceKind::Embedded, "").await;
    let credentials = folder.at("credentials");
    let write = |token: &str| std::fs::write(&credentials, format!("# test\n{private} reader {token}\n")).unwrap();
    let add = |slug: &str, address: &str| {
        let url = source.database.url();
        tokio::task::block_in_place(|| add_with(&url, &credentials, slug, &format!("{address}/catalog.git")))
    };

    write("t0ken-of-the-test");
    let (said, well) = add("private", &private);
    assert!(well && said.contains("private: 1 added"), "{said}");
    let (elsewhere, well) = add("elsewhere", &other);
    assert!(!well || elsewhere.contains("cannot be fetched"), "{elsewhere}");
    assert_eq!(seen.load(Ordering::SeqCst), 0, "a credential is for its own server only");
    write("wrong-t0ken");
    let (refused, _) = add("refused", &private);
    assert!(refused.contains("cannot be fetched"), "{refused}");

    // Not in the answers, and not in the tables.
    let mut tables = String::new();
    for query in ["SELECT s::text FROM catalog_source s", "SELECT a::text FROM audit_record a"] {
        let rows: Vec<String> = sqlx::query_scalar(query).fetch_all(&mut *source.connection().await).await.unwrap();
        tables.push_str(&rows.join("\n"));
    }
    for text in [said, elsewhere, refused, tables] {
        assert!(!text.contains("t0ken") && !text.contains("cmVhZGVy"), "{text}");
    }
}
