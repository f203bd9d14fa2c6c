//! The pages of the price book, and what things cost on the pages of developers and approvers.

use axum::http::StatusCode;

use crate::support::app::TestApp;

#[tokio::test]
async fn an_admin_adds_an_item_and_another_price() {
    let test = TestApp::start().await;
    let mut admin = test.browser_of("admin").await;
    admin.get("/admin/queue").await.shows(&["href=\"/admin/prices\""]);
    admin.get("/admin/prices").await.shows(&[
        "Practice vCPU",
        "0.0208 EUR an hour",
        "0.10 EUR a month",
        "2026-01-01",
        "Add an item",
    ]);
    let mut fields =
        vec![("item", "VM small"), ("title", "=Small"), ("unit", "hour"), ("price", "1,5"), ("valid_from", "tomorrow")];
    let refused = admin.post("/admin/prices/new", &fields).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    refused.shows(&["4 things need a change", "value=\"VM small\"", "value=\"1,5\"", "with a point", "2027-01-31"]);
    fields = vec![("item", "vm.small"), ("title", "Small machine"), ("unit", "hour"), ("price", "0.0416")];
    assert_eq!(admin.post("/admin/prices/new", &fields).await.location(), "/admin/prices");
    admin.get("/admin/prices").await.shows(&["Small machine has a price now.", "0.0416 EUR an hour"]);
    admin.post("/admin/prices/new", &fields).await.shows(&["Is in the price book already"]);

    let item = "/admin/prices/items/vm.small";
    admin.get(item).await.shows(&["vm.small costs 0.0416 EUR an hour today.", "valid today", "by admin"]);
    let past = admin.post(item, &[("price", "1"), ("valid_from", "2026-01-01")]).await;
    assert_eq!(past.status, StatusCode::UNPROCESSABLE_ENTITY);
    past.shows(&["prices of days that are over stay as they were", "value=\"2026-01-01\""]);
    assert_eq!(admin.post(item, &[("price", "0.05"), ("valid_from", "2100-01-01")]).await.location(), item);
    admin.get(item).await.shows(&["Small machine has a new price.", "0.05 EUR an hour", "valid later"]);
    admin.get("/admin/prices").await.shows(&["0.05 EUR an hour from 2100-01-01"]);
    assert_eq!(admin.post(item, &[("price", "0.06")]).await.location(), item);
    admin.get(item).await.shows(&["vm.small costs 0.06 EUR an hour today.", "replaced"]);
    assert_eq!(admin.get("/admin/prices/items/none").await.status, StatusCode::NOT_FOUND);
    admin.get("/audit?action=price.added").await.shows(&["set a price of vm.small"]);
}

#[tokio::test]
async fn a_file_is_taken_whole_or_not_at_all_and_comes_out_again() {
    let test = TestApp::start().await;
    let mut admin = test.browser_of("admin").await;
    let count = || async {
        let count: i64 = sqlx::query_scalar("SELECT count(*) FROM price").fetch_one(test.app.db.pool()).await.unwrap();
        count
    };
    let before = count().await;
    let wrong = "item,title,unit,price,currency,valid_from\nvm.a,A,hour,0.1,EUR,\nvm.b,B,day,0.1,EUR,\n\nvm.c,C,month,1e3,EUR,2027-02-30\nvm.d,D,hour,1,USD,\nvm.a,A,month,1,EUR,2100-01-01\nvm.a,A,hour,1,EUR,\n";
    let refused = admin.post("/admin/prices/import", &[("csv", wrong)]).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    refused.shows(&[
        "Line 3: unit is “hour” or “month”",
        "Line 5: price is a number such as 0.0416",
        "Line 5: valid_from is a day such as",
        "Line 6: the currency is USD, and that of the price book EUR",
        "Line 7: unit is hour for this item, and stays so",
        "Line 8: valid_from is",
        "vm.d,D,hour,1,USD",
    ]);
    assert_eq!(count().await, before);
    for (file, words) in [
        ("", "Begins with the line"),
        ("item,cost\na,1\n", "there is no column “cost”"),
        ("item,unit\na,hour\n", "the column “price” is missing"),
        ("item,price\n\"a,1\n", "a quote is not closed"),
        ("item,price\na,1,2\n", "it has 3 cells, and there are 2 columns"),
    ] {
        admin.post("/admin/prices/import", &[("csv", file)]).await.shows(&[words]);
    }
    // A new item may bring its past along.
    let file = "item,title,unit,price,valid_from\nvm.a,\"A, the first\",hour,0.1,2025-01-01\nvm.a,,,0.2,2026-01-01\n";
    assert_eq!(admin.post("/admin/prices/import", &[("csv", file)]).await.location(), "/admin/prices");
    admin.get("/admin/prices").await.shows(&["2 prices were imported, with 1 new item.", "A, the first"]);
    assert_eq!(count().await, before + 2);
    let exported = admin.get("/admin/prices.csv").await;
    assert_eq!(exported.header("content-type"), "text/csv; charset=utf-8; header=present");
    assert!(exported.text.contains("vm.a,\"A, the first\",hour,0.1,EUR,2025-01-01\r\n"), "{}", exported.text);
    // The same again adds nothing, and an empty book takes all of it.
    admin.post("/admin/prices/import", &[("csv", &exported.text)]).await;
    assert_eq!(count().await, before + 2);
    admin.get("/audit?action=price.imported").await.shows(&["imported 2 prices into the price book"]);
    use sqlx::Connection as _;
    let mut owner = sqlx::PgConnection::connect_with(&test.database.options()).await.unwrap();
    sqlx::query("TRUNCATE price, price_item").execute(&mut owner).await.unwrap();
    admin.post("/admin/prices/import", &[("csv", &exported.text)]).await;
    assert_eq!(admin.get("/admin/prices.csv").await.text, exported.text);
}

