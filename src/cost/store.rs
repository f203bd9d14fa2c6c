//! The price book's tables. Prices go to and fro as text: decimal digits, as they stand.

use std::collections::BTreeMap;

use jiff::civil::Date;
use jiff_sqlx::ToSqlx as _;
use rust_decimal::Decimal;
use sqlx::PgConnection;

use super::estimate::Priced;
use super::import::{Additions, Book, Known};
use super::model::{Item, Price, Unit};
use crate::db::{Error, Result};

/// The most prices of an item that are listed.
const MOST_LISTED: i64 = 200;

fn decimal(text: &str) -> Result<Decimal> {
    Decimal::from_str_exact(text).map(|amount| amount.normalize()).map_err(|_| Error::Corrupt("price"))
}

/// The currency; `alone`: nobody else changes the book until this transaction ends.
pub async fn currency(connection: &mut PgConnection, alone: bool) -> Result<String> {
    if alone {
        return Ok(sqlx::query_scalar!("SELECT currency FROM price_book FOR UPDATE").fetch_one(connection).await?);
    }
    Ok(sqlx::query_scalar!("SELECT currency FROM price_book").fetch_one(connection).await?)
}

/// Sets the currency; false: there are prices.
pub async fn set_currency(connection: &mut PgConnection, currency: &str) -> Result<bool> {
    let set = sqlx::query!("UPDATE price_book SET currency = $1 WHERE NOT EXISTS (SELECT FROM price)", currency);
    Ok(set.execute(connection).await?.rows_affected() == 1)
}

/// What of these items is valid on a day.
pub async fn valid_on(connection: &mut PgConnection, items: &[String], day: Date) -> Result<BTreeMap<String, Priced>> {
    let rows = sqlx::query!(
        r#"SELECT i.name, i.title, i.unit AS "unit: Unit", p.amount AS "amount!" FROM price_item i
           CROSS JOIN LATERAL (
               SELECT amount::text FROM price WHERE item = i.name AND valid_from <= $2
               ORDER BY valid_from DESC, id DESC LIMIT 1) p
           WHERE i.name = ANY ($1)"#,
        items,
        day.to_sqlx() as jiff_sqlx::Date
    )
    .fetch_all(connection)
    .await?;
    rows.into_iter()
        .map(|row| Ok((row.name, Priced { title: row.title, unit: row.unit, amount: decimal(&row.amount)? })))
        .collect()
}

/// Items with what is valid on a day and what comes next, by name; `of`: only this one.
pub async fn items(connection: &mut PgConnection, of: Option<&str>, day: Date) -> Result<Vec<Item>> {
    let rows = sqlx::query!(
        r#"SELECT i.name, i.title, i.unit AS "unit: Unit",
               n.amount AS "now_amount?", n.valid_from AS "now_from?: jiff_sqlx::Date", n.added_by AS "now_by?",
               n.added_at AS "now_at?: jiff_sqlx::Timestamp",
               l.amount AS "later_amount?", l.valid_from AS "later_from?: jiff_sqlx::Date", l.added_by AS "later_by?",
               l.added_at AS "later_at?: jiff_sqlx::Timestamp"
           FROM price_item i
           LEFT JOIN LATERAL (
               SELECT amount::text, valid_from, added_by, added_at FROM price
               WHERE item = i.name AND valid_from <= $1 ORDER BY valid_from DESC, id DESC LIMIT 1) n ON true
           LEFT JOIN LATERAL (
               SELECT amount::text, valid_from, added_by, added_at FROM price
               WHERE item = i.name AND valid_from > $1 ORDER BY valid_from, id DESC LIMIT 1) l ON true
           WHERE $2::text IS NULL OR i.name = $2 ORDER BY i.name"#,
        day.to_sqlx() as jiff_sqlx::Date,
        of
    )
    .fetch_all(connection)
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(Item {
                today: price(row.now_amount, row.now_from, row.now_by, row.now_at)?,
                next: price(row.later_amount, row.later_from, row.later_by, row.later_at)?,
                name: row.name,
                title: row.title,
                unit: row.unit,
            })
        })
        .collect()
}

