//! From a [`Tree`] to templates: finds the manifests, reads each with the files of its folder,
//! and takes the digest.
//!
//! A folder with a manifest is a template, with everything below it. One problem keeps out its
//! own template and no other. Sizes are known before anything is read.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use super::manifest::{self, FILE_NAMES, MAX_MANIFEST, Manifest};
use super::model::{Format, Problem};
use super::source::{Entry, EntryKind, SourceError, Tree};
use super::{cloudformation, terraform};
use crate::base::Digest;
use crate::base::text::slugify;
use crate::providers::TemplateFile;

/// Largest file of a template: compiled ARM templates reach 300 KB; binaries belong into a registry.
pub const MAX_FILE: u64 = 1024 * 1024;
/// Largest template: all its files are in one row set and in a worker's memory.
pub const MAX_TEMPLATE: u64 = 8 * 1024 * 1024;
/// Most files of a template: a service skeleton has some 100.
pub const MAX_FILES: usize = 500;

/// Most problems that are told: nobody reads more at once.
pub const MAX_PROBLEMS: usize = 500;

/// A template as it lies in its source.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// Its folder; `.` for the root.
    pub path: String,
    /// Its name in URLs.
    pub slug: String,
    /// Its version text: the manifest's, or empty.
    pub manifest: Manifest,
    /// All files of the folder, sorted by path, the manifest included.
    pub files: Vec<TemplateFile>,
    /// `README.md`, or the manifest's description.
    pub readme: String,
    /// SHA-256 over what the manifest means and the files.
    pub digest: Digest,
}

/// What a source holds.
#[derive(Debug, Clone, Default)]
pub struct Content {
    /// The templates without errors, sorted by folder.
    pub templates: Vec<Loaded>,
    /// Folders of templates that have errors: they are there, but cannot be imported.
    pub broken: BTreeSet<String>,
    /// Everything that is wrong, sorted by path and line.
    pub problems: Vec<Problem>,
    /// The commit, for Git.
    pub commit: Option<String>,
}

/// Reads everything. Blocks.
pub fn load(tree: &dyn Tree) -> Result<Content, SourceError> {
    let entries = tree.entries()?;
    let mut content = Content { commit: tree.commit(), ..Content::default() };
    let roots = find_roots(tree, &entries, &mut content.problems);
    let mut slugs: BTreeMap<String, String> = BTreeMap::new();
    for (folder, root) in &roots {
        let mut problems = root.problems.clone();
        let loaded = load_template(tree, folder, root, &entries, &mut problems);
        if let Some(loaded) = loaded {
            if let Some(first) = slugs.get(&loaded.slug) {
                problems.push(Problem {
                    key: Some("slug".to_owned()),
                    ..Problem::error(
                        &root.manifest,
                        format!(
                            "The slug “{}” is taken by the template in “{first}”. Set another “slug”, or rename the folder.",
                            loaded.slug
                        ),
                    )
                });
            } else {
                slugs.insert(loaded.slug.clone(), folder.clone());
                content.templates.push(loaded);
            }
        }
        if problems.iter().any(Problem::is_error) {
            content.templates.retain(|loaded| loaded.path != *folder);
            content.broken.insert(folder.clone());
        }
        content.problems.extend(problems);
    }
    report_strays(&entries, &roots, &mut content.problems);
    content.problems.sort_by(|a, b| (&a.path, a.line, a.col).cmp(&(&b.path, b.line, b.col)));
    let more = content.problems.len().saturating_sub(MAX_PROBLEMS);
    if more > 0 {
        content.problems.truncate(MAX_PROBLEMS);
        content.problems.push(Problem::error(".", format!("There are {more} more problems. Solve these first.")));
    }
    Ok(content)
}

/// A folder with a manifest.
#[derive(Debug)]
struct Root {
    manifest: String,
    format: Format,
    problems: Vec<Problem>,
}

fn folder_of(path: &str) -> (&str, &str) {
    path.rsplit_once('/').unwrap_or((".", path))
}

