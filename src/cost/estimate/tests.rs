#![allow(clippy::unwrap_used, reason = "a test")]

use std::collections::BTreeMap;

use jiff::SignedDuration;
use jiff::civil::date;
use proptest::prelude::*;

use super::{Estimate, Priced};
use crate::base::{Charge, During};
use crate::cost::Unit;

fn priced(unit: Unit, amount: &str) -> Priced {
    Priced { title: "An item".into(), unit, amount: amount.parse().unwrap() }
}

fn charge(item: &str, quantity: i64, during: During) -> Charge {
    Charge { item: item.into(), quantity, during }
}

fn of(charges: &[Charge], prices: &[(&str, Priced)], hours: Option<i64>) -> Estimate {
    let prices: BTreeMap<String, Priced> = prices.iter().map(|(name, one)| ((*name).to_owned(), one.clone())).collect();
    let lifetime = hours.map(SignedDuration::from_hours);
    Estimate::of(("EUR".into(), date(2026, 11, 22)), charges, &prices, lifetime)
}

#[test]
fn hours_and_months_running_and_stopped() {
    let charges = [charge("vm", 2, During::Running), charge("disk", 20, During::Exists)];
    let prices = [("vm", priced(Unit::Hour, "0.0416")), ("disk", priced(Unit::Month, "0.10"))];
    let estimate = of(&charges, &prices, Some(73));
    // 2 × 0.0416 × 730 = 60.736, and 20 × 0.10 = 2.
    assert_eq!(estimate.running.to_string(), "62.74");
    assert_eq!(estimate.stopped.to_string(), "2.00");
    // A tenth of a month of 62.736, not of what was rounded.
    assert_eq!(estimate.until_end.unwrap().amount.to_string(), "6.27");
    assert_eq!(estimate.lines[0].price.unwrap().month.to_string(), "60.74");
    assert!(estimate.not_priced().is_empty() && !estimate.is_unknown());
}

#[test]
fn what_has_no_price_is_in_no_sum_and_is_named() {
    let charges = [charge("vm", 1, During::Running), charge("gpu", 1, During::Running)];
    let estimate = of(&charges, &[("vm", priced(Unit::Month, "1"))], None);
    assert_eq!(estimate.not_priced(), ["gpu"]);
    assert_eq!((estimate.running.to_string(), estimate.until_end), ("1.00".into(), None));
    assert!(!estimate.is_unknown());
    assert!(of(&charges, &[], None).is_unknown());
    // Nothing is taken: that is known, and costs nothing.
    assert!(!of(&[], &[], None).is_unknown());
}

#[test]
fn halves_are_rounded_away_from_zero_once() {
    let charges: Vec<Charge> = (0..5).map(|_| charge("a", 1, During::Exists)).collect();
    // Five times 0.005: rounded one by one that would be 0.05.
    let estimate = of(&charges, &[("a", priced(Unit::Month, "0.005"))], None);
    assert_eq!(estimate.running.to_string(), "0.03");
}

/// Rounds `micro / (1_000_000 * by)` to cents, halves up, in whole numbers: another way to the same.
fn cents(micro: i128, by: i128) -> i128 {
    let divisor = 10_000 * by;
    (2 * micro + divisor) / (2 * divisor)
}

proptest! {
    /// Against 128-bit whole numbers of millionths.
    #[test]
    fn sums_are_those_of_whole_numbers(
        lines in proptest::collection::vec((0_u64..1_000_000_000_000, 0_i64..1_000_000_000, any::<bool>(), any::<bool>()), 0..40),
        seconds in 0_i64..4_000_000,
    ) {
        let mut prices = BTreeMap::new();
        let mut charges = Vec::new();
        let (mut running, mut stopped) = (0_i128, 0_i128);
        for (index, (micro, quantity, hourly, exists)) in lines.into_iter().enumerate() {
            let name = format!("item-{index}");
            let unit = if hourly { Unit::Hour } else { Unit::Month };
            let amount = format!("{}.{:06}", micro / 1_000_000, micro % 1_000_000);
            prices.insert(name.clone(), priced(unit, &amount));
            let during = if exists { During::Exists } else { During::Running };
            charges.push(charge(&name, quantity, during));
            let month = i128::from(micro) * i128::from(quantity) * if hourly { 730 } else { 1 };
            running += month;
            stopped += if exists { month } else { 0 };
        }
        let lifetime = Some(SignedDuration::from_secs(seconds));
        let estimate = Estimate::of(("EUR".into(), date(2026, 11, 22)), &charges, &prices, lifetime);
        let told = |amount: rust_decimal::Decimal| amount.to_string().replace('.', "").parse::<i128>().unwrap();
        prop_assert_eq!(told(estimate.running), cents(running, 1));
        prop_assert_eq!(told(estimate.stopped), cents(stopped, 1));
        let until = told(estimate.until_end.unwrap().amount);
        let wanted = cents(running * i128::from(seconds), 730 * 3600);
        // A division has no end: of sums beyond 10^20 the last cent may be cut.
        let close = if running < 1_000_000_000_000_000_000 { until == wanted } else { (until - wanted).abs() <= wanted / 1_000_000_000_000 + 1 };
        prop_assert!(close, "{} {}", until, wanted);
        // What is stored is what was told.
        let stored = serde_json::to_value(&estimate).unwrap();
        prop_assert_eq!(serde_json::from_value::<Estimate>(stored).unwrap(), estimate);
    }
}
