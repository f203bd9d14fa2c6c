//! All SQL of the catalog: sources and their problems, templates, versions and files.

mod sources;
mod templates;
mod versions;

pub(super) use sources::{
    due_sources, fail_sync, find_source, finish_sync, insert_source, list_sources, lock_source, problems,
    replace_problems,
};
pub(super) use templates::{
    Known, find_template, get_template, insert_template, known_templates, list, update_template,
};
pub(super) use versions::{
    Which, files, find_version, insert_version, list_versions, priced_items, publish, published_inputs,
    replace_published, versions_for_sync, worker_labels,
};
