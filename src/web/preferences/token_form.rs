//! The form of a new API token.

use jiff::SignedDuration;

use crate::base::FieldError;
use crate::catalog::form::Control;
use crate::identity::{self, IdentityError, Scope, TokenScopes};
use crate::web::answer::Form;
use crate::web::ui::{FormSection, choice, own_field, text_control};

/// How long a token lives: value, words, days. The second one is chosen when nothing is.
const LENGTHS: [(&str, &str, i64); 4] =
    [("7d", "7 days", 7), ("30d", "30 days", 30), ("90d", "90 days", 90), ("365d", "1 year", 365)];
const USUAL: &str = "30d";

/// What was typed.
pub(super) struct NewToken {
    pub(super) name: String,
    pub(super) scopes: TokenScopes,
    pub(super) ttl: SignedDuration,
}

impl NewToken {
    /// Reads a posted form; what its own controls cannot send is told of beside them.
    pub(super) fn read(form: &Form) -> Result<Self, Vec<FieldError>> {
        let mut found = match identity::token_name(form.get("name")) {
            Err(IdentityError::Invalid(found)) => found,
            Ok(_) | Err(_) => Vec::new(),
        };
        let chosen = form.0.iter().filter(|(name, _)| name == "scopes").map(|(_, value)| value.as_str());
        let mut scopes = vec![Scope::Read];
        for word in chosen {
            match word.parse() {
                Ok(scope) => scopes.push(scope),
                Err(_) => found.push(FieldError::new("/scopes", format!("“{word}” is not a scope"))),
            }
        }
        let length = LENGTHS.iter().find(|(value, ..)| *value == form.get("ttl"));
        if length.is_none() {
            found.push(FieldError::new("/ttl", "must be one of the list"));
        }
        match length {
            Some((_, _, days)) if found.is_empty() => Ok(Self {
                name: form.get("name").to_owned(),
                scopes: TokenScopes::new(scopes),
                ttl: SignedDuration::from_hours(24 * days),
            }),
            _ => Err(found),
        }
    }
}

/// The fields with what was typed and what is wrong with it; only scopes within `reach` are offered.
pub(super) fn section(form: &Form, reach: &TokenScopes, found: &[FieldError]) -> FormSection {
    let ttl = if form.has("ttl") { form.get("ttl") } else { USUAL };
    let lengths = LENGTHS.iter().map(|(value, label, _)| choice(value, label, None, *value == ttl)).collect();
    let picked = |scope: Scope| form.0.iter().any(|(name, value)| name == "scopes" && value == scope.as_str());
    let offered = reach.iter().filter(|scope| *scope != Scope::Read);
    let scopes = offered.map(|scope| choice(scope.as_str(), scope.as_str(), Some(about(scope)), picked(scope)));
    let name = text_control(form.get("name"), "deploy pipeline", Some(100));
    let help = "Every token can read what you can read, but for the audit log and secrets.";
    FormSection {
        id: "new-token".to_owned(),
        title: "Make a token".to_owned(),
        help: "It can do what you can do at that moment, within its scopes, until it expires or you revoke it."
            .to_owned(),
        fields: vec![
            own_field(found, "name", "Name", Some("Which program it is for."), true, name),
            own_field(found, "ttl", "Expires after", None, true, Control::Select { choices: lengths }),
            own_field(found, "scopes", "Scopes", Some(help), false, Control::Checks { choices: scopes.collect() }),
        ],
        reshapes: false,
    }
}

fn about(scope: Scope) -> &'static str {
    match scope {
        Scope::Read => "Look at what you may look at.",
        Scope::Request => "Ask for environments, change and delete yours, show secret outputs.",
        Scope::Review => "Approve and reject the requests of others.",
        Scope::Admin => "See to the catalog, the queue and the workers.",
        Scope::Audit => "Read the audit log.",
    }
}
