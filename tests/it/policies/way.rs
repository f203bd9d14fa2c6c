//! The way of a version through the pages and the API: written, checked, proposed, published, met.

use axum::http::StatusCode;
use paddock::policy::Role;
use serde_json::json;

use super::{NO_LARGE, proposed, publish, site, verdict, with};
use crate::support::pages::Answer;

fn source_of(page: &Answer) -> String {
    let text = page.text.split("name=\"source\"").nth(1).unwrap();
    let text = text.split_once('>').unwrap().1.split("</textarea>").next().unwrap();
    text.replace("&#34;", "\"").replace("&#39;", "'").replace("&#60;", "<").replace("&#62;", ">").replace("&#38;", "&")
}

#[tokio::test]
async fn one_admin_writes_and_another_publishes() {
    let site = site().await;
    site.grant("lead", Role::Admin, None).await;
    let developer = site.client("developer").await;
    assert_eq!(verdict(&developer, "large").await["decision"]["outcome"], "allowed");
    let mut admin = site.test.browser_of("admin").await;
    admin.get("/admin/policies").await.shows(&["Version 1", "In force", "The set inside Paddock", "New draft"]);
    admin.get("/admin/policies/1").await.shows(&["leads-review-requests", "the set of its own binary"]);
    let begun = admin.post("/admin/policies/new", &[]).await;
    assert_eq!(begun.location(), "/admin/policies/2/edit");
    let editor = admin.get("/admin/policies/2/edit").await;
    editor.shows(&["Valid: ", "No rule differs."]);
    let (source, seen) = (source_of(&editor), editor.value_of("generation"));
    assert_eq!(source.trim(), with("").trim(), "the editor begins with what is in force");

    // What is wrong is told with its place and a hint, by a button and while somebody types.
    let wrong = format!("{source}{}", NO_LARGE.replace("context.inputs.texts.hasTag", "context.input.texts.hasTag"));
    let typed = [("do", "check"), ("generation", &seen), ("note", "No large ones"), ("source", &wrong)];
    let page = admin.post("/admin/policies/2/edit", &typed).await;
    let line = wrong.lines().position(|line| line.contains("context.input.texts")).unwrap() + 1;
    page.shows(&[
        "<title",
        "2 things are wrong",
        &format!("Line {line}, column "),
        "no-large-databases",
        "Did you mean `inputs`?",
    ]);
    assert!(source_of(&page).contains("context.input.texts"), "nothing typed is lost");
    let partial = [("sec-fetch-site", "same-origin"), ("hx-request", "true"), ("hx-request-type", "partial")];
    let part = admin.post_with("/admin/policies/2/edit", &typed, &partial).await;
    part.shows(&["2 things are wrong"]);
    part.hides(&["<title", "<textarea"]);
    // It may be kept as it is, and not proposed.
    let save = [("do", "save"), ("generation", &seen), ("note", "No large ones"), ("source", &wrong)];
    assert_eq!(admin.post("/admin/policies/2/edit", &save).await.location(), "/admin/policies/2");
    let version = admin.get("/admin/policies/2").await;
    version.shows(&["2 things are wrong", "Line by line", "No large ones", "Draft"]);
    admin.post("/admin/policies/2/propose", &[("generation", &version.value_of("generation"))]).await;
    admin.get("/admin/policies/2").await.shows(&["The rules are not valid", "Draft"]);

    // Somebody else wrote meanwhile: nothing is overwritten.
    let late = admin.post("/admin/policies/2/edit", &save).await;
    assert_eq!(late.status, StatusCode::CONFLICT);
    late.shows(&["in the meantime"]);

    // Formatted, saved, proposed.
    let right = format!("{source}{}", NO_LARGE.replace("&& ", "&&\n\n   "));
    let editor = admin.get("/admin/policies/2/edit").await;
    let seen = editor.value_of("generation");
    let formatted =
        admin.post("/admin/policies/2/edit", &[("do", "format"), ("generation", &seen), ("source", &right)]).await;
    let formatted = source_of(&formatted);
    assert!(formatted.contains("// Who curates the platform.") && !formatted.contains("&&\n\n   "), "{formatted}");
    let save = [("do", "save"), ("generation", seen.as_str()), ("note", "No large ones"), ("source", &formatted)];
    admin.post("/admin/policies/2/edit", &save).await;
    let version = admin.get("/admin/policies/2").await;
    version.shows(&["Added", "no-large-databases", "Large databases are not made here.", "platform team", "<ins>+ "]);
    admin.post("/admin/policies/2/propose", &[("generation", &version.value_of("generation"))]).await;
    let mine = admin.get("/admin/policies/2").await;
    mine.shows(&["Proposed", "another admin must publish it"]);
    mine.hides(&["/admin/policies/2/publish"]);
    admin.get("/admin/policies").await.shows(&["1 version waits"]);
    let own = [("generation", mine.value_of("generation")), ("in_force", "1".to_owned())];
    let own: Vec<(&str, &str)> = own.iter().map(|(name, value)| (*name, value.as_str())).collect();
    assert_eq!(admin.post("/admin/policies/2/publish", &own).await.status, StatusCode::FORBIDDEN);
    assert_eq!(verdict(&developer, "large").await["decision"]["outcome"], "allowed");

    let mut second = site.test.browser_of("lead").await;
    let version = second.get("/admin/policies/2").await;
    version.shows(&["/admin/policies/2/publish", "Against version 1, which is in force", "Added"]);
    let seen = [("generation", version.value_of("generation")), ("in_force", version.value_of("in_force"))];
    let seen: Vec<(&str, &str)> = seen.iter().map(|(name, value)| (*name, value.as_str())).collect();
    assert_eq!(second.post("/admin/policies/2/publish", &seen).await.location(), "/admin/policies/2");
    second.get("/admin/policies/2").await.shows(&["In force", "by lead"]);
    second.get("/admin/policies").await.shows(&["Superseded"]);
    let met = verdict(&developer, "large").await;
    assert_eq!(met["decision"]["outcome"], "denied");
    assert_eq!(met["decision"]["rules"][0]["id"], "no-large-databases");
    assert_eq!(verdict(&developer, "small").await["decision"]["outcome"], "allowed");

    // Every step is in the log.
    let found = site.client("auditor").await.json("/api/v1/audit?limit=100").await;
    let mut done: Vec<(&str, &str)> = (found["items"].as_array().unwrap().iter())
        .filter(|one| one["action"].as_str().unwrap().starts_with("policy_version."))
        .map(|one| (one["action"].as_str().unwrap(), one["outcome"].as_str().unwrap()))
        .collect();
    done.reverse();
    let ok = "succeeded";
    let expected = [
        ("policy_version.loaded", ok),
        ("policy_version.drafted", ok),
        ("policy_version.written", ok),
        ("policy_version.written", ok),
        ("policy_version.proposed", ok),
        ("policy_version.published", "denied"),
        ("policy_version.published", ok),
    ];
    assert_eq!(done, expected);
    let published = found["items"].as_array().unwrap().iter().find(|one| one["action"] == "policy_version.published");
    assert_eq!(published.unwrap()["detail"]["rules"]["added"], json!(["no-large-databases"]));
}

