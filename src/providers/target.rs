//! What a provider asks of its targets, as data: the fields that an admin fills in, and what a check
//! found. Pages and API are made from it; nothing outside a provider knows its fields.
//!
//! Settings are stored and shown as they are. The fields marked `secret` together are the credential:
//! one sealed text. With a single secret field that text is its value (for [`Kind::Variables`] a JSON
//! object), with several it is a JSON object by their names.

use std::path::Path;

use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::environment::is_free;
use crate::base::FieldError;
use crate::base::text::{NUL_REFUSED, nul_places};

/// The longest value of one field, in bytes.
const LONGEST: usize = 64 * 1024;

/// What an admin fills in to connect a target of one provider.
#[derive(Debug)]
pub struct TargetForm {
    /// One line: what such a target is.
    pub about: &'static str,
    /// The fields, in the order of the page.
    pub fields: &'static [TargetField],
    /// Whether the provider can set a new credential at the target itself, and makes one when none is
    /// given. Without it, a new credential must be valid there before it is brought here.
    pub sets_credential: bool,
}

/// One field of a target.
#[derive(Debug)]
pub struct TargetField {
    /// The key in the settings or in the credential.
    pub name: &'static str,
    /// What people read above it.
    pub label: &'static str,
    /// A line of help below it.
    pub help: &'static str,
    /// An example.
    pub placeholder: &'static str,
    /// What may stand in it.
    pub kind: Kind,
    /// Whether it must be filled in.
    pub required: bool,
    /// Part of the credential: sealed, never shown again.
    pub secret: bool,
    /// It says where the credential is sent, or whose it is: whoever changes it types the credential
    /// anew, so that nobody sends a stored one to a place of their own.
    pub binds: bool,
}

/// What may stand in a field.
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    /// One line of text.
    Line,
    /// Several lines of text.
    Text,
    /// A whole number.
    Number {
        /// The smallest.
        min: i64,
        /// The largest.
        max: i64,
    },
    /// One of these: value and words. The first one is meant when none is given.
    Choice(&'static [(&'static str, &'static str)]),
    /// A folder of the worker's machine, as a whole path.
    Folder,
    /// Several of them, one in a line.
    Folders,
    /// Names without blanks, one in a line.
    Names,
    /// Variables of programs, `NAME=value` in a line.
    Variables,
}

impl TargetField {
    /// A field that may be left empty.
    pub const fn new(name: &'static str, label: &'static str, kind: Kind) -> Self {
        Self { name, label, help: "", placeholder: "", kind, required: false, secret: false, binds: false }
    }

    /// With a line of help.
    #[must_use]
    pub const fn help(mut self, help: &'static str) -> Self {
        self.help = help;
        self
    }

    /// With an example.
    #[must_use]
    pub const fn like(mut self, placeholder: &'static str) -> Self {
        self.placeholder = placeholder;
        self
    }

    /// It must be filled in.
    #[must_use]
    pub const fn required(mut self) -> Self {
        self.required = true;
        self
    }

    /// It is part of the credential.
    #[must_use]
    pub const fn secret(mut self) -> Self {
        self.secret = true;
        self
    }

    /// It says where the credential goes.
    #[must_use]
    pub const fn binds(mut self) -> Self {
        self.binds = true;
        self
    }

    /// The JSON value of what was typed into a form; null for nothing.
    pub fn typed(&self, text: &str) -> Value {
        let text = text.replace("\r\n", "\n");
        let line = text.trim();
        if line.is_empty() {
            return Value::Null;
        }
        match self.kind {
            // Blanks at the ends of a password may belong to it.
            Kind::Line if self.secret => Value::from(text),
            Kind::Line | Kind::Choice(_) | Kind::Folder => Value::from(line),
            Kind::Text => Value::from(text),
            Kind::Number { .. } => line.parse::<i64>().map_or_else(|_| Value::from(line), Value::from),
            Kind::Folders | Kind::Names => lines(line).map(Value::from).collect::<Vec<_>>().into(),
            Kind::Variables => {
                let pairs = lines(line).map(|line| {
                    let (name, value) = line.split_once('=').unwrap_or((line, ""));
                    (name.trim().to_owned(), Value::from(value))
                });
                Value::Object(pairs.collect())
            }
        }
    }

    /// The value as a form shows it; empty for none.
    pub fn shown(&self, value: Option<&Value>) -> String {
        match value {
            None | Some(Value::Null) => String::new(),
            Some(Value::String(text)) => text.clone(),
            Some(Value::Array(items)) => items.iter().map(plain).collect::<Vec<_>>().join("\n"),
            Some(Value::Object(map)) => {
                map.iter().map(|(name, value)| format!("{name}={}", plain(value))).collect::<Vec<_>>().join("\n")
            }
            Some(other) => other.to_string(),
        }
    }

