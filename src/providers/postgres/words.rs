//! What a server's refusal means, in words, and whether trying again may help.

use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgDatabaseError};

use crate::providers::ProviderError;

/// The server as people know it, without user and password.
pub fn server(options: &PgConnectOptions) -> String {
    match options.get_socket() {
        Some(socket) => format!("the database server at {}", socket.display()),
        None => format!("the database server {}:{}", options.get_host(), options.get_port()),
    }
}

/// The server said nothing in time.
pub fn silent(server: &str, limit: Duration) -> ProviderError {
    ProviderError::retryable(format!("{server} did not answer within {} s", limit.as_secs()))
}

/// The first real error, unwrapped.
pub fn explain(error: &sqlx::Error, server: &str) -> ProviderError {
    match error {
        sqlx::Error::Database(refusal) => {
            let mut message = format!("{server} said: {}", refusal.message());
            if let Some(postgres) = refusal.try_downcast_ref::<PgDatabaseError>() {
                for more in [postgres.detail(), postgres.hint()].into_iter().flatten() {
                    message.push_str(". ");
                    message.push_str(more.trim_end_matches('.'));
                }
            }
            if is_refusal(error) || refusal.code().is_some_and(|code| may_pass(&code)) {
                ProviderError::retryable(message)
            } else {
                ProviderError::failed(message)
            }
        }
        sqlx::Error::Io(cause) => ProviderError::retryable(format!("{server} cannot be reached: {cause}")),
        sqlx::Error::Tls(cause) => {
            ProviderError::failed(format!("{server} and Paddock do not agree on an encrypted connection: {cause}"))
        }
        sqlx::Error::Protocol(cause) => ProviderError::retryable(format!("{server} broke the connection off: {cause}")),
        other => ProviderError::internal(other.to_string()),
    }
}

/// The same of a statement that changes something: where the server did not say how it ended, it may
/// have been carried out.
pub fn explain_change(error: &sqlx::Error, server: &str) -> ProviderError {
    let told = |refusal: &dyn sqlx::error::DatabaseError| refusal.code().is_some_and(|code| !is_an_end(&code));
    match (error, explain(error, server)) {
        (sqlx::Error::Database(refusal), explained) if told(&**refusal) => explained,
        (_, ProviderError::Retryable { message }) => ProviderError::unknown(message),
        (_, explained) => explained,
    }
}

/// Whether the server did not take the credential. It may have been renewed a moment ago, and the next
/// attempt reads it anew.
pub fn is_refusal(error: &sqlx::Error) -> bool {
    matches!(error, sqlx::Error::Database(refusal) if refusal.code().as_deref() == Some("28P01"))
}

/// SQLSTATEs with which a connection ends, also in the middle of a commit.
fn is_an_end(code: &str) -> bool {
    code.starts_with("08") || matches!(code, "57P01" | "57P02" | "57P03" | "57P05")
}

/// SQLSTATE classes that time or a second try may cure (appendix A of the Postgres manual).
fn may_pass(code: &str) -> bool {
    let class = code.get(..2).unwrap_or_default();
    // Connections, resources, rolled back, operator intervention, and "object in use" or "lock
    // not available".
    matches!(class, "08" | "53" | "40" | "57" | "58") || matches!(code, "55006" | "55P03" | "XX000")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn busy_passes_and_refused_does_not() {
        for code in ["08006", "53300", "57P01", "55006", "40P01"] {
            assert!(may_pass(code), "{code}");
        }
        for code in ["28P01", "42501", "42P04", "22023"] {
            assert!(!may_pass(code), "{code}");
        }
    }

    #[test]
    fn a_change_without_an_answer_may_have_happened() {
        let broken = || sqlx::Error::Io(std::io::ErrorKind::ConnectionReset.into());
        assert!(matches!(explain(&broken(), "it"), ProviderError::Retryable { .. }));
        assert!(matches!(explain_change(&broken(), "it"), ProviderError::Unknown { .. }));
        assert!(is_an_end("57P01") && !is_an_end("55006"), "an ended connection is no answer, a busy object is one");
    }

    #[test]
    fn a_server_is_named_without_its_credential() {
        let options: PgConnectOptions = "postgres://admin:hunter2@db.example:6432/postgres".parse().unwrap();
        assert_eq!(server(&options), "the database server db.example:6432");
        let options: PgConnectOptions = "postgres:///postgres?host=/run/paddock".parse().unwrap();
        assert!(server(&options).ends_with("/run/paddock"));
    }
}
