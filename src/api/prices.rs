//! The price book: its currency, items and prices; adding, importing and exporting them.

use axum::Json;
use axum::extract::Path;
use axum::http::{HeaderName, StatusCode, header};
use jiff::Timestamp;
use jiff::civil::Date;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::caller::{Admins, Caller};
use super::error::Problem;
use super::extract::Body;
use super::page::List;
use crate::cost::{self, Imported, Item, ItemPrices, Price, PriceText, Unit};
use crate::policy::{Permit, Resource, ability};

/// An item of the price book. Prices are decimal numbers as text.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PriceItem)]
pub struct ItemView {
    /// Its name in manifests.
    item: String,
    title: String,
    unit: Unit,
    /// ISO 4217; the same for every item.
    currency: String,
    /// The price that is valid today; null: it begins later.
    today: Option<PriceView>,
    /// The next price, where one is known already.
    next: Option<PriceView>,
}

/// An item with all its prices, the newest first.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PriceItemHistory)]
pub struct HistoryView {
    #[serde(flatten)]
    item: ItemView,
    /// The 200 newest; of those of one day the first one counts.
    prices: Vec<PriceView>,
}

/// A price of one unit.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Price)]
pub struct PriceView {
    #[schema(value_type = String, example = "0.0416")]
    price: Decimal,
    /// From the beginning of this day on (UTC).
    #[schema(value_type = String, format = Date)]
    valid_from: Date,
    added_by: String,
    added_at: Timestamp,
}

impl From<Price> for PriceView {
    fn from(price: Price) -> Self {
        let Price { amount, valid_from, added_by, added_at } = price;
        Self { price: amount, valid_from, added_by, added_at }
    }
}

impl ItemView {
    fn new(item: Item, currency: String) -> Self {
        let Item { name, title, unit, today, next } = item;
        Self { item: name, title, unit, currency, today: today.map(Into::into), next: next.map(Into::into) }
    }
}

impl HistoryView {
    fn new(found: ItemPrices, currency: String) -> Self {
        Self { item: ItemView::new(found.item, currency), prices: found.prices.into_iter().map(Into::into).collect() }
    }
}

/// The permit to change the price book; a refusal is written down.
async fn manage(
    caller: &Caller<Admins>,
    action: &'static str,
    item: &str,
) -> Result<Permit<ability::ManagePrices>, Problem> {
    match caller.permit_platform(Resource::platform()) {
        Ok(permit) => Ok(permit),
        Err(refused) => {
            caller.app.record_refused_price(&caller.op, action, item).await?;
            Err(refused)
        }
    }
}

async fn currency(caller: &Caller<Admins>) -> Result<String, Problem> {
    Ok(cost::currency(&mut *caller.app.db.acquire().await?).await?)
}

/// What is said of the whole price book.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = PriceBook)]
pub struct BookView {
    /// ISO 4217.
    currency: String,
}

/// The currency of the price book.
#[utoipa::path(get, path = "/price-book", tag = "prices", security(("token" = ["admin"]), ("session" = [])),
    responses((status = 200, body = BookView)))]
pub async fn get_price_book(caller: Caller<Admins>) -> Result<Json<BookView>, Problem> {
    let _: Permit<ability::ReadAdmin> = caller.permit_platform(Resource::platform())?;
    Ok(Json(BookView { currency: currency(&caller).await? }))
}

/// Says in which currency prices are, while there are none.
#[utoipa::path(put, path = "/price-book", tag = "prices", request_body = BookView,
    security(("token" = ["admin"]), ("session" = [])),
    responses((status = 200, body = BookView), (status = 409, description = "There are prices already")))]
pub async fn set_price_book(caller: Caller<Admins>, Body(body): Body<BookView>) -> Result<Json<BookView>, Problem> {
    let permit = manage(&caller, "price_book.changed", &body.currency).await?;
    Ok(Json(BookView { currency: caller.app.set_currency(&caller.op, &permit, &body.currency).await? }))
}

/// Every item with the price of today and the next one, by name.
#[utoipa::path(get, path = "/prices", tag = "prices", security(("token" = ["admin"]), ("session" = [])),
    responses((status = 200, body = List<ItemView>)))]
pub async fn list_prices(caller: Caller<Admins>) -> Result<Json<List<ItemView>>, Problem> {
    let permit: Permit<ability::ReadAdmin> = caller.permit_platform(Resource::platform())?;
    let currency = currency(&caller).await?;
    let items = cost::items(&mut *caller.app.db.acquire().await?, &caller.op, &permit).await?;
    Ok(List::whole(items.into_iter().map(|item| ItemView::new(item, currency.clone())).collect()))
}

/// One item with all its prices.
#[utoipa::path(get, path = "/prices/{item}", tag = "prices", params(("item" = String, Path)),
    security(("token" = ["admin"]), ("session" = [])), responses((status = 200, body = HistoryView)))]
