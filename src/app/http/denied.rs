//! What policy refused, wherever an error carries it.

use std::any::Any;

use crate::identity::IdentityError;
use crate::policy::Denied;
use crate::requests;

/// The refusal of policy in an error of any room.
pub fn denied(error: &dyn Any) -> Option<&Denied> {
    match (error.downcast_ref::<requests::Error>(), error.downcast_ref::<IdentityError>()) {
        (Some(requests::Error::Denied(denied)), _) => Some(denied),
        (_, Some(IdentityError::Forbidden(denied))) => Some(denied),
        _ => error.downcast_ref::<Denied>(),
    }
}