fn is_below(path: &str, folder: &str) -> bool {
    folder == "." || path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'))
}

/// Finds the template folders. A manifest below another template belongs to that template.
fn find_roots(tree: &dyn Tree, entries: &[Entry], problems: &mut Vec<Problem>) -> BTreeMap<String, Root> {
    let mut candidates: BTreeMap<String, Vec<(usize, &Entry)>> = BTreeMap::new();
    for entry in entries {
        let (folder, name) = folder_of(&entry.path);
        if let Some(rank) = FILE_NAMES.iter().position(|(known, _)| *known == name) {
            if !is_foreign(tree, entry) {
                candidates.entry(folder.to_owned()).or_default().push((rank, entry));
            }
        } else if name == "paddock.yml" {
            problems.push(Problem::warning(
                &entry.path,
                "The manifest's name is “paddock.yaml”; this file is not read. Rename it.",
            ));
        }
    }
    let mut roots: BTreeMap<String, Root> = BTreeMap::new();
    let mut folders: Vec<_> = candidates.into_iter().collect();
    // Outer folders first: a shorter path cannot lie below a longer one.
    folders.sort_by_key(|(folder, _)| (folder != ".", folder.len()));
    for (folder, mut found) in folders {
        if let Some(outer) = roots.keys().find(|outer| is_below(&folder, outer) && **outer != folder) {
            let message = format!(
                "This folder belongs to the template in “{outer}” and is not a template of its own. Move it beside that one if it should be."
            );
            problems.extend(found.iter().map(|(_, entry)| Problem::warning(&entry.path, message.clone())));
            continue;
        }
        found.sort_by_key(|(rank, _)| *rank);
        let mut found = found.into_iter();
        let Some((rank, manifest)) = found.next() else { continue };
        let ignored = found
            .map(|(_, other)| {
                Problem::warning(
                    &other.path,
                    format!("“{}” beside it is used; this manifest is not read.", folder_of(&manifest.path).1),
                )
            })
            .collect();
        let format = FILE_NAMES.get(rank).map_or(Format::Paddock, |(_, format)| *format);
        roots.insert(folder, Root { manifest: manifest.path.clone(), format, problems: ignored });
    }
    roots
}

/// True for a `manifest.yaml` of another tool (Kubernetes, for example): it says `apiVersion`.
fn is_foreign(tree: &dyn Tree, entry: &Entry) -> bool {
    let EntryKind::File { size, .. } = entry.kind else { return false };
    if !entry.path.ends_with("manifest.yaml") || size > MAX_MANIFEST {
        return false;
    }
    tree.read(&entry.path, MAX_MANIFEST)
        .is_ok_and(|bytes| String::from_utf8_lossy(&bytes).lines().any(|line| line.starts_with("apiVersion:")))
}

fn load_template(
    tree: &dyn Tree,
    folder: &str,
    root: &Root,
    entries: &[Entry],
    problems: &mut Vec<Problem>,
) -> Option<Loaded> {
    let inside: Vec<&Entry> = entries.iter().filter(|entry| is_below(&entry.path, folder)).collect();
    check_entries(folder, &root.manifest, &inside, problems);
    let mut manifest = read_manifest(tree, root, &inside, problems)?;
    check_template_path(folder, root, &manifest, &inside, problems);
    if problems.iter().any(Problem::is_error) {
        return None;
    }
    let mut files = Vec::with_capacity(inside.len());
    for entry in inside {
        let EntryKind::File { executable, .. } = entry.kind else { continue };
        match tree.read(&entry.path, MAX_FILE) {
            Ok(content) => {
                files.push(TemplateFile { path: relative(&entry.path, folder).to_owned(), executable, content });
            }
            Err(reason) => problems.push(Problem::error(&entry.path, reason)),
        }
    }
    run_on_workers(root, &mut manifest, &files, problems);
    if declares_no_inputs(&manifest) {
        let (inputs, found) = terraform::inputs(folder, &files);
        manifest.inputs = inputs;
        problems.extend(found);
    }
    if manifest.provider == "cloudformation" {
        problems.extend(cloudformation::complete(folder, &root.manifest, &mut manifest, &files));
    }
    if let Some(file) = files.iter().find(|file| file.path == relative(&root.manifest, folder)) {
        let found = manifest::check_expressions(&root.manifest, root.format, &file.content, &manifest.inputs);
        problems.extend(found);
    }
    let readme = readme(folder, &files, problems).unwrap_or_else(|| manifest.description.clone());
    let name = folder.rsplit('/').next().filter(|name| *name != ".").unwrap_or(&manifest.name);
    let slug = manifest.slug.clone().unwrap_or_else(|| slugify(name).chars().take(63).collect());
    let slug = slug.trim_end_matches('-').to_owned();
    if slug.is_empty() {
        let message = "No slug can be made from the folder's name. Set “slug” in the manifest.";
        problems.push(Problem { key: Some("slug".to_owned()), ..Problem::error(&root.manifest, message) });
        return None;
    }
    let digest = digest(&manifest, &files);
    Some(Loaded { path: folder.to_owned(), slug, manifest, files, readme, digest })
}

