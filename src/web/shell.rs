//! The frame of every page: who looks, where they are, how they like it, what just happened.

use super::listing;
use super::ui::{Look, Person};
use super::urls;
use super::zone::Zone;

/// The part of Paddock that a page belongs to; marks the current link of the rail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Section {
    /// Home.
    Home,
    /// The catalog, templates, request forms.
    Catalog,
    /// Environments and their runs.
    Environments,
    /// Requests.
    Requests,
    /// The approvals inbox.
    Approvals,
    /// What environments cost.
    Costs,
    /// The audit log.
    Audit,
    /// Administration.
    Admin,
    /// None: sign-in, errors.
    Elsewhere,
}

/// What the viewer chose, from cookies; absent means "as the system does".
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Preferences {
    /// `light` or `dark`.
    pub theme: Option<&'static str>,
    /// `roomy`.
    pub density: Option<&'static str>,
    /// `narrow`.
    pub rail: Option<&'static str>,
}

impl Preferences {
    /// Reads the three cookies; a value that we did not set counts as absent.
    pub fn read<'a>(cookie: impl Fn(&str) -> Option<&'a str>) -> Self {
        let one_of = |name: &str, allowed: &[&'static str]| {
            let value = cookie(name)?;
            allowed.iter().copied().find(|known| *known == value)
        };
        Self {
            theme: one_of(THEME_COOKIE, &["light", "dark"]),
            density: one_of(DENSITY_COOKIE, &["roomy"]),
            rail: one_of(RAIL_COOKIE, &["narrow"]),
        }
    }
}

/// Cookie of the theme.
pub const THEME_COOKIE: &str = "paddock_theme";
/// Cookie of the density.
pub const DENSITY_COOKIE: &str = "paddock_density";
/// Cookie of the rail.
pub const RAIL_COOKIE: &str = "paddock_rail";

/// Who looks at the page, and which parts of the rail they may see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Viewer {
    /// Name and avatar.
    pub person: Person,
    /// "Developer in payments".
    pub role: String,
    /// Shows Approvals.
    pub can_approve: bool,
    /// How many requests wait for this person.
    pub approvals: u64,
    /// Shows Audit.
    pub can_audit: bool,
    /// Shows Admin.
    pub can_admin: bool,
    /// The projects to choose from: slug and name.
    pub projects: Vec<(String, String)>,
    /// The slug of the chosen one; none is all of them.
    pub project: Option<String>,
}

impl Viewer {
    /// The name of the chosen project.
    pub fn project_name(&self) -> &str {
        let chosen = self.projects.iter().find(|(slug, _)| Some(slug) == self.project.as_ref());
        chosen.map_or("All projects", |(_, name)| name)
    }

    fn scoped(&self, list: &str) -> String {
        listing::href(list, [("project", self.project.as_deref().unwrap_or_default())])
    }

    /// The list of environments of the chosen project.
    pub fn environments(&self) -> String {
        self.scoped(urls::ENVIRONMENTS)
    }

    /// The list of requests of the chosen project.
    pub fn requests(&self) -> String {
        self.scoped(urls::REQUESTS)
    }

    /// The inbox of the chosen project.
    pub fn inbox(&self) -> String {
        self.scoped(urls::APPROVALS)
    }

    /// What the chosen project costs.
    pub fn costs(&self) -> String {
        self.scoped(urls::COSTS)
    }

    /// The audit log of the chosen project.
    pub fn audit(&self) -> String {
        self.scoped(urls::AUDIT)
    }
}

/// What just happened, said once after a redirect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// `Go` for done, `Bad` for not done.
    pub look: Look,
    /// The sentence.
    pub text: String,
}

/// Something that is said on every page until it is dealt with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlarmLine {
    /// "Lee Okafor took the role admin in payments in an emergency, 5 minutes ago."
    pub text: String,
    /// Where to look at it.
    pub href: String,
    /// What to do there.
    pub label: &'static str,
}

/// Everything that `layout/base.html` shows around a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shell {
    /// Before " · Paddock" in the browser's tab.
    pub title: String,
    /// The current part.
    pub section: Section,
    /// Absent before sign-in: then there is no rail and no menu.
    pub viewer: Option<Viewer>,
    /// Theme, density, rail.
    pub preferences: Preferences,
    /// In which zone times are shown.
    pub zone: Zone,
    /// Whether demo sign-in is on.
    pub demo: bool,
    /// Path and query of this page: where a changed preference comes back to.
    pub here: String,
    /// Emergencies that nobody has reviewed: the viewer's own, or those that they can review.
    pub alarms: Vec<AlarmLine>,
    /// What has waited long for the viewer, and whose requester asked for an answer.
    pub reminders: Vec<AlarmLine>,
    /// Said once on top.
    pub notice: Option<Notice>,
}

impl Shell {
    fn current(&self, section: Section) -> bool {
        self.section == section
    }

    /// `aria-current` of a link of the rail.
    pub fn is_home(&self) -> bool {
        self.current(Section::Home)
    }

    /// Whether this is the catalog.
    pub fn is_catalog(&self) -> bool {
        self.current(Section::Catalog)
    }

    /// Whether this is an environment or a list of them.
    pub fn is_environments(&self) -> bool {
        self.current(Section::Environments)
    }

    /// Whether this is a request or a list of them.
    pub fn is_requests(&self) -> bool {
        self.current(Section::Requests)
    }

    /// Whether this is the inbox.
    pub fn is_approvals(&self) -> bool {
        self.current(Section::Approvals)
    }

    /// Whether this is what environments cost.
    pub fn is_costs(&self) -> bool {
        self.current(Section::Costs)
    }

    /// Whether this is the audit log.
    pub fn is_audit(&self) -> bool {
        self.current(Section::Audit)
    }

    /// Whether this is administration.
    pub fn is_admin(&self) -> bool {
        self.current(Section::Admin)
    }
}
