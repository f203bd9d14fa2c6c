//! What the state of a stack means.

use aws_sdk_cloudformation::types::StackStatus;

/// What can be done with a stack in a state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Only a change set is there: nothing is made.
    Review,
    /// Something is done to it.
    Moving,
    /// It is as its template says.
    Good,
    /// It was put back to what it was before an update.
    PutBack,
    /// A creation failed, and what it had made was removed.
    Husk,
    /// It can only be removed.
    Broken,
    /// It is removed.
    Gone,
}

/// What a state means. What the SDK does not know yet is told by the end of its name.
pub fn standing(status: &StackStatus) -> Standing {
    match status {
        StackStatus::ReviewInProgress => Standing::Review,
        StackStatus::CreateComplete | StackStatus::UpdateComplete | StackStatus::ImportComplete => Standing::Good,
        StackStatus::UpdateRollbackComplete | StackStatus::ImportRollbackComplete => Standing::PutBack,
        StackStatus::RollbackComplete => Standing::Husk,
        StackStatus::DeleteComplete => Standing::Gone,
        other if other.as_str().ends_with("_IN_PROGRESS") || other.as_str().ends_with("_PENDING") => Standing::Moving,
        _ => Standing::Broken,
    }
}

/// How a failed operation left the stack, as a sentence.
pub fn aftermath(status: &StackStatus) -> String {
    let word = status.as_str();
    match status {
        StackStatus::RollbackComplete => format!("CloudFormation has removed what it had made ({word})."),
        StackStatus::RollbackFailed => format!("CloudFormation could not remove all that it had made ({word})."),
        StackStatus::UpdateRollbackComplete => {
            format!("CloudFormation has put back what was there before ({word}).")
        }
        StackStatus::UpdateRollbackFailed => {
            format!(
                "CloudFormation could not put back all that was there before ({word}): continue the rollback in AWS."
            )
        }
        StackStatus::DeleteComplete => format!("The stack was removed meanwhile ({word})."),
        _ => format!("The stack is {word}."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_that_the_api_knows_means_something() {
        let of = |word: &str| standing(&StackStatus::from(word));
        for word in StackStatus::values() {
            let expected = match *word {
                "REVIEW_IN_PROGRESS" => Standing::Review,
                word if word.ends_with("IN_PROGRESS") => Standing::Moving,
                "CREATE_COMPLETE" | "UPDATE_COMPLETE" | "IMPORT_COMPLETE" => Standing::Good,
                "UPDATE_ROLLBACK_COMPLETE" | "IMPORT_ROLLBACK_COMPLETE" => Standing::PutBack,
                "ROLLBACK_COMPLETE" => Standing::Husk,
                "DELETE_COMPLETE" => Standing::Gone,
                _ => Standing::Broken,
            };
            assert_eq!(of(word), expected, "{word}");
        }
        assert_eq!(of("SOMETHING_NEW_IN_PROGRESS"), Standing::Moving);
        assert_eq!(of("SOMETHING_NEW"), Standing::Broken);
    }
}
