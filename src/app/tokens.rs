//! API tokens that people make for themselves: never wider than what they may do.

use jiff::SignedDuration;
use sqlx::PgConnection;

use super::App;
use crate::base::Op;
use crate::base::id::TokenId;
use crate::db;
use crate::identity::{self, Access, IdentityError, Result, Scope, SecretToken, TokenScopes};
use crate::policy::{Action, Permit, Resource, ability};
use crate::projects;

impl App {
    /// The scopes that have an effect for this person today: a token with another one could do
    /// nothing with it, until somebody gives the person a role and forgets the token.
    pub async fn token_scopes(
        &self,
        connection: &mut PgConnection,
        op: &Op,
        access: &Access,
    ) -> db::Result<TokenScopes> {
        let mut scopes = vec![Scope::Read, Scope::Request];
        let projects = projects::list(connection, None).await?;
        // A rule may ask for the approval of any team.
        if !access.teams.is_empty() || projects.iter().any(|project| self.may_review(op, access, project)) {
            scopes.push(Scope::Review);
        }
        let admin = self.platform_question(op, access, Action::ReadAdmin, Resource::platform());
        if self.policy.decide(&admin).is_allowed() {
            scopes.push(Scope::Admin);
        }
        if self.readable_audit(connection, op, access).await?.is_ok() {
            scopes.push(Scope::Audit);
        }
        Ok(TokenScopes::new(scopes))
    }

    /// Makes a token for the person themselves.
    pub async fn make_token(
        &self,
        op: &Op,
        _: &Permit<ability::ManageTokens>,
        access: &Access,
        name: &str,
        scopes: &TokenScopes,
        ttl: SignedDuration,
    ) -> Result<SecretToken> {
        let reach = self.token_scopes(&mut *self.db.acquire().await?, op, access).await?;
        if let Some(beyond) = scopes.iter().find(|scope| !reach.allows(*scope)) {
            let detail = format!("you have no role for “{beyond}”, so no token of yours can have it");
            return Err(IdentityError::invalid("/scopes", detail));
        }
        identity::mint_token(&self.db, op, &access.person, name, scopes, ttl).await
    }

    /// Revokes a token of the person themselves.
    pub async fn revoke_token(
        &self,
        op: &Op,
        _: &Permit<ability::ManageTokens>,
        access: &Access,
        id: TokenId,
    ) -> Result<()> {
        identity::revoke_token(&self.db, op, &access.person, id).await
    }
}
