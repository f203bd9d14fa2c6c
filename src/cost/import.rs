//! What somebody wrote down about prices, read and compared with the book. Forms, files and API all come here.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;
use rust_decimal::Decimal;

use super::model::{PriceText, Unit};
use crate::base::text::is_item;
use crate::base::{FieldError, csv};

/// The most items of the book.
const MOST_ITEMS: usize = 2000;
/// The most rows of a file.
const MOST_ROWS: usize = 5000;
/// The most errors of a file that are told.
const MOST_ERRORS: usize = 50;
/// One unit costs less than this.
const TOO_MUCH: Decimal = Decimal::from_parts(1_000_000, 0, 0, false, 0);

/// The columns of a file of prices.
pub const COLUMNS: [&str; 6] = ["item", "title", "unit", "price", "currency", "valid_from"];

/// An item that is known, with the prices that count, by their days.
#[derive(Debug, Clone)]
pub struct Known {
    pub unit: Unit,
    pub prices: BTreeMap<Date, Decimal>,
    /// The days of the prices that are being added.
    pub added: BTreeSet<Date>,
    /// Whether it is being added itself.
    pub fresh: bool,
}

impl Known {
    /// Without prices.
    pub fn new(unit: Unit, fresh: bool) -> Self {
        Self { unit, prices: BTreeMap::new(), added: BTreeSet::new(), fresh }
    }
}

/// The book while something is added to it.
#[derive(Debug, Default)]
pub struct Book {
    pub currency: String,
    pub items: BTreeMap<String, Known>,
}

/// What is to be added.
#[derive(Debug, Default)]
pub struct Additions {
    /// Name, title, unit.
    pub items: Vec<(String, String, Unit)>,
    /// Item, price, day.
    pub prices: Vec<(String, Decimal, Date)>,
    /// How many are in the book already.
    pub same: usize,
}

/// What an import did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Imported {
    /// New items.
    pub items: usize,
    /// New prices, those of new items too.
    pub prices: usize,
    /// Rows that the book has already.
    pub same: usize,
}

impl Additions {
    /// In numbers.
    pub fn counts(&self) -> Imported {
        Imported { items: self.items.len(), prices: self.prices.len(), same: self.same }
    }
}

/// Whether a price is for an item that is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// It must be a new item.
    New,
    /// It must be there.
    There,
    /// Either.
    Any,
}

impl Book {
    /// Adds one price, or says what is wrong with it, by its fields.
    pub fn add(
        &mut self,
        additions: &mut Additions,
        text: &PriceText,
        wanted: Wanted,
        today: Date,
    ) -> Result<(), Vec<FieldError>> {
        let mut wrong = Vec::new();
        let name = text.item.trim();
        let known = self.items.get(name);
        if !is_item(name) {
            let detail = "is lower-case letters, digits, “.”, “_” and “-”, at most 60, such as “vm.small”";
            wrong.push(FieldError::new("/item", detail));
        } else if wanted == Wanted::New && known.is_some() {
            wrong.push(FieldError::new("/item", "is in the price book already: give it a new price there"));
        } else if known.is_none() && self.items.len() >= MOST_ITEMS {
            wrong.push(FieldError::new("/item", format!("is one too many: the book has room for {MOST_ITEMS}")));
        }
        let title = title(text, &mut wrong);
        let unit = unit(text, known, &mut wrong);
        let amount = amount(&text.price, &mut wrong);
        let day = day(&text.valid_from, today, &mut wrong);
        let (Some(amount), Some(day), Some(unit)) = (amount, day, unit) else { return Err(wrong) };
        if known.is_some_and(|known| known.added.contains(&day)) {
            wrong.push(FieldError::new("/valid_from", format!("is {day} for a second time: one price a day")));
        } else if known.is_some_and(|known| known.prices.get(&day) == Some(&amount)) && wrong.is_empty() {
            additions.same += 1;
            return Ok(());
        }
        // What was valid stays so; a day that is not over may be corrected, and a new item may have a past.
        if known.is_some_and(|known| !known.fresh) && day < today {
            let detail = format!("is {today} or later: prices of days that are over stay as they were");
            wrong.push(FieldError::new("/valid_from", detail));
        }
        if !wrong.is_empty() {
            return Err(wrong);
        }
        if known.is_none() {
            additions.items.push((name.to_owned(), title.unwrap_or_else(|| name.to_owned()), unit));
        }
        additions.prices.push((name.to_owned(), amount, day));
        let known = self.items.entry(name.to_owned()).or_insert_with(|| Known::new(unit, true));
        known.prices.insert(day, amount);
        known.added.insert(day);
        Ok(())
    }

