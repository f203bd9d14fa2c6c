//! The fields of the forms that write rules: what is offered, what was typed, and how it is shown again.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use super::trial::{Choices, places};
use crate::base::FieldError;
use crate::base::lifetime::Lifetime;
use crate::catalog::form::{Control, Field, fields};
use crate::identity::Team;
use crate::policy::forms::{RuleForm, Says, Scope, id_from, reviewers};
use crate::policy::versions::VersionText;
use crate::policy::{Action, Group, Role};
use crate::web::answer::Form;
use crate::web::error::{PageError, sentence};
use crate::web::ui::{FormSection, choice, own_field, text_control};
use crate::web::visitor::Visitor;
use crate::{catalog, identity};

/// The kinds of rules that a form writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Allow,
    Forbid,
    Approval,
    Lifetime,
    Freeze,
    Cost,
    Most,
    Among,
}

/// What there is to choose from.
pub(super) struct Offered {
    projects: Choices,
    types: Choices,
    templates: Choices,
    teams: Choices,
    /// Roles and teams whose people may approve under the draft.
    approvers: Vec<(Group, String)>,
    /// That of the viewer.
    zone: TimeZone,
    /// Inputs that are numbers, by path.
    numbers: Choices,
    /// Inputs that are text, by path.
    texts: Choices,
}

impl Offered {
    pub(super) async fn load(visitor: &Visitor, text: &VersionText) -> Result<Self, PageError> {
        let (projects, types, templates) = places(visitor).await?;
        let mut connection = visitor.app.db.acquire().await?;
        let teams = identity::list_teams(&mut connection).await?;
        let inputs = catalog::published_inputs(&mut connection).await?;
        drop(connection);
        let roles = Role::ALL.map(|role| (Group::Role(role), capital(role))).into_iter();
        let of_team = |team: &Team| (Group::Team(team.slug.clone()), format!("Team {}", team.name));
        let mut approvers: Vec<(Group, String)> = roles.chain(teams.iter().map(of_team)).collect();
        if let Ok(engine) = text.engine() {
            let may = reviewers(&engine, approvers.iter().map(|(group, _)| group.clone()));
            approvers.retain(|(group, _)| may.contains(group));
        }
        let mut offered = Self {
            projects,
            types,
            templates,
            teams: teams.into_iter().map(|team| (team.slug, team.name)).collect(),
            approvers,
            zone: visitor.zone.time_zone(),
            numbers: Vec::new(),
            texts: Vec::new(),
        };
        for of in inputs {
            offered.add(&of.name, "", &fields(&of.schema, &serde_json::Map::new(), &[]));
        }
        offered.numbers.sort();
        offered.texts.sort();
        Ok(offered)
    }

    /// A day and a time as typed, in the viewer's zone.
    fn moment(&self, typed: &str) -> Option<Timestamp> {
        let civil: DateTime = typed.trim().parse().ok()?;
        Some(civil.to_zoned(self.zone.clone()).ok()?.timestamp())
    }

    /// The group that was chosen, if it is offered.
    fn approver(&self, typed: &str) -> Option<Group> {
        let typed = typed.parse().ok()?;
        self.approvers.iter().map(|(group, _)| group).find(|group| **group == typed).cloned()
    }

    fn approvers(&self) -> Choices {
        self.approvers.iter().map(|(group, label)| (group.to_string(), label.clone())).collect()
    }

    /// The plain inputs of a template, under the paths that rules read; secret ones are in no question.
    fn add(&mut self, template: &str, path: &str, fields: &[Field]) {
        for field in fields.iter().filter(|field| !field.secret) {
            let key = field.pointer.rsplit('/').next().unwrap_or_default().replace("~1", "/").replace("~0", "~");
            let path = format!("{path}{}", key.replace('\\', "\\\\").replace('.', "\\."));
            let list = match &field.control {
                Control::Group { fields } => {
                    self.add(template, &format!("{path}."), fields);
                    continue;
                }
                Control::Number { .. } => &mut self.numbers,
                Control::Text { .. } | Control::LongText { .. } | Control::Select { .. } | Control::Radios { .. } => {
                    &mut self.texts
                }
                Control::Switch { .. } | Control::Checks { .. } | Control::List { .. } | Control::Json { .. } => {
                    continue;
                }
            };
            match list.iter_mut().find(|(known, _)| *known == path) {
                Some((_, label)) => *label = format!("{label}, {template}"),
                None => list.push((path.clone(), format!("{path}: {template}"))),
            }
        }
    }
}

