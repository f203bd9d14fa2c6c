//! The pages: addresses, view structs, templates, assets. Works without JavaScript; htmx only adds.

pub mod assets;
pub mod gate;
pub mod home;
pub mod shell;
pub mod ui;
pub mod urls;