pub async fn get_price(caller: Caller<Admins>, Path(item): Path<String>) -> Result<Json<HistoryView>, Problem> {
    let permit: Permit<ability::ReadAdmin> = caller.permit_platform(Resource::platform())?;
    let currency = currency(&caller).await?;
    let found = cost::item(&mut *caller.app.db.acquire().await?, &caller.op, &permit, &item).await?;
    Ok(Json(HistoryView::new(found, currency)))
}

/// An item to be added, with its first price.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewPriceItem)]
pub struct NewItem {
    /// Its name in manifests: `vm.small`.
    item: String,
    /// What people call it; left out: as the item is called.
    #[serde(default)]
    title: String,
    /// `hour` or `month`; a month has 730 hours.
    unit: String,
    /// Of one unit, as text: `"0.0416"`; at most six digits behind the point.
    price: String,
    /// The first day (UTC); left out: today.
    #[serde(default)]
    #[schema(format = Date)]
    valid_from: String,
}

/// Adds an item with its first price, which may be valid from a day in the past.
#[utoipa::path(post, path = "/prices", tag = "prices", request_body = NewItem,
    security(("token" = ["admin"]), ("session" = [])), responses((status = 201, body = HistoryView)))]
pub async fn add_price_item(
    caller: Caller<Admins>,
    Body(body): Body<NewItem>,
) -> Result<(StatusCode, [(HeaderName, String); 1], Json<HistoryView>), Problem> {
    let permit = manage(&caller, "price.added", &body.item).await?;
    let NewItem { item, title, unit, price, valid_from } = body;
    let text = PriceText { item, title, unit, price, valid_from };
    let added = caller.app.add_item(&caller.op, &permit, &text).await?;
    let location = [(header::LOCATION, format!("/api/v1/prices/{}", added.item.name))];
    Ok((StatusCode::CREATED, location, Json(HistoryView::new(added, currency(&caller).await?))))
}

/// Another price of an item.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewPrice)]
pub struct NewPrice {
    /// Of one unit, as text: `"0.0416"`; at most six digits behind the point.
    price: String,
    /// The first day (UTC), today or later; left out: today. A second price for the same day replaces the first.
    #[serde(default)]
    #[schema(format = Date)]
    valid_from: String,
}

/// Gives an item another price. What was valid before stays so for the days before.
#[utoipa::path(post, path = "/prices/{item}", tag = "prices", request_body = NewPrice, params(("item" = String, Path)),
    security(("token" = ["admin"]), ("session" = [])), responses((status = 201, body = HistoryView)))]
pub async fn add_price(
    caller: Caller<Admins>,
    Path(item): Path<String>,
    Body(body): Body<NewPrice>,
) -> Result<(StatusCode, Json<HistoryView>), Problem> {
    let permit = manage(&caller, "price.added", &item).await?;
    let NewPrice { price, valid_from } = body;
    let text = PriceText { item, price, valid_from, ..PriceText::default() };
    let added = caller.app.add_price(&caller.op, &permit, &text).await?;
    Ok((StatusCode::CREATED, Json(HistoryView::new(added, currency(&caller).await?))))
}

/// A file of prices.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = PriceFile)]
pub struct PriceFile {
    /// Comma-separated, with the columns `item` and `price`, and perhaps `title`, `unit`, `currency` and
    /// `valid_from`.
    csv: String,
}

/// What an import did.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ImportedPrices)]
pub struct ImportedView {
    /// New items.
    items: usize,
    /// New prices, those of new items too.
    prices: usize,
    /// Rows that the book has already.
    same: usize,
}

/// Adds every price of a file, or none: what is wrong is told by its line.
#[utoipa::path(post, path = "/price-book/import", tag = "prices", request_body = PriceFile,
    security(("token" = ["admin"]), ("session" = [])), responses((status = 200, body = ImportedView)))]
pub async fn import_prices(caller: Caller<Admins>, Body(file): Body<PriceFile>) -> Result<Json<ImportedView>, Problem> {
    let permit = manage(&caller, "price.imported", "a file").await?;
    let Imported { items, prices, same } = caller.app.import_prices(&caller.op, &permit, &file.csv).await?;
    Ok(Json(ImportedView { items, prices, same }))
}

/// Every price that counts, as a file that can be imported.
#[utoipa::path(get, path = "/price-book/export", tag = "prices", security(("token" = ["admin"]), ("session" = [])),
    responses((status = 200, body = String, content_type = "text/csv")))]
pub async fn export_prices(caller: Caller<Admins>) -> Result<([(HeaderName, &'static str); 1], String), Problem> {
    let permit: Permit<ability::ReadAdmin> = caller.permit_platform(Resource::platform())?;
    let file = cost::export(&mut *caller.app.db.acquire().await?, &permit).await?;
    Ok(([(header::CONTENT_TYPE, "text/csv; charset=utf-8; header=present")], file))
}
