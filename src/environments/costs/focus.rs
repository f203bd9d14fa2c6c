//! What was used as rows of FOCUS 1.x, the open specification of cost and usage <https://focus.finops.org>, of which
//! these are the columns that have a meaning here, by their names. What a row cost is billed, effective and listed alike: there are neither
//! discounts nor commitments. A row without a price has no cost, where FOCUS wants a number: an unknown one is not 0.

use jiff::Timestamp;
use rust_decimal::Decimal;
use serde::Serialize;
use serde_json::{Value, json};

use super::lines::{Lines, UsedLine};
use crate::base::During;
use crate::cost::Unit;

/// The columns of a file, in the order of [`FocusRow::cells`].
pub const COLUMNS: [&str; 22] = [
    "BilledCost",
    "BillingCurrency",
    "BillingPeriodEnd",
    "BillingPeriodStart",
    "ChargeCategory",
    "ChargeDescription",
    "ChargePeriodEnd",
    "ChargePeriodStart",
    "ConsumedQuantity",
    "ConsumedUnit",
    "EffectiveCost",
    "ListCost",
    "ListUnitPrice",
    "ProviderName",
    "ResourceId",
    "ResourceName",
    "ResourceType",
    "ServiceName",
    "SkuId",
    "SubAccountId",
    "SubAccountName",
    "Tags",
];

/// An item that an environment took for a time, by one price. Times are UTC, ends are exclusive; amounts are decimal
/// numbers as text, costs with eight digits behind the point; null: it was not priced.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "PascalCase")]
#[schema(as = CostLine)]
pub struct FocusRow {
    /// What it cost.
    #[schema(value_type = Option<String>, example = "0.04160000")]
    pub billed_cost: Option<Decimal>,
    /// ISO 4217.
    pub billing_currency: String,
    /// The end of the month.
    #[schema(value_type = String, format = DateTime)]
    pub billing_period_end: Timestamp,
    /// The beginning of the month.
    #[schema(value_type = String, format = DateTime)]
    pub billing_period_start: Timestamp,
    /// Always `Usage`.
    pub charge_category: &'static str,
    /// In words.
    pub charge_description: String,
    /// The first moment after it was taken.
    #[schema(value_type = String, format = DateTime)]
    pub charge_period_end: Timestamp,
    /// The first moment in which it was taken.
    #[schema(value_type = String, format = DateTime)]
    pub charge_period_start: Timestamp,
    /// How many units.
    #[schema(value_type = Option<String>, example = "1.00000000")]
    pub consumed_quantity: Option<Decimal>,
    /// `Hours`, or `Months` of 730 hours.
    pub consumed_unit: Option<&'static str>,
    /// As `BilledCost`.
    #[schema(value_type = Option<String>)]
    pub effective_cost: Option<Decimal>,
    /// As `BilledCost`.
    #[schema(value_type = Option<String>)]
    pub list_cost: Option<Decimal>,
    /// Of one unit.
    #[schema(value_type = Option<String>, example = "0.0416")]
    pub list_unit_price: Option<Decimal>,
    /// Always `Paddock`.
    pub provider_name: &'static str,
    /// The environment.
    pub resource_id: String,
    /// Its name.
    pub resource_name: String,
    /// Always `Environment`.
    pub resource_type: &'static str,
    /// The template.
    pub service_name: String,
    /// The item of the price book.
    pub sku_id: String,
    /// The project.
    pub sub_account_id: String,
    /// Its name.
    pub sub_account_name: String,
    /// `environment_type`, `template`, and whether it was `running` or `stopped` (`phase`).
    #[schema(value_type = Object)]
    pub tags: Value,
}

impl FocusRow {
    /// The row of a line.
    pub fn of(lines: &Lines, line: &UsedLine) -> Self {
        let (subject, used) = (&line.subject, &line.used);
        let price = used.price.as_ref();
        let cost = price.map(|price| price.cost.exact());
        let during = match used.charge.during {
            During::Running => "while it runs",
            During::Exists => "as long as it is there",
        };
        let known = if price.is_some() { "" } else { ", not priced" };
        Self {
            billed_cost: cost,
            billing_currency: lines.book.currency.clone(),
            billing_period_end: lines.month.end(),
            billing_period_start: lines.month.start(),
            charge_category: "Usage",
            charge_description: format!("{} × {}, {during}{known}", used.charge.quantity, used.title),
            charge_period_end: used.to,
            charge_period_start: used.from,
            consumed_quantity: price.map(|price| price.units),
            consumed_unit: price.map(|price| match price.unit {
                Unit::Hour => "Hours",
                Unit::Month => "Months",
            }),
            effective_cost: cost,
            list_cost: cost,
            list_unit_price: price.map(|price| price.amount),
            provider_name: "Paddock",
            resource_id: subject.id.to_string(),
            resource_name: subject.name.clone(),
            resource_type: "Environment",
            service_name: subject.template_name.clone(),
            sku_id: used.charge.item.clone(),
            sub_account_id: subject.project_slug.clone(),
            sub_account_name: subject.project_name.clone(),
            tags: json!({"environment_type": subject.environment_type, "phase": line.phase.as_str(),
                         "template": subject.template_slug}),
        }
    }

    /// As a row of a file.
    pub fn cells(&self) -> [String; 22] {
        let number = |amount: Option<Decimal>| amount.map(|amount| amount.to_string()).unwrap_or_default();
        let text = str::to_owned;
        [
            number(self.billed_cost),
            self.billing_currency.clone(),
            self.billing_period_end.to_string(),
            self.billing_period_start.to_string(),
            text(self.charge_category),
            self.charge_description.clone(),
            self.charge_period_end.to_string(),
            self.charge_period_start.to_string(),
            number(self.consumed_quantity),
            text(self.consumed_unit.unwrap_or_default()),
            number(self.effective_cost),
            number(self.list_cost),
            number(self.list_unit_price),
            text(self.provider_name),
            self.resource_id.clone(),
            self.resource_name.clone(),
            text(self.resource_type),
            self.service_name.clone(),
            self.sku_id.clone(),
            self.sub_account_id.clone(),
            self.sub_account_name.clone(),
            self.tags.to_string(),
        ]
    }
}
