//! The price book: who may look, what is added to it, and its record.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde_json::json;
use sqlx::PgConnection;

use super::Error;
use super::import::{Additions, Book, COLUMNS, Imported, Wanted};
use super::model::{Item, ItemPrices, PriceText};
use super::store;
use crate::audit::{self, Entry, Object, Outcome};
use crate::base::{Digest, FieldError, Op, csv};
use crate::db::{self, Tx};
use crate::policy::{Permit, ability};

/// The day by which prices are valid.
pub(super) fn today(op: &Op) -> Date {
    op.now().to_zoned(TimeZone::UTC).date()
}

/// The currency of every price.
pub async fn currency(connection: &mut PgConnection) -> db::Result<String> {
    store::currency(connection, false).await
}

/// Every item with the price of today and the next one, by name.
pub async fn items(connection: &mut PgConnection, op: &Op, _: &Permit<ability::ReadAdmin>) -> db::Result<Vec<Item>> {
    store::items(connection, None, today(op)).await
}

/// One item with all its prices.
pub async fn item(
    connection: &mut PgConnection,
    op: &Op,
    _: &Permit<ability::ReadAdmin>,
    name: &str,
) -> Result<ItemPrices, Error> {
    get(connection, op, name).await
}

async fn get(connection: &mut PgConnection, op: &Op, name: &str) -> Result<ItemPrices, Error> {
    let found = store::items(connection, Some(name), today(op)).await?.pop();
    let item = found.ok_or_else(|| Error::NoItem(name.chars().take(60).collect()))?;
    Ok(ItemPrices { prices: store::prices(connection, name).await?, item })
}

/// Every price that counts as a file that [`import`] takes.
pub async fn export(connection: &mut PgConnection, _: &Permit<ability::ReadAdmin>) -> db::Result<String> {
    let currency = store::currency(connection, false).await?;
    let mut file = csv::line(&COLUMNS);
    for line in store::lines(connection, None).await? {
        let (price, day) = (line.amount.to_string(), line.valid_from.to_string());
        let cells = [&line.item, &line.title, line.unit.as_str(), &price, &currency, &day];
        file.push_str(&csv::line(&cells));
    }
    Ok(file)
}

/// Adds an item with its first price, which may be valid from a day in the past.
pub async fn add_item(
    tx: &mut Tx,
    op: &Op,
    _: &Permit<ability::ManagePrices>,
    text: &PriceText,
) -> Result<ItemPrices, Error> {
    add(tx, op, text, Wanted::New).await
}

/// Gives an item another price, from today on or later. A second one for the same day replaces the first.
pub async fn add_price(
    tx: &mut Tx,
    op: &Op,
    _: &Permit<ability::ManagePrices>,
    text: &PriceText,
) -> Result<ItemPrices, Error> {
    get(tx, op, &text.item).await?;
    add(tx, op, text, Wanted::There).await
}

async fn add(tx: &mut Tx, op: &Op, text: &PriceText, wanted: Wanted) -> Result<ItemPrices, Error> {
    let mut book = store::book(tx).await?;
    let mut additions = Additions::default();
    book.add(&mut additions, text, wanted, today(op)).map_err(Error::Invalid)?;
    store::insert(tx, &additions, &op.actor.to_string()).await?;
    let added = get(tx, op, text.item.trim()).await?;
    for (item, price, day) in &additions.prices {
        let unit = added.item.unit.as_str();
        let detail = json!({"price": price, "currency": book.currency, "unit": unit, "valid_from": day});
        audit::append(tx, op, Entry::new("price.added", about(item)).detail(detail)).await?;
    }
    Ok(added)
}

/// Adds everything of a file, or nothing. What the book has already is left alone.
pub async fn import(tx: &mut Tx, op: &Op, _: &Permit<ability::ManagePrices>, file: &str) -> Result<Imported, Error> {
    let mut book = store::book(tx).await?;
    add_file(tx, op, &mut book, file).await
}

async fn add_file(tx: &mut Tx, op: &Op, book: &mut Book, file: &str) -> Result<Imported, Error> {
    let additions = book.add_file(file, today(op)).map_err(Error::Invalid)?;
    store::insert(tx, &additions, &op.actor.to_string()).await?;
    let counts = additions.counts();
    let detail = json!({"items": counts.items, "prices": counts.prices, "same": counts.same,
                        "sha256": Digest::of(file.as_bytes()).to_string()});
    let label = format!("{} prices", counts.prices);
    audit::append(tx, op, Entry::new("price.imported", about(&label)).detail(detail)).await?;
    Ok(counts)
}

/// Imports a file into a book that has no prices.
pub async fn ensure_prices(tx: &mut Tx, op: &Op, file: &str) -> Result<(), Error> {
    let mut book = store::book(tx).await?;
    if book.items.is_empty() {
        add_file(tx, op, &mut book, file).await?;
    }
    Ok(())
}

/// Says in which currency prices are, while there are none.
pub async fn set_currency(
    tx: &mut Tx,
    op: &Op,
    _: &Permit<ability::ManagePrices>,
    currency: &str,
) -> Result<String, Error> {
    let currency = currency.trim();
    if currency.len() != 3 || !currency.bytes().all(|byte| byte.is_ascii_uppercase()) {
        let detail = "is a code of ISO 4217: three capital letters, such as EUR";
        return Err(Error::Invalid(vec![FieldError::new("/currency", detail)]));
    }
    let before = store::currency(tx, true).await?;
    if before == currency {
        return Ok(before);
    }
    if !store::set_currency(tx, currency).await? {
        return Err(Error::CurrencyInUse(before));
    }
    let object = Object { kind: "price_book", id: None, label: currency.to_owned() };
    let detail = json!({"before": before, "after": currency});
    audit::append(tx, op, Entry::new("price_book.changed", object).detail(detail)).await?;
    Ok(currency.to_owned())
}

/// Writes down that somebody wanted to do this to the price book and may not.
pub async fn record_refusal(tx: &mut Tx, op: &Op, action: &'static str, item: &str) -> db::Result<()> {
    audit::append(tx, op, Entry::new(action, about(item)).outcome(Outcome::Denied)).await
}

fn about(item: &str) -> Object {
    Object { kind: "price", id: None, label: item.chars().take(100).collect() }
}
