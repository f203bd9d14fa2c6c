//! Lists: `{"items": […], "next_cursor": …}`, at most 100 rows each.

use axum::Json;
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::error::Problem;
use crate::base::cursor::{Cursor, MAX_PAGE, Page};

/// How many rows a list gives when nobody says.
const USUAL: i64 = 50;

/// A page of a list.
#[derive(Debug, Serialize, ToSchema)]
pub struct List<T> {
    /// The rows.
    pub items: Vec<T>,
    /// Give it back as `cursor` to get the next page; null on the last one.
    pub next_cursor: Option<String>,
}

impl<T> List<T> {
    /// A list that has one page only.
    pub fn whole(items: Vec<T>) -> Json<Self> {
        Json(Self { items, next_cursor: None })
    }
}

impl<T> From<Page<T>> for List<T> {
    fn from(page: Page<T>) -> Self {
        Self { items: page.items, next_cursor: page.next_cursor }
    }
}

/// Where a page begins and how long it is.
#[derive(Debug, Clone, Copy)]
pub struct Paging {
    /// At most this many rows.
    pub limit: i64,
    /// After this row.
    pub after: Option<Cursor>,
}

impl Paging {
    /// Reads the parameters `limit` and `cursor`.
    pub fn read(limit: Option<i64>, cursor: Option<&str>) -> Result<Self, Problem> {
        let limit = limit.unwrap_or(USUAL);
        if !(1..=MAX_PAGE).contains(&limit) {
            return Err(Problem::malformed("/limit", format!("must be between 1 and {MAX_PAGE}")));
        }
        let after = cursor.map(Cursor::decode).transpose();
        let after = after.map_err(|error| Problem::malformed("/cursor", error.to_string()))?;
        Ok(Self { limit, after })
    }

    /// Cuts a short list, sorted by name and read as a whole, to the page.
    pub fn cut<T>(self, rows: Vec<T>, id: impl Fn(&T) -> Uuid) -> Result<Page<T>, Problem> {
        let start = match self.after {
            None => 0,
            Some(cursor) => {
                let found = rows.iter().position(|row| id(row) == cursor.id);
                let gone = "what it points to is not in this list any more; leave it out to start again";
                found.ok_or_else(|| Problem::malformed("/cursor", gone))? + 1
            }
        };
        let rest = rows.into_iter().skip(start).collect();
        Ok(Page::cut(rest, self.limit, |row| Cursor { at: Timestamp::UNIX_EPOCH, id: id(row) }))
    }
}
