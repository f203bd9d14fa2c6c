//! What Terraform prints with `-json`, read leniently: versions differ, and some lines are text.

use serde_json::Value;

use crate::providers::process::plain;
use crate::providers::{Phase, Progress};

/// How much of an error is shown to the user, in characters.
const LONGEST_ERROR: usize = 2000;

/// One printed line, understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    /// Something to show in the log.
    Say(Vec<String>),
    /// An error: the lines for the log, and the text for the top of the page.
    Error {
        /// For the log.
        lines: Vec<String>,
        /// For people.
        text: String,
        /// Whether it only follows from another error.
        follows: bool,
    },
    /// Nothing that people need.
    Nothing,
}

/// Reads one line.
pub fn parse(line: &str) -> Message {
    match serde_json::from_str::<Value>(line) {
        Ok(value) if value.get("@message").is_some() => understand(&value),
        Ok(_) | Err(_) => match plain(line) {
            text if text.trim().is_empty() => Message::Nothing,
            text => Message::Say(vec![text]),
        },
    }
}

/// What a line tells of one resource.
pub fn progress(line: &str) -> Option<Progress> {
    if !line.contains("\"apply_") {
        return None;
    }
    let value: Value = serde_json::from_str(line).ok()?;
    let text = |pointer: &str| value.pointer(pointer).and_then(Value::as_str);
    let phase = match text("/type")? {
        "apply_start" => Phase::Begun,
        "apply_complete" => Phase::Done,
        "apply_errored" => Phase::Failed,
        _ => return None,
    };
    let provider_id = text("/hook/id_value").filter(|id| !id.is_empty()).map(str::to_owned);
    let address = text("/hook/resource/addr")?.to_owned();
    Some(Progress { address, action: text("/hook/action")?.to_owned(), phase, provider_id })
}

/// The resource that a refresh did not find, if the line tells of one.
pub fn gone(line: &str) -> Option<String> {
    if !line.contains("\"resource_drift\"") {
        return None;
    }
    let value: Value = serde_json::from_str(line).ok()?;
    let text = |pointer: &str| value.pointer(pointer).and_then(Value::as_str);
    let deleted = text("/type")? == "resource_drift" && text("/change/action")? == "delete";
    text("/change/resource/addr").filter(|_| deleted).map(str::to_owned)
}

/// What Terraform says when a provider's process ended within a call: which of them depends on
/// where the connection broke. The call may have had its effect.
const CUT_OFF: [&str; 3] = ["Plugin did not respond", "Request cancelled", "Plugin error"];

fn understand(value: &Value) -> Message {
    let text = |pointer: &str| value.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    match text("/type") {
        "diagnostic" => diagnostic(value),
        // "Terraform 1.11.4", "OpenTofu 1.6.2": each has the number under a name of its own.
        "version" => Message::Say(vec![plain(text("/@message"))]),
        // Values of outputs belong to the outputs, not into the log.
        "outputs" | "resource_drift" => Message::Nothing,
        _ => {
            let lines: Vec<String> = text("/@message").lines().map(plain).filter(|line| !line.is_empty()).collect();
            if lines.is_empty() { Message::Nothing } else { Message::Say(lines) }
        }
    }
}

fn diagnostic(value: &Value) -> Message {
    let text = |pointer: &str| value.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let summary = plain(text("/diagnostic/summary"));
    let detail: Vec<String> = text("/diagnostic/detail").lines().map(plain).collect();
    let place = match (text("/diagnostic/range/filename"), value.pointer("/diagnostic/range/start/line")) {
        ("", _) => String::new(),
        (file, Some(line)) => format!(" ({file}, line {line})"),
        (file, None) => format!(" ({file})"),
    };
    let address = match text("/diagnostic/address") {
        "" => String::new(),
        address => format!("{address}: "),
    };
    let is_error = text("/diagnostic/severity") == "error";
    let mut lines = vec![format!("{}: {address}{summary}{place}", if is_error { "Error" } else { "Warning" })];
    lines.extend(detail.iter().filter(|line| !line.trim().is_empty()).map(|line| format!("  {line}")));
    if !is_error {
        return Message::Say(lines);
    }
    let detail = detail.join(" ");
    let mut detail = detail.trim().to_owned();
    if CUT_OFF.contains(&summary.as_str()) {
        detail.push_str(" Whether it was done is not known: look at the target before you retry.");
    }
    let text = match detail.as_str() {
        "" => format!("{address}{summary}{place}"),
        detail => format!("{address}{}{place}: {detail}", summary.trim_end_matches(['.', ':'])),
    };
    Message::Error {
        lines,
        text: shorten(&text),
        follows: matches!(summary.as_str(), "execution halted" | "context canceled"),
    }
}