#[tokio::test]
async fn what_was_seen_is_what_is_published() {
    let site = site().await;
    let (admin, second) = (site.client("admin").await, site.client("second").await);
    let one = proposed(&admin, &with(NO_LARGE)).await;
    let two = proposed(&admin, &with("")).await;
    // A version that changed after somebody looked.
    let seen = second.get(&format!("/api/v1/policies/{one}")).await;
    let tag = seen.header("etag").to_owned();
    admin.post_nothing(&format!("/api/v1/policies/{one}/take-back")).await.expect(StatusCode::OK);
    let text = json!({"source": with(&NO_LARGE.replace("large", "small"))});
    admin.put(&format!("/api/v1/policies/{one}"), &text).await.expect(StatusCode::OK);
    admin.post_nothing(&format!("/api/v1/policies/{one}/propose")).await.expect(StatusCode::OK);
    let late = second.with_header("if-match", &tag);
    publish(&late, one, 1).await.expect(StatusCode::PRECONDITION_FAILED);
    // Another one in force than the difference was shown against.
    publish(&second, two, 1).await.expect(StatusCode::OK);
    publish(&second, one, 1).await.expect(StatusCode::PRECONDITION_FAILED);
    publish(&second, one, two).await.expect(StatusCode::OK);
    publish(&second, one, two).await.expect(StatusCode::PRECONDITION_FAILED);
    // What left the state draft is not written any more.
    for number in [one, two] {
        admin.put(&format!("/api/v1/policies/{number}"), &text).await.expect(StatusCode::CONFLICT);
        admin.post_nothing(&format!("/api/v1/policies/{number}/discard")).await.expect(StatusCode::CONFLICT);
    }
}

#[tokio::test]
async fn what_is_not_valid_is_neither_proposed_nor_published() {
    let site = site().await;
    let (admin, second) = (site.client("admin").await, site.client("second").await);
    let wrong = with(&NO_LARGE.replace("@reason", "@raeson"));
    let made = admin.post("/api/v1/policies", &json!({"source": wrong})).await.expect(StatusCode::CREATED);
    let number = made["number"].as_i64().unwrap();
    let refused = admin.post_nothing(&format!("/api/v1/policies/{number}/propose")).await;
    let refused = refused.expect(StatusCode::UNPROCESSABLE_ENTITY);
    assert!(refused["errors"][0]["detail"].as_str().unwrap().contains("@raeson"), "{refused}");
    // One that was valid when it was proposed, and is not for the process that publishes.
    site.sql(&format!("UPDATE policy_version SET state = 'proposed', proposed_at = now() WHERE number = {number}"))
        .await;
    publish(&second, number, 1).await.expect(StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(site.number("SELECT number FROM policy_version WHERE state = 'published'").await, 1);

    // Nobody is locked out: under every version an admin writes and another one publishes.
    for (gone, told) in [
        ("admins-write-policies", "no admin could see and write policies any more"),
        ("admins-publish-policies", "no admin could publish policies any more"),
        ("nobody-publishes-their-own-policies", "admins could publish what they wrote themselves"),
    ] {
        let source: String =
            with("").replace(&format!("@id(\"{gone}\")"), &format!("@id(\"{gone}\") @mode(\"observe\")"));
        let checked = admin.post("/api/v1/policies/check", &json!({"source": source})).await.value();
        assert_eq!((checked["valid"].as_bool(), checked["problems"][0]["message"].as_str()), (Some(false), Some(told)));
    }
    let checked = admin.post("/api/v1/policies/check", &json!({"source": with(NO_LARGE)})).await.value();
    assert_eq!((checked["valid"].as_bool(), checked["changes"][0]["difference"].as_str()), (Some(true), Some("added")));
}
