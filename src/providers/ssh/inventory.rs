//! The folders of environments on a host: each has a mark that says whose it is.

use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;

use super::link::Link;
use super::order::Order;
use super::question::ask;
use crate::base::id::EnvironmentId;
use crate::providers::{Marked, ProviderError, Target};

/// The type of such a folder.
const FOLDER: &str = "runner_folder";
/// How long a list may take.
const LIST: Duration = Duration::from_secs(30);
/// How long it may take to end what runs and to remove its files.
const REMOVE: Duration = Duration::from_mins(2);

/// Everything with our mark.
pub async fn list(client: &Path, target: &Target) -> Result<Vec<Marked>, ProviderError> {
    let link = Link::of(target)?;
    let order = Order::question("list", &link.folder, String::new());
    Ok(ask(client, &link, &order, LIST).await?.iter().filter_map(|line| marked(line)).collect())
}

fn marked(line: &str) -> Option<Marked> {
    let (id, since) = line.strip_prefix("item ")?.split_once(' ')?;
    let environment: EnvironmentId = id.parse().ok()?;
    Some(Marked {
        r#type: FOLDER.to_owned(),
        id: id.to_owned(),
        address: None,
        environment: Some(environment),
        since: since.parse().ok().and_then(|seconds| Timestamp::from_second(seconds).ok()),
        cost: None,
        // Its environment's resources are what the template's scripts say.
        is_resource: false,
    })
}

/// Removes the folder, and ends what runs there of that environment.
pub async fn remove(client: &Path, target: &Target, wanted: &Marked) -> Result<(), ProviderError> {
    let link = Link::of(target)?;
    let known = wanted.environment.filter(|environment| environment.to_string() == wanted.id);
    let Some(environment) = known.filter(|_| wanted.r#type == FOLDER) else {
        return Err(ProviderError::failed(format!("a {} is nothing that Paddock makes on a host", wanted.r#type)));
    };
    let order = Order::question("remove", &link.folder, environment.to_string());
    ask(client, &link, &order, REMOVE).await.map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_host_lists_is_read_and_all_else_left_alone() {
        let id = EnvironmentId(uuid::Uuid::from_u128(7));
        let one = marked(&format!("item {id} 1700000000")).unwrap();
        assert_eq!((one.environment, one.since), (Some(id), Timestamp::from_second(1_700_000_000).ok()));
        assert_eq!(marked("item env_../x 1"), None);
        assert_eq!(marked("ended 0"), None);
    }
}
