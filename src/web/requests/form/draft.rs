//! The draft of a form: kept on every change and every refusal, continued when the form is opened
//! again, in this browser or in another one, also after the session has ended. Without secrets.

use super::share;
use super::subject::Subject;
use super::typed::Typed;
use crate::requests::{self, NewSavedDraft, SavedDraft};
use crate::web::answer::Form;
use crate::web::error::PageError;
use crate::web::requests::view::DraftNote;
use crate::web::visitor::Visitor;

/// The largest draft that is kept; a form may be larger.
const LARGEST: usize = 200 * 1024;

/// Keeps what was typed; false when it is not kept.
pub(super) async fn keep(visitor: &Visitor, subject: &Subject, typed: &Typed, form: &Form) -> Result<bool, PageError> {
    let fields = share::pairs(subject, typed);
    let too_large = fields.iter().map(|(name, value)| name.len() + value.len()).sum::<usize>() > LARGEST;
    // A draft never stands in the way: what is wrong with the character is told beside its field.
    let not_storable = fields.iter().any(|(_, value)| value.contains('\0')) || form.get("_link").contains('\0');
    if too_large || not_storable {
        return Ok(false);
    }
    let (address, title) = (subject.address(), subject.title());
    let title: String = title.chars().take(200).collect();
    let draft = NewSavedDraft {
        form: &address,
        title: &title,
        link: Some(form.get("_link")).filter(|link| link.len() <= 8000).unwrap_or_default(),
        fields: &fields,
        key: key(form),
    };
    let mut connection = visitor.app.db.acquire().await?;
    Ok(requests::save_draft(&mut connection, visitor.access.person.id, &draft).await?)
}

/// The draft of the form at this address.
pub(super) async fn find(visitor: &Visitor, address: &str) -> Result<Option<SavedDraft>, PageError> {
    let mut connection = visitor.app.db.acquire().await?;
    Ok(requests::find_draft(&mut connection, visitor.access.person.id, address).await?)
}

/// Throws the draft away: it was sent, or is not wanted.
pub(super) async fn discard(visitor: &Visitor, address: &str, form: &Form) -> Result<(), PageError> {
    let mut connection = visitor.app.db.acquire().await?;
    Ok(requests::discard_draft(&mut connection, visitor.access.person.id, address, key(form)).await?)
}

/// The key that the form was given; one that no form was given is nobody's.
fn key(form: &Form) -> &str {
    Some(form.get("_key")).filter(|key| key.len() <= 200 && !key.contains('\0')).unwrap_or_default()
}

/// Whether the form goes on with the draft: it was opened without a link, or by the same one.
/// Another link is what somebody wants to see now.
pub(super) fn continues(draft: &SavedDraft, link: &str) -> bool {
    link.is_empty() || draft.link == link
}

/// What stands above the form.
pub(super) fn note(visitor: &Visitor, draft: &SavedDraft, subject: &Subject, continued: bool) -> DraftNote {
    let schema = subject.schema();
    DraftNote {
        when: visitor.times().near(draft.saved_at),
        secrets: schema.is_some_and(|schema| !crate::catalog::form::secrets(schema).is_empty()),
        continue_href: (!continued).then(|| subject.address()),
    }
}
