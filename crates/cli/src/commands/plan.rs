//! `plan`

use super::preflight;
use crate::{
    args::{Globals, PlanArgs},
    exit::{Exit, Refused},
    organization,
    render::{Printer, plan_json, show_ledger, show_plan, warn_unseen},
    session::{self, Local, Session},
};
use anyhow::{Context, Result};
use bedplate_model::Json;
use bedplate_plan::{Observations, Options, Plan, make};
use bedplate_state::{FormatError, private, seal, unseal};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, io::Write, path::Path};

/// A plan on disk, with the choices it was made from, under a checksum: what it removes is exactly what was planned.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SavedPlan {
    format: u32,
    pub(crate) plan: Plan,
    pub(crate) choices: BTreeMap<String, Json>,
}

impl SavedPlan {
    fn new(plan: Plan, choices: BTreeMap<String, Json>) -> Self {
        Self { format: Plan::FORMAT, plan, choices }
    }

    fn write(&self) -> Vec<u8> {
        seal(serde_json::to_value(self).expect("a plan is plain data with text keys"))
    }

    /// Reads what [`SavedPlan::write`] wrote.
    pub(crate) fn read(bytes: &[u8]) -> Result<Self, FormatError> {
        let json = unseal(bytes, "format", Plan::FORMAT)?;
        serde_json::from_value(json).map_err(|error| FormatError::Damaged(error.to_string()))
    }
}

/// What is in a plan is carried out: nobody else may read or change it.
fn save(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut options = fs_err::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    private(&mut options);
    options.open(path)?.write_all(bytes)
}

/// What to do about a plan whose refusals were shown one by one.
pub(crate) const REFUSED: &str = "do what is said above of each resource, then run the same command again";

pub(crate) async fn run(globals: &Globals, args: &PlanArgs, printer: &Printer) -> Result<Exit> {
    let session = Session::open_or_find(globals, Local::open(globals).await?, printer).await?;
    organization::check(&session).await?;
    session.warn(printer);
    let targets = session::targets(&args.targets.targets, &session.graph, &session.state)?;
    let options =
        Options { targets: targets.map(|targets| session.graph.with_dependencies(targets)), ..Options::default() };
    let plan = if args.no_refresh {
        make(&session.graph, &session.state, &Observations::believed(&session.state), &session.kinds, &options)?
    } else {
        session.plan(&session.graph, &options).await?
    };
    if printer.json {
        printer.document(&plan_json(&plan, &session.kinds, &session.aws.ledger));
    } else {
        show_plan(printer, &plan, &session.kinds);
        show_ledger(printer, &session.aws.ledger);
    }
    preflight::warn_private(&session, printer);
    warn_unseen(printer, &plan);
    if let Some(path) = &args.out {
        let saved = SavedPlan::new(plan.clone(), session.state.choices.clone());
        save(path, &saved.write()).context("the plan cannot be saved")?;
        printer.note(&format!("Saved; `bedplate apply {}` carries it out.", path.display()));
    }
    if let Some(refusal) = plan.refusals.first() {
        // Already shown in full, except to scripts.
        let hint = if printer.json { &refusal.hint } else { REFUSED };
        return Err(Refused::new("this plan cannot be applied", hint));
    }
    Ok(if args.detailed_exitcode && !plan.is_empty() { Exit::Pending } else { Exit::Done })
}

#[cfg(test)]
mod tests {
    use super::*;
    use bedplate_model::{Address, Id, StackId};
    use bedplate_plan::{Action, Change, Removal};
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn sample() -> SavedPlan {
        let removal = |generation: u32, id: &str| Removal {
            generation,
            id: Some(Id::new(id)),
            depends_on: BTreeSet::from([Address::new("network/vpc").unwrap()]),
            unprotect: false,
            discard: false,
            first: false,
            goes_with: None,
            sweeps: Vec::new(),
        };
        let change = Change {
            address: Address::new("network/subnet/app-a").unwrap(),
            kind: "ec2.subnet".to_owned(),
            action: Action::Delete,
            reason: "no longer in the configuration".to_owned(),
            fields: Vec::new(),
            make: None,
            removals: vec![removal(0, "subnet-0ab"), removal(1, "subnet-0cd")],
        };
        let plan = Plan {
            format: Plan::FORMAT,
            stack: StackId::new("fintechglobal-production"),
            lineage: "0b8f2c1e-5a70-4f7e-9d3f-2f6f0d0c9a11".to_owned(),
            serial: 42,
            changes: vec![change],
            unchanged: 7,
            outputs: BTreeMap::new(),
            refusals: Vec::new(),
            unseen: BTreeMap::new(),
        };
        SavedPlan::new(plan, BTreeMap::from([("zones".to_owned(), serde_json::json!(["use1-az1"]))]))
    }

    #[test]
    fn a_plan_survives_its_file_and_no_truncation_or_flipped_bit_goes_unnoticed() {
        let (plan, bytes) = (sample(), sample().write());
        assert_eq!(SavedPlan::read(&bytes).unwrap(), plan);
        for end in 0..bytes.len() - 1 {
            assert!(SavedPlan::read(&bytes[..end]).is_err(), "{end} bytes were accepted");
        }
        for index in 0..bytes.len() {
            for bit in 0..8 {
                let mut flipped = bytes.clone();
                flipped[index] ^= 1 << bit;
                if let Ok(read) = SavedPlan::read(&flipped) {
                    assert_eq!(read, plan, "byte {index} bit {bit}");
                }
            }
        }
    }

    #[test]
    fn a_newer_plan_is_called_newer() {
        let text = String::from_utf8(sample().write()).unwrap().replacen("\"format\": 1", "\"format\": 9", 2);
        assert!(matches!(SavedPlan::read(text.as_bytes()), Err(FormatError::Newer { found: 9, .. })), "{text}");
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            // PROPTEST_CASES asks for more.
            cases: ProptestConfig::default().cases.max(1000),
            failure_persistence: None,
            ..ProptestConfig::default()
        })]

        #[test]
        fn a_plan_that_was_changed_by_hand_is_refused_or_says_the_same(
            changes in prop::collection::vec((any::<prop::sample::Index>(), 0..30usize, prop::collection::vec(any::<u8>(), 0..20)), 1..4)
        ) {
            let (plan, mut bytes) = (sample(), sample().write());
            for (at, length, piece) in changes {
                let start = at.index(bytes.len());
                let end = (start + length).min(bytes.len());
                bytes.splice(start..end, piece);
                if bytes.is_empty() {
                    break;
                }
            }
            if let Ok(read) = SavedPlan::read(&bytes) {
                prop_assert_eq!(read, plan);
            }
        }

        #[test]
        fn any_bytes_are_refused(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            prop_assert!(SavedPlan::read(&bytes).is_err());
        }
    }
}
