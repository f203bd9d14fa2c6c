//! The text of a rule.

use std::fmt::Write as _;

use jiff::Timestamp;

use super::{RuleForm, Says};
use crate::policy::question::Action;
use crate::policy::versions::formatted;

impl RuleForm {
    /// The rule in Cedar, laid out as the formatter does.
    pub fn cedar(&self) -> String {
        let raw = self.raw();
        formatted(&raw).unwrap_or(raw)
    }

    /// `source` with the rule at its end.
    pub fn added_to(&self, source: &str) -> String {
        format!("{}\n\n{}\n", source.trim_end(), self.cedar().trim())
    }

    fn raw(&self) -> String {
        let mut text = format!("@id({})\n@reason({})\n", literal(&self.id), literal(&self.reason));
        let mut annotate = |name: &str, value: &str| {
            let _ = writeln!(text, "@{name}({})", literal(value));
        };
        if !self.owner.is_empty() {
            annotate("owner", &self.owner);
        }
        if self.observed {
            annotate("mode", "observe");
        }
        if let Says::Approval { by, count, .. } = &self.says {
            annotate("approval", &by.to_string());
            if *count != 1 {
                annotate("approval_count", &count.to_string());
            }
        }
        if let Some(by) = self.exception.as_ref().filter(|_| !self.says.grants()) {
            annotate("exception", &by.to_string());
        }
        let effect = if self.says.grants() { "permit" } else { "forbid" };
        let principal = self.scope.team.as_ref().map(|team| format!(" in {}", entity("Team", team)));
        let resource = self.scope.project.as_ref().map(|project| format!(" in {}", entity("Project", project)));
        let (principal, resource) = (principal.unwrap_or_default(), resource.unwrap_or_default());
        let actions = about(&self.says.actions());
        let _ = write!(text, "{effect} (principal{principal}, {actions}, resource{resource})");
        let conditions = self.conditions();
        if !conditions.is_empty() {
            let _ = write!(text, "\nwhen {{ {} }}", conditions.join(" && "));
        }
        text.push_str(";\n");
        text
    }

    fn conditions(&self) -> Vec<String> {
        let scope = &self.scope;
        let mut all = Vec::new();
        if !self.says.grants() {
            all.push("!principal.system".to_owned());
        }
        if let Some(role) = scope.role {
            all.push(format!("context.roles.contains({})", entity("Role", role.as_str())));
        }
        if !scope.environment_types.is_empty() {
            let types = list(&scope.environment_types);
            all.push(format!("resource has environment_type && {types}.contains(resource.environment_type)"));
        }
        if let Some(template) = &scope.template {
            all.push(format!("resource has template && resource.template == {}", entity("Template", template)));
        }
        match &self.says {
            Says::Permit { .. } | Says::Forbid { .. } | Says::Approval { .. } => {}
            Says::Lifetime { seconds } => {
                all.push(format!("context has lifetime_seconds && context.lifetime_seconds > {seconds}"));
            }
            Says::Freeze { from, to, .. } => {
                let (from, to) = (moment(*from), moment(*to));
                all.push(format!("context has at && context.at >= {from} && context.at < {to}"));
            }
            Says::Cost { most } => {
                let most = literal(most);
                all.push(format!("context has cost_per_month && context.cost_per_month.greaterThan(decimal({most}))"));
            }
            Says::Most { input, most } => {
                let (input, most) = (literal(input), literal(most));
                all.push(format!(
                    "context.inputs.decimals.hasTag({input}) && \
                     context.inputs.decimals.getTag({input}).greaterThan(decimal({most}))"
                ));
            }
            Says::Among { input, values } => {
                let (input, values) = (literal(input), list(values));
                all.push(format!(
                    "context.inputs.texts.hasTag({input}) && !({values}.contains(context.inputs.texts.getTag({input})))"
                ));
            }
        }
        all
    }
}

/// To the second.
fn moment(at: Timestamp) -> String {
    format!("datetime({})", literal(&at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()))
}

fn about(actions: &[Action]) -> String {
    let names: Vec<String> = actions.iter().map(|action| entity("Action", action.cedar_name())).collect();
    match names.as_slice() {
        [one] => format!("action == {one}"),
        several => format!("action in [{}]", several.join(", ")),
    }
}

fn list(values: &[String]) -> String {
    let values: Vec<String> = values.iter().map(|value| literal(value)).collect();
    format!("[{}]", values.join(", "))
}

fn entity(kind: &str, id: &str) -> String {
    format!("{kind}::{}", literal(id))
}

/// A Cedar string. What is not plainly printable stands as its code, so that no line looks like another.
fn literal(value: &str) -> String {
    let mut text = String::with_capacity(value.len() + 2);
    text.push('"');
    for letter in value.chars() {
        match letter {
            '"' => text.push_str("\\\""),
            '\\' => text.push_str("\\\\"),
            '\n' => text.push_str("\\n"),
            ' ' => text.push(' '),
            odd if odd.is_control() || odd.is_whitespace() || hidden(odd) => {
                let _ = write!(text, "\\u{{{:x}}}", u32::from(odd));
            }
            plain => text.push(plain),
        }
    }
    text.push('"');
    text
}

/// Letters that turn the direction of a line, or take no room in it (UTR 36, section 3.1).
fn hidden(letter: char) -> bool {
    matches!(letter, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}
