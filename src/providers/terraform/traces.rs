//! What an attempt has told to have made, or to be making, and no state knows of.
//!
//! A Terraform that ends by itself hands over, or leaves on the machine, a state that is the whole
//! truth. One that is killed, or whose machine is lost, may have made things that are in no state:
//! Terraform would make them again. So a run that finds such traces stops once and tells people.

use super::state::State;
use crate::providers::{Host, ProviderError, Resource, Trace};

/// What is told of it; `None` when the state accounts for all that was told.
pub async fn lost(host: &dyn Host, state: Option<&State>) -> Result<Option<String>, ProviderError> {
    Ok(words(&host.traces().await?, &state.map(State::resources).unwrap_or_default()))
}

fn words(traces: &[Trace], known: &[Resource]) -> Option<String> {
    let is_known = |made: &Resource| {
        let same = |resource: &Resource| match (&resource.provider_id, &made.provider_id) {
            (Some(there), Some(told)) => there == told,
            // Not every resource has an id of that name.
            (None, _) | (_, None) => resource.address == made.address,
        };
        known.iter().any(same)
    };
    let list = |which: &dyn Fn(&&Trace) -> bool| {
        let names: Vec<String> = traces.iter().filter(which).map(|trace| trace.resource.to_string()).collect();
        names.join(", ")
    };
    let made = list(&|trace| trace.made && !is_known(&trace.resource));
    // The same address in the state is the object that it was to replace.
    let begun = list(&|trace| !trace.made);
    let mut told = Vec::new();
    if !made.is_empty() {
        told.push(format!(
            "An earlier attempt made {made}, and the state that knows of it is not here: it may be on the disk of that \
             attempt's worker. Bring that worker back and retry, or remove or import these by hand."
        ));
    }
    if !begun.is_empty() {
        told.push(format!(
            "Terraform was cut off while it made {begun}: whether that exists is not known, and no state has it. Look at \
             the target, remove or import what is there, and retry."
        ));
    }
    if told.is_empty() { None } else { Some(told.join(" ")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::id::RunId;

    fn resource(address: &str, id: Option<&str>) -> Resource {
        Resource { address: address.into(), r#type: String::new(), provider_id: id.map(str::to_owned) }
    }

    #[test]
    fn what_the_state_has_is_not_lost_and_what_was_cut_off_is_never_sure() {
        let trace = |address: &str, id: Option<&str>, made| Trace {
            resource: resource(address, id),
            made,
            run: RunId(uuid::Uuid::from_u128(1)),
            attempt: 1,
        };
        let known = [resource("a", Some("1")), resource("b", None), resource("c", Some("old"))];
        assert_eq!(words(&[], &known), None);
        assert_eq!(words(&[trace("a", Some("1"), true), trace("b", Some("2"), true)], &known), None);
        let made = words(&[trace("a", Some("9"), true)], &known).unwrap();
        assert!(made.starts_with("An earlier attempt made a (9), and"), "{made}");
        let begun = words(&[trace("c", None, false)], &known).unwrap();
        assert!(
            begun.starts_with("Terraform was cut off while it made c: whether that exists is not known"),
            "{begun}"
        );
    }
}
