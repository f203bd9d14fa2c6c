//! Cookies as header text: the session, and the browser's half of a sign-in under way.

use secrecy::{ExposeSecret as _, SecretString};

/// A cookie of ours. With TLS (or on a loopback address, which browsers trust as much) it carries
/// the `__Host-` prefix: no other host and no plain-text page can set it (RFC 6265bis 4.1.3.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cookie {
    /// Holds the session token.
    Session,
    /// Ties a sign-in at the OpenID provider to the browser that began it.
    SignIn,
}

impl Cookie {
    /// The name; `secure` when the public address of this site is `https`.
    pub fn name(self, secure: bool) -> &'static str {
        match (self, secure) {
            (Self::Session, true) => "__Host-paddock",
            (Self::Session, false) => "paddock",
            (Self::SignIn, true) => "__Host-paddock-sign-in",
            (Self::SignIn, false) => "paddock-sign-in",
        }
    }

    /// The `Set-Cookie` value that stores `value` for `seconds`. `SameSite=Lax`, not `Strict`: the
    /// provider's redirect back and links in mails must find it; unsafe methods have their own guard.
    pub fn set(self, secure: bool, value: &SecretString, seconds: i64) -> String {
        self.header(secure, value.expose_secret(), seconds)
    }

    /// The `Set-Cookie` value that removes it.
    pub fn clear(self, secure: bool) -> String {
        self.header(secure, "", 0)
    }

    fn header(self, secure: bool, value: &str, seconds: i64) -> String {
        let flag = if secure { "; Secure" } else { "" };
        format!("{}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax{flag}", self.name(secure))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cookies_are_locked_down() {
        assert_eq!(
            Cookie::Session.set(true, &SecretString::from("t"), 60),
            "__Host-paddock=t; Path=/; Max-Age=60; HttpOnly; SameSite=Lax; Secure"
        );
        assert_eq!(Cookie::SignIn.clear(false), "paddock-sign-in=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax");
    }
}
