//! What the page of preferences shows.
#![allow(missing_docs, reason = "display values, named as the page shows them")]

use askama::Template;

use crate::web::shell::Shell;
use crate::web::ui::{Empty, FormError, FormSection, Pill, Tab, When};

/// `GET /preferences`: how Paddock looks for the viewer, and in which zone it tells times.
#[derive(Debug, Template)]
#[template(path = "preferences/page.html")]
pub struct PreferencesPage {
    pub shell: Shell,
    pub tabs: Vec<Tab>,
    /// What stands in the field: the chosen zone, or what was typed.
    pub zone: String,
    /// What is wrong with it.
    pub error: Option<String>,
    /// Every zone that there is.
    pub zones: Vec<String>,
    /// Now, in the viewer's zone.
    pub now: When,
}

/// A token that was just made: the only time that it is shown.
#[derive(Debug)]
pub struct FreshToken {
    pub name: String,
    pub secret: String,
    pub until: When,
}

/// A token without its secret.
#[derive(Debug)]
pub struct TokenRow {
    pub id: String,
    pub name: String,
    pub last4: String,
    pub scopes: Vec<String>,
    /// "Revoked", "Expired"; none: it works.
    pub pill: Option<Pill>,
    pub created: When,
    pub used: Option<When>,
    pub expires: When,
    /// Where it is revoked; none: it does not work any more.
    pub revoke_action: Option<String>,
}

/// Somebody decides in the place of another.
#[derive(Debug)]
pub struct DelegationRow {
    pub id: String,
    /// Who decides for the viewer, or for whom the viewer does.
    pub name: String,
    pub from: When,
    pub until: When,
    pub note: String,
    /// "Holds", "To come", "Over", "Taken back".
    pub pill: Pill,
    /// Where it is taken back; none: it is over, or not the viewer's.
    pub end_action: Option<String>,
}

/// `GET /preferences/delegations`, and the answer to a post there that is wrong.
#[derive(Debug, Template)]
#[template(path = "preferences/delegations.html")]
pub struct DelegationsPage {
    pub shell: Shell,
    pub tabs: Vec<Tab>,
    /// Who decides for the viewer.
    pub given: Vec<DelegationRow>,
    pub empty: Option<Empty>,
    /// For whom the viewer decides, or will.
    pub held: Vec<DelegationRow>,
    pub form: FormSection,
    pub errors: Vec<FormError>,
}

/// `GET /preferences/tokens`, and the answer to a post there.
#[derive(Debug, Template)]
#[template(path = "preferences/tokens.html")]
pub struct TokensPage {
    pub shell: Shell,
    pub tabs: Vec<Tab>,
    pub fresh: Option<FreshToken>,
    pub rows: Vec<TokenRow>,
    pub empty: Option<Empty>,
    /// A new token; none: policy lets the viewer make none.
    pub form: Option<FormSection>,
    pub errors: Vec<FormError>,
}
