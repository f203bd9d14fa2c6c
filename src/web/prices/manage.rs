//! Adding an item, another price, a file of prices; the currency.

use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use super::view::{PriceFormPage, PriceRow};
use super::{fields, list, look, may_manage, permit};
use crate::base::{ErrorKind, FieldError, Kinded as _};
use crate::cost::{self, Error, Imported, ItemPrices};
use crate::web::answer::{self, Form, Query};
use crate::web::cost::unit_price;
use crate::web::error::{PageError, sentence};
use crate::web::shell::Section;
use crate::web::ui::{Crumb, FormError, FormSection};
use crate::web::visitor::Visitor;
use crate::web::words::count;
use crate::web::{frame, urls};

/// `GET /admin/prices/new`
pub async fn add_page(visitor: Visitor, query: Query) -> Result<Response, PageError> {
    permit(&visitor, "price.added", "new").await?;
    answer::page(&new_page(&visitor, &query.0, &[]).await?)
}

/// `POST /admin/prices/new`
pub async fn add(visitor: Visitor, form: Form) -> Result<Response, PageError> {
    let permit = permit(&visitor, "price.added", form.get("item")).await?;
    match visitor.app.add_item(&visitor.op, &permit, &fields::typed(&form, form.get("item"))).await {
        Ok(added) => {
            let text = format!("{} has a price now.", added.item.title);
            Ok(answer::see_other_saying(urls::ADMIN_PRICES, &text))
        }
        Err(error) if error.kind() == ErrorKind::Invalid => {
            wrong(&new_page(&visitor, &form, &fields::errors_of(&error)).await?)
        }
        Err(error) => Err(failed(error)),
    }
}

/// `GET /admin/prices/items/{item}`: its prices, and the form of another one.
pub async fn item_page(visitor: Visitor, Path(item): Path<String>) -> Result<Response, PageError> {
    answer::page(&price_page(&visitor, &item, &Form::default(), &[]).await?)
}

/// `POST /admin/prices/items/{item}`
pub async fn price(visitor: Visitor, Path(item): Path<String>, form: Form) -> Result<Response, PageError> {
    let permit = permit(&visitor, "price.added", &item).await?;
    match visitor.app.add_price(&visitor.op, &permit, &fields::typed(&form, &item)).await {
        Ok(added) => {
            let text = format!("{} has a new price.", added.item.title);
            Ok(answer::see_other_saying(&urls::admin_price(&item), &text))
        }
        Err(error) if error.kind() == ErrorKind::Invalid => {
            wrong(&price_page(&visitor, &item, &form, &fields::errors_of(&error)).await?)
        }
        Err(error) => Err(failed(error)),
    }
}

/// `GET /admin/prices/import`
pub async fn import_page(visitor: Visitor) -> Result<Response, PageError> {
    permit(&visitor, "price.imported", "a file").await?;
    answer::page(&file_page(&visitor, &Form::default(), &[]).await?)
}

/// `POST /admin/prices/import`
pub async fn import(visitor: Visitor, form: Form) -> Result<Response, PageError> {
    let permit = permit(&visitor, "price.imported", "a file").await?;
    match visitor.app.import_prices(&visitor.op, &permit, form.get("csv")).await {
        Ok(imported) => Ok(answer::see_other_saying(urls::ADMIN_PRICES, &said(imported))),
        Err(error) if error.kind() == ErrorKind::Invalid => {
            wrong(&file_page(&visitor, &form, &fields::errors_of(&error)).await?)
        }
        Err(error) => Err(failed(error)),
    }
}

fn said(Imported { items, prices, same }: Imported) -> String {
    let prices = count(prices, "price was imported", "prices were imported");
    let items = if items == 0 { String::new() } else { format!(", with {}", count(items, "new item", "new items")) };
    let same = if same == 0 { String::new() } else { format!("; {same} in the book already") };
    format!("{prices}{items}{same}.")
}

/// `POST /admin/prices/currency`
pub async fn set_currency(visitor: Visitor, form: Form) -> Result<Response, PageError> {
    let typed = form.get("currency");
    let permit = permit(&visitor, "price_book.changed", typed).await?;
    match visitor.app.set_currency(&visitor.op, &permit, typed).await {
        Ok(currency) => Ok(answer::see_other_saying(urls::ADMIN_PRICES, &format!("Prices are in {currency}."))),
        Err(error) if matches!(error.kind(), ErrorKind::Invalid | ErrorKind::Conflict) => {
            let status = StatusCode::from_u16(error.kind().status()).unwrap_or(StatusCode::UNPROCESSABLE_ENTITY);
            let page = list::filled(&visitor, Some(typed), &fields::errors_of(&error)).await?;
            Ok((status, answer::page(&page)?).into_response())
        }
        Err(error) => Err(failed(error)),
    }
}

