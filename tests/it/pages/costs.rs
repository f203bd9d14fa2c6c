//! What environments cost, as a lead and as an admin see it.

use paddock::web::costs::view::{CostRow, CostsPage};
use paddock::web::shell::Section;
use paddock::web::ui::{Empty, Fact, FilterBar, FilterSelect, Tab};

use super::samples::{Sample, o, put, s, shell};

fn page(rows: Vec<CostRow>, goes_on: bool) -> CostsPage {
    let tab = |label: &str, current| Tab { label: s(label), count: None, href: s("/costs?by=x"), current };
    let select = FilterSelect {
        label: s("Project"),
        name: s("project"),
        choices: vec![(s(""), s("All projects")), (s("payments"), s("Payments"))],
        value: s(""),
    };
    CostsPage {
        shell: shell("Costs", Section::Costs),
        lede: s("What environments cost, by the prices of each day."),
        month: s("November 2026"),
        before_href: s("/costs?month=2026-10"),
        after_href: o(if goes_on { "" } else { "/costs?month=2026-12" }),
        csv_href: o("/costs.csv?month=2026-11"),
        tabs: vec![
            tab("By project", true),
            tab("By environment", false),
            tab("By template", false),
            tab("By type", false),
        ],
        filter: Some(FilterBar {
            action: s("/costs"),
            q: s(""),
            placeholder: s(""),
            chips: Vec::new(),
            selects: vec![select],
            keep: vec![(s("month"), s("2026-11"))],
        }),
        sums: if rows.is_empty() {
            Vec::new()
        } else {
            vec![
                Fact::new("So far", "at least 1,234.50 EUR"),
                Fact::new("By the end of the month", "at least 2,000.00 EUR"),
            ]
        },
        budget: if rows.is_empty() {
            Vec::new()
        } else {
            vec![Fact::new("Each month", "2,000.00 EUR"), Fact::new("Requests are warned", "above 80 % of it")]
        },
        budget_href: o("/costs/budget/payments"),
        has_notes: true,
        notes: vec![
            s("Not in the sum: gpu.t4 had no price; no cost is known for Legacy cluster."),
            s("Costs are known since 22 Nov 2026, 09:00 UTC: what was there before is counted from then on."),
        ],
        column: "Project",
        goes_on,
        empty: rows.is_empty().then(|| Empty {
            icon: "coins",
            title: s("Nothing cost anything in November 2026"),
            text: s("No environment that you may see was there."),
            action: None,
        }),
        more: s(if rows.is_empty() { "" } else { "And 12 more, which cost 3.20 EUR together." }),
        rows,
    }
}

/// A month that goes on, one that is over, and one with nothing.
pub(super) fn put_all(all: &mut Vec<Sample>) {
    let row = |name: &str, sub: &str, cost: &str, forecast: &str, share, note: &str| CostRow {
        name: s(name),
        sub: s(sub),
        href: o(if note.is_empty() { "/costs?project=payments" } else { "" }),
        so_far: s(cost),
        forecast: s(forecast),
        share,
        note: s(note),
    };
    let rows = vec![
        row("Payments", "", "1,200.00 EUR", "1,900.00 EUR", 100, ""),
        row(
            "checkout-of-the-next-generation",
            "storefront, dev",
            "at least 34.50 EUR",
            "at least 100.00 EUR",
            5,
            "Gpu.t4 had no price.",
        ),
        row("Legacy", "", "not known", "not known", 0, "No cost is known for Legacy cluster."),
    ];
    put(all, "costs", page(rows.clone(), true));
    put(all, "costs-over", page(rows, false));
    put(all, "costs-empty", page(Vec::new(), true));
}
