//! The inputs of a form as rules read them: by type, under the path of their names.
//!
//! Nothing is refused here: a number too large for Cedar becomes the largest that there is, so that
//! a rule with a limit still sees it beyond the limit.

use serde_json::{Map, Number, Value};

/// A value under its path, in the type that rules read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Tagged {
    Text(String),
    Number(i64),
    /// Decimal text with four places, as Cedar's `decimal` reads it.
    Decimal(String),
    Flag(bool),
    List(Vec<String>),
}

/// All inputs, sorted by type.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Inputs {
    pub(super) texts: Vec<(String, Tagged)>,
    pub(super) numbers: Vec<(String, Tagged)>,
    pub(super) decimals: Vec<(String, Tagged)>,
    pub(super) flags: Vec<(String, Tagged)>,
    pub(super) lists: Vec<(String, Tagged)>,
}

impl Inputs {
    pub(super) fn read(inputs: &Map<String, Value>) -> Self {
        let mut read = Self::default();
        for (key, value) in inputs {
            read.add(&escaped(key), value);
        }
        read
    }

    fn add(&mut self, path: &str, value: &Value) {
        match value {
            Value::Null => {}
            Value::Bool(flag) => self.flags.push((path.to_owned(), Tagged::Flag(*flag))),
            Value::String(text) => self.texts.push((path.to_owned(), Tagged::Text(text.clone()))),
            Value::Number(number) => self.add_number(path, number),
            Value::Object(map) => {
                for (key, value) in map {
                    self.add(&format!("{path}.{}", escaped(key)), value);
                }
            }
            Value::Array(items) => self.add_array(path, items),
        }
    }

    fn add_number(&mut self, path: &str, number: &Number) {
        if let Some(whole) = whole(number) {
            self.numbers.push((path.to_owned(), Tagged::Number(whole)));
        }
        self.decimals.push((path.to_owned(), Tagged::Decimal(decimal(number))));
    }

    fn add_array(&mut self, path: &str, items: &[Value]) {
        let count = i64::try_from(items.len()).unwrap_or(i64::MAX);
        self.numbers.push((format!("{path}.#"), Tagged::Number(count)));
        if items.iter().all(|item| !item.is_object() && !item.is_array()) {
            let texts = items.iter().map(|item| item.as_str().map_or_else(|| item.to_string(), str::to_owned));
            self.lists.push((path.to_owned(), Tagged::List(texts.collect())));
        }
        for (index, item) in items.iter().enumerate() {
            self.add(&format!("{path}.{index}"), item);
        }
    }
}

/// A key as a part of a path. Dots are escaped, so that `{"a.b": …}` cannot pose as `{"a": {"b": …}}`.
fn escaped(key: &str) -> String {
    key.replace('\\', "\\\\").replace('.', "\\.")
}

/// The number if it is whole, at most the largest that Cedar knows. `1.0` and `1` are the same:
/// Postgres does not keep the spelling.
#[allow(clippy::cast_possible_truncation, reason = "a cast from f64 saturates, which is wanted")]
fn whole(number: &Number) -> Option<i64> {
    if let Some(whole) = number.as_i64() {
        return Some(whole);
    }
    if number.is_u64() {
        return Some(i64::MAX);
    }
    number.as_f64().filter(|value| value.fract() == 0.0).map(|value| value as i64)
}

/// The largest whole part of a Cedar decimal: ±922337203685477.5807.
const DECIMAL_LIMIT: i64 = 922_337_203_685_477;

fn decimal(number: &Number) -> String {
    if let Some(whole) = whole(number) {
        return format!("{}.0", whole.clamp(-DECIMAL_LIMIT, DECIMAL_LIMIT));
    }
    // What has a fraction is below 2^53, far inside of what fits once it is clamped.
    #[allow(clippy::cast_precision_loss, reason = "the limit needs no precision")]
    let limit = DECIMAL_LIMIT as f64;
    format!("{:.4}", number.as_f64().unwrap_or(limit).clamp(-limit, limit))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(value: Value) -> Inputs {
        let Value::Object(map) = value else { panic!("an object") };
        Inputs::read(&map)
    }

    #[test]
    fn values_stand_under_their_path() {
        let inputs = read(json!({
            "name": "orders", "size": 3, "ratio": 0.33333, "backup": true, "none": null,
            "network": {"cidr": "10.0.0.0/8"}, "zones": ["a", "b"], "disks": [{"kind": "ssd"}],
        }));
        let texts: Vec<_> = inputs.texts.iter().map(|(path, _)| path.as_str()).collect();
        assert_eq!(texts, ["name", "network.cidr", "zones.0", "zones.1", "disks.0.kind"]);
        assert_eq!(
            inputs.numbers,
            [
                ("size".into(), Tagged::Number(3)),
                ("zones.#".into(), Tagged::Number(2)),
                ("disks.#".into(), Tagged::Number(1)),
            ]
        );
        assert_eq!(
            inputs.decimals,
            [("size".into(), Tagged::Decimal("3.0".into())), ("ratio".into(), Tagged::Decimal("0.3333".into()))]
        );
        assert_eq!(inputs.lists, [("zones".into(), Tagged::List(vec!["a".into(), "b".into()]))]);
        assert_eq!(inputs.flags, [("backup".into(), Tagged::Flag(true))]);
    }

    #[test]
    fn a_dotted_key_does_not_pose_as_a_path() {
        let inputs = read(json!({"a.b": "small", "a": {"b": "huge"}, "c\\": {"d": "x"}}));
        let paths: Vec<_> = inputs.texts.iter().map(|(path, _)| path.as_str()).collect();
        assert_eq!(paths, ["a\\.b", "a.b", "c\\\\.d"]);
    }

    #[test]
    fn numbers_stay_beyond_a_limit() {
        for huge in [json!(u64::MAX), json!(1e300)] {
            let inputs = read(json!({ "n": huge }));
            assert_eq!(inputs.numbers, [("n".into(), Tagged::Number(i64::MAX))]);
            assert_eq!(inputs.decimals, [("n".into(), Tagged::Decimal("922337203685477.0".into()))]);
        }
        assert_eq!(read(json!({"n": -1e300})).numbers, [("n".into(), Tagged::Number(i64::MIN))]);
        assert_eq!(read(json!({"n": 2.0})), read(json!({"n": 2})));
        assert!(read(json!({"n": 10.5})).numbers.is_empty());
    }
}