#[tokio::test]
async fn the_currency_is_chosen_before_there_are_prices() {
    let test = TestApp::start().await;
    let mut admin = test.browser_of("admin").await;
    let refused = admin.post("/admin/prices/currency", &[("currency", "USD")]).await;
    assert_eq!(refused.status, StatusCode::CONFLICT);
    refused.shows(&["There are prices in EUR already"]);
    use sqlx::Connection as _;
    let mut owner = sqlx::PgConnection::connect_with(&test.database.options()).await.unwrap();
    sqlx::query("TRUNCATE price, price_item").execute(&mut owner).await.unwrap();
    let empty = admin.get("/admin/prices").await;
    empty.shows(&["There is no price yet", "name=\"currency\"", "Not priced", "postgres.small", "Postgres database"]);
    empty.shows(&["/admin/prices/new?item=postgres.small"]);
    admin.post("/admin/prices/currency", &[("currency", "usd")]).await.shows(&["ISO 4217", "value=\"usd\""]);
    assert_eq!(admin.post("/admin/prices/currency", &[("currency", "USD")]).await.location(), "/admin/prices");
    admin.get("/admin/prices").await.shows(&["Prices are in USD."]);
    admin.get("/audit?action=price_book.changed").await.shows(&["set the currency of the price book to USD"]);
}

#[tokio::test]
async fn only_admins_set_prices_and_others_who_try_are_written_down() {
    let test = TestApp::start().await;
    let mut auditor = test.browser_of("auditor").await;
    let list = auditor.get("/admin/prices").await;
    list.shows(&["Practice vCPU", "/admin/prices.csv"]);
    list.hides(&["Add an item", "/admin/prices/import"]);
    auditor.get("/admin/prices/items/repository").await.hides(&["Add the price"]);
    for login in ["auditor", "lead", "developer"] {
        let mut other = test.browser_of(login).await;
        let item = [("item", "x.y"), ("unit", "hour"), ("price", "1")];
        for (address, fields) in [
            ("/admin/prices/new", &item[..]),
            ("/admin/prices/items/repository", &[("price", "0")][..]),
            ("/admin/prices/import", &[("csv", "item,price\nrepository,0\n")][..]),
            ("/admin/prices/currency", &[("currency", "USD")][..]),
        ] {
            assert_eq!(other.post(address, fields).await.status, StatusCode::FORBIDDEN, "{login} {address}");
        }
    }
    let tried = "SELECT count(*) FROM audit_record WHERE action LIKE 'price%' AND outcome = 'denied'";
    let count: i64 = sqlx::query_scalar(tried).fetch_one(test.app.db.pool()).await.unwrap();
    assert_eq!(count, 12);
    auditor.get("/audit?action=price.added").await.shows(&["wanted to change the price book (x.y) and may not"]);
}

#[tokio::test]
async fn the_cost_stands_in_the_form_the_request_the_approval_and_the_environment() {
    let test = TestApp::start().await;
    let mut developer = test.browser_of("developer").await;
    let form = developer.get("/catalog/practice-cloud/request").await;
    // Nothing is typed yet: the name that is missing changes no cost.
    form.shows(&["id=\"cost\"", "17.18 EUR a month"]);
    let fields = [
        ("project", "payments"),
        ("environment_type", "prod"),
        ("name", "costly"),
        ("inputs/size", "large"),
        ("inputs/scenario", "calm"),
    ];
    let mut checked = fields.to_vec();
    checked.push(("_check", "1"));
    // 4 × 0.0208 × 730 + 100 × 0.10.
    let told = ["70.74 EUR a month", "10.00 EUR while it is stopped.", "if it runs until its end (30 days)"];
    developer.post("/catalog/practice-cloud/request", &checked).await.shows(&told);
    let sent = developer.post("/catalog/practice-cloud/request", &fields).await;
    let request = sent.location().to_owned();
    let page = developer.get(&request).await;
    page.shows(&told);
    page.shows(&["4 × 0.0208 EUR an hour, while it runs", "as asked for"]);
    let mut lead = test.browser_of("lead").await;
    lead.get(&request.replace("/requests/", "/approvals/")).await.shows(&told);
    let id: String =
        sqlx::query_scalar("SELECT id::text FROM environment").fetch_one(test.app.db.pool()).await.unwrap();
    let address = format!("/environments/env_{}", id.replace('-', ""));
    developer.get(&address).await.shows(&["70.74 EUR a month", "by today"]);
    let mut without = fields.to_vec();
    without[4] = ("inputs/scenario", "nonsense");
    without.push(("_check", "1"));
    developer.post("/catalog/practice-cloud/request", &without).await.shows(&["not known yet"]);
}
