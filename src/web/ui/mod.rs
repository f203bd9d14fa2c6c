//! Display values that every page uses: pills, people, times, list parts, form fields, the verdict.
//!
//! They hold finished words, never rows, and know no service. Their markup is in
//! `templates/components/`, one macro file for each.

mod cost;
mod decision;
mod field;
mod list;
mod own;
mod person;
mod pill;
mod plan;
mod time;
mod timeline;
mod verdict;

pub use cost::{CostLine, CostView};
pub use decision::{DecisionView, Requirement, Review};
pub use field::{FieldView, FormError, FormSection};
pub use list::{
    Action, Chip, Crumb, Empty, Facet, FacetChoice, Fact, Failure, FilterBar, FilterSelect, LinkRow, NextEvent, Pager,
    Tab,
};
pub use own::{choice, own_field, text_control};
pub use person::Person;
pub use pill::{Look, Pill};
pub use plan::{Plan, PlanRow, PlanSign};
pub use time::When;
pub use timeline::TimelineItem;
pub use verdict::{Change, ExceptionView, Outcome, QuotaBar, Rule, Share, Verdict};
