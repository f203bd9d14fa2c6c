use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::*;
use crate::base::FieldError;

fn map(value: Value) -> Map<String, Value> {
    serde_json::from_value(value).unwrap()
}

/// What a browser posts for these fields, nothing changed.
fn post(fields: &[Field]) -> Vec<(String, String)> {
    let mut pairs = Vec::new();
    for field in fields {
        if field.read_only {
            continue;
        }
        let mut push = |value: &str| pairs.push((field.name.clone(), value.to_owned()));
        match &field.control {
            Control::Text { value, .. } | Control::Number { value, .. } => push(value),
            // Text areas post CR LF.
            Control::LongText { value } | Control::Json { value } => push(&value.replace('\n', "\r\n")),
            Control::Switch { checked } => {
                if *checked {
                    push("true");
                }
            }
            Control::Select { choices } | Control::Radios { choices } | Control::Checks { choices } => {
                choices.iter().filter(|choice| choice.selected).for_each(|choice| push(&choice.value));
            }
            Control::List { items: inner, .. } | Control::Group { fields: inner } => pairs.extend(post(inner)),
        }
    }
    pairs
}

fn pairs(text: &[(&str, &str)]) -> Vec<(String, String)> {
    text.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn everything() -> Value {
    json!({
        "type": "object",
        "required": ["name", "size", "replicas", "tags"],
        "properties": {
            "name": {"type": "string", "title": "Name", "pattern": "^[a-z-]+$", "minLength": 3, "maxLength": 20, "examples": ["orders"]},
            "notes": {"type": "string", "x-paddock-control": "textarea"},
            "password": {"type": "string", "writeOnly": true},
            "region": {"type": "string", "readOnly": true, "default": "eu"},
            "size": {"enum": ["s", "m"], "x-paddock-control": "radios", "x-paddock-choices": [{"value": "s", "label": "Small", "help": "1 CPU"}]},
            "engine": {"oneOf": [{"const": 15, "title": "Postgres 15"}, {"const": 16, "title": "Postgres 16"}]},
            "replicas": {"type": "integer", "exclusiveMinimum": 0, "maximum": 9, "default": 1},
            "ratio": {"type": "number", "x-paddock-unit": "GiB"},
            "public": {"type": "boolean"},
            "tags": {"type": "array", "items": {"type": "string", "title": "Tag"}, "minItems": 1, "maxItems": 3},
            "zones": {"type": "array", "items": {"enum": ["a", "b"]}, "uniqueItems": true},
            "net": {"type": "object", "required": ["port"], "properties": {"port": {"type": "integer"}, "tls": {"type": "boolean"}}},
            "rules": {"type": "array", "items": {"type": "object", "required": ["cidr"], "properties": {"cidr": {"type": "string"}}}},
            "free": {"anyOf": [{"type": "string"}, {"type": "object"}]},
        },
    })
}

#[test]
fn every_type_has_its_control() {
    let values = map(json!({
        "name": "orders", "size": "s", "engine": 16, "ratio": 0.5, "tags": ["x"], "zones": ["b"], "free": {"a": 1},
        "rules": [{"cidr": "10.0.0.0/8"}],
    }));
    let all = fields(&everything(), &values, &[]);
    let text: Vec<String> = all
        .iter()
        .map(|f| {
            format!(
                "{} {:?} req={} ro={} secret={} {:?}",
                f.name, f.label, f.required, f.read_only, f.secret, f.control
            )
        })
        .collect();
    insta::assert_snapshot!(text.join("\n"), @r#"
    inputs/name "Name" req=true ro=false secret=false Text { value: "orders", pattern: Some("^[a-z\\-]+$"), min_length: Some(3), max_length: Some(20), placeholder: Some("orders") }
    inputs/notes "Notes" req=false ro=false secret=false LongText { value: "" }
    inputs/password "Password" req=false ro=false secret=true Text { value: "", pattern: None, min_length: None, max_length: None, placeholder: None }
    inputs/region "Region" req=false ro=true secret=false Text { value: "eu", pattern: None, min_length: None, max_length: None, placeholder: None }
    inputs/size "Size" req=true ro=false secret=false Radios { choices: [Choice { value: "s", label: "Small", help: Some("1 CPU"), selected: true }, Choice { value: "m", label: "m", help: None, selected: false }] }
    inputs/engine "Engine" req=false ro=false secret=false Select { choices: [Choice { value: "", label: "No choice", help: None, selected: false }, Choice { value: "15", label: "Postgres 15", help: None, selected: false }, Choice { value: "16", label: "Postgres 16", help: None, selected: true }] }
    inputs/replicas "Replicas" req=true ro=false secret=false Number { value: "", min: Some("1"), max: Some("9"), step: Some("1"), unit: None }
    inputs/ratio "Ratio" req=false ro=false secret=false Number { value: "0.5", min: None, max: None, step: Some("any"), unit: Some("GiB") }
    inputs/public "Public" req=false ro=false secret=false Switch { checked: false }
    inputs/tags "Tags" req=true ro=false secret=false List { items: [Field { pointer: "/tags/0", name: "inputs/tags/0", label: "Tag 1", help: None, required: true, read_only: false, secret: false, control: Text { value: "x", pattern: None, min_length: None, max_length: None, placeholder: None }, errors: [] }], can_add: true, can_remove: false }
    inputs/zones "Zones" req=false ro=false secret=false Checks { choices: [Choice { value: "a", label: "a", help: None, selected: false }, Choice { value: "b", label: "b", help: None, selected: true }] }
    inputs/net "Net" req=false ro=false secret=false Group { fields: [Field { pointer: "/net/port", name: "inputs/net/port", label: "Port", help: None, required: true, read_only: false, secret: false, control: Number { value: "", min: None, max: None, step: Some("1"), unit: None }, errors: [] }, Field { pointer: "/net/tls", name: "inputs/net/tls", label: "TLS", help: None, required: false, read_only: false, secret: false, control: Switch { checked: false }, errors: [] }] }
    inputs/rules "Rules" req=false ro=false secret=false List { items: [Field { pointer: "/rules/0", name: "inputs/rules/0", label: "Item 1", help: None, required: true, read_only: false, secret: false, control: Group { fields: [Field { pointer: "/rules/0/cidr", name: "inputs/rules/0/cidr", label: "CIDR", help: None, required: true, read_only: false, secret: false, control: Text { value: "10.0.0.0/8", pattern: None, min_length: None, max_length: None, placeholder: None }, errors: [] }] }, errors: [] }], can_add: true, can_remove: true }
    inputs/free "Free" req=false ro=false secret=false Json { value: "{\n  \"a\": 1\n}" }
    "#);
}

#[test]
fn nothing_typed_is_lost() {
    let schema = everything();
    let posted = pairs(&[
        ("inputs/name", " Orders DB "),
        ("inputs/replicas", "a few"),
        ("inputs/ratio", "1,5"),
        ("inputs/size", "xxl"),
        ("inputs/free", "{\"a\": "),
        ("inputs/net/port", "99999999999999999999"),
        ("inputs/tags/0", "one"),
        ("inputs/sise", "s"),
        ("csrf", "no input"),
    ]);
    let values = parse(&schema, &posted);
    assert_eq!(
        Value::Object(values.clone()),
        json!({
            "name": " Orders DB ", "region": "eu", "size": "xxl", "replicas": "a few", "ratio": "1,5", "public": false,
            "tags": ["one"], "net": {"port": "99999999999999999999", "tls": false}, "free": "{\"a\": ", "sise": "s",
        })
    );
    let errors = validate(&schema, &values).unwrap_err();
    let shown = fields(&schema, &values, &errors);
    let again = post(&shown);
    for (name, value) in &posted {
        if name != "csrf" && name != "inputs/sise" {
            assert!(again.contains(&(name.clone(), value.clone())), "{name} is lost: {again:?}");
        }
    }
    let text: Vec<String> =
        shown.iter().flat_map(|f| f.errors.iter().map(move |e| format!("{}: {e}", f.name))).collect();
    insta::assert_snapshot!(text.join("\n"), @r#"
    inputs/name: must match the pattern ^[a-z-]+$; “ Orders DB ” was given
    inputs/size: must be one of “s” or “m”; “xxl” was given
    inputs/replicas: must be a whole number; “a few” was given
    inputs/ratio: must be a number; “1,5” was given
    "#);
}

#[test]
fn a_crafted_post_does_not_change_what_is_read_only() {
    let schema = everything();
    assert_eq!(parse(&schema, &pairs(&[("inputs/region", "us")]))["region"], "eu");
    assert_eq!(prefill(&schema, &pairs(&[("inputs/region", "us")]))["region"], "eu");
}

#[test]
fn lists_grow_and_shrink_without_javascript() {
    let schema = everything();
    let start = pairs(&[("inputs/tags/0", "a"), ("inputs/tags/1", ""), ("inputs/rules/0/cidr", "x")]);
    assert_eq!(parse(&schema, &start)["tags"], json!(["a"]), "an empty item is dropped on submit");
    let press = |name: &str, value: &str| {
        let mut pairs = start.clone();
        pairs.push((name.to_owned(), value.to_owned()));
        assert!(list_button(&pairs));
        parse(&schema, &pairs)
    };
    assert_eq!(press("_add", "/tags")["tags"], json!(["a", "", ""]));
    assert_eq!(press("_add", "inputs/tags")["tags"], json!(["a", "", ""]));
    assert_eq!(press("_remove", "/tags/0")["tags"], json!([""]));
    assert_eq!(press("_add", "/rules")["rules"], json!([{"cidr": "x"}, {}]));
    assert_eq!(press("_remove", "/rules/0").get("rules"), None);
}

#[test]
fn a_link_sets_only_what_it_names() {
    let schema = json!({"type": "object", "properties": {
        "backup": {"type": "boolean", "default": true}, "size": {"type": "string", "default": "s"}, "name": {"type": "string"},
    }});
    let values = prefill(&schema, &pairs(&[("inputs/name", "x")]));
    assert_eq!(Value::Object(values), json!({"backup": true, "size": "s", "name": "x"}));
    let values = parse(&schema, &pairs(&[("inputs/name", "x"), ("inputs/size", "")]));
    assert_eq!(
        Value::Object(values),
        json!({"backup": false, "size": "", "name": "x"}),
        "emptying a default is a choice"
    );
}

#[test]
fn an_untouched_optional_group_is_absent() {
    let schema = everything();
    let values = parse(&schema, &pairs(&[("inputs/net/port", "")]));
    assert_eq!(values.get("net"), None);
    let values = parse(&schema, &pairs(&[("inputs/net/port", ""), ("inputs/net/tls", "true")]));
    assert_eq!(values["net"], json!({"tls": true}));
    assert_eq!(validate(&schema, &values).unwrap_err().iter().filter(|e| e.pointer == "/net/port").count(), 1);
}

#[test]
fn errors_inside_a_control_without_fields_stand_at_the_control() {
    let schema = everything();
    let errors = [
        FieldError::new("/zones/1", "must be one of “a” or “b”"),
        FieldError::new("/net/prot", "is not known here"),
        FieldError::new("/rules/0/cidr", "must not be empty"),
    ];
    let all = fields(&schema, &map(json!({"zones": ["a", "c"], "rules": [{"cidr": ""}]})), &errors);
    let find = |name: &str| all.iter().find(|field| field.name == name).unwrap();
    assert_eq!(find("inputs/zones").errors, ["item 2: must be one of “a” or “b”"]);
    assert_eq!(find("inputs/net").errors, ["prot: is not known here"]);
    assert!(find("inputs/rules").errors.is_empty());
    let Control::List { items, .. } = &find("inputs/rules").control else { panic!() };
    let Control::Group { fields } = &items[0].control else { panic!() };
    assert_eq!(fields[0].errors, ["must not be empty"]);
}

#[test]
fn blanks_in_a_json_box_are_not_lost() {
    let schema = everything();
    let values = map(json!({"name": "x", "region": "eu", "free": "  "}));
    assert_eq!(parse(&schema, &post(&fields(&schema, &values, &[])))["free"], "  ");
}

fn text() -> impl Strategy<Value = String> {
    // Anything that a text field can hold, quotes, markup and line ends included; not empty.
    proptest::string::string_regex("[ -~äß€\\u{1F600}]{1,12}").unwrap()
}

prop_compose! {
    fn valid()(
        name in text(), notes in proptest::option::of(proptest::string::string_regex("[a-z\n\"{}]{1,20}").unwrap()),
        size in proptest::sample::select(vec!["s", "m"]), engine in proptest::option::of(15..=16_i64),
        replicas in any::<i64>(), ratio in proptest::option::of(any::<f64>().prop_filter("finite", |n| n.is_finite())),
        public in any::<bool>(), tags in proptest::collection::vec(text(), 1..4),
        zones in proptest::sample::subsequence(vec!["a", "b"], 1..=2), net in proptest::option::of((any::<i64>(), any::<bool>())),
        rules in proptest::collection::vec(text(), 1..3),
        free in proptest::option::of(prop_oneof![text().prop_map(Value::from), Just(json!({"a": [1, {"b": null}]})), Just(json!([])), Just(json!(7)), Just(json!("7"))]),
    ) -> Map<String, Value> {
        let mut values = Map::new();
        let mut set = |name: &str, value: Option<Value>| { if let Some(value) = value { values.insert(name.to_owned(), value); } };
        set("name", Some(name.into()));
        set("notes", notes.map(Value::from));
        set("region", Some("eu".into()));
        set("size", Some(size.into()));
        set("engine", engine.map(Value::from));
        set("replicas", Some(replicas.into()));
        set("ratio", ratio.map(Value::from));
        set("public", Some(public.into()));
        set("tags", Some(tags.into()));
        set("zones", Some(zones.into()));
        set("net", net.map(|(port, tls)| json!({"port": port, "tls": tls})));
        set("rules", Some(rules.into_iter().map(|cidr| json!({"cidr": cidr})).collect()));
        set("free", free);
        values
    }
}

proptest! {
    #[test]
    fn what_a_form_shows_it_gives_back(values in valid()) {
        let schema = everything();
        prop_assert_eq!(parse(&schema, &post(&fields(&schema, &values, &[]))), values);
    }

    #[test]
    fn no_post_breaks_the_form(posted in proptest::collection::vec((
        proptest::sample::select(vec!["inputs/name", "inputs/tags", "inputs/tags/0", "inputs/tags/x", "inputs/net", "inputs/net/port",
            "inputs/rules/18446744073709551615/cidr", "inputs/rules/7/cidr", "inputs/zones", "inputs/", "inputs//", "inputs/free", "_add", "_remove"]),
        prop_oneof![text(), Just("/tags".to_owned()), Just("/rules/0".to_owned()), Just(String::new())],
    ), 0..8)) {
        let schema = everything();
        let posted: Vec<(String, String)> = posted.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        let values = parse(&schema, &posted);
        let errors = validate(&schema, &values).err().unwrap_or_default();
        fields(&schema, &values, &errors);
        split_secrets(&schema, &complete(&schema, values));
    }
}
