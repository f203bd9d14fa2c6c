//! The icons of the sprite by name: what a manifest names may not be among them.

const NAMES: &str = include_str!("../../assets/icons.txt");

/// The icon of this name, or `otherwise` when the sprite does not have it.
pub fn icon(name: &str, otherwise: &'static str) -> &'static str {
    NAMES.lines().find(|known| *known == name && !known.starts_with('#')).unwrap_or(otherwise)
}

/// The icon of a template.
pub fn of_template(name: &str) -> &'static str {
    icon(name, "package")
}
