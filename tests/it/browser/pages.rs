//! Pages beside the main way: nothing inaccessible, nothing refused by the content security policy.

use thirtyfour::By;

use super::browser::Browser;
use super::stage::Stage;

#[tokio::test]
async fn every_other_page_is_accessible() {
    let stage = Stage::get().await;
    let b = Browser::open_with(&stage, true).await;
    b.open("/sign-in").await;
    b.see("Sign in").await;
    b.inspect("sign-in").await;
    b.sign_in("developer").await;
    for (path, name) in [
        ("/catalog/terraform-stack", "template-terraform"),
        ("/catalog/terraform-stack/request", "request-form-terraform"),
        ("/catalog/service-repository/request", "request-form-repository"),
        ("/environments", "environments"),
        ("/requests", "requests"),
    ] {
        b.open(path).await;
        b.see("").await;
        b.inspect(name).await;
    }
    b.open("/preferences/tokens").await;
    b.fill("#f-name", "deploy pipeline").await;
    b.choose("scopes", "request").await;
    b.press("Make the token").await;
    b.see("shown this once").await;
    b.inspect("token-made").await;
    b.open("/preferences/tokens").await;
    b.inspect("tokens").await;
    // Asked once more, and all of it without scripts.
    b.press("Revoke deploy pipeline").await;
    b.shown(By::Css(".confirm")).await;
    b.inspect("token-revoke").await;
    b.click(".confirm [type=submit]").await;
    b.see("The token is revoked").await;
    b.open("/no-such-page").await;
    b.listen(&["status of 404"]).await;
    b.inspect("not-found").await;
    b.sign_out().await;
    b.sign_in("admin").await;
    b.inspect("home-admin").await;
    b.open("/admin/catalog").await;
    b.inspect("admin-catalog").await;
    // Looked at, connected with what is wrong, and not reached.
    b.open("/admin/targets/demo-postgres").await;
    b.press("Check now").await;
    b.see("The check passed").await;
    b.inspect("admin-target").await;
    b.open("/admin/targets").await;
    b.inspect("admin-targets").await;
    b.open("/admin/targets/new").await;
    b.inspect("admin-target-pick").await;
    b.open("/admin/targets/new?provider=postgres").await;
    b.inspect("admin-target-form").await;
    b.press("Connect and check it").await;
    b.see("things need a change").await;
    b.listen(&["status of 422"]).await;
    b.inspect("admin-target-form-wrong").await;
    b.no_complaints(&[]).await;
}
