//! Who may call: access keys, roles, external ids, web identities.

use super::account::Account;
use super::wire::{Answer, Params, refused, tag};

impl Account {
    /// A call of STS.
    pub fn sts(&mut self, action: &str, params: &Params, key: &str) -> Option<Answer> {
        Some(match action {
            "GetCallerIdentity" => {
                let arn = format!("arn:aws:sts::123456789012:assumed-role/{key}/paddock");
                Ok(tag("Arn", &arn) + &*tag("UserId", key) + &*tag("Account", "123456789012"))
            }
            "AssumeRole" => self.assume(params, "ExternalId", self.external_id.clone()),
            "AssumeRoleWithWebIdentity" => self.assume(params, "WebIdentityToken", self.web_token.clone()),
            _ => return None,
        })
    }

    fn assume(&mut self, params: &Params, field: &str, wanted: Option<String>) -> Answer {
        let role = params.get("RoleArn");
        if wanted.is_some_and(|wanted| wanted != params.get(field)) {
            return refused("AccessDenied", format!("not authorized to perform sts:AssumeRole on resource: {role}"));
        }
        self.assumed.push(role.to_owned());
        let key = format!("ASIA{}", self.assumed.len());
        self.keys.insert(key.clone());
        // The first ones run out at once: whoever goes on must ask again.
        let ends = if self.short_lived { "2000-01-01T00:00:00Z" } else { "2999-01-01T00:00:00Z" };
        Ok(format!(
            "<Credentials>{}{}{}{}</Credentials>",
            tag("AccessKeyId", &key),
            tag("SecretAccessKey", "secret-of-the-role"),
            tag("SessionToken", "session-of-the-role"),
            tag("Expiration", ends)
        ))
    }
}
