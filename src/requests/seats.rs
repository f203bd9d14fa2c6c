//! Who counts for what: every approval fills one seat of one requirement, so that several requirements take
//! several people (I6).
//!
//! Seats are filled in the order in which the requirements come, and who fills an earlier one is moved only to
//! where they count as well: a maximum bipartite matching by augmenting paths (Kuhn 1955), small on both sides.

use std::collections::{BTreeMap, BTreeSet};

use crate::base::id::PersonId;

/// A requirement as it is filled: how many must agree, and those who count for it, the first choice first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Seats {
    pub(super) count: usize,
    pub(super) people: Vec<PersonId>,
}

/// Who fills each requirement, in the given order. Nobody fills two seats; as many seats are filled as
/// can be, those of earlier requirements before those of later ones.
pub(super) fn fill(requirements: &[Seats]) -> Vec<Vec<PersonId>> {
    let mut taken: BTreeMap<PersonId, usize> = BTreeMap::new();
    for (index, requirement) in requirements.iter().enumerate() {
        for _ in 0..requirement.count {
            if !seat(requirements, index, &mut taken, &mut BTreeSet::new()) {
                break;
            }
        }
    }
    let of = |index| taken.iter().filter(|(_, seat)| **seat == index).map(|(person, _)| *person).collect();
    (0..requirements.len()).map(of).collect()
}

/// Seats one more person for `index`, where need be by moving others to where they count as well.
fn seat(
    requirements: &[Seats],
    index: usize,
    taken: &mut BTreeMap<PersonId, usize>,
    tried: &mut BTreeSet<PersonId>,
) -> bool {
    for person in requirements.get(index).into_iter().flat_map(|requirement| &requirement.people) {
        let now = taken.get(person).copied();
        if now == Some(index) || !tried.insert(*person) {
            continue;
        }
        if now.is_none_or(|other| seat(requirements, other, taken, tried)) {
            taken.insert(*person, index);
            return true;
        }
    }
    false
}

#[cfg(test)]
#[allow(clippy::indexing_slicing, reason = "a test")]
mod tests {
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;

    fn person(number: u8) -> PersonId {
        PersonId(Uuid::from_u128(number.into()))
    }

    fn seats(count: usize, people: &[u8]) -> Seats {
        Seats { count, people: people.iter().copied().map(person).collect() }
    }

    fn counts(requirements: &[Seats]) -> Vec<usize> {
        fill(requirements).iter().map(Vec::len).collect()
    }

    #[test]
    fn one_person_fills_one_seat() {
        assert_eq!(counts(&[seats(1, &[1]), seats(1, &[1])]), [1, 0]);
        assert_eq!(counts(&[seats(2, &[1])]), [1]);
    }

    #[test]
    fn whoever_can_sit_elsewhere_makes_room() {
        assert_eq!(counts(&[seats(1, &[1, 2]), seats(1, &[1])]), [1, 1]);
        assert_eq!(counts(&[seats(1, &[1, 2]), seats(1, &[1, 3]), seats(1, &[1])]), [1, 1, 1]);
        assert_eq!(counts(&[seats(2, &[1, 2, 3]), seats(1, &[1])]), [2, 1]);
    }

    /// Every way to seat people, as the counts that come out; the best by the first, then the second, and so on.
    fn best(requirements: &[Seats], people: &[PersonId]) -> Vec<usize> {
        let Some((first, rest)) = people.split_first() else { return vec![0; requirements.len()] };
        let mut best_yet = best(requirements, rest);
        for (index, requirement) in requirements.iter().enumerate() {
            if requirement.people.contains(first) && requirement.count > 0 {
                let mut left = requirements.to_vec();
                left[index].count -= 1;
                let mut counts = best(&left, rest);
                counts[index] += 1;
                best_yet = best_yet.max(counts);
            }
        }
        best_yet
    }

    proptest! {
        #[test]
        fn earlier_seats_are_filled_first_and_as_many_as_can_be(
            wanted in proptest::collection::vec((0usize..3, proptest::collection::btree_set(0u8..5, 0..5)), 0..4)
        ) {
            let requirements: Vec<Seats> =
                wanted.iter().map(|(count, people)| seats(*count, &people.iter().copied().collect::<Vec<_>>())).collect();
            let people: Vec<PersonId> = (0..5).map(person).collect();
            let filled = fill(&requirements);
            let expected = best(&requirements, &people);
            prop_assert_eq!(filled.iter().map(Vec::len).collect::<Vec<_>>(), expected);
            let mut seen = BTreeSet::new();
            for (requirement, sitting) in requirements.iter().zip(&filled) {
                prop_assert!(sitting.iter().all(|one| requirement.people.contains(one) && seen.insert(*one)));
            }
        }
    }
}
