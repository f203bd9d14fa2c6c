//! `paddock policy`: check a folder of policies before it is committed, say which decisions of the past
//! would come out otherwise, and make one again from its record. For people and for CI: the exit code is 0
//! when nothing is wrong and nothing flips, 1 when something is or does, and 2 when it could not be found out.

mod explain;
mod replay;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::terminal::{self, out};
use crate::policy::{Error, Grants, Outcome, PolicyEngine, versions};

#[derive(Debug, Args)]
pub(super) struct PolicyArgs {
    #[command(subcommand)]
    verb: PolicyVerb,
}

#[derive(Debug, Subcommand)]
enum PolicyVerb {
    /// Check a folder of policies; needs no database
    Check {
        /// The folder that holds *.cedar, and perhaps a schema of its own
        folder: PathBuf,
        /// Another folder: tell what the first one lets people do that this one does not
        #[arg(long, value_name = "FOLDER")]
        against: Option<PathBuf>,
    },
    /// Make the stored decisions again by other policies, and list those that would come out otherwise
    Replay(replay::ReplayArgs),
    /// Make one decision again from its record, and say whether it is the same
    Explain(explain::ExplainArgs),
}

/// Runs the verb; its errors end here, too, because 1 is an answer.
pub(super) async fn run(args: PolicyArgs) -> ExitCode {
    let done = match args.verb {
        PolicyVerb::Check { folder, against } => check(&folder, against.as_deref()),
        PolicyVerb::Replay(args) => replay::run(args).await,
        PolicyVerb::Explain(args) => explain::run(args).await,
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            terminal::error(&error);
            ExitCode::from(2)
        }
    }
}

/// Whether nothing is wrong.
fn check(folder: &Path, against: Option<&Path>) -> anyhow::Result<bool> {
    let problems = match PolicyEngine::from_folder(folder) {
        Ok(engine) => {
            for proof in engine.proofs() {
                out(match proof.broken_by {
                    None => format!("proved over {} questions: {}", proof.asked, proof.claim),
                    Some(example) => format!("broken: {}, by {example}", proof.claim),
                });
            }
            if let Some(against) = against {
                tell_grants(&engine.grants_beyond(&PolicyEngine::from_folder(against)?));
            }
            let unproved = versions::unproved(&engine);
            versions::locked_out(&engine).into_iter().chain(unproved).map(|problem| problem.to_string()).collect()
        }
        Err(error @ Error::Unreadable { .. }) => return Err(error.into()),
        Err(Error::Invalid(problems)) => problems.iter().map(ToString::to_string).collect(),
        Err(error) => vec![error.to_string()],
    };
    let problems: Vec<String> = problems;
    problems.iter().for_each(out);
    out(match problems.len() {
        0 => "The policies are valid.".to_owned(),
        1 => "1 thing is wrong.".to_owned(),
        count => format!("{count} things are wrong."),
    });
    Ok(problems.is_empty())
}

/// What is granted that was not.
fn tell_grants(grants: &Grants) {
    let except = if grants.new.is_empty() { "" } else { ", except" };
    out(format!("asked with {} questions: it grants nothing new{except}", grants.asked));
    for grant in &grants.new {
        let said = |outcome| match outcome {
            Outcome::Allowed => "allowed",
            Outcome::NeedsApproval => "with approval",
            Outcome::Denied => "denied",
        };
        out(match (said(grant.before), said(grant.after)) {
            (before, after) if before == after => format!("  {}: fewer approvals", grant.example),
            (before, after) => format!("  {}: was {before}, now {after}", grant.example),
        });
    }
    if grants.more > 0 {
        out(format!("  and {} more", grants.more));
    }
    if grants.cut {
        out("There were more questions than are asked: a grant may be missing here.");
    }
}