/// The first real error of what Terraform prints without `-json`, for example by `init`.
pub fn first_error_of_text(lines: &[String]) -> Option<String> {
    let bare = |line: &String| line.trim_start_matches(['│', '╷', '╵', ' ']).trim_end().to_owned();
    let start = lines.iter().position(|line| bare(line).starts_with("Error: "))?;
    let block = lines.iter().skip(start).take_while(|line| !line.starts_with('╵'));
    let words: Vec<String> = block.map(bare).filter(|line| !line.is_empty()).take(12).collect();
    Some(shorten(words.join(" ").trim_start_matches("Error: ")))
}

fn shorten(text: &str) -> String {
    match text.char_indices().nth(LONGEST_ERROR) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or(text)),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn lines_become_words() {
        let say = |value: Value| parse(&value.to_string());
        assert_eq!(
            say(json!({"@message": "Terraform 1.11.4", "type": "version", "terraform": "1.11.4", "ui": "1.2"})),
            Message::Say(vec!["Terraform 1.11.4".into()])
        );
        assert_eq!(
            say(json!({"@message": "\nInterrupt received.\nPlease wait", "type": "log"})),
            Message::Say(vec!["Interrupt received.".into(), "Please wait".into()])
        );
        assert_eq!(say(json!({"@message": "Outputs: 1", "type": "outputs"})), Message::Nothing);
        assert_eq!(say(json!({"@message": "new in 2.0", "type": "surprise"})), Message::Say(vec!["new in 2.0".into()]));
        assert_eq!(parse("\u{1b}[0m\u{1b}[32m"), Message::Nothing);
        assert_eq!(parse("\u{1b}[32mSuccessfully configured"), Message::Say(vec!["Successfully configured".into()]));
        assert_eq!(parse("{\"half\": "), Message::Say(vec!["{\"half\": ".into()]));
    }

    #[test]
    fn errors_say_where_and_why() {
        let line = json!({"@level": "error", "@message": "Error: x", "type": "diagnostic", "diagnostic": {
            "severity": "error", "summary": "local-exec provisioner error", "address": "terraform_data.x",
            "detail": "Error running command 'exit 3': exit status 3. Output: disk is full\n",
            "range": {"filename": "main.tf", "start": {"line": 7}}}});
        let Message::Error { lines, text, follows } = parse(&line.to_string()) else { panic!() };
        assert_eq!(lines[0], "Error: terraform_data.x: local-exec provisioner error (main.tf, line 7)");
        assert_eq!(
            text,
            "terraform_data.x: local-exec provisioner error (main.tf, line 7): \
             Error running command 'exit 3': exit status 3. Output: disk is full"
        );
        assert!(!follows);
    }

    #[test]
    fn a_provider_that_ended_within_a_call_leaves_the_outcome_open() {
        for summary in CUT_OFF {
            let line = json!({"@level": "error", "@message": "Error: x", "type": "diagnostic", "diagnostic": {
                "severity": "error", "summary": summary, "address": "lab_object.b", "detail": "It ended."}});
            let Message::Error { text, .. } = parse(&line.to_string()) else { panic!() };
            assert_eq!(
                text,
                format!(
                    "lab_object.b: {summary}: It ended. Whether it was done is not known: look at the target before you retry."
                )
            );
        }
    }

    #[test]
    fn boxes_are_unwrapped() {
        let lines: Vec<String> =
            ["╷", "│ Error: Invalid block", "│ ", "│   on main.tf line 2:", "│ Blocks of type \"x\"", "╵", "later"]
                .map(str::to_owned)
                .to_vec();
        assert_eq!(first_error_of_text(&lines).unwrap(), "Invalid block on main.tf line 2: Blocks of type \"x\"");
        assert_eq!(first_error_of_text(&["fine".to_owned()]), None);
    }

    #[test]
    fn lines_tell_of_resources() {
        let line = json!({"@message": "x: Creation complete", "type": "apply_complete", "hook": {
            "resource": {"addr": "module.m.x[0]", "resource_type": "x"},
            "action": "create", "id_key": "id", "id_value": "i-1", "elapsed_seconds": 2}});
        let told = progress(&line.to_string()).unwrap();
        assert_eq!((told.address.as_str(), told.action.as_str(), told.phase), ("module.m.x[0]", "create", Phase::Done));
        assert_eq!(told.provider_id.as_deref(), Some("i-1"));
        assert_eq!(progress(r#"{"type": "apply_progress", "hook": {}}"#), None);
        assert_eq!(progress("\"apply_ not json"), None);
    }
}
