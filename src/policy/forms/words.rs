//! What a rule says, in a sentence.

use jiff::Timestamp;

use super::{RuleForm, Says, Scope};
use crate::policy::group::Group;
use crate::policy::question::Action;
use crate::policy::words::{duration, joined};

impl RuleForm {
    /// “People with the role developer may create or extend environments of the type dev in project payments.”
    pub fn sentence(&self) -> String {
        let place = self.scope.place();
        let (who, whose) = (self.scope.who(), self.scope.whose());
        let verbs: Vec<&str> = self.says.actions().iter().map(|action| verb(*action)).collect();
        let verbs = joined(&verbs, "or");
        let said = match &self.says {
            Says::Permit { .. } => format!("{} may {verbs} environments{place}", who.as_deref().unwrap_or("Everybody")),
            Says::Forbid { .. } => match who {
                Some(who) => format!("{who} may not {verbs} environments{place}"),
                None => format!("Nobody may {verbs} environments{place}"),
            },
            Says::Approval { by, count, .. } => {
                let who = who.as_deref().unwrap_or("Everybody");
                let has = if *count == 1 { "has" } else { "have" };
                format!("{who} may {verbs} environments{place}, once {} {has} approved", so_many(*count, by))
            }
            Says::Lifetime { seconds } => {
                format!("Environments{place} live no longer than {}{whose}", duration(*seconds))
            }
            Says::Freeze { from, to, .. } => {
                let moment = |at: &Timestamp| at.strftime("%-d %b %Y, %H:%M").to_string();
                let who = who.map_or_else(|| "Nobody may".to_owned(), |who| format!("{who} may not"));
                format!("{who} {verbs} environments{place} from {} to {} UTC", moment(from), moment(to))
            }
            Says::Cost { most } => {
                format!("Environments{place} cost at most {} a month while they run{whose}", plain(most))
            }
            Says::Most { input, most } => {
                let most = plain(most);
                format!("The input {input} of environments{place} is at most {most}{whose}")
            }
            Says::Among { input, values } => {
                let values: Vec<String> = values.iter().map(|value| format!("“{value}”")).collect();
                let values: Vec<&str> = values.iter().map(String::as_str).collect();
                format!("The input {input} of environments{place} is {}{whose}", joined(&values, "or"))
            }
        };
        let exception = self.exception.as_ref().filter(|_| !self.says.grants());
        let exception = exception.map(|by| format!(" Exceptions need the approval of {}.", so_many(1, by)));
        let exception = exception.unwrap_or_default();
        format!("{said}.{exception}")
    }
}

/// `16.0` is 16.
fn plain(decimal: &str) -> &str {
    decimal.strip_suffix(".0").unwrap_or(decimal)
}

/// “one lead”, “2 of the team sre”.
fn so_many(count: u32, by: &Group) -> String {
    let number = if count == 1 { "one".to_owned() } else { count.to_string() };
    match by {
        Group::Role(role) => format!("{number} {role}{}", if count == 1 { "" } else { "s" }),
        Group::Team(team) => format!("{number} of the team {team}"),
    }
}

impl Scope {
    /// “ of the type dev or test from the template orders in project payments”.
    fn place(&self) -> String {
        let types: Vec<&str> = self.environment_types.iter().map(String::as_str).collect();
        let types = if types.is_empty() { String::new() } else { format!(" of the type {}", joined(&types, "or")) };
        let template = self.template.as_ref().map(|slug| format!(" from the template {slug}")).unwrap_or_default();
        let project = self.project.as_ref().map(|slug| format!(" in project {slug}")).unwrap_or_default();
        format!("{types}{template}{project}")
    }

    /// Who is named; none: everybody.
    fn who(&self) -> Option<String> {
        match (self.role, &self.team) {
            (None, None) => None,
            (Some(role), None) => Some(format!("People with the role {role}")),
            (None, Some(team)) => Some(format!("Members of the team {team}")),
            (Some(role), Some(team)) => Some(format!("Members of the team {team} with the role {role}")),
        }
    }

    /// “ when members of the team sre ask for them”; empty: whoever asks.
    fn whose(&self) -> String {
        let lower = |who: String| [&who[..1].to_lowercase(), &who[1..]].concat();
        self.who().map(|who| format!(" when {} ask for them", lower(who))).unwrap_or_default()
    }
}

fn verb(action: Action) -> &'static str {
    match action {
        Action::CreateEnvironment => "create",
        Action::UpdateEnvironment => "update",
        Action::ExtendEnvironment => "extend",
        Action::PowerEnvironment => "start or stop",
        Action::ActOnEnvironment => "run actions on",
        Action::DeleteEnvironment => "delete",
        // No form is about the others; their words fit as well.
        other => other.words(),
    }
}
