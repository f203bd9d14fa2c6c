//! Whether what a script made is still as it left it: by the template's own `drift`, else by its `probe`.

use super::config::Config;
use super::provider::probe;
use super::script::Scripts;
use crate::providers::{Difference, DifferenceKind, ProviderError, Resource};

/// What `drift` ends with when something differs.
const DIFFERS: i32 = 2;
/// The address of what differs where a script names none.
const ITSELF: &str = "command";

/// Runs the template's script and reads what it said.
pub async fn look(
    scripts: &mut Scripts<'_>,
    config: &Config,
    resources: &[Resource],
) -> Result<Vec<Difference>, ProviderError> {
    let Some(script) = &config.drift else {
        let gone =
            |address: &str| Difference::new(address, DifferenceKind::Missing, "the template's probe does not find it");
        let there = probe(scripts, config).await?;
        return Ok(if there { Vec::new() } else { resources.iter().map(|r| gone(r.address.as_str())).collect() });
    };
    match scripts.run(script, "drift").await? {
        (0, _) => Ok(Vec::new()),
        (DIFFERS, _) => {
            let lines = scripts.differences()?;
            if lines.is_empty() {
                let words = format!("{script} says that it differs, and not how");
                return Ok(vec![Difference::new(ITSELF, DifferenceKind::Changed, words)]);
            }
            Ok(lines.iter().map(|line| difference(line)).collect())
        }
        (code, message) => {
            Err(ProviderError::failed(format!("{script} ended with code {code}: {}", message.unwrap_or_default())))
        }
    }
}

/// `address: words`; the words `missing` and `added` say how.
fn difference(line: &str) -> Difference {
    let (address, words) = line.split_once(": ").unwrap_or((ITSELF, line));
    let kind = match words {
        "missing" => DifferenceKind::Missing,
        "added" => DifferenceKind::Added,
        _ => DifferenceKind::Changed,
    };
    Difference::new(address.trim(), kind, words.trim())
}
