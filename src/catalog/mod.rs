//! The catalog: sources, manifests, templates, immutable versions, and the form of their inputs.
//!
//! A source (folder, Git branch, or the sample catalog inside the binary) is read into
//! [`loader::Loaded`] templates outside any transaction; [`sync()`] then stores what is new
//! in one. Invariants: a stored version never changes; a template has at most one published
//! version; a problem in one template never hides another one, and a template whose new content
//! is bad keeps its last good version; nothing outside the source's root is ever read, symbolic
//! links included; inputs are checked by the one validator in [`schema`] for pages and API alike.
//!
//! It does not decide who may request what (policy), nor run anything (providers, orchestrator).

mod actions;
mod cloudformation;
mod demand;
mod error;
mod expression;
pub mod form;
pub mod loader;
pub mod manifest;
mod model;
pub mod schema;
pub mod service;
pub mod source;
mod store;
mod sync;
mod terraform;

pub use actions::{ActionSpec, Connect, RepeatClass, actions_of, auto_stop_of, connect_of};
pub use demand::{charges_of, demand_of};
pub use error::CatalogError;
pub use model::{
    CatalogSource, Facet, Facets, Filter, Format, Kind, Listing, NewSource, OutputSpec, PROVIDERS, Problem,
    PublishedInputs, Severity, SourceKind, SyncCounts, SyncState, Template, TemplateSummary, TemplateVersion,
    VersionState, VersionSummary, requestable,
};
pub use service::{
    add_source, current_version, get_template, get_version, get_version_number, list, list_sources, list_versions,
    priced_items, problems, published_inputs, template_files, worker_labels,
};
pub use source::use_git_credentials;
pub use sync::{lint, sync, sync_due};
