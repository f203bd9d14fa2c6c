//! The caller of a handler: proof that somebody is known and that their credential reaches far enough.
//!
//! A [`Caller`] is made by its extractor only. What the person may do with a thing is asked of
//! policy through it, and each question also asks whether the token reaches that far: a token
//! narrows what its person may do and never widens it.

use std::marker::PhantomData;

use axum::extract::FromRequestParts;
use axum::http::HeaderMap;
use axum::http::request::Parts;

use super::error::Problem;
use crate::app::{App, Visible, http};
use crate::base::{ErrorKind, Op};
use crate::db::{Connection, Held};
use crate::environments::Environment;
use crate::identity::{Access, Authenticated, Credential, Scope};
use crate::policy::{Ability, Action, Permit, Question, Resource, ability};
use crate::projects::{self, Project};
use crate::requests::{self, Request};

/// A scope as a type: what a handler's credential must reach.
pub trait Reach: Send + Sync + 'static {
    /// The scope.
    const SCOPE: Scope;
}

macro_rules! reaches {
    ($($(#[$doc:meta])* $name:ident = $scope:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Debug)]
        pub struct $name;
        impl Reach for $name {
            const SCOPE: Scope = Scope::$scope;
        }
    )*};
}

reaches! {
    /// Looks at things.
    Reads = Read;
    /// Asks for operations, follows and stops them.
    Requests = Request;
    /// Approves and rejects.
    Reviews = Review;
    /// Reads the audit log.
    Audits = Audit;
    /// Looks after the platform.
    Admins = Admin;
}

/// Somebody who may use this route, as far as their credential goes.
pub struct Caller<S: Reach> {
    /// The application.
    pub app: App,
    /// This piece of work, in the caller's name.
    pub op: Op,
    who: Authenticated,
    scope: PhantomData<S>,
}

/// A [`Caller`] with the connection on which they were found, for handlers that only read lists: it
/// costs as much to take another as to ask something on it. All else takes a `Caller`, which holds
/// none, so that nobody waits for a second connection while holding a first.
pub struct Reader<S: Reach>(pub Caller<S>, pub Held);

impl<S: Reach> FromRequestParts<App> for Reader<S> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let (who, connection) = authenticate(app, &parts.headers).await?;
        // A browser sends cookies by itself, but a token only when a program put it there.
        if matches!(who.credential, Credential::Session(_)) {
            http::check_origin(app, &parts.method, &parts.headers)
                .map_err(|error| Problem::new(ErrorKind::Denied, error.to_string()))?;
        }
        if !who.reaches(S::SCOPE) {
            return Err(Problem::token_scope(S::SCOPE, "use this address"));
        }
        let op = http::op_of(app, parts, "api").with_actor(who.actor());
        Ok(Self(Caller { app: app.clone(), op, who, scope: PhantomData }, connection))
    }
}

impl<S: Reach> FromRequestParts<App> for Caller<S> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        Ok(Reader::from_request_parts(parts, app).await?.0)
    }
}

/// Who sends these headers; 401 when nobody is known.
pub async fn authenticate(app: &App, headers: &HeaderMap) -> Result<(Authenticated, Held), Problem> {
    http::authenticate(app, headers).await?.ok_or_else(|| {
        let detail = "Send an API token as “Authorization: Bearer …”, or sign in with a browser.";
        Problem::new(ErrorKind::Unauthenticated, detail)
    })
}

impl<S: Reach> Caller<S> {
    /// The person with what they hold.
    pub fn access(&self) -> &Access {
        &self.who.access
    }

    /// The credential, for what it says about itself.
    pub fn credential(&self) -> &Credential {
        &self.who.credential
    }

    /// The caller as requests know them.
    pub fn person(&self) -> requests::Caller<'_> {
        requests::Caller::Person(&self.who.access)
    }

    /// Whether the credential reaches an action at all.
    pub fn reaches(&self, action: Action) -> bool {
        self.who.reaches(action)
    }

    /// Whether policy and credential allow what the question asks.
    pub fn may(&self, question: &Question) -> bool {
        self.reaches(question.action) && self.app.policy.decide(question).is_allowed()
    }

    fn permit<A: Ability>(&self, question: &Question) -> Result<Permit<A>, Problem> {
        if !self.reaches(A::ACTION) {
            return Err(Problem::token_scope(Scope::from(A::ACTION), A::ACTION.as_str()));
        }
        Ok(self.app.policy.permit(question)?)
    }

    /// The permit for the platform as a whole or a part of it.
    pub fn permit_platform<A: Ability>(&self, resource: Resource) -> Result<Permit<A>, Problem> {
        self.permit(&self.app.platform_question(&self.op, self.access(), A::ACTION, resource))
    }

    /// The permit for a project.
    pub fn permit_project<A: Ability>(&self, project: &Project) -> Result<Permit<A>, Problem> {
        self.permit(&self.app.project_question(&self.op, self.access(), A::ACTION, project))
    }

    /// The permit for an environment.
    pub fn permit_environment<A: Ability>(&self, environment: &Environment) -> Result<Permit<A>, Problem> {
        self.permit(&self.app.environment_question(&self.op, self.access(), A::ACTION, environment))
    }

    /// The permit to read a request.
    pub fn permit_request(&self, request: &Request) -> Result<Permit<ability::ReadRequest>, Problem> {
        self.permit(&self.app.requests.question_about(&self.op, self.person(), Action::ReadRequest, request))
    }

    /// Every project; what of them may be seen is another question.
    pub async fn projects(&self) -> Result<Vec<Project>, Problem> {
        Ok(projects::list(&mut *self.app.db.acquire().await?, None).await?)
    }

    /// The projects in which the caller may do this.
    pub async fn visible(&self, connection: &mut Connection, action: Action) -> Result<Visible, Problem> {
        Ok(self.app.visible(connection, &self.op, self.access(), action).await?)
    }
}