impl Kind {
    pub(super) const ALL: [Self; 8] =
        [Self::Allow, Self::Forbid, Self::Approval, Self::Lifetime, Self::Freeze, Self::Cost, Self::Most, Self::Among];

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Forbid => "forbid",
            Self::Approval => "approval",
            Self::Lifetime => "lifetime",
            Self::Freeze => "freeze",
            Self::Cost => "cost",
            Self::Most => "most",
            Self::Among => "among",
        }
    }

    /// The one of this name, or the first.
    pub(super) fn parse(text: &str) -> Self {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text).unwrap_or(Self::Allow)
    }

    pub(super) fn title(self) -> &'static str {
        match self {
            Self::Allow => "Allow",
            Self::Forbid => "Forbid",
            Self::Approval => "Ask for approval",
            Self::Lifetime => "Limit lifetimes",
            Self::Freeze => "Freeze for a time",
            Self::Cost => "Limit the cost",
            Self::Most => "Limit a number",
            Self::Among => "Limit a choice",
        }
    }

    fn help(self) -> &'static str {
        match self {
            Self::Allow => "Whom it permits to ask for what. What any rule forbids stays forbidden.",
            Self::Forbid => {
                "What people may not ask for, whatever else permits it. Paddock's own schedules and ends of life go on."
            }
            Self::Approval => {
                "Whom it permits to ask, and who must agree. The approvals of all rules that apply add up."
            }
            Self::Lifetime => {
                "How long an environment lives at most. The maximum of its environment type holds as well."
            }
            Self::Freeze => {
                "What people may not ask for from one moment to another. What was asked for before does not begin then, \
                 either. Paddock's own schedules and ends of life go on."
            }
            Self::Cost => {
                "What an environment costs at most in a month while it runs, by the price book. What has no price \
                 counts for nothing."
            }
            Self::Most => "The largest value of a number that people fill in, such as a size or a count.",
            Self::Among => "The values that a text or a choice may have, such as a size or a region.",
        }
    }

    fn grants(self) -> bool {
        matches!(self, Self::Allow | Self::Approval)
    }

    fn names_actions(self) -> bool {
        matches!(self, Self::Allow | Self::Forbid | Self::Approval | Self::Freeze)
    }

    /// What stands in the form before anybody types.
    pub(super) fn defaults(self) -> Form {
        let actions = if self.grants() || self == Self::Freeze {
            [Action::CreateEnvironment, Action::UpdateEnvironment].as_slice()
        } else {
            &[Action::CreateEnvironment]
        };
        let mut pairs: Vec<(String, String)> =
            actions.iter().map(|action| ("actions".to_owned(), action.as_str().to_owned())).collect();
        pairs.extend([("count", "1"), ("mode", "enforce")].map(|(name, value)| (name.to_owned(), value.to_owned())));
        Form(pairs)
    }

    /// What was typed, and what is wrong with it before anybody looks at the rule as a whole.
    pub(super) fn read(self, form: &Form, offered: &Offered) -> (RuleForm, Vec<FieldError>) {
        let mut found = Vec::new();
        let mut one = |name: &str, choices: &Choices| {
            let value = form.get(name).trim();
            if !value.is_empty() && !choices.iter().any(|(known, _)| known == value) {
                found.push(FieldError::new(format!("/{name}"), "is one of the list"));
            }
            Some(value.to_owned()).filter(|value| !value.is_empty())
        };
        let (project, template) = (one("project", &offered.projects), one("template", &offered.templates));
        let team = one("team", &offered.teams);
        let inputs = if self == Self::Most { &offered.numbers } else { &offered.texts };
        let input =
            matches!(self, Self::Most | Self::Among).then(|| one("input", inputs)).flatten().unwrap_or_default();
        let types: Vec<String> = form.all("types").map(str::to_owned).collect();
        if types.iter().any(|slug| !offered.types.iter().any(|(known, _)| known == slug)) {
            found.push(FieldError::new("/types", "are of the list"));
        }
        let chosen = |name: &str| form.all(name).any(|value| !value.is_empty()).then(|| form.get(name));
        let role = |name: &str| chosen(name).and_then(Role::parse);
        if chosen("role").is_some() && role("role").is_none() {
            found.push(FieldError::new("/role", "is one of the list"));
        }
        let actions: Vec<Action> = Action::REQUESTS
            .into_iter()
            .filter(|action| form.all("actions").any(|name| name == action.as_str()))
            .collect();
        let says = self.says(form, offered, (actions, input), &mut found);
        let exception = offered.approver(form.get("exception"));
        if chosen("exception").is_some() && exception.is_none() {
            found.push(FieldError::new("/exception", "is one whose people may approve requests"));
        }
        let rule = RuleForm {
            id: id_from(form.get("id")),
            reason: form.get("reason").trim().to_owned(),
            owner: form.get("owner").trim().to_owned(),
            observed: form.get("mode") == "observe",
            exception,
            scope: Scope { project, environment_types: types, template, team, role: role("role") },
            says,
        };
        (rule, found)
    }

    fn says(
        self,
        form: &Form,
        offered: &Offered,
        (actions, input): (Vec<Action>, String),
        found: &mut Vec<FieldError>,
    ) -> Says {
        match self {
            Self::Allow => Says::Permit { actions },
            Self::Forbid => Says::Forbid { actions },
            Self::Approval => {
                let approver = offered.approver(form.get("approver"));
                if approver.is_none() {
                    found.push(FieldError::new("/approver", "is one whose people may approve requests"));
                }
                let count = form.get("count").trim().parse().unwrap_or_default();
                Says::Approval { actions, by: approver.unwrap_or(Group::Role(Role::Lead)), count }
            }
            Self::Lifetime => {
                let lifetime = form.get("lifetime").parse::<Lifetime>();
                Says::Lifetime { seconds: lifetime.map(|lifetime| lifetime.0.as_secs()).unwrap_or_default() }
            }
            Self::Freeze => {
                let mut moment = |name: &str, otherwise: Timestamp| {
                    offered.moment(form.get(name)).unwrap_or_else(|| {
                        found.push(FieldError::new(format!("/{name}"), "is a day and a time such as 2026-12-20 18:00"));
                        otherwise
                    })
                };
                let from = moment("from", Timestamp::MIN);
                Says::Freeze { actions, from, to: moment("to", Timestamp::MAX) }
            }
            Self::Cost => Says::Cost { most: decimal(form.get("most")) },
            Self::Most => Says::Most { input, most: decimal(form.get("most")) },
            Self::Among => Says::Among { input, values: lines(form.get("values")) },
        }
    }

    pub(super) fn sections(self, typed: &Form, found: &[FieldError], offered: &Offered) -> Vec<FormSection> {
        let section = |id: &str, title: &str, help: &str, fields: Vec<Field>| FormSection {
            id: id.to_owned(),
            title: title.to_owned(),
            help: sentence(help),
            fields,
            reshapes: false,
        };
        let shown = Shown { typed, found };
        vec![
            section("says", "What it says", self.help(), self.own_fields(&shown, offered)),
            section(
                "where",
                "Where, and for whom",
                "What is left open is not narrowed.",
                self.scope_fields(&shown, offered),
            ),
            section(
                "about",
                "About the rule",
                "People see its name and its reason wherever it decides.",
                about_fields(&shown),
            ),
        ]
    }

    fn own_fields(self, shown: &Shown<'_>, offered: &Offered) -> Vec<Field> {
        let mut all = Vec::new();
        if self.names_actions() {
            let verbs = Action::REQUESTS.map(|action| (action.as_str().to_owned(), sentence(action.words())));
            let words = verbs.map(|(value, words)| (value, words.trim_end_matches('.').to_owned()));
            all.push(shown.checks("actions", "What is asked for", words.to_vec(), true));
        }
        match self {
            Self::Allow | Self::Forbid => {}
            Self::Approval => {
                all.push(shown.select("approver", "Who approves", "Never who asks.", None, offered.approvers()));
                let count = Control::Number {
                    value: shown.typed.get("count").to_owned(),
                    min: Some("1".to_owned()),
                    max: Some("20".to_owned()),
                    step: None,
                    unit: None,
                };
                all.push(own_field(shown.found, "count", "How many of them", None, true, count));
            }
            Self::Lifetime => all.push(shown.text("lifetime", "Longest life", "Such as 7d or 12h.", true, "7d")),
            Self::Freeze => {
                let help = "Day and time, in your zone.";
                all.push(shown.text("from", "From", help, true, "2026-12-20 18:00"));
                all.push(shown.text("to", "Until", help, true, "2027-01-04 08:00"));
            }
            Self::Cost => {
                let help = "In the currency of the price book.";
                all.push(shown.text("most", "At most in a month", help, true, "500"));
            }
            Self::Most => {
                let help = "By the name in its template.";
                all.push(shown.select("input", "Input", help, Some("Choose one"), offered.numbers.clone()));
                all.push(shown.text("most", "At most", "A number, with at most four places.", true, "16"));
            }
            Self::Among => {
                let help = "By the name in its template.";
                all.push(shown.select("input", "Input", help, Some("Choose one"), offered.texts.clone()));
                let values = Control::LongText { value: shown.typed.get("values").to_owned() };
                all.push(own_field(shown.found, "values", "May be", Some("One value in each line."), true, values));
            }
        }
        if !self.grants() {
            let help = "Whose approval lets a single request pass.";
            all.push(shown.select("exception", "Exceptions by", help, Some("Nobody"), offered.approvers()));
        }
        all
    }

    fn scope_fields(self, shown: &Shown<'_>, offered: &Offered) -> Vec<Field> {
        let roles = Role::ALL.map(|role| (role.to_string(), capital(role))).to_vec();
        let who = if self.grants() { "Name a role or a team." } else { "Held in the project, or on the platform." };
        vec![
            shown.select("project", "Project", "", Some("Every project"), offered.projects.clone()),
            shown.select("template", "Template", "", Some("Every template"), offered.templates.clone()),
            shown.checks("types", "Environment types", offered.types.clone(), false),
            shown.select("role", "People with the role", who, Some("Any"), roles),
            shown.select("team", "Members of the team", "", Some("Any"), offered.teams.clone()),
        ]
    }
}