/// A definition of Azure Deployment Environments for a container image. One that brings the scripts of its
/// runner does without the image where there is no container engine.
fn run_on_workers(root: &Root, manifest: &mut Manifest, files: &[TemplateFile], problems: &mut Vec<Problem>) {
    const SCRIPTS: [(&str, &str); 2] = [("deploy", "deploy.sh"), ("delete", "delete.sh")];
    let there = |(_, script): &(&str, &str)| files.iter().any(|file| file.path == *script);
    let Some(config) = manifest.config.as_object_mut() else { return };
    let image = config.get("image").and_then(|image| image.as_str().map(str::to_owned));
    let Some(image) = image.filter(|_| root.format == Format::Ade && manifest.provider == "command") else { return };
    let message = if SCRIPTS.iter().all(there) {
        for (operation, script) in SCRIPTS {
            config.entry(operation).or_insert_with(|| script.into());
        }
        config.entry("image_is_optional").or_insert(true.into());
        format!(
            "deploy.sh and delete.sh run in “{image}” where a worker has a container engine, else on the worker, with \
             the tools installed there."
        )
    } else {
        format!("Its scripts are those of “{image}”: a worker needs a container engine (--container-engine).")
    };
    problems.push(Problem { key: Some("runner".to_owned()), ..Problem::warning(&root.manifest, message) });
}

/// A Terraform template whose manifest says nothing of inputs: its variables are its inputs.
fn declares_no_inputs(manifest: &Manifest) -> bool {
    let says = |key: &str| manifest.raw.get(key).is_some_and(|value| !value.is_null());
    manifest.provider == "terraform" && !says("inputs") && !says("parameters")
}

fn relative<'p>(path: &'p str, folder: &str) -> &'p str {
    if folder == "." { path } else { path.get(folder.len() + 1..).unwrap_or(path) }
}

fn check_entries(folder: &str, manifest: &str, inside: &[&Entry], problems: &mut Vec<Problem>) {
    let mut total: u64 = 0;
    for entry in inside {
        match &entry.kind {
            EntryKind::File { size, .. } => {
                total = total.saturating_add(*size);
                let limit = if entry.path == manifest { MAX_MANIFEST } else { MAX_FILE };
                if *size > limit {
                    problems.push(Problem::error(
                        &entry.path,
                        format!("The file has {}; at most {} fit. Keep large files elsewhere and name them in the template.", bytes(*size), bytes(limit)),
                    ));
                }
            }
            EntryKind::Symlink => problems.push(Problem::error(
                &entry.path,
                "This is a symbolic link. Links are never followed: put the file itself here.",
            )),
            EntryKind::Unreadable(reason) => problems.push(Problem::error(&entry.path, reason.clone())),
        }
    }
    if inside.len() > MAX_FILES {
        problems.push(Problem::error(
            folder,
            format!(
                "The template has {} files; at most {MAX_FILES} fit. Leave out what is generated or downloaded.",
                inside.len()
            ),
        ));
    }
    if total > MAX_TEMPLATE {
        problems.push(Problem::error(
            folder,
            format!("The template's files have {} together; at most {} fit.", bytes(total), bytes(MAX_TEMPLATE)),
        ));
    }
}

