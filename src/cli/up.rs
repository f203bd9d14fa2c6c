//! `paddock up`: everything on this machine, on a private Postgres unless `DATABASE_URL` is set.

use super::signals::StopSignals;
use super::store::{Hold, Store};
use super::terminal::Terminal;
use crate::config::Config;
use crate::db::embedded::Reporter as _;

pub(super) async fn run(config: Config) -> anyhow::Result<()> {
    let mut signals = StopSignals::listen()?;
    let mut store = Store::open(&config.store, Hold::Own).await?;
    let result = serve(&config, &mut store, &mut signals).await;
    store.close().await?;
    result
}

async fn serve(config: &Config, store: &mut Store, signals: &mut StopSignals) -> anyhow::Result<()> {
    store.migrate().await?;
    let _sealer = config.store.sealer(&crate::base::OsEntropy, true)?;
    Terminal.line("Paddock is ready");
    let lost = async {
        match &mut store.embedded {
            Some(embedded) => embedded.watch(&Terminal).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        () = signals.next() => Terminal.line("Stopping"),
        error = lost => return Err(error.into()),
    }
    Ok(())
}
