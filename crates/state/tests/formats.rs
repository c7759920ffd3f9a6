//! What older versions wrote is read, and what is damaged never is.

use bedplate_model::{Address, Id, StackId, Tags};
use bedplate_state::{Deposed, Intent, State, parse, seal, unseal, write};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::{collections::BTreeSet, path::Path};

/// A state with everything in it.
fn sample() -> State {
    let address = |text: &str| Address::new(text).unwrap();
    let mut state = State::new(StackId::new("fintechglobal-production"), "797923187401", "us-east-1");
    "0b8f2c1e-5a70-4f7e-9d3f-2f6f0d0c9a11".clone_into(&mut state.lineage);
    state.serial = 42;
    state.choices.insert("zones".to_owned(), json!(["use1-az1", "use1-az2"]));
    let intent = |kind: &str, generation: u32, depends_on: &[&str]| Intent {
        kind: kind.to_owned(),
        generation,
        client_token: format!("token-{generation}"),
        spec: json!({"cidr": "10.0.0.0/16", "dns": true, "note": null, "ports": [80, 443]}),
        tags: Tags::from([("Project".to_owned(), "fintechglobal".to_owned())]),
        depends_on: depends_on.iter().map(|text| address(text)).collect(),
    };
    state.begin_create(&address("network/vpc"), intent("ec2.vpc", 0, &[]));
    state.created(&address("network/vpc"), Id::new("vpc-0ab"));
    let outputs = json!({"id": "vpc-0ab", "main_table": "rtb-1"});
    state.ready(&address("network/vpc"), json!({"cidr": "10.0.0.0/16"}), Tags::new(), outputs, BTreeSet::new());
    state.begin_create(&address("network/subnet/app-a"), intent("ec2.subnet", 2, &["network/vpc"]));
    let subnet = state.resources.get_mut(&address("network/subnet/app-a")).unwrap();
    subnet.deposed.push(Deposed {
        generation: 1,
        id: Id::new("subnet-old"),
        depends_on: BTreeSet::from([address("network/vpc")]),
    });
    state.begin_create(&address("network/igw"), intent("ec2.internet_gateway", 0, &[]));
    state.deleted(&address("network/igw"), 0);
    state
}

/// Every version that was ever released has its sample here, written by it. None is changed afterwards.
#[test]
fn every_version_ever_released_is_read() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/samples");
    for version in 1..=State::VERSION {
        let bytes = fs_err::read(folder.join(format!("v{version}.json"))).unwrap();
        let state = parse(&bytes).unwrap_or_else(|error| panic!("v{version}: {error}"));
        assert_eq!(state, sample(), "v{version}");
    }
    // The newest is what this version writes, to the byte.
    let newest = fs_err::read_to_string(folder.join(format!("v{}.json", State::VERSION))).unwrap();
    assert_eq!(String::from_utf8(write(&sample())).unwrap(), newest);
}

/// What can happen to a file.
#[derive(Clone, Debug)]
enum Damage {
    Cut(prop::sample::Index),
    Flip(prop::sample::Index, u8),
    Replace(prop::sample::Index, Vec<u8>),
    Insert(prop::sample::Index, Vec<u8>),
    Remove(prop::sample::Index, usize),
    /// An editor's work: one line becomes another one of the same file.
    Swap(prop::sample::Index, prop::sample::Index),
    /// A disk's: a block of zeros.
    Zeros(prop::sample::Index),
}

fn damage() -> impl Strategy<Value = Damage> {
    let at = any::<prop::sample::Index>;
    let bytes = || prop::collection::vec(any::<u8>(), 1..20);
    prop_oneof![
        at().prop_map(Damage::Cut),
        (at(), 0..8u8).prop_map(|(at, bit)| Damage::Flip(at, bit)),
        (at(), bytes()).prop_map(|(at, bytes)| Damage::Replace(at, bytes)),
        (at(), bytes()).prop_map(|(at, bytes)| Damage::Insert(at, bytes)),
        (at(), 1..40usize).prop_map(|(at, length)| Damage::Remove(at, length)),
        (at(), at()).prop_map(|(a, b)| Damage::Swap(a, b)),
        at().prop_map(Damage::Zeros),
    ]
}

