//! Who somebody is and what they hold: people, teams, roles, sessions, API tokens, sign-in.
//!
//! Invariants:
//! - A secret (session, API token, set-up code, sign-in state) is stored as its SHA-256 only, and
//!   shown once. Passwords are argon2id.
//! - Whether a session, a token or a throttle still holds is decided by the database's clock.
//! - Every use of a credential checks that the person is active; disabling a person ends all
//!   sessions and revokes all tokens in the same transaction.
//! - Every transition appends its audit record in its own transaction, refused sign-ins included.
//! - A person from an OpenID provider is known by (issuer, subject), never by e-mail or login.
//!
//! It does not decide what a role allows (that is `policy`), and it knows no HTTP types: `web` and
//! `api` bring cookies and headers as text and take them back as text.

mod access;
mod bindings;
mod cookie;
mod demo;
mod elevation;
mod error;
mod local;
mod model;
mod oidc;
mod password;
mod people;
mod principal;
mod return_to;
mod role;
mod scope;
mod secret;
mod session;
mod setup;
mod store;
mod throttle;
mod token;

pub use access::{load_access, members, people_in_team, people_with_role};
pub use bindings::{
    Binding, NewBinding, change_role_end, end_roles, get_binding, give_role, list_bindings, record_role_refusal,
    take_role,
};
pub use cookie::Cookie;
pub use demo::{DEMO_LOGINS, DemoPeople, demo_sign_in, ensure_demo};
pub use elevation::{
    Alarm, Elevation, ElevationFilter, ElevationState, NewElevation, OwnRole, alarms, ask_for_role, break_glass,
    count_to_judge, decide_elevation, end_elevation, get_elevation, lasting_access, list_elevations, own_roles,
    record_elevation_refusal, review_elevation,
};
pub use error::{IdentityError, Result};
pub use local::{change_password, create_local_account, set_password, sign_in_local};
pub use model::{
    Access, ApiToken, Authenticated, Browser, Credential, Holder, Member, NewPerson, Person, PlaceRoles, Session,
    Settings, SignInMethod, SignedIn, Source, Team,
};
pub use oidc::{CALLBACK_PATH, Callback, Oidc, OidcError, OidcSignedIn, Redirect};
pub use people::{
    bind_role, create_person, ensure_person, ensure_team, find_person, find_team, get_person, join_team, list_people,
    list_teams, names, set_active, unbind_role,
};
pub use return_to::local_path;
pub use role::Role;
pub use scope::{Scope, TokenScopes};
pub use session::{authenticate_session, end_session, list_sessions, purge_expired, sign_out};
pub use setup::{SetupForm, begin_setup, complete_setup, setup_needed};
pub use token::{
    SecretToken, TOKEN_PATTERN, authenticate_token, list_tokens, looks_like_token, mint_token, revoke_token, token_name,
};