async fn currency(visitor: &Visitor) -> Result<String, PageError> {
    Ok(cost::currency(&mut *visitor.app.db.acquire().await?).await?)
}

async fn new_page(visitor: &Visitor, form: &Form, found: &[FieldError]) -> Result<PriceFormPage, PageError> {
    let section = fields::new(form, found, &currency(visitor).await?);
    Ok(PriceFormPage {
        shell: frame::shell(visitor, Section::Admin, "Add an item").await?,
        crumbs: vec![Crumb::to("Prices", urls::ADMIN_PRICES)],
        title: "Add an item".to_owned(),
        lede: "Requests show what it costs from now on.".to_owned(),
        action: urls::ADMIN_PRICE_NEW.to_owned(),
        errors: summary(&section, found),
        section: Some(section),
        submit: "Add the item",
        cancel_href: urls::ADMIN_PRICES,
        history: Vec::new(),
    })
}

async fn price_page(
    visitor: &Visitor,
    item: &str,
    form: &Form,
    found: &[FieldError],
) -> Result<PriceFormPage, PageError> {
    let permit = look(visitor)?;
    let currency = currency(visitor).await?;
    let there = cost::item(&mut *visitor.app.db.acquire().await?, &visitor.op, &permit, item).await.map_err(failed)?;
    let section = may_manage(visitor).then(|| fields::another(form, found, &currency));
    let today = there.item.today.as_ref();
    let lede = match today {
        Some(today) => format!("{item} costs {} today.", unit_price(today.amount, &currency, there.item.unit)),
        None => format!("{item} has no price that is valid today."),
    };
    Ok(PriceFormPage {
        shell: frame::shell(visitor, Section::Admin, &there.item.title).await?,
        crumbs: vec![Crumb::to("Prices", urls::ADMIN_PRICES)],
        title: there.item.title.clone(),
        lede,
        action: urls::admin_price(item),
        errors: section.as_ref().map(|section| summary(section, found)).unwrap_or_default(),
        section,
        submit: "Add the price",
        cancel_href: urls::ADMIN_PRICES,
        history: history(visitor, &there, &currency),
    })
}

async fn file_page(visitor: &Visitor, form: &Form, found: &[FieldError]) -> Result<PriceFormPage, PageError> {
    let section = fields::file(form, found);
    Ok(PriceFormPage {
        shell: frame::shell(visitor, Section::Admin, "Import prices").await?,
        crumbs: vec![Crumb::to("Prices", urls::ADMIN_PRICES)],
        title: "Import prices".to_owned(),
        lede: format!("Items and prices in {}, as a spreadsheet saves them.", currency(visitor).await?),
        action: urls::ADMIN_PRICE_IMPORT.to_owned(),
        errors: summary(&section, found),
        section: Some(section),
        submit: "Import",
        cancel_href: urls::ADMIN_PRICES,
        history: Vec::new(),
    })
}

fn history(visitor: &Visitor, there: &ItemPrices, currency: &str) -> Vec<PriceRow> {
    let mut day = None;
    let mut rows = Vec::with_capacity(there.prices.len());
    for price in &there.prices {
        // The first of a day is the one that counts.
        let replaced = day.replace(price.valid_from) == Some(price.valid_from);
        let is_today = there.item.today.as_ref() == Some(price);
        let is_over = there.item.today.as_ref().is_some_and(|today| price.valid_from < today.valid_from);
        let mark = match (replaced, is_today, is_over) {
            (true, ..) => "replaced",
            (false, true, _) => "valid today",
            (false, false, true) => "",
            (false, false, false) => "valid later",
        };
        rows.push(PriceRow {
            price: unit_price(price.amount, currency, there.item.unit),
            valid_from: price.valid_from.to_string(),
            mark,
            added: format!("{} by {}", visitor.times().day(price.added_at), price.added_by),
        });
    }
    rows
}

fn summary(section: &FormSection, found: &[FieldError]) -> Vec<FormError> {
    let alone = found.iter().filter(|error| error.pointer.is_empty());
    let alone = alone.map(|error| FormError { text: sentence(&error.detail), href: String::new() });
    alone.chain(FormError::collect(std::slice::from_ref(section))).collect()
}

fn wrong(page: &PriceFormPage) -> Result<Response, PageError> {
    Ok((StatusCode::UNPROCESSABLE_ENTITY, answer::page(page)?).into_response())
}

fn failed(error: Error) -> PageError {
    let error = match error {
        Error::NoItem(_) => PageError::not_found("item"),
        other => PageError::from(other),
    };
    error.link("Prices", urls::ADMIN_PRICES)
}
