//! Whether what is there after a run that was cut off and run again is what an undisturbed run leaves.

use std::collections::{BTreeMap, BTreeSet};

use super::control::Inventory;

/// What an undisturbed run leaves.
pub(super) struct Undisturbed {
    inventory: Inventory,
    /// How many ids of each kind its state names. Others are of what AWS adds by itself.
    named: BTreeMap<String, usize>,
    /// How many calls that change something it made.
    pub(super) changes: u64,
}

impl Undisturbed {
    pub(super) fn new(inventory: Inventory, state: &str, changes: u64) -> Self {
        let named = inventory.iter().map(|(kind, ids)| (kind.clone(), named(ids, state))).collect();
        Self { inventory, named, changes }
    }
}

/// How many of these ids a state names.
fn named(ids: &BTreeSet<String>, state: &str) -> usize {
    ids.iter().filter(|id| state.contains(id.as_str())).count()
}

/// What was found at one point.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Verdict {
    /// Resources that exist once more than they should.
    pub(super) duplicates: usize,
    /// Resources that the state does not name, or that were not removed.
    pub(super) orphans: usize,
    /// Whether it would have asked somebody.
    pub(super) prompted: bool,
    /// What else is wrong, in words.
    pub(super) problems: Vec<String>,
}

impl Verdict {
    pub(super) fn converged(&self) -> bool {
        *self == Self::default()
    }

    /// Compares what exists.
    pub(super) fn compare(&mut self, undisturbed: &Undisturbed, inventory: &Inventory, state: &str) {
        let count = |inventory: &Inventory| -> BTreeMap<String, usize> {
            inventory.iter().map(|(kind, ids)| (kind.clone(), ids.len())).collect()
        };
        let (wanted, found) = (count(&undisturbed.inventory), count(inventory));
        for kind in wanted.keys().chain(found.keys().filter(|kind| !wanted.contains_key(*kind))) {
            let number = |counts: &BTreeMap<String, usize>| counts.get(kind).copied().unwrap_or_default();
            let (wanted, found) = (number(&wanted), number(&found));
            if found > wanted {
                // Where nothing of it should be left, it belongs to nobody.
                *(if wanted == 0 { &mut self.orphans } else { &mut self.duplicates }) += found - wanted;
            }
            if found != wanted {
                self.problems.push(format!("{found} of {kind} instead of {wanted}"));
            }
        }
        for (kind, ids) in inventory {
            let expected = undisturbed.named.get(kind).copied().unwrap_or_default();
            let lost = if expected == 0 { 0 } else { expected.saturating_sub(named(ids, state)) };
            if lost > 0 {
                self.orphans += lost;
                self.problems.push(format!("the state does not name {lost} of {kind}"));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inventory(kinds: &[(&str, &[&str])]) -> Inventory {
        let ids = |ids: &[&str]| ids.iter().map(|id| (*id).to_owned()).collect::<BTreeSet<_>>();
        kinds.iter().map(|(kind, list)| ((*kind).to_owned(), ids(list))).collect()
    }

    fn verdict(found: &[(&str, &[&str])], state: &str) -> Verdict {
        let known = inventory(&[("vpc", &["vpc-1"]), ("rule", &["given", "rule-1"])]);
        let undisturbed = Undisturbed::new(known, "vpc-1 rule-1", 2);
        let mut verdict = Verdict::default();
        verdict.compare(&undisturbed, &inventory(found), state);
        verdict
    }

    #[test]
    fn other_ids_are_no_difference() {
        assert!(verdict(&[("vpc", &["vpc-2"]), ("rule", &["given", "rule-2"])], "vpc-2 rule-2").converged());
    }

    #[test]
    fn one_too_many_is_a_duplicate_and_one_that_is_not_recorded_an_orphan() {
        let two = verdict(&[("vpc", &["vpc-1", "vpc-2"]), ("rule", &["given", "rule-1"])], "vpc-1 rule-1");
        assert_eq!((two.duplicates, two.orphans), (1, 0));
        let forgotten = verdict(&[("vpc", &["vpc-1"]), ("rule", &["given", "rule-1"])], "rule-1");
        assert_eq!((forgotten.duplicates, forgotten.orphans), (0, 1));
        let strange = verdict(&[("vpc", &["vpc-1"]), ("rule", &["given", "rule-1"]), ("nat", &["n"])], "vpc-1 rule-1");
        assert_eq!((strange.duplicates, strange.orphans), (0, 1));
        assert!(!verdict(&[("vpc", &["vpc-1"])], "vpc-1 rule-1").converged());
    }
}
