//! What an admin does with the price book, and what an environment costs. The caller has the permit to.

use super::App;
use crate::base::Op;
use crate::catalog::{self, TemplateVersion};
use crate::cost::{self, Error, Estimate, Imported, ItemPrices, PriceText};
use crate::db::{self, Connection};
use crate::environments::Environment;
use crate::policy::{Permit, ability};

impl App {
    /// Adds an item with its first price.
    pub async fn add_item(
        &self,
        op: &Op,
        permit: &Permit<ability::ManagePrices>,
        text: &PriceText,
    ) -> Result<ItemPrices, Error> {
        let mut tx = self.db.begin().await?;
        let added = cost::add_item(&mut tx, op, permit, text).await?;
        tx.commit().await?;
        Ok(added)
    }

    /// Gives an item another price.
    pub async fn add_price(
        &self,
        op: &Op,
        permit: &Permit<ability::ManagePrices>,
        text: &PriceText,
    ) -> Result<ItemPrices, Error> {
        let mut tx = self.db.begin().await?;
        let added = cost::add_price(&mut tx, op, permit, text).await?;
        tx.commit().await?;
        Ok(added)
    }

    /// Adds every price of a file, or none.
    pub async fn import_prices(
        &self,
        op: &Op,
        permit: &Permit<ability::ManagePrices>,
        file: &str,
    ) -> Result<Imported, Error> {
        let mut tx = self.db.begin().await?;
        let imported = cost::import(&mut tx, op, permit, file).await?;
        tx.commit().await?;
        Ok(imported)
    }

    /// Says in which currency prices are, while there are none.
    pub async fn set_currency(
        &self,
        op: &Op,
        permit: &Permit<ability::ManagePrices>,
        currency: &str,
    ) -> Result<String, Error> {
        let mut tx = self.db.begin().await?;
        let set = cost::set_currency(&mut tx, op, permit, currency).await?;
        tx.commit().await?;
        Ok(set)
    }

    /// Writes down that somebody wanted to do this to the price book and may not.
    pub async fn record_refused_price(&self, op: &Op, action: &'static str, item: &str) -> db::Result<()> {
        let mut tx = self.db.begin().await?;
        cost::record_refusal(&mut tx, op, action, item).await?;
        tx.commit().await
    }

    /// What an environment costs as it is now, by the prices of today, until its end; `None`: its template does
    /// not say what it takes.
    pub async fn estimate_of(
        &self,
        connection: &mut Connection,
        op: &Op,
        environment: &Environment,
        version: &TemplateVersion,
    ) -> db::Result<Option<Estimate>> {
        let Ok(Some(charges)) = catalog::charges_of(version, &environment.inputs) else { return Ok(None) };
        cost::estimate(connection, op, &charges, environment.remaining).await.map(Some)
    }
}
