//! `paddock migrate`: the schema up to this version.

use super::store::{Hold, Store};
use super::terminal;
use crate::config::StoreConfig;

pub(super) async fn run(config: StoreConfig) -> anyhow::Result<()> {
    let store = Store::open(&config, Hold::Borrow).await?;
    let applied = store.migrate().await;
    store.close().await?;
    terminal::out(match applied? {
        0 => "The database's schema was up to date.".to_owned(),
        count => format!("Applied {count} migrations."),
    });
    Ok(())
}