fn damaged(mut bytes: Vec<u8>, damages: &[Damage]) -> Vec<u8> {
    for damage in damages {
        if bytes.is_empty() {
            return bytes;
        }
        let length = bytes.len();
        match damage {
            Damage::Cut(at) => bytes.truncate(at.index(length)),
            Damage::Flip(at, bit) => bytes[at.index(length)] ^= 1 << bit,
            Damage::Replace(at, new) => {
                let at = at.index(length);
                bytes.splice(at..(at + new.len()).min(length), new.iter().copied());
            }
            Damage::Insert(at, new) => {
                let at = at.index(length);
                bytes.splice(at..at, new.iter().copied());
            }
            Damage::Remove(at, count) => {
                let at = at.index(length);
                bytes.drain(at..(at + count).min(length));
            }
            Damage::Swap(a, b) => {
                let mut lines: Vec<&[u8]> = bytes.split_inclusive(|byte| *byte == b'\n').collect();
                let (a, b) = (a.index(lines.len()), b.index(lines.len()));
                lines.swap(a, b);
                bytes = lines.concat();
            }
            Damage::Zeros(at) => {
                let at = at.index(length);
                bytes[at..(at + 512).min(length)].fill(0);
            }
        }
    }
    bytes
}

proptest! {
    #![proptest_config(ProptestConfig {
        // PROPTEST_CASES asks for more.
        cases: ProptestConfig::default().cases.max(2000),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn a_damaged_state_is_refused_or_says_the_same(damages in prop::collection::vec(damage(), 1..4)) {
        let state = sample();
        // White space may change, and the order of lines that stand beside each other.
        if let Ok(read) = parse(&damaged(write(&state), &damages)) {
            prop_assert_eq!(read, state);
        }
    }

    #[test]
    fn any_bytes_are_refused(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        prop_assert!(parse(&bytes).is_err());
    }

    #[test]
    fn any_json_is_refused_as_a_state(text in "[\\[\\]{}\",:0-9a-z \\\\]{0,200}") {
        prop_assert!(parse(text.as_bytes()).is_err());
    }

    #[test]
    fn what_is_sealed_is_read_as_it_was(
        key in "[a-z]{1,8}",
        text in "\\PC{0,40}",
        number in any::<i64>(),
        fraction in prop::num::f64::NORMAL,
    ) {
        let json = json!({"format": 1, key: {"text": text, "number": number, "fraction": fraction}});
        prop_assert_eq!(unseal(&seal(json.clone()), "format", 1).unwrap(), json);
    }
}

/// Nesting that would overflow the stack, and numbers that nobody can hold.
#[test]
fn what_would_exhaust_a_parser_is_refused() {
    for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
        let deep = format!("{}{}", open.repeat(200_000), close.repeat(200_000));
        assert!(parse(deep.as_bytes()).is_err());
    }
    assert!(parse(format!("{{\"version\":1{}}}", "0".repeat(100_000)).as_bytes()).is_err());
    assert!(parse(format!("{{\"version\":1e{}}}", "9".repeat(100)).as_bytes()).is_err());
}

/// A seal over something else than a state is no state.
#[test]
fn what_is_sealed_but_no_state_is_refused() {
    let mut json: Value = serde_json::from_slice(&write(&sample())).unwrap();
    let map = json.as_object_mut().unwrap();
    map.remove("checksum");
    map.remove("resources");
    assert!(parse(&seal(json)).unwrap_err().to_string().contains("resources"));
    assert!(parse(&seal(json!([1, 2]))).is_err());
    assert!(parse(&seal(json!({"version": 0}))).is_err());
}
