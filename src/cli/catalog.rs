//! `paddock catalog`: check templates before they are committed, add and read sources.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Args, Subcommand};

use super::compose::{git_credentials, operator};
use super::store::{Hold, Store};
use super::terminal::out;
use crate::catalog::{self, NewSource, SourceKind};
use crate::config::{GitArgs, StoreArgs};

#[derive(Debug, Args)]
pub(super) struct CatalogArgs {
    #[command(subcommand)]
    verb: CatalogVerb,
}

#[derive(Debug, Subcommand)]
enum CatalogVerb {
    /// Check the templates of a folder; needs no database
    Lint {
        /// The folder that holds the templates
        folder: PathBuf,
    },
    /// Add a catalog source and read it
    Add(AddArgs),
    /// Read a catalog source now, or all of them
    Sync(SyncArgs),
}

#[derive(Debug, Args)]
struct AddArgs {
    /// A short name: lower-case letters, digits and dashes
    slug: String,
    /// A folder on this server, or the URL of a Git repository
    location: String,
    /// The branch, for Git
    #[arg(long)]
    branch: Option<String>,
    /// The folder inside that holds the templates
    #[arg(long, default_value = "")]
    folder: String,
    #[command(flatten)]
    git: GitArgs,
    #[command(flatten)]
    store: StoreArgs,
}

#[derive(Debug, Args)]
struct SyncArgs {
    /// The source's short name; all without it
    slug: Option<String>,
    #[command(flatten)]
    git: GitArgs,
    #[command(flatten)]
    store: StoreArgs,
}

pub(super) async fn run(args: CatalogArgs) -> anyhow::Result<ExitCode> {
    match args.verb {
        CatalogVerb::Lint { folder } => lint(folder).await,
        CatalogVerb::Add(args) => {
            git_credentials(args.git.clone().check()?.as_ref())?;
            let store = Store::open(&args.store.clone().check()?, Hold::Borrow).await?;
            let done = add(&store, args).await;
            store.close().await?;
            done
        }
        CatalogVerb::Sync(args) => {
            git_credentials(args.git.check()?.as_ref())?;
            let store = Store::open(&args.store.check()?, Hold::Borrow).await?;
            let done = sync(&store, args.slug.as_deref()).await;
            store.close().await?;
            done
        }
    }
}

async fn lint(folder: PathBuf) -> anyhow::Result<ExitCode> {
    let problems = tokio::task::spawn_blocking(move || catalog::lint(&folder)).await??;
    for problem in &problems {
        out(problem);
    }
    let errors = problems.iter().filter(|problem| problem.is_error()).count();
    out(format!("{errors} errors, {} warnings", problems.len() - errors));
    Ok(if errors == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn add(store: &Store, args: AddArgs) -> anyhow::Result<ExitCode> {
    let is_url = args.location.contains("://") || args.location.starts_with("git@");
    let location = if is_url {
        args.location
    } else {
        let folder = PathBuf::from(&args.location).canonicalize();
        folder.with_context(|| format!("cannot open {}", args.location))?.display().to_string()
    };
    let kind = if is_url { SourceKind::Git } else { SourceKind::Folder };
    let source = NewSource { slug: args.slug.clone(), kind, location, branch: args.branch, folder: args.folder };
    catalog::add_source(&store.db, &operator(), source).await?;
    sync(store, Some(&args.slug)).await
}

async fn sync(store: &Store, slug: Option<&str>) -> anyhow::Result<ExitCode> {
    let sources = catalog::list_sources(&store.db).await?;
    let chosen: Vec<_> = sources.into_iter().filter(|source| slug.is_none_or(|slug| source.slug == slug)).collect();
    if let (Some(slug), true) = (slug, chosen.is_empty()) {
        anyhow::bail!("there is no catalog source {slug}");
    }
    let mut code = ExitCode::SUCCESS;
    for source in chosen {
        match catalog::sync(&store.db, &operator(), source.id).await {
            Ok(counts) => out(format!(
                "{}: {} added, {} updated, {} unchanged",
                source.slug, counts.added, counts.updated, counts.unchanged
            )),
            Err(error) => {
                code = ExitCode::FAILURE;
                out(format!("{}: {:#}", source.slug, anyhow::Error::from(error)));
            }
        }
        for problem in catalog::problems(&store.db, source.id).await? {
            if problem.is_error() {
                code = ExitCode::FAILURE;
            }
            out(format!("  {problem}"));
        }
    }
    Ok(code)
}
