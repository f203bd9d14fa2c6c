#![allow(clippy::unwrap_used, reason = "a test")]

use serde_json::{Value, json};

use super::{Expression, Type};

fn schema() -> Value {
    json!({"type": "object", "required": ["size"], "properties": {
        "size": {"enum": ["small", "large"]},
        "count": {"type": "integer", "default": 1},
        "ratio": {"type": "number", "default": 1},
        "disks": {"type": "array", "items": {"type": "string"}, "default": []},
        "extra": {"type": "integer"},
        "backup": {"type": "boolean", "default": false},
        "password": {"type": "string", "writeOnly": true},
    }})
}

fn number(source: &str, inputs: Value) -> Result<i64, String> {
    let expression = Expression::parse(source).map_err(|fault| fault.message)?;
    let Value::Object(inputs) = inputs else { return Err("no object".to_owned()) };
    expression.whole_number(&schema(), &inputs)
}

/// The offset and the words of what is wrong.
fn fault(source: &str) -> (usize, String) {
    let fault = match Expression::parse(source) {
        Ok(expression) => expression.check(&schema()).unwrap_err(),
        Err(fault) => fault,
    };
    (fault.offset, fault.message)
}

#[test]
fn numbers_follow_from_inputs() {
    let inputs = || json!({"size": "large", "count": 3, "ratio": 2, "disks": ["a", "b"]});
    for (source, wanted) in [
        ("2", 2),
        ("inputs.size == 'large' ? 8 : 2", 8),
        ("inputs.count * 4 + size(inputs.disks) * 10", 32),
        ("has(inputs.extra) ? inputs.extra : 7", 7),
        ("int(inputs.ratio * 1.5)", 3),
        ("inputs.size in ['large'] && !(inputs.count > 9) ? 1 : 0", 1),
    ] {
        assert_eq!(number(source, inputs()), Ok(wanted), "{source}");
        assert_eq!(Expression::parse(source).unwrap().check(&schema()), Ok(Type::Int), "{source}");
    }
}

#[test]
fn what_is_no_amount_is_an_error_and_never_a_panic() {
    let inputs = || json!({"size": "small", "count": 0, "ratio": 0.5});
    for (source, words) in [
        ("inputs.count - 1", "-1 is negative"),
        ("inputs.ratio", "0.5 is not a whole number"),
        ("inputs.size", "it is text, not a whole number"),
        ("10 / inputs.count", "Division by zero"),
        ("9223372036854775807 + 1", "Overflow"),
        ("inputs.extra", "No such key"),
    ] {
        let error = number(source, inputs()).unwrap_err();
        assert!(error.contains(words), "{source}: {error}");
    }
}

#[test]
fn faults_say_where_and_what() {
    for (source, offset, words) in [
        ("inputs.sise == 'large' ? 8 : 2", 6, "Did you mean “size”?"),
        ("inputs.other", 6, "There is no input “other”. There are “size”"),
        ("1 + vcpu", 4, "nothing called “vcpu”"),
        ("inputs.count * 1.5", 13, "Write int(…) or double(…)"),
        ("inputs.size > 3", 12, "“>” does not go with text and a whole number"),
        ("inputs.extra + 1", 6, "may be left out"),
        ("size(inputs.password)", 11, "is a secret"),
        ("inputs.disks.all(d, d == 'a') ? 1 : 0", 16, "Nothing that repeats"),
        ("inputs.size.matches('a') ? 1 : 0", 19, "cannot be used here"),
        ("inputs.count +", 14, "This is no expression"),
        ("{'a': 1}", 0, "This cannot be used here"),
    ] {
        let (at, message) = fault(source);
        assert!(message.contains(words), "{source}: {message}");
        assert_eq!(at, offset, "{source}: {message}");
    }
}

/// A thread has 2 MiB of stack; a template must not end the process.
#[test]
fn long_and_deep_expressions_are_refused_within_a_small_stack() {
    let bad = [
        format!("{}1{}", "(".repeat(400), ")".repeat(400)),
        "!".repeat(900) + "inputs.backup",
        "-".repeat(900) + "1",
        "inputs.backup ? 1 : ".repeat(49) + "1",
        vec!["1"; 400].join("+"),
        format!("{}{}", "[".repeat(450), "]".repeat(450)),
        "1".repeat(1001),
        format!("inputs{}", ".size".repeat(150)),
        format!("{}inputs.size{}", "size(".repeat(150), ")".repeat(150)),
    ];
    let work = move || bad.iter().for_each(|source| drop(fault(source)));
    std::thread::Builder::new().stack_size(2 << 20).spawn(work).unwrap().join().unwrap();
    let longest = vec!["inputs.count"; 40].join("+");
    assert_eq!(number(&longest, json!({"size": "small", "count": 2})), Ok(80));
}

proptest::proptest! {
    /// Whatever passes the check gives an amount, or an error in words; nothing ends the process.
    #[test]
    fn every_text_is_read_or_refused(source in "[ ()\\[\\]!?:+*/%<>=&|.'0-9a-z-]{0,60}") {
        if let Ok(expression) = Expression::parse(&source) {
            let _ = expression.check(&schema());
            let inputs = json!({"size": "small", "count": 2, "ratio": 0.5, "disks": []});
            let _ = expression.whole_number(&schema(), inputs.as_object().unwrap());
        }
    }
}