    /// What is wrong with a value, in words.
    fn check(&self, value: &Value) -> Result<(), String> {
        if value.to_string().len() > LONGEST {
            return Err("is longer than 64 KiB".to_owned());
        }
        if !nul_places("", value).is_empty() {
            return Err(NUL_REFUSED.to_owned());
        }
        match (self.kind, value) {
            (Kind::Line, Value::String(text)) if text.contains(['\n', '\r']) => Err("must be one line".to_owned()),
            (Kind::Line | Kind::Text, Value::String(_)) => Ok(()),
            (Kind::Line | Kind::Text, _) => Err("must be a text".to_owned()),
            (Kind::Number { min, max }, value) => match value.as_i64() {
                Some(number) if (min..=max).contains(&number) => Ok(()),
                _ => Err(format!("must be a whole number from {min} to {max}")),
            },
            (Kind::Choice(choices), value) => {
                let known = choices.iter().map(|(value, _)| *value);
                if known.clone().any(|known| value == known) {
                    return Ok(());
                }
                let known: Vec<&str> = known.filter(|known| !known.is_empty()).collect();
                Err(format!("must be one of {}", known.join(", ")))
            }
            (Kind::Folder, value) => folder(value),
            (Kind::Folders, Value::Array(items)) => items.iter().try_for_each(folder),
            (Kind::Folders, _) => Err("must be a list of whole paths".to_owned()),
            (Kind::Names, Value::Array(items)) => items.iter().try_for_each(name),
            (Kind::Names, _) => Err("must be a list of names".to_owned()),
            (Kind::Variables, Value::Object(map)) => map.iter().try_for_each(variable),
            (Kind::Variables, _) => Err("must be names with texts, one NAME=value in a line".to_owned()),
        }
    }
}

fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.lines().map(str::trim).filter(|line| !line.is_empty())
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn folder(value: &Value) -> Result<(), String> {
    let fits = value.as_str().is_some_and(|path| Path::new(path).is_absolute());
    if fits { Ok(()) } else { Err("must be a whole path that begins with /".to_owned()) }
}

fn name(value: &Value) -> Result<(), String> {
    let plain = |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || "_-".contains(c));
    if value.as_str().is_some_and(plain) { Ok(()) } else { Err("must be names of letters, digits, _ and -".to_owned()) }
}

fn variable((name, value): (&String, &Value)) -> Result<(), String> {
    if !is_free(name) {
        // The text may be a value that was typed without its name.
        return Err("has a line that is not NAME=value, or a name that is not for targets to set".to_owned());
    }
    if value.is_string() { Ok(()) } else { Err(format!("{name} must be a text")) }
}

impl TargetForm {
    /// The fields that are stored and shown as they are.
    pub fn settings(&self) -> impl Iterator<Item = &'static TargetField> {
        self.fields.iter().filter(|field| !field.secret)
    }

    /// The fields of the credential.
    pub fn secrets(&self) -> impl Iterator<Item = &'static TargetField> {
        self.fields.iter().filter(|field| field.secret)
    }

    /// The settings that follow when `given` is laid over `stored`: null takes one away. What is stored
    /// and not declared stays.
    pub fn lay_over(
        &self,
        stored: &Map<String, Value>,
        given: &Map<String, Value>,
    ) -> Result<Map<String, Value>, Vec<FieldError>> {
        let (mut wrong, mut merged) = (Vec::new(), stored.clone());
        for (name, value) in given {
            if !self.settings().any(|field| field.name == name) {
                wrong.push(FieldError::new(pointer("settings", name), "there is no such setting"));
            } else if is_empty(value) {
                merged.remove(name);
            } else {
                merged.insert(name.clone(), value.clone());
            }
        }
        for field in self.settings() {
            match merged.get(field.name) {
                None if field.required => wrong.push(FieldError::new(pointer("settings", field.name), "is needed")),
                None => {}
                Some(value) => {
                    if let Err(why) = field.check(value) {
                        wrong.push(FieldError::new(pointer("settings", field.name), why));
                    }
                }
            }
        }
        if wrong.is_empty() { Ok(merged) } else { Err(wrong) }
    }

    /// The credential that these values are; none when nothing was given and nothing is needed.
    pub fn credential(&self, given: &Map<String, Value>) -> Result<Option<SecretString>, Vec<FieldError>> {
        let mut wrong = Vec::new();
        for name in given.keys().filter(|name| !self.secrets().any(|field| field.name == name.as_str())) {
            wrong.push(FieldError::new(pointer("credential", name), "there is no such part of the credential"));
        }
        let mut parts = Map::new();
        for field in self.secrets() {
            match given.get(field.name).filter(|value| !is_empty(value)) {
                None if field.required => wrong.push(FieldError::new(pointer("credential", field.name), "is needed")),
                None => {}
                Some(value) => match field.check(value) {
                    Err(why) => wrong.push(FieldError::new(pointer("credential", field.name), why)),
                    Ok(()) => {
                        parts.insert(field.name.to_owned(), value.clone());
                    }
                },
            }
        }
        if !wrong.is_empty() {
            return Err(wrong);
        }
        let single = self.secrets().count() == 1;
        Ok(match parts.values().next() {
            None => None,
            Some(value) if single => Some(plain(value).into()),
            Some(_) => Some(Value::Object(parts).to_string().into()),
        })
    }

    /// The labels of the fields that differ and say where the credential goes.
    pub fn moved(&self, before: &Map<String, Value>, after: &Map<String, Value>) -> Vec<&'static str> {
        let differs = |field: &&TargetField| field.binds && before.get(field.name) != after.get(field.name);
        self.settings().filter(differs).map(|field| field.label).collect()
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(map) => map.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