fn price(
    amount: Option<String>,
    from: Option<jiff_sqlx::Date>,
    by: Option<String>,
    at: Option<jiff_sqlx::Timestamp>,
) -> Result<Option<Price>> {
    let (Some(amount), Some(from), Some(added_by), Some(at)) = (amount, from, by, at) else { return Ok(None) };
    Ok(Some(Price { amount: decimal(&amount)?, valid_from: from.to_jiff(), added_by, added_at: at.to_jiff() }))
}

/// Every price of an item, the newest first.
pub async fn prices(connection: &mut PgConnection, item: &str) -> Result<Vec<Price>> {
    let rows = sqlx::query!(
        r#"SELECT amount::text AS "amount!", valid_from AS "valid_from: jiff_sqlx::Date", added_by,
               added_at AS "added_at: jiff_sqlx::Timestamp"
           FROM price WHERE item = $1 ORDER BY valid_from DESC, id DESC LIMIT $2"#,
        item,
        MOST_LISTED
    )
    .fetch_all(connection)
    .await?;
    rows.into_iter()
        .map(|row| {
            let (amount, valid_from) = (decimal(&row.amount)?, row.valid_from.to_jiff());
            Ok(Price { amount, valid_from, added_by: row.added_by, added_at: row.added_at.to_jiff() })
        })
        .collect()
}

/// A price that counts, as a line of a file.
pub struct Line {
    pub item: String,
    pub title: String,
    pub unit: Unit,
    pub amount: Decimal,
    pub valid_from: Date,
}

/// Every price that counts, by item and day; `of`: only this item.
pub async fn lines(connection: &mut PgConnection, of: Option<&str>) -> Result<Vec<Line>> {
    let rows = sqlx::query!(
        r#"SELECT DISTINCT ON (p.item, p.valid_from) p.item, i.title, i.unit AS "unit: Unit",
               p.amount::text AS "amount!", p.valid_from AS "valid_from: jiff_sqlx::Date"
           FROM price p JOIN price_item i ON i.name = p.item
           WHERE $1::text IS NULL OR p.item = $1 ORDER BY p.item, p.valid_from, p.id DESC"#,
        of
    )
    .fetch_all(connection)
    .await?;
    rows.into_iter()
        .map(|row| {
            let (amount, valid_from) = (decimal(&row.amount)?, row.valid_from.to_jiff());
            Ok(Line { item: row.item, title: row.title, unit: row.unit, amount, valid_from })
        })
        .collect()
}

/// The book as it is, for something to be added.
pub async fn book(connection: &mut PgConnection) -> Result<Book> {
    let mut book = Book { currency: currency(connection, true).await?, ..Book::default() };
    for line in lines(connection, None).await? {
        let known = book.items.entry(line.item).or_insert_with(|| Known::new(line.unit, false));
        known.prices.insert(line.valid_from, line.amount);
    }
    Ok(book)
}

/// Adds items and prices.
pub async fn insert(connection: &mut PgConnection, additions: &Additions, by: &str) -> Result<()> {
    let names: Vec<String> = additions.items.iter().map(|(name, ..)| name.clone()).collect();
    let titles: Vec<String> = additions.items.iter().map(|(_, title, _)| title.clone()).collect();
    let units: Vec<String> = additions.items.iter().map(|(.., unit)| unit.as_str().to_owned()).collect();
    sqlx::query!(
        "INSERT INTO price_item (name, title, unit) SELECT * FROM unnest($1::text[], $2::text[], $3::text[])",
        &names,
        &titles,
        &units
    )
    .execute(&mut *connection)
    .await?;
    let items: Vec<String> = additions.prices.iter().map(|(item, ..)| item.clone()).collect();
    let amounts: Vec<String> = additions.prices.iter().map(|(_, amount, _)| amount.to_string()).collect();
    let days: Vec<String> = additions.prices.iter().map(|(.., day)| day.to_string()).collect();
    sqlx::query!(
        "INSERT INTO price (item, amount, valid_from, added_by)
         SELECT item, amount::numeric, day::date, $4
         FROM unnest($1::text[], $2::text[], $3::text[]) WITH ORDINALITY p (item, amount, day, place) ORDER BY place",
        &items,
        &amounts,
        &days,
        by
    )
    .execute(connection)
    .await?;
    Ok(())
}
