//! What the fake cloud knows of each type beyond what the engine is told.

use std::time::Duration;

/// How a reference ties a resource to what it refers to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hold {
    /// What it refers to cannot be removed before it.
    Blocks,
    /// It goes with what it refers to.
    Cascades,
    /// What it refers to can go and come again.
    Loose,
}

/// A field that refers to another resource by its id, or by `arn:` and its id.
#[derive(Debug)]
pub(crate) struct Reference {
    pub(crate) field: &'static str,
    pub(crate) to: &'static str,
    pub(crate) hold: Hold,
}

/// One type.
#[derive(Debug)]
pub(crate) struct Facts {
    pub(crate) kind: &'static str,
    pub(crate) references: &'static [Reference],
    /// The field that no two may share.
    pub(crate) unique: Option<&'static str>,
    /// Fields that no update changes.
    pub(crate) fixed: &'static [&'static str],
    /// Whether creates are idempotent by token.
    pub(crate) token: bool,
    /// How long it is in the making, being changed and being removed.
    pub(crate) making: u64,
    pub(crate) changing: u64,
    pub(crate) removing: u64,
    /// Fields that are never shown.
    pub(crate) hidden: &'static [&'static str],
    /// The field that moves by one in each step.
    pub(crate) stepwise: Option<&'static str>,
    /// Whether outputs exist only when it is ready.
    pub(crate) late: bool,
    /// Whether it can carry tags.
    pub(crate) tagged: bool,
    /// Whether it belongs to the account.
    pub(crate) shared: bool,
}

const PLAIN: Facts = Facts {
    kind: "",
    references: &[],
    unique: None,
    fixed: &["range", "net", "name", "sub", "size", "path", "zone", "engine"],
    token: false,
    making: 3,
    changing: 0,
    removing: 0,
    hidden: &[],
    stepwise: None,
    late: false,
    tagged: true,
    shared: false,
};

const fn reference(field: &'static str, to: &'static str, hold: Hold) -> Reference {
    Reference { field, to, hold }
}

const ALL: &[Facts] = &[
    Facts { kind: "net.net", ..PLAIN },
    Facts { kind: "net.sub", references: &[reference("net", "net.net", Hold::Blocks)], unique: Some("range"), ..PLAIN },
    Facts {
        kind: "net.gate",
        references: &[reference("sub", "net.sub", Hold::Blocks)],
        token: true,
        making: 60,
        removing: 45,
        late: true,
        ..PLAIN
    },
    Facts { kind: "net.entry", references: ENTRY, making: 0, tagged: false, ..PLAIN },
    Facts {
        kind: "net.default",
        references: &[reference("net", "net.net", Hold::Cascades)],
        making: 0,
        tagged: false,
        shared: true,
        ..PLAIN
    },
    Facts { kind: "iam.role", making: 0, hidden: &["secret"], ..PLAIN },
    Facts { kind: "iam.linked", making: 5, tagged: false, shared: true, ..PLAIN },
    Facts {
        kind: "kms.alias",
        references: &[reference("target", "net.net", Hold::Cascades)],
        making: 0,
        tagged: false,
        ..PLAIN
    },
    Facts {
        kind: "db.store",
        fixed: &["name", "zone", "engine"],
        references: &[reference("net", "net.net", Hold::Blocks), reference("role", "iam.role", Hold::Loose)],
        making: 300,
        changing: 60,
        removing: 200,
        hidden: &["password"],
        stepwise: Some("version"),
        late: true,
        ..PLAIN
    },
    Facts { kind: "db.table", references: &[reference("store", "db.store", Hold::Cascades)], making: 0, ..PLAIN },
];

const ENTRY: &[Reference] = &[reference("net", "net.net", Hold::Cascades), reference("gate", "net.gate", Hold::Loose)];

impl Facts {
    pub(crate) fn of(kind: &str) -> &'static Self {
        ALL.iter().find(|facts| facts.kind == kind).expect("a fake type")
    }

    pub(crate) fn making(&self) -> Duration {
        Duration::from_secs(self.making)
    }
}
