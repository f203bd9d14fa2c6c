//! Checks inputs against the schema.

use jsonschema::{PatternOptions, Validator};
use serde_json::{Map, Value};

use super::words;
use crate::base::FieldError;

/// Most errors that one answer lists: a list of a thousand wrong items needs no thousand lines.
const MAX_ERRORS: usize = 50;

/// Compiles a schema: formats are checked, references go nowhere outside, and a pattern gives up
/// instead of running away.
pub fn compile(schema: &Value) -> Result<Validator, Box<jsonschema::ValidationError<'static>>> {
    jsonschema::options()
        .with_draft(jsonschema::Draft::Draft202012)
        .offline()
        .should_validate_formats(true)
        .with_pattern_options(PatternOptions::fancy_regex().backtrack_limit(100_000).size_limit(1 << 20))
        .build(schema)
        .map_err(Box::new)
}

/// Checks inputs. The pointers are relative to the inputs: `/size`. The values should be
/// [complete](super::complete) already. Inputs that the schema does not have are refused.
pub fn validate(schema: &Value, values: &Map<String, Value>) -> Result<(), Vec<FieldError>> {
    let closed = close(schema);
    let validator = match compile(&closed) {
        Ok(validator) => validator,
        Err(error) => {
            tracing::error!(error = %error, "a stored inputs schema does not compile");
            return Err(vec![FieldError::new("", "The inputs cannot be checked: the template's schema is broken.")]);
        }
    };
    let instance = Value::Object(values.clone());
    let mut errors: Vec<FieldError> = Vec::new();
    for error in validator.iter_errors(&instance) {
        for error in words::explain(schema, &error) {
            if errors.len() < MAX_ERRORS && !errors.contains(&error) {
                errors.push(error);
            }
        }
    }
    if errors.is_empty() { Ok(()) } else { Err(errors) }
}

/// The schema, refusing members that it does not name, unless its author says otherwise.
fn close(schema: &Value) -> Value {
    let mut closed = schema.clone();
    if let Value::Object(map) = &mut closed
        && !map.contains_key("additionalProperties")
        && !map.contains_key("unevaluatedProperties")
        && !map.contains_key("patternProperties")
    {
        map.insert("additionalProperties".to_owned(), Value::Bool(false));
    }
    closed
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn errors(property: &Value, value: &Value) -> String {
        let schema = json!({"type": "object", "properties": {"x": property}});
        let Value::Object(values) = json!({"x": value}) else { unreachable!() };
        match validate(&schema, &values) {
            Ok(()) => "fine".to_owned(),
            Err(errors) => errors.iter().map(|e| format!("{} {}", e.pointer, e.detail)).collect::<Vec<_>>().join(" | "),
        }
    }

    #[test]
    fn every_rule_is_explained_in_plain_words() {
        let all = [
            (json!({"type": "integer", "maximum": 72}), json!(100)),
            (json!({"type": "integer", "minimum": 1}), json!(0)),
            (json!({"type": "number", "exclusiveMinimum": 0}), json!(0)),
            (json!({"type": "number", "exclusiveMaximum": 1.5}), json!(2)),
            (json!({"type": "integer", "multipleOf": 5}), json!(7)),
            (json!({"type": "integer"}), json!("12a")),
            (json!({"type": "number"}), json!("x")),
            (json!({"type": "string"}), json!(5)),
            (json!({"type": "boolean"}), json!("maybe")),
            (json!({"type": ["string", "null"]}), json!(5)),
            (json!({"type": "string", "minLength": 1}), json!("")),
            (json!({"type": "string", "minLength": 3}), json!("ab")),
            (json!({"type": "string", "maxLength": 3}), json!("abcd")),
            (json!({"type": "string", "pattern": "^[a-z]+$"}), json!("A")),
            (json!({"type": "string", "pattern": "^[a-z]+$", "description": "Lower-case letters."}), json!("A")),
            (json!({"type": "string", "pattern": "^[a-z]+$", "writeOnly": true}), json!("SECRET")),
            (json!({"enum": ["s", "m", "l"]}), json!("xl")),
            (json!({"const": 3}), json!(4)),
            (json!({"type": "string", "format": "email"}), json!("nobody")),
            (json!({"type": "array", "items": {"type": "integer"}, "minItems": 2}), json!(["a"])),
            (json!({"type": "array", "maxItems": 1, "uniqueItems": true}), json!([1, 1])),
            (
                json!({"type": "object", "required": ["port"], "additionalProperties": false, "properties": {"port": {}}}),
                json!({"prot": 1}),
            ),
            (json!({"anyOf": [{"type": "string"}, {"type": "integer", "minimum": 5}]}), json!(3)),
            (json!({"not": {"const": "root"}}), json!("root")),
        ];
        let text: Vec<String> = all.into_iter().map(|(property, value)| errors(&property, &value)).collect();
        insta::assert_snapshot!(text.join("\n"), @r#"
        /x must be at most 72; 100 was given
        /x must be at least 1; 0 was given
        /x must be more than 0; 0 was given
        /x must be less than 1.5; 2 was given
        /x must be a multiple of 5; 7 was given
        /x must be a whole number; “12a” was given
        /x must be a number; “x” was given
        /x must be text; 5 was given
        /x must be true or false; “maybe” was given
        /x must be text; 5 was given
        /x must not be empty
        /x must have at least 3 characters; this has 2
        /x must have at most 3 characters; this has 4
        /x must match the pattern ^[a-z]+$; “A” was given
        /x does not have the right form (Lower-case letters); “A” was given
        /x must match the pattern ^[a-z]+$
        /x must be one of “s”, “m” or “l”; “xl” was given
        /x must be 3; 4 was given
        /x must be an e-mail address; “nobody” was given
        /x must have at least 2 items; this has 1 | /x/0 must be a whole number; “a” was given
        /x must have at most 1 item; this has 2 | /x must not have the same item twice
        /x/prot is not known here; did you mean “port”? | /x/port must be given
        /x must be text, or must be at least 5; 3 was given
        /x is a value that is not allowed; “root” was given
        "#);
    }

    #[test]
    fn missing_and_unknown_inputs_point_at_the_input() {
        let schema = json!({"type": "object", "required": ["size"], "properties": {"size": {"type": "string"}}});
        let Value::Object(values) = json!({"sise": "s"}) else { unreachable!() };
        let errors = validate(&schema, &values).unwrap_err();
        assert_eq!(
            errors,
            [
                FieldError::new("/sise", "is not an input of this template; did you mean “size”?"),
                FieldError::new("/size", "must be given"),
            ]
        );
    }
}