fn bytes(count: u64) -> String {
    const MIB: u64 = 1024 * 1024;
    match count {
        0..10_240 => format!("{count} bytes"),
        10_240..MIB => format!("{} KiB", count / 1024),
        _ => format!("{} MiB", count.div_ceil(MIB)),
    }
}

fn read_manifest(tree: &dyn Tree, root: &Root, inside: &[&Entry], problems: &mut Vec<Problem>) -> Option<Manifest> {
    let entry = inside.iter().find(|entry| entry.path == root.manifest)?;
    match entry.kind {
        EntryKind::File { size, .. } if size <= MAX_MANIFEST => {}
        // Reported with the other files.
        _ => return None,
    }
    match tree.read(&root.manifest, MAX_MANIFEST) {
        Ok(bytes) => {
            let (manifest, found) = manifest::read(&root.manifest, root.format, &bytes);
            problems.extend(found);
            manifest
        }
        Err(reason) => {
            problems.push(Problem::error(&root.manifest, reason));
            None
        }
    }
}

fn check_template_path(folder: &str, root: &Root, manifest: &Manifest, inside: &[&Entry], problems: &mut Vec<Problem>) {
    let Some(wanted) = &manifest.template_path else { return };
    if inside.iter().any(|entry| relative(&entry.path, folder) == wanted.path) {
        return;
    }
    let name = folder_of(&wanted.path).1;
    let elsewhere = inside
        .iter()
        .map(|entry| relative(&entry.path, folder))
        .find(|path| folder_of(path).1.eq_ignore_ascii_case(name));
    let advice = match elsewhere {
        Some(path) => format!("Did you mean “{path}”?"),
        None => "Add the file, or correct the path.".to_owned(),
    };
    problems.push(Problem {
        line: Some(wanted.line),
        col: Some(wanted.col),
        key: Some("templatePath".to_owned()),
        ..Problem::error(&root.manifest, format!("There is no file “{}” in this folder. {advice}", wanted.path))
    });
}

fn readme(folder: &str, files: &[TemplateFile], problems: &mut Vec<Problem>) -> Option<String> {
    let file = files.iter().find(|file| file.path.eq_ignore_ascii_case("readme.md"))?;
    if let Ok(text) = std::str::from_utf8(&file.content) {
        return Some(text.trim_start_matches('\u{feff}').replace('\0', ""));
    }
    let path = if folder == "." { file.path.clone() } else { format!("{folder}/{}", file.path) };
    let message = "The file is not UTF-8, so the template has no description. Save it as UTF-8.";
    problems.push(Problem::warning(path, message));
    None
}

/// Links and unreadable things outside any template keep nothing out, but are told.
fn report_strays(entries: &[Entry], roots: &BTreeMap<String, Root>, problems: &mut Vec<Problem>) {
    for entry in entries {
        if roots.keys().any(|folder| is_below(&entry.path, folder)) {
            continue;
        }
        match &entry.kind {
            EntryKind::File { .. } => {}
            EntryKind::Symlink => problems.push(Problem::warning(
                &entry.path,
                "This is a symbolic link. Links are never followed, so nothing behind it is read.",
            )),
            EntryKind::Unreadable(reason) => problems.push(Problem::warning(&entry.path, reason.clone())),
        }
    }
}

fn digest(manifest: &Manifest, files: &[TemplateFile]) -> Digest {
    let files: Vec<_> =
        files.iter().map(|file| json!([file.path, file.executable, Digest::of(&file.content).to_string()])).collect();
    Digest::of_json(&json!({
        "format": manifest.format,
        "provider": manifest.provider,
        "config": manifest.config,
        "inputs": manifest.inputs,
        "outputs": manifest.outputs,
        "manifest": manifest.raw,
        "files": files,
    }))
}
