//! A request as a YAML file that the API takes: block style, one value a line, so that a change of
//! one input is a change of one line in Git.

use serde_json::Value;

/// The file. `secrets` are the inputs that it leaves out.
pub(super) fn document(title: &str, body: &Value, secrets: &[String]) -> String {
    let mut out = format!("# {}\n", title.replace(char::is_control, " "));
    for pointer in secrets {
        let name = pointer.trim_start_matches('/').replace(char::is_control, " ");
        out.extend(["# The input ", &name, " is secret: it is added when the file is sent.\n"]);
    }
    members(&mut out, body, 0);
    out
}

fn members(out: &mut String, value: &Value, depth: usize) {
    for (name, value) in value.as_object().into_iter().flatten() {
        out.push_str(&"  ".repeat(depth));
        out.push_str(&scalar(name));
        out.push(':');
        child(out, value, depth);
    }
}

fn child(out: &mut String, value: &Value, depth: usize) {
    match value {
        Value::Object(inner) if !inner.is_empty() => {
            out.push('\n');
            members(out, value, depth + 1);
        }
        Value::Array(items) if !items.is_empty() => {
            out.push('\n');
            for item in items {
                out.push_str(&"  ".repeat(depth + 1));
                // What is inside a list is rarely deep: JSON is YAML, too.
                let text = item.as_str().map_or_else(|| item.to_string(), scalar);
                out.extend(["- ", &text, "\n"]);
            }
        }
        Value::String(text) => out.extend([" ", &scalar(text), "\n"]),
        other => out.extend([" ", &other.to_string(), "\n"]),
    }
}

/// A text as it is where every reader of YAML takes it for a text, else as JSON writes it.
fn scalar(text: &str) -> String {
    let word = text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '/'));
    // Words that some reader takes for a truth value, for nothing or for a number.
    let special = ["true", "false", "null", "yes", "no", "on", "off", "y", "n", "nan", "inf"];
    if word && !special.contains(&text.to_ascii_lowercase().as_str()) {
        return text.to_owned();
    }
    let json = Value::String(text.to_owned()).to_string();
    // JSON leaves more characters as they are than YAML may print.
    json.chars().map(|c| if is_printable(c) { c.to_string() } else { escape(c) }).collect()
}

fn is_printable(c: char) -> bool {
    !(c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}'))
}

fn escape(c: char) -> String {
    format!("\\U{:08x}", u32::from(c))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Map, json};

    use super::*;
    use crate::catalog::manifest::yaml_to_json;

    #[test]
    fn it_reads_well() {
        let body = json!({"operation": "create", "name": "orders-db", "lifetime": "7d", "inputs":
            {"size": "small", "version": "16", "public": false, "words": ["a b", "c"], "none": {}, "admin": {"user": "no"}}});
        let text = document("Request Vault", &body, &["/token".to_owned()]);
        insta::assert_snapshot!(text, @r#"
        # Request Vault
        # The input token is secret: it is added when the file is sent.
        operation: create
        name: orders-db
        lifetime: "7d"
        inputs:
          size: small
          version: "16"
          public: false
          words:
            - "a b"
            - c
          none: {}
          admin:
            user: "no"
        "#);
        assert_eq!(yaml_to_json(&text).unwrap(), body);
    }

    fn values() -> impl Strategy<Value = Value> {
        let text = prop_oneof![
            any::<String>().prop_map(|text| text.replace('\0', "0")),
            "[a-z0-9:#&*!|>'\"%@`{}\\[\\], \n\t~.-]{0,8}",
            prop_oneof![
                Just("true"),
                Just("~"),
                Just("NO"),
                Just("1e3"),
                Just("0x1f"),
                Just("<<"),
                Just("---"),
                Just("=")
            ]
            .prop_map(str::to_owned),
        ];
        let leaf = prop_oneof![
            text.clone().prop_map(Value::String),
            any::<bool>().prop_map(Value::Bool),
            any::<i64>().prop_map(Value::from),
            Just(Value::Null),
        ];
        leaf.prop_recursive(3, 24, 4, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::Array),
                prop::collection::vec((text.clone(), inner), 0..4)
                    .prop_map(|members| Value::Object(members.into_iter().collect::<Map<_, _>>())),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(inputs in values()) {
            let body = json!({"operation": "update", "inputs": inputs});
            let text = document("Update x\ny", &body, &[]);
            prop_assert_eq!(yaml_to_json(&text).unwrap_or_else(|error| panic!("{error:?}\n{text}")), body, "{}", text);
        }
    }
}
