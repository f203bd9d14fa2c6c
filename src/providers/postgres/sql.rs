//! The only place where SQL text is built at run time: utility statements such as
//! `CREATE DATABASE` take no bind parameters, so names and texts are quoted here.

use sqlx::AssertSqlSafe;
use sqlx::postgres::PgQueryResult;
use sqlx::{Executor as _, PgConnection};

/// A statement whose dynamic parts went through [`identifier`] or [`literal`], or are numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement(String);

impl Statement {
    /// Begins a statement with fixed text.
    pub fn new(text: &'static str) -> Self {
        Self(text.to_owned())
    }

    /// Adds fixed text.
    #[must_use]
    pub fn text(mut self, text: &'static str) -> Self {
        self.0.push_str(text);
        self
    }

    /// Adds a quoted name.
    #[must_use]
    pub fn identifier(mut self, name: &str) -> Self {
        self.0.push_str(&identifier(name));
        self
    }

    /// Adds a quoted text.
    #[must_use]
    pub fn literal(mut self, text: &str) -> Self {
        self.0.push_str(&literal(text));
        self
    }

    /// Adds a number.
    #[must_use]
    pub fn number(mut self, number: i64) -> Self {
        self.0.push_str(&number.to_string());
        self
    }

    /// Runs it by the simple protocol, outside a transaction unless one is open.
    pub async fn execute(self, connection: &mut PgConnection) -> Result<PgQueryResult, sqlx::Error> {
        connection.execute(sqlx::raw_sql(AssertSqlSafe(self.0))).await
    }
}

/// `name` as a quoted identifier. A NUL, which Postgres cannot hold, is dropped.
pub fn identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('\0', "").replace('"', "\"\""))
}

/// `text` as a literal that means the same whatever `standard_conforming_strings` says.
pub fn literal(text: &str) -> String {
    let quoted = text.replace('\0', "").replace('\'', "''");
    if quoted.contains('\\') { format!(" E'{}'", quoted.replace('\\', "\\\\")) } else { format!("'{quoted}'") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_texts_cannot_leave_their_quotes() {
        assert_eq!(identifier("shop_dev"), r#""shop_dev""#);
        assert_eq!(identifier(r#"a"; DROP ROLE b; --"#), r#""a""; DROP ROLE b; --""#);
        assert_eq!(identifier("a\0b"), r#""ab""#);
        assert_eq!(literal("it's"), "'it''s'");
        assert_eq!(literal(r"\'; DROP"), r" E'\\''; DROP'");
        assert_eq!(
            Statement::new("ALTER ROLE ").identifier("r").text(" CONNECTION LIMIT ").number(-1),
            Statement(r#"ALTER ROLE "r" CONNECTION LIMIT -1"#.to_owned())
        );
    }

    proptest::proptest! {
        #[test]
        fn a_quote_always_comes_in_pairs_inside(text in ".*") {
            let name = identifier(&text);
            let inner = &name[1..name.len() - 1];
            proptest::prop_assert_eq!(inner.replace("\"\"", "").matches('"').count(), 0);
            let text = literal(&text);
            let inner = text.trim_start().trim_start_matches('E');
            let inner = &inner[1..inner.len() - 1];
            proptest::prop_assert_eq!(inner.replace("''", "").matches('\'').count(), 0);
            proptest::prop_assert_eq!(inner.replace(r"\\", "").matches('\\').count(), 0);
        }
    }
}
