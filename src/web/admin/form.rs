//! The form of a new catalog source.

use crate::base::FieldError;
use crate::catalog::form::Control;
use crate::catalog::{NewSource, SourceKind};
use crate::web::answer::Form;
use crate::web::ui::{FormSection, choice, own_field, text_control};

/// What was typed, as the catalog takes it; it checks the values.
pub(super) fn source(form: &Form) -> NewSource {
    let text = |name| form.get(name).trim().to_owned();
    let kind = if form.get("kind") == "folder" { SourceKind::Folder } else { SourceKind::Git };
    NewSource {
        slug: text("slug"),
        kind,
        location: text("location"),
        branch: Some(text("branch")).filter(|branch| kind == SourceKind::Git && !branch.is_empty()),
        folder: text("folder"),
    }
}

/// The fields with what was typed and what is wrong with it.
pub(super) fn section(form: &Form, found: &[FieldError]) -> FormSection {
    let folder = form.get("kind") == "folder";
    let kinds = vec![choice("git", "Git repository", None, !folder), choice("folder", "Folder", None, folder)];
    let field = |name: &str, label: &str, help: &str, required, control| {
        own_field(found, name, label, Some(help), required, control)
    };
    let text = |name: &str, placeholder: &str| text_control(form.get(name), placeholder, None);
    let fields = vec![
        field("slug", "Name", "Lower-case letters, digits and dashes.", true, text("slug", "team-templates")),
        field("kind", "Kind", "Where the templates are.", true, Control::Radios { choices: kinds }),
        field(
            "location",
            "Address",
            "The repository's https address, or an absolute path on this server.",
            true,
            text("location", "https://git.example.com/platform/catalog.git"),
        ),
        field(
            "branch",
            "Branch",
            "Of a repository; its default branch when left empty.",
            false,
            text("branch", "main"),
        ),
        field(
            "folder",
            "Folder inside",
            "Only this folder holds templates; all of it when left empty.",
            false,
            text("folder", "Environments"),
        ),
    ];
    FormSection {
        id: "new-source".to_owned(),
        title: "Add a source".to_owned(),
        help: "It is read at once, and a template with problems never hides the good ones.".to_owned(),
        fields,
        reshapes: false,
    }
}
