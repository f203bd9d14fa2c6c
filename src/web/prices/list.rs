//! `GET /admin/prices` and the same as CSV: every item with its price of today and the next one.

use axum::http::header;
use axum::response::{IntoResponse, Response};

use super::view::{ItemRow, MissingRow, PricesPage};
use super::{fields, look, may_manage};
use crate::base::FieldError;
use crate::catalog;
use crate::cost::{self, Item};
use crate::web::answer;
use crate::web::cost::unit_price;
use crate::web::error::{PageError, sentence};
use crate::web::shell::Section;
use crate::web::ui::{Empty, FormError};
use crate::web::visitor::Visitor;
use crate::web::words::count;
use crate::web::{frame, listing, queue, urls};

/// The page.
pub async fn page(visitor: Visitor) -> Result<Response, PageError> {
    answer::page(&filled(&visitor, None, &[]).await?)
}

/// The page, perhaps with a currency that was typed and what is wrong with it.
pub(super) async fn filled(
    visitor: &Visitor,
    typed: Option<&str>,
    found: &[FieldError],
) -> Result<PricesPage, PageError> {
    let permit = look(visitor)?;
    let mut connection = visitor.app.db.acquire().await?;
    let currency = cost::currency(&mut connection).await?;
    let items = cost::items(&mut connection, &visitor.op, &permit).await?;
    let taken = catalog::priced_items(&mut connection).await?;
    drop(connection);
    let manages = may_manage(visitor);
    let missing: Vec<MissingRow> = taken
        .into_iter()
        .filter(|(item, _)| !items.iter().any(|one| one.name == *item && one.today.is_some()))
        .map(|(item, templates)| MissingRow {
            add_href: manages.then(|| {
                if items.iter().any(|one| one.name == item) {
                    urls::admin_price(&item)
                } else {
                    listing::href(urls::ADMIN_PRICE_NEW, [("item", item.as_str())])
                }
            }),
            templates: templates.join(", "),
            item,
        })
        .collect();
    let lede = match missing.len() {
        0 => format!("What items cost, in {currency}. Templates say how much of them an environment takes."),
        n => format!(
            "{} no price: requests there say that it is not priced.",
            count(n, "item of templates has", "items of templates have")
        ),
    };
    let section = (manages && items.is_empty()).then(|| fields::currency(typed.unwrap_or(&currency), found));
    let alone = found.iter().filter(|error| error.pointer.is_empty());
    let alone = alone.map(|error| FormError { text: sentence(&error.detail), href: String::new() });
    let errors = alone.chain(section.iter().flat_map(|one| FormError::collect(std::slice::from_ref(one)))).collect();
    Ok(PricesPage {
        shell: frame::shell(visitor, Section::Admin, "Prices").await?,
        tabs: queue::tabs(urls::ADMIN_PRICES),
        lede,
        csv_href: (!items.is_empty()).then_some(urls::ADMIN_PRICES_CSV),
        empty: items.is_empty().then(|| Empty {
            icon: "coins",
            title: "There is no price yet".to_owned(),
            text: "What is requested is told to be not priced, and never to be free.".to_owned(),
            action: manages.then(|| ("Add an item".to_owned(), urls::ADMIN_PRICE_NEW.to_owned())),
        }),
        rows: items.into_iter().map(|item| row(item, &currency)).collect(),
        missing,
        add_href: manages.then_some(urls::ADMIN_PRICE_NEW),
        import_href: manages.then_some(urls::ADMIN_PRICE_IMPORT),
        currency: section,
        errors,
    })
}

/// Every price that counts, as a file that can be imported.
pub async fn csv(visitor: Visitor) -> Result<Response, PageError> {
    let permit = look(&visitor)?;
    let file = cost::export(&mut *visitor.app.db.acquire().await?, &permit).await?;
    let headers = [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8; header=present"),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"prices.csv\""),
    ];
    Ok((headers, file).into_response())
}

fn row(item: Item, currency: &str) -> ItemRow {
    let unit = item.unit;
    let next = item.next.map(|next| format!("{} from {}", unit_price(next.amount, currency, unit), next.valid_from));
    ItemRow {
        href: urls::admin_price(&item.name),
        title: item.title,
        item: item.name,
        since: item.today.as_ref().map(|today| today.valid_from.to_string()).unwrap_or_default(),
        today: item.today.map(|today| unit_price(today.amount, currency, unit)),
        next: next.unwrap_or_default(),
    }
}
