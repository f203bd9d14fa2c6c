//! The price book as an admin sees it.

use paddock::base::FieldError;
use paddock::catalog::form::Control;
use paddock::web::prices::view::{ItemRow, MissingRow, PriceFormPage, PriceRow, PricesPage};
use paddock::web::shell::Section;
use paddock::web::ui::{Crumb, Empty, FormError, FormSection, Tab, own_field, text_control};

use super::samples::{Sample, o, put, s, shell};

fn list(rows: Vec<ItemRow>, missing: Vec<MissingRow>) -> PricesPage {
    let found = [FieldError::new("/currency", "is a code of ISO 4217: three capital letters, such as EUR")];
    let currency = rows.is_empty().then(|| FormSection {
        id: s("currency"),
        title: s("Currency"),
        help: s("Every price is in it."),
        fields: vec![own_field(&found, "currency", "Currency", None, true, text_control("euro", "EUR", Some(3)))],
        reshapes: false,
    });
    PricesPage {
        shell: shell("Prices", Section::Admin),
        tabs: vec![Tab { label: s("Prices"), count: None, href: s("/admin/prices"), current: true }],
        lede: s("1 item of templates has no price: requests there say that it is not priced."),
        csv_href: (!rows.is_empty()).then_some("/admin/prices.csv"),
        empty: rows.is_empty().then(|| Empty {
            icon: "coins",
            title: s("There is no price yet"),
            text: s("What is requested is told to be not priced, and never to be free."),
            action: Some((s("Add an item"), s("/admin/prices/new"))),
        }),
        errors: currency.iter().flat_map(|one| FormError::collect(std::slice::from_ref(one))).collect(),
        currency,
        rows,
        missing,
        add_href: Some("/admin/prices/new"),
        import_href: Some("/admin/prices/import"),
    }
}

/// The list, the empty one, an item with its past, and an import with errors.
pub(super) fn put_all(all: &mut Vec<Sample>) {
    let row = |title: &str, item: &str, today: Option<&str>, next: &str| ItemRow {
        title: s(title),
        item: s(item),
        href: s("/admin/prices/items/x"),
        today: today.map(s),
        since: today.map(|_| s("2026-11-01")).unwrap_or_default(),
        next: s(next),
    };
    let rows = vec![
        row("Disk", "disk.gib", Some("0.10 EUR a month"), ""),
        row("Small machine", "vm.small", Some("0.0416 EUR an hour"), "0.05 EUR an hour from 2027-01-01"),
        row("Large machine of the next generation", "vm.large", None, "1,234.5 EUR a month from 2027-01-01"),
    ];
    let missing = vec![MissingRow {
        item: s("gpu.t4"),
        templates: s("Notebook, Training cluster"),
        add_href: o("/admin/prices/new?item=gpu.t4"),
    }];
    put(all, "prices", list(rows, missing));
    put(all, "prices-empty", list(Vec::new(), Vec::new()));
    let price = |price: &str, from: &str, mark| PriceRow {
        price: s(price),
        valid_from: s(from),
        mark,
        added: s("21 Nov by admin"),
    };
    let page = |title: &str, section: FormSection, history| PriceFormPage {
        shell: shell(title, Section::Admin),
        crumbs: vec![Crumb::to("Prices", "/admin/prices")],
        title: s(title),
        lede: s("vm.small costs 0.0416 EUR an hour today."),
        action: s("/admin/prices/items/vm.small"),
        errors: FormError::collect(std::slice::from_ref(&section)),
        section: Some(section),
        submit: "Add the price",
        cancel_href: "/admin/prices",
        history,
    };
    let section = |fields| FormSection {
        id: s("price"),
        title: s("New price"),
        help: s("What was valid before stays so for the days before."),
        fields,
        reshapes: false,
    };
    let found = [FieldError::new("/price", "is a number such as 0.0416")];
    let field = own_field(&found, "price", "Price", Some("In EUR, of one unit."), true, text_control("1,5", "", None));
    let history = vec![
        price("0.05 EUR an hour", "2027-01-01", "valid later"),
        price("0.0416 EUR an hour", "2026-11-01", "valid today"),
        price("0.0461 EUR an hour", "2026-11-01", "replaced"),
        price("0.04 EUR an hour", "2026-01-01", ""),
    ];
    put(all, "price", page("Small machine", section(vec![field]), history));
    let found = [3, 17].map(|line| FieldError::new("/csv", format!("line {line}: unit is “hour” or “month”")));
    let file = Control::LongText { value: s("item,price\nvm.small,0.0416") };
    let field = own_field(&found, "csv", "Prices as CSV", Some("Columns: item, title, unit."), true, file);
    put(all, "price-import", page("Import prices", section(vec![field]), Vec::new()));
}