fn pointer(part: &str, name: &str) -> String {
    format!("/{part}/{}", name.replace('~', "~0").replace('/', "~1"))
}

/// How one thing that a check tried has turned out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// As it should be.
    Ok,
    /// It works, and somebody should look at it.
    Warning,
    /// Runs will fail.
    Failed,
}

impl Verdict {
    /// The word in the store and in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Failed => "failed",
        }
    }
}

/// One thing that a check tried.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Finding {
    /// What was tried, in a few words.
    pub what: String,
    /// How it turned out.
    pub result: Verdict,
    /// What was found.
    pub detail: String,
    /// What to do about it; null where nothing is to be done.
    pub advice: Option<String>,
}

impl Finding {
    /// It is as it should be.
    pub fn ok(what: &str, detail: impl Into<String>) -> Self {
        Self { what: what.to_owned(), result: Verdict::Ok, detail: detail.into(), advice: None }
    }

    /// It works, and somebody should look at it.
    pub fn warning(what: &str, detail: impl Into<String>, advice: &str) -> Self {
        let advice = Some(advice.to_owned());
        Self { what: what.to_owned(), result: Verdict::Warning, detail: detail.into(), advice }
    }

    /// Runs will fail.
    pub fn failed(what: &str, detail: impl Into<String>, advice: &str) -> Self {
        let advice = Some(advice.to_owned());
        Self { what: what.to_owned(), result: Verdict::Failed, detail: detail.into(), advice }
    }

    /// The worst of them; failed where nothing was found.
    pub fn worst(findings: &[Self]) -> Verdict {
        findings.iter().map(|finding| finding.result).max().unwrap_or(Verdict::Failed)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    static FORM: TargetForm = TargetForm {
        about: "",
        sets_credential: false,
        fields: &[
            TargetField::new("server", "Server", Kind::Line).required().binds(),
            TargetField::new("port", "Port", Kind::Number { min: 1, max: 65_535 }),
            TargetField::new("tls", "TLS", Kind::Choice(&[("prefer", "If offered"), ("require", "Always")])),
            TargetField::new("folders", "Folders", Kind::Folders),
            TargetField::new("environment", "Variables", Kind::Variables),
            TargetField::new("names", "Names", Kind::Names),
            TargetField::new("password", "Password", Kind::Line).required().secret(),
        ],
    };

    fn map(value: &Value) -> Map<String, Value> {
        value.as_object().unwrap().clone()
    }

    #[test]
    fn settings_are_checked_and_laid_over() {
        let stored = map(&json!({"server": "a", "port": 1, "older": true}));
        let merged = FORM.lay_over(&stored, &map(&json!({"port": null, "tls": "require"}))).unwrap();
        assert_eq!(Value::Object(merged), json!({"server": "a", "older": true, "tls": "require"}));
        let bad = map(&json!({"server": "", "port": 0, "tls": "x", "folders": ["a"], "environment": {"PATH": "x"},
                             "names": ["a b"], "colour": 1}));
        let wrong = FORM.lay_over(&stored, &bad).unwrap_err();
        let places: Vec<&str> = wrong.iter().map(|error| error.pointer.as_str()).collect();
        let all = ["colour", "server", "port", "tls", "folders", "environment", "names"];
        let all = all.map(|name| format!("/settings/{name}"));
        assert_eq!(places, all.each_ref().map(String::as_str));
        assert_eq!(FORM.moved(&stored, &map(&json!({"server": "b", "port": 2}))), ["Server"]);
    }

    #[test]
    fn what_is_typed_comes_back_as_it_was() {
        for (name, text) in [
            ("folders", "/a\n/b"),
            ("environment", "A=1\nB=x=y"),
            ("names", "a\nb-c"),
            ("port", "5432"),
            ("server", "x"),
        ] {
            let field = FORM.fields.iter().find(|field| field.name == name).unwrap();
            assert_eq!(field.shown(Some(&field.typed(text))), text, "{name}");
        }
        assert_eq!(FORM.fields[1].typed("many"), json!("many"), "what is no number is told of as typed");
    }

    #[test]
    fn a_credential_is_whole_or_refused_without_being_told() {
        use secrecy::ExposeSecret as _;
        let one = FORM.credential(&map(&json!({"password": " p w "}))).unwrap().unwrap();
        assert_eq!(one.expose_secret(), " p w ");
        assert_eq!(FORM.credential(&Map::new()).unwrap_err()[0].pointer, "/credential/password");
        let typed = TargetField::new("v", "V", Kind::Variables).secret();
        let why = typed.check(&typed.typed("hunter two")).unwrap_err();
        assert!(!why.contains("hunter"), "{why}");
    }
}
