//! Money in words, and what things cost as pages show it.

use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive as _;

use crate::base::During;
use crate::cost::{BudgetCheck, Estimate, Line, Money, Month, Unit};
use crate::environments::costs::{Accrued, EnvironmentAccrued};
use crate::requests::Cost;
use crate::web::error::sentence;
use crate::web::ui::{CostLine, CostView, Fact, QuotaBar};
use crate::web::words::{Times, length, listed};

/// An amount with its currency: `1,234.50 EUR`.
pub fn money(amount: Decimal, currency: &str) -> String {
    let text = amount.to_string();
    let (whole, rest) = text.split_once('.').map_or((text.as_str(), None), |(whole, rest)| (whole, Some(rest)));
    let mut grouped = String::new();
    for (index, digit) in whole.chars().enumerate() {
        if index > 0 && digit.is_ascii_digit() && (whole.len() - index) % 3 == 0 && !grouped.ends_with('-') {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    match rest {
        Some(rest) => format!("{grouped}.{rest} {currency}"),
        None => format!("{grouped} {currency}"),
    }
}

/// The price of one unit: `0.0416 EUR an hour`.
pub fn unit_price(amount: Decimal, currency: &str, unit: Unit) -> String {
    let unit = match unit {
        Unit::Hour => "an hour",
        Unit::Month => "a month",
    };
    // Two digits at least, as of all money; what is finer is told as it is.
    let mut amount = amount;
    if amount.scale() < 2 {
        amount.rescale(2);
    }
    format!("{} {unit}", money(amount, currency))
}

/// What a submit would cost.
pub fn of_verdict(cost: &Cost) -> CostView {
    let words = |headline: &str, note: &str| CostView {
        headline: headline.to_owned(),
        note: note.to_owned(),
        lines: Vec::new(),
    };
    match cost {
        Cost::Unchanged => words("stays as it is", "This changes neither what is taken nor for how long."),
        Cost::NotTold => words("not known", "The template does not say what it takes."),
        Cost::NotYet => words("not known yet", "Known when the fields are filled in right."),
        Cost::Estimated(estimate) => of(estimate),
    }
}

/// An estimate in words.
pub fn of(estimate: &Estimate) -> CostView {
    let currency = estimate.currency.as_str();
    let missing = estimate.not_priced();
    let lines = estimate.lines.iter().map(|one| line(one, currency)).collect();
    if estimate.is_unknown() {
        let note = format!("No price is known for {}.", listed(&missing, "and"));
        return CostView { headline: "not priced".to_owned(), note, lines };
    }
    let at_least = if missing.is_empty() { "" } else { "at least " };
    let mut note = vec![format!("While it runs; {} while it is stopped.", money(estimate.stopped, currency))];
    if let Some(end) = estimate.until_end {
        let long = length(jiff::SignedDuration::from_secs(end.seconds));
        note.push(format!("{} if it runs until its end ({long}).", money(end.amount, currency)));
    }
    if !missing.is_empty() {
        note.push(format!("Not priced: {}.", listed(&missing, "and")));
    }
    let headline = format!("{at_least}{} a month", money(estimate.running, currency));
    CostView { headline, note: note.join(" "), lines }
}

fn line(line: &Line, currency: &str) -> CostLine {
    let during = match line.charge.during {
        During::Running => "while it runs",
        During::Exists => "as long as it is there",
    };
    let quantity = line.charge.quantity;
    let terms = match line.price {
        Some(price) => format!("{quantity} × {}, {during}", unit_price(price.amount, currency, price.unit)),
        None => format!("{quantity}, {during}"),
    };
    CostLine { title: line.title.clone(), terms, month: line.price.map(|price| money(price.month, currency)) }
}

/// An amount of which something may be missing.
pub fn summed(cost: Money, accrued: &Accrued, currency: &str) -> String {
    match (accrued.is_whole(), cost == Money::ZERO) {
        (true, _) => money(cost.told(), currency),
        (false, true) => "not known".to_owned(),
        (false, false) => format!("at least {}", money(cost.told(), currency)),
    }
}

/// A budget with what a request would add, in whole units of the currency.
pub fn budget_bar(check: &BudgetCheck) -> QuotaBar {
    let whole = |amount: Decimal| amount.round().to_u64().unwrap_or(u64::MAX);
    let label =
        format!("Budget of {}, {}", Month::parse(&check.month).map_or(String::new(), Month::words), check.currency);
    QuotaBar::new(label, whole(check.before()), whole(check.after()), whole(check.terms.amount))
}

/// By what numbers a budget was held against a request.
pub fn budget_words(check: &BudgetCheck) -> String {
    let amount = |amount: Decimal| {
        let mut amount = amount.round_dp(2);
        amount.rescale(2);
        money(amount, &check.currency)
    };
    format!(
        "{} So far {}, expected {}, by others under way {}, by this {}.",
        check.sentence(),
        amount(check.so_far),
        amount(check.forecast),
        amount(check.under_way),
        amount(check.adds)
    )
}

/// What is not in the sums.
pub fn missing(accrued: &Accrued) -> Vec<String> {
    let mut notes = Vec::new();
    let items: Vec<&String> = accrued.not_priced.iter().collect();
    if !items.is_empty() {
        notes.push(format!("{} had no price", listed(&items, "and")));
    }
    let templates: Vec<&String> = accrued.not_told.iter().collect();
    if !templates.is_empty() {
        notes.push(format!("no cost is known for {}", listed(&templates, "and")));
    }
    notes
}

/// What an environment has cost, in rows; none: there was never anything that could.
pub fn spent(found: &EnvironmentAccrued, times: &Times) -> Vec<Fact> {
    if !found.begun {
        return Vec::new();
    }
    let currency = found.currency.as_str();
    let (life, month) = (&found.life, &found.this_month);
    let mut facts = vec![
        Fact::new("So far", summed(life.so_far, life, currency)),
        Fact::new(found.month.words(), summed(month.so_far, month, currency)),
    ];
    if month.forecast != month.so_far {
        facts.push(Fact::new("By the end of the month", summed(month.forecast, month, currency)));
    }
    let missing = missing(life);
    if !missing.is_empty() {
        facts.push(Fact::new("Not in the sum", sentence(&missing.join("; "))));
    }
    if let Some(since) = found.since {
        facts.push(Fact::time("Known since", times.at(since)));
    }
    facts
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test")]

    use super::money;

    #[test]
    fn thousands_are_grouped() {
        for (amount, words) in [
            ("0.00", "0.00 EUR"),
            ("999.90", "999.90 EUR"),
            ("1234.5", "1,234.5 EUR"),
            ("123456", "123,456 EUR"),
            ("1234567.00", "1,234,567.00 EUR"),
            ("-123.00", "-123.00 EUR"),
            ("-1234.00", "-1,234.00 EUR"),
        ] {
            assert_eq!(money(amount.parse().unwrap(), "EUR"), words);
        }
    }
}