    /// Everything of a file, or what is wrong with it, by its lines.
    pub fn add_file(&mut self, file: &str, today: Date) -> Result<Additions, Vec<FieldError>> {
        let error = |line: usize, detail: String| FieldError::new("/csv", format!("line {line}: {detail}"));
        let rows =
            csv::read(file).map_err(|line| vec![error(line, "a quote is not closed, or stands alone".into())])?;
        let Some(((line, head), rows)) = rows.split_first() else {
            return Err(vec![FieldError::new("/csv", format!("begins with the line “{}”", COLUMNS.join(",")))]);
        };
        let head: Vec<String> = head.iter().map(|name| name.trim().to_ascii_lowercase()).collect();
        let column = |name: &str| head.iter().position(|one| one == name);
        if let Some(unknown) = head.iter().find(|name| !COLUMNS.contains(&name.as_str())) {
            let detail = format!("there is no column “{unknown}”; the columns are {}", COLUMNS.join(", "));
            return Err(vec![error(*line, detail)]);
        }
        if let Some(missing) = ["item", "price"].into_iter().find(|name| column(name).is_none()) {
            return Err(vec![error(*line, format!("the column “{missing}” is missing"))]);
        }
        if rows.len() > MOST_ROWS {
            return Err(vec![FieldError::new("/csv", format!("has {} rows; at most {MOST_ROWS} fit", rows.len()))]);
        }
        let (mut additions, mut wrong) = (Additions::default(), Vec::new());
        for (line, cells) in rows {
            let cell = |name: &str| column(name).and_then(|at| cells.get(at)).map_or("", |text| text.trim()).to_owned();
            if cells.len() > head.len() {
                wrong.push(error(*line, format!("it has {} cells, and there are {} columns", cells.len(), head.len())));
                continue;
            }
            let currency = cell("currency");
            if !currency.is_empty() && currency != self.currency {
                let detail = format!("the currency is {}, and that of the price book {}", currency, self.currency);
                wrong.push(error(*line, detail));
                continue;
            }
            let text = PriceText {
                item: cell("item"),
                title: cell("title"),
                unit: cell("unit"),
                price: cell("price"),
                valid_from: cell("valid_from"),
            };
            if let Err(found) = self.add(&mut additions, &text, Wanted::Any, today) {
                let name = |pointer: &str| pointer.trim_start_matches('/').to_owned();
                wrong.extend(found.iter().map(|one| error(*line, format!("{} {}", name(&one.pointer), one.detail))));
            }
        }
        let more = wrong.len().saturating_sub(MOST_ERRORS);
        if more > 0 {
            wrong.truncate(MOST_ERRORS);
            wrong.push(FieldError::new("/csv", format!("has {more} more errors. Solve these first")));
        }
        if wrong.is_empty() { Ok(additions) } else { Err(wrong) }
    }
}

fn title(text: &PriceText, wrong: &mut Vec<FieldError>) -> Option<String> {
    let title = text.title.trim();
    let fits = title.chars().count() <= 80 && title.chars().next().is_none_or(char::is_alphanumeric);
    if !fits || title.chars().any(char::is_control) {
        wrong.push(FieldError::new("/title", "begins with a letter or a digit, and has at most 80 characters"));
    }
    Some(title.to_owned()).filter(|title| !title.is_empty())
}

fn unit(text: &PriceText, known: Option<&Known>, wrong: &mut Vec<FieldError>) -> Option<Unit> {
    let written = text.unit.trim();
    let found = match (Unit::parse(written), known) {
        (None, Some(known)) if written.is_empty() => return Some(known.unit),
        (Some(unit), Some(known)) if unit != known.unit => {
            let detail = format!("is {} for this item, and stays so", known.unit.as_str());
            wrong.push(FieldError::new("/unit", detail));
            return None;
        }
        (found, _) => found,
    };
    if found.is_none() {
        wrong.push(FieldError::new("/unit", "is “hour” or “month”"));
    }
    found
}

/// Digits with a point and nothing else: a comma may be either, and an exponent is nobody's price.
fn amount(text: &str, wrong: &mut Vec<FieldError>) -> Option<Decimal> {
    let text = text.trim();
    let plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    let found = Decimal::from_str_exact(text).ok().filter(|amount| plain && *amount < TOO_MUCH);
    let found = found.map(|amount| amount.normalize()).filter(|amount| amount.scale() <= 6);
    if found.is_none() {
        let detail = "is a number such as 0.0416: below 1000000, with a point, and at most six digits behind it";
        wrong.push(FieldError::new("/price", detail));
    }
    found
}

fn day(text: &str, today: Date, wrong: &mut Vec<FieldError>) -> Option<Date> {
    let text = text.trim();
    let found = if text.is_empty() { Some(today) } else { text.parse().ok().filter(|_| text.len() == 10) };
    let found = found.filter(|day: &Date| (2000..=2200).contains(&day.year()));
    if found.is_none() {
        wrong.push(FieldError::new("/valid_from", "is a day such as 2027-01-31, from 2000 on"));
    }
    found
}
