//! A person as a page shows them: name, initials, and a tint that stays the same for the same name.

/// A person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// The name as people know it.
    pub name: String,
    /// One or two letters for the avatar.
    pub initials: String,
    /// Which of the five avatar tints.
    pub tint: u8,
}

impl Person {
    /// From the display name alone.
    pub fn named(name: &str) -> Self {
        // "Dana Reyes (developer)": what stands in brackets is no name.
        let plain = name.split(" (").next().unwrap_or(name);
        let mut words = plain.split_whitespace().filter_map(|word| word.chars().find(|c| c.is_alphanumeric()));
        let initials: String = match (words.next(), words.next_back()) {
            (Some(first), Some(last)) => [first, last].iter().flat_map(|c| c.to_uppercase()).collect(),
            (Some(first), None) => first.to_uppercase().collect(),
            (None, _) => "?".to_owned(),
        };
        let sum = name.bytes().fold(7_u32, |sum, byte| sum.wrapping_mul(31).wrapping_add(u32::from(byte)));
        Self { name: name.to_owned(), initials, tint: u8::try_from(sum % 5).unwrap_or(0) }
    }
}
