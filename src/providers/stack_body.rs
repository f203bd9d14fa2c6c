//! The text of a CloudFormation template as a request carries it. Catalogs are checked by it as well, also
//! where the provider is not compiled in.

use std::borrow::Cow;

use serde_json::Value;

/// What CloudFormation takes in a request, in bytes.
/// Source: quotas in the user guide, “Template body size in a request”.
pub const LARGEST: usize = 51_200;

/// The body for a template's text, without what JSON does not need where that makes it fit.
///
/// # Errors
/// What to tell people about a text that does not fit.
pub fn stack_body(text: &str) -> Result<Cow<'_, str>, String> {
    if text.len() <= LARGEST {
        return Ok(text.into());
    }
    // JSON is often written with more blanks than content.
    let compact = serde_json::from_str::<Value>(text).map(|value| value.to_string()).unwrap_or_default();
    let size = if compact.is_empty() { text.len() } else { compact.len() };
    if size > LARGEST {
        return Err(format!(
            "has {size} bytes; CloudFormation takes {LARGEST} in a request. Move parts into nested stacks."
        ));
    }
    Ok(compact.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blanks_of_json_do_not_count_and_the_rest_does() {
        let yaml = "a: b\n".repeat(10_241);
        assert!(stack_body(&yaml).unwrap_err().starts_with("has 51205 bytes"));
        assert_eq!(stack_body(&yaml[..LARGEST]).unwrap(), yaml[..LARGEST]);
        let json = format!("{{ \"a\": {}1 }}", " ".repeat(LARGEST));
        assert_eq!(stack_body(&json).unwrap(), r#"{"a":1}"#);
        let json = format!("[ \"{}\" ]", "x".repeat(LARGEST));
        assert!(stack_body(&json).unwrap_err().starts_with("has 51204 bytes"));
    }
}
