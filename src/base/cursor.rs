//! Page cursors: an opaque text for "after this row", and a page of a list.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use serde::Serialize;
use uuid::Uuid;

/// The largest page that a list gives.
pub const MAX_PAGE: i64 = 100;

/// A place in a list that is sorted by time and id, newest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor {
    /// The time of the last row seen.
    pub at: Timestamp,
    /// The id of the last row seen: breaks ties.
    pub id: Uuid,
}

/// The text is not a cursor that this server gave out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this is not a cursor that a list returned; leave it out to start at the first page")]
pub struct InvalidCursor;

impl Cursor {
    /// The opaque text form.
    pub fn encode(&self) -> String {
        let mut bytes = [0; 24];
        let (head, tail) = bytes.split_at_mut(8);
        head.copy_from_slice(&self.at.as_microsecond().to_be_bytes());
        tail.copy_from_slice(self.id.as_bytes());
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// Reads the text form.
    pub fn decode(text: &str) -> Result<Self, InvalidCursor> {
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| InvalidCursor)?;
        let (head, tail) = bytes.split_at_checked(8).ok_or(InvalidCursor)?;
        let micros = i64::from_be_bytes(head.try_into().map_err(|_| InvalidCursor)?);
        let id = Uuid::from_slice(tail).map_err(|_| InvalidCursor)?;
        let at = Timestamp::from_microsecond(micros).map_err(|_| InvalidCursor)?;
        Ok(Self { at, id })
    }
}

/// One page of a list.
#[derive(Debug, Clone, Serialize)]
pub struct Page<T> {
    /// The rows.
    pub items: Vec<T>,
    /// Give it back to get the next page; `None` on the last one.
    pub next_cursor: Option<String>,
}

impl<T> Page<T> {
    /// Cuts `rows`, read with a limit of `limit + 1`, to a page; `key` tells a row's place.
    pub fn cut(mut rows: Vec<T>, limit: i64, key: impl Fn(&T) -> Cursor) -> Self {
        let limit = usize::try_from(limit.clamp(1, MAX_PAGE)).unwrap_or(1);
        let more = rows.len() > limit;
        rows.truncate(limit);
        let next_cursor = if more { rows.last().map(|row| key(row).encode()) } else { None };
        Self { items: rows, next_cursor }
    }

    /// The same page with every row turned by `f`.
    pub fn map<U>(self, f: impl FnMut(T) -> U) -> Page<U> {
        Page { items: self.items.into_iter().map(f).collect(), next_cursor: self.next_cursor }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursor_round_trips_and_refuses_noise() {
        let cursor = Cursor { at: Timestamp::from_microsecond(1_800_000_000_123_456).unwrap(), id: Uuid::from_u128(7) };
        assert_eq!(Cursor::decode(&cursor.encode()), Ok(cursor));
        for bad in ["", "x", "AAAA", "!!!!", &cursor.encode()[1..]] {
            assert!(Cursor::decode(bad).is_err(), "{bad}");
        }
    }
}
