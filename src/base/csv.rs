//! Comma-separated values (RFC 4180), for spreadsheets.

/// A line of cells with its line break.
pub fn line<T: AsRef<str>>(cells: &[T]) -> String {
    let cells: Vec<String> = cells.iter().map(|text| cell(text.as_ref())).collect();
    format!("{}\r\n", cells.join(","))
}

/// Quoted where it must be; a spreadsheet must not take it for a formula (CWE-1236).
fn cell(text: &str) -> String {
    let formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let text = if formula { format!("'{text}") } else { text.to_owned() };
    if text.contains(['"', ',', '\n', '\r']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text }
}

/// The rows of a text, each with the number of its first line; empty lines are left out. An error is the line
/// of a quote that nobody closes, or that stands inside a cell.
pub fn read(text: &str) -> Result<Vec<(usize, Vec<String>)>, usize> {
    let mut rows = Vec::new();
    let (mut row, mut cell) = (Vec::new(), String::new());
    let (mut line, mut first, mut quoted, mut was_quoted) = (1, 1, false, false);
    let mut characters = text.trim_start_matches('\u{feff}').chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '"' if quoted && characters.peek() == Some(&'"') => {
                characters.next();
                cell.push('"');
            }
            '"' if quoted => quoted = false,
            '"' if cell.is_empty() && !was_quoted => (quoted, was_quoted) = (true, true),
            '"' => return Err(line),
            '\r' if !quoted && characters.peek() == Some(&'\n') => {}
            '\n' if !quoted => {
                row.push(std::mem::take(&mut cell));
                keep(&mut rows, first, std::mem::take(&mut row));
                line += 1;
                (first, was_quoted) = (line, false);
            }
            ',' if !quoted => {
                row.push(std::mem::take(&mut cell));
                was_quoted = false;
            }
            other => {
                line += usize::from(other == '\n');
                cell.push(other);
            }
        }
    }
    if quoted {
        return Err(first);
    }
    row.push(cell);
    keep(&mut rows, first, row);
    Ok(rows)
}

fn keep(rows: &mut Vec<(usize, Vec<String>)>, line: usize, row: Vec<String>) {
    if row.iter().any(|cell| !cell.trim().is_empty()) {
        rows.push((line, row));
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test")]

    use super::{line, read};

    #[test]
    fn cells_are_quoted_where_they_must_be_and_are_never_formulas() {
        assert_eq!(line(&["a", "b;c", "d\"e", "f\ng", "=1+1"]), "a,b;c,\"d\"\"e\",\"f\ng\",'=1+1\r\n");
    }

    #[test]
    fn rows_know_their_lines() {
        let rows = read("\u{feff}a,b\r\n\r\n\"x\ny\",\"say \"\"so\"\"\"\n,\nlast,").unwrap();
        let wanted = [(1, vec!["a", "b"]), (3, vec!["x\ny", "say \"so\""]), (6, vec!["last", ""])];
        assert_eq!(rows.len(), wanted.len(), "{rows:?}");
        for ((line, cells), (at, texts)) in rows.iter().zip(wanted) {
            assert_eq!((*line, cells.iter().map(String::as_str).collect::<Vec<_>>()), (at, texts));
        }
        assert_eq!(read("a\n\"b\nc"), Err(2));
        assert_eq!(read("a\nb\"c"), Err(2));
    }

    proptest::proptest! {
        /// What is written is read again, but for the mark of formulas.
        #[test]
        fn what_is_written_is_read(cells in proptest::collection::vec("[a-z \",;\n]{0,8}", 1..5)) {
            let mut cells = cells;
            cells[0] = format!("a{}", cells[0]);
            let rows = read(&line(&cells)).unwrap();
            proptest::prop_assert_eq!(&rows[0].1, &cells);
        }
    }
}
