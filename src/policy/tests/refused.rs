//! What a policy set is refused for, with place and hint.

use std::fmt::Write as _;

use super::*;

const SOUND: &str = r#"@id("sound") @reason("Sound.") permit (principal, action, resource);"#;

fn refusal(policies: &str) -> String {
    match PolicyEngine::from_text(&engine().schema(), policies) {
        Ok(_) => panic!("loaded: {policies}"),
        Err(error) => error.to_string(),
    }
}

const WRONG: &[(&str, &str)] = &[
    (
        "unknown attribute",
        r#"@id("a") @reason("A.")
permit (principal, action == Action::"CreateEnvironment", resource)
when { resource.knd == "x" };"#,
    ),
    (
        "unknown attribute behind has",
        r#"@id("a") @reason("A.")
permit (principal, action == Action::"CreateEnvironment", resource)
when { context.channel == "web" ||
       (resource has owner && resource has ownr) };"#,
    ),
    (
        "unknown attribute that makes it impossible",
        r#"@id("a") @reason("A.")
permit (principal, action == Action::"CreateEnvironment", resource)
when { resource has knd && resource.ownr == principal };"#,
    ),
    (
        "unknown role",
        r#"@id("a") @reason("A.") permit (principal, action, resource)
when { context.roles.contains(Role::"leed") };"#,
    ),
    ("unknown action", r#"@id("a") @reason("A.") permit (principal, action == Action::"CreateEnviroment", resource);"#),
    (
        "wrong type",
        r#"@id("a") @reason("A.") permit (principal, action, resource)
when { context.channel > 3 };"#,
    ),
    (
        "optional attribute without has",
        r#"@id("a") @reason("A.") permit (principal, action == Action::"RetryRun", resource)
when { resource.owner == principal };"#,
    ),
    (
        "never applies",
        r#"@id("a") @reason("A.") forbid (principal, action == Action::"ReadAdmin", resource is Project);"#,
    ),
    ("syntax", "@id(\"a\") @reason(\"A.\")\npermit (principal, action, resource) when { true;"),
    ("no id", r#"@reason("A.") permit (principal, action, resource);"#),
    ("bad id", r#"@id("No Spaces") @reason("A.") permit (principal, action, resource);"#),
    ("reserved id", r#"@id("default-deny") @reason("A.") permit (principal, action, resource);"#),
    ("no reason", r#"@id("a") @reason(" ") permit (principal, action, resource);"#),
    (
        "same id twice",
        "@id(\"a\") @reason(\"A.\") permit (principal, action, resource);\n\n@id(\"a\") @reason(\"B.\") forbid (principal, action == Action::\"RetryRun\", resource);",
    ),
    (
        "mistyped approval",
        r#"@id("a") @reason("A.") @aproval("lead") permit (principal, action == Action::"CreateEnvironment", resource);"#,
    ),
    (
        "approval by nobody",
        r#"@id("a") @reason("A.") @approval("boss") permit (principal, action == Action::"CreateEnvironment", resource);"#,
    ),
    (
        "approval by 0",
        r#"@id("a") @reason("A.") @approval("lead") @approval_count("0") permit (principal, action == Action::"CreateEnvironment", resource);"#,
    ),
    (
        "approval by a team without a name",
        r#"@id("a") @reason("A.") @approval("team:") permit (principal, action == Action::"CreateEnvironment", resource);"#,
    ),
    (
        "a ladder that goes down",
        r#"@id("a") @reason("A.") @approval("lead") @approval_escalation("2d admin, 24h team:sre") permit (principal, action == Action::"CreateEnvironment", resource);"#,
    ),
    (
        "a ladder to nobody",
        r#"@id("a") @reason("A.") @approval("lead") @approval_escalation("24h boss") permit (principal, action == Action::"CreateEnvironment", resource);"#,
    ),
    (
        "a ladder without times",
        r#"@id("a") @reason("A.") @approval("lead") @approval_escalation("admin") permit (principal, action == Action::"CreateEnvironment", resource);"#,
    ),
    (
        "a ladder alone",
        r#"@id("a") @reason("A.") @approval_escalation("24h admin") permit (principal, action == Action::"CreateEnvironment", resource);"#,
    ),
    (
        "a ladder of six",
        r#"@id("a") @reason("A.") @approval("lead") @approval_escalation("1h admin, 2h admin, 3h admin, 4h admin, 5h admin, 6h admin") permit (principal, action == Action::"CreateEnvironment", resource);"#,
    ),
    (
        "count alone",
        r#"@id("a") @reason("A.") @approval_count("2") permit (principal, action == Action::"CreateEnvironment", resource);"#,
    ),
    (
        "approval of a forbid",
        r#"@id("a") @reason("A.") @approval("lead") forbid (principal, action == Action::"CreateEnvironment", resource);"#,
    ),
    (
        "approval to read",
        r#"@id("a") @reason("A.") @approval("lead") permit (principal, action in Action::"Read", resource);"#,
    ),
    (
        "exception from a permit",
        r#"@id("a") @reason("A.") @exception("lead") permit (principal, action == Action::"CreateEnvironment", resource);"#,
    ),
    (
        "exception to read",
        r#"@id("a") @reason("A.") @exception("lead") forbid (principal, action in Action::"Read", resource);"#,
    ),
    (
        "exception by nobody",
        r#"@id("a") @reason("A.") @exception("boss") forbid (principal, action == Action::"CreateEnvironment", resource);"#,
    ),
    (
        "exception for no time",
        r#"@id("a") @reason("A.") @exception("lead") @exception_lifetime("a while") forbid (principal, action == Action::"CreateEnvironment", resource);"#,
    ),
    (
        "lifetime of no exception",
        r#"@id("a") @reason("A.") @exception_lifetime("7d") forbid (principal, action == Action::"CreateEnvironment", resource);"#,
    ),
    ("template", r#"@id("a") @reason("A.") permit (principal == ?principal, action, resource);"#),
];

#[test]
fn wrong_rules_are_refused_with_place_and_hint() {
    let mut all = String::new();
    for (name, policies) in WRONG {
        writeln!(all, "# {name}\n{}\n", refusal(policies)).unwrap();
    }
    insta::assert_snapshot!(all);
}

#[test]
fn the_limits_of_annotations_hold_at_their_edges() {
    let rule = |id: &str, more: &str| {
        format!(
            "@id(\"{id}\") @reason(\"A.\") {more}
             permit (principal, action == Action::\"CreateEnvironment\", resource);"
        )
    };
    let longest = "x".repeat(80);
    for (id, more) in
        [("a", "@approval(\"lead\") @approval_count(\"20\")"), (longest.as_str(), ""), ("0-a", "@owner(\"me\")")]
    {
        assert!(PolicyEngine::from_text(&engine().schema(), &rule(id, more)).is_ok(), "{id} {more}");
    }
    let too_long = "x".repeat(81);
    for (id, more, why) in [
        ("a", "@approval(\"lead\") @approval_step(\"10\")", "“10” is not a step"),
        ("a", "@approval(\"lead\") @approval_count(\"21\")", "“21” is not a number of approvers"),
        ("a", "@approval(\"lead\") @approval_count(\"-1\")", "“-1” is not a number of approvers"),
        ("a", "@approval_who(\"them\")", "@approval_who without @approval"),
        ("engine-error", "", "is Paddock's own"),
        (too_long.as_str(), "", "is not an @id"),
        ("", "", "the rule has no @id"),
    ] {
        let said = refusal(&rule(id, more));
        assert!(said.contains(why), "“{why}” is not in “{said}”");
    }
}

#[test]
fn an_empty_set_is_refused() {
    assert_eq!(refusal("// nothing"), "the policy set holds no policies: expected *.cedar files");
}

#[test]
fn every_file_of_a_folder_is_read_and_named() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    let load = || PolicyEngine::from_folder(folder.path());
    let Err(Error::Empty(named)) = load() else { panic!("loaded") };
    assert_eq!(named, folder.path().display().to_string());
    write("b.cedar", SOUND);
    write("notes.txt", "not a policy");
    let one = load().unwrap();
    write(
        "a.cedar",
        "@id(\"a\") @reason(\"A.\")\nforbid (principal, action, resource) when { context.chanel == \"cli\" };",
    );
    write("c.cedar", &format!("\n{SOUND}"));
    let Err(Error::Invalid(problems)) = load() else { panic!("loaded") };
    let places: Vec<_> = problems.iter().map(|it| (it.file.as_str(), it.place, it.rule.as_deref())).collect();
    assert_eq!(places, [("a.cedar", Some((2, 45)), Some("a")), ("c.cedar", Some((2, 1)), Some("sound"))]);
    write(
        "a.cedar",
        "@id(\"a\") @reason(\"A.\") forbid (principal, action, resource) when { context.channel == \"cli\" };",
    );
    write("c.cedar", "");
    let two = load().unwrap();
    assert_ne!(one.digest(), two.digest());
    assert_eq!(two.digest(), PolicyEngine::from_text(&two.schema(), &two.source()).unwrap().digest());
    assert!(matches!(PolicyEngine::from_folder(&folder.path().join("none")), Err(Error::Unreadable { .. })));
}

#[test]
fn a_schema_that_does_not_fit_is_refused() {
    let schema = engine().schema();
    let lacking = schema.replace("    requester?: User,\n", "");
    assert_ne!(lacking, schema);
    let error = PolicyEngine::from_text(&lacking, SOUND).unwrap_err();
    assert!(matches!(&error, Error::SchemaMismatch(why) if why.contains("requester")), "{error}");
    let error = PolicyEngine::from_text("entity User;\nentity", SOUND).unwrap_err();
    let Error::Invalid(problems) = error else { panic!("{error}") };
    assert_eq!(problems[0].file, "schema.cedarschema");
    assert_eq!(problems[0].place.map(|(line, _)| line), Some(2));
}