fn about_fields(shown: &Shown<'_>) -> Vec<Field> {
    let modes = [
        ("enforce", "Enforce", "It decides."),
        ("observe", "Observe", "Decisions say what it would have done, and it changes none."),
    ];
    let mode = shown.typed.get("mode");
    let modes =
        modes.map(|(value, label, help)| choice(value, label, Some(help), (mode == "observe") == (value == "observe")));
    let modes = Control::Radios { choices: modes.to_vec() };
    vec![
        shown.text("id", "Name", "Lower-case letters, digits and dashes.", true, "no-large-databases"),
        shown.text("owner", "Owner", "Who answers for it.", false, "platform team"),
        own_field(
            shown.found,
            "reason",
            "Reason",
            Some("Why, in a sentence for the people who meet the rule."),
            true,
            Control::LongText { value: shown.typed.get("reason").to_owned() },
        ),
        own_field(shown.found, "mode", "Mode", None, true, modes),
    ]
}

/// What was typed, and what is wrong with it.
struct Shown<'a> {
    typed: &'a Form,
    found: &'a [FieldError],
}

impl Shown<'_> {
    fn text(&self, name: &str, label: &str, help: &str, required: bool, like: &str) -> Field {
        own_field(self.found, name, label, Some(help), required, text_control(self.typed.get(name), like, Some(500)))
    }

    /// One of the choices; `open` is the word for none of them.
    fn select(&self, name: &str, label: &str, help: &str, open: Option<&str>, choices: Choices) -> Field {
        let none = open.map(|word| (String::new(), word.to_owned()));
        let chosen = self.typed.get(name);
        let choices =
            none.into_iter().chain(choices).map(|(value, label)| choice(&value, &label, None, chosen == value));
        let control = Control::Select { choices: choices.collect() };
        let help = Some(help).filter(|help| !help.is_empty());
        let required = open.is_none() || open == Some("Choose one");
        own_field(self.found, name, label, help, required, control)
    }

    fn checks(&self, name: &str, label: &str, choices: Choices, required: bool) -> Field {
        let chosen = |value: &str| self.typed.all(name).any(|typed| typed == value);
        let choices = choices.into_iter().map(|(value, label)| choice(&value, &label, None, chosen(&value)));
        own_field(self.found, name, label, None, required, Control::Checks { choices: choices.collect() })
    }
}

fn capital(role: Role) -> String {
    sentence(role.as_str()).trim_end_matches('.').to_owned()
}

/// As Cedar reads decimals: `16` is `16.0`. What is no number stays as it was typed, and is refused.
fn decimal(typed: &str) -> String {
    let typed = typed.trim();
    if typed.contains('.') { typed.to_owned() } else { format!("{typed}.0") }
}

/// What stands in the lines that are not empty.
fn lines(text: &str) -> Vec<String> {
    text.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect()
}
