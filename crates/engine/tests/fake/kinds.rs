//! The types of the fake cloud, as different as AWS's are.

use super::cloud::Cloud;
use bedplate_model::{
    CallError, Creation, Entry as KindEntry, Id, Kind, Observation, Observed, Order, Outsider, Ownership, Pace, Phase,
    Reconcile, Record, Recovery, Resolved, Step, Tags, Which,
};

pub(crate) static KINDS: &[&dyn Kind<Cloud>] = &[
    &KindEntry::<Net>::NEW,
    &KindEntry::<Sub>::NEW,
    &KindEntry::<Gate>::NEW,
    &KindEntry::<Entry>::NEW,
    &KindEntry::<Default>::NEW,
    &KindEntry::<Role>::NEW,
    &KindEntry::<Linked>::NEW,
    &KindEntry::<Alias>::NEW,
    &KindEntry::<Store>::NEW,
    &KindEntry::<Table>::NEW,
];

/// All calls are alike; only facts and identity differ.
macro_rules! reconcile {
    ($kind:ident, $spec:ident, $outputs:ident, $name:literal, $identity:expr, { $($rest:tt)* }) => {
        #[derive(Debug)]
        pub(crate) enum $kind {}

        impl Reconcile for $kind {
            const KIND: &'static str = $name;
            const DOC: &'static str = "A fake.";
            const CLOUDFORMATION: Option<&'static str> = None;
            const ACTIONS: &'static [&'static str] = &[];
            type Cloud = Cloud;
            type Spec<P: Phase> = $spec<P>;
            type Outputs<P: Phase> = $outputs<P>;

            $($rest)*

            fn identity(spec: &$spec<Observed>) -> Option<Id> {
                let identity: fn(&$spec<Observed>) -> Option<Id> = $identity;
                identity(spec)
            }

            async fn read(cloud: &Cloud, which: Which<'_>) -> Result<Vec<Observation<Self>>, CallError> {
                let shown = cloud.read(Self::KIND, which).await?.into_iter();
                Ok(shown.map(|shown| Observation {
                    id: shown.id,
                    tags: shown.tags,
                    readiness: shown.readiness,
                    spec: Record::from_json(shown.spec).unwrap(),
                    outputs: shown.outputs.map(|outputs| Record::from_json(outputs).unwrap()),
                }).collect())
            }

            async fn create(cloud: &Cloud, spec: &$spec<Resolved>, creation: &Creation) -> Result<Id, CallError> {
                let identity = Self::identity(&Record::from_json(spec.to_json()).unwrap());
                cloud.create(Self::KIND, identity, spec.to_json(), creation).await
            }

            async fn update(cloud: &Cloud, step: &Step<'_, Self>) -> Result<(), CallError> {
                cloud.update(Self::KIND, step.id, step.changed, step.wanted.to_json()).await
            }

            async fn tag(cloud: &Cloud, id: &Id, set: &Tags, remove: &[String]) -> Result<(), CallError> {
                cloud.tag(Self::KIND, id, set, remove).await
            }

            async fn unprotect(cloud: &Cloud, id: &Id) -> Result<(), CallError> {
                cloud.unprotect(Self::KIND, id).await
            }

            async fn delete(cloud: &Cloud, id: &Id) -> Result<(), CallError> {
                cloud.delete(Self::KIND, id).await
            }
        }
    };
}

// Found by its tag alone; the new one before the old one.
reconcile!(Net, NetSpec, NetOutputs, "net.net", |_| None, {
    const RECOVERY: Recovery = Recovery::Tag;

    async fn holders(cloud: &Cloud, id: &Id) -> Result<Vec<Outsider>, CallError> {
        Ok(cloud.made_in(id.as_str(), None))
    }
});

/// Settings of a network.
#[derive(Clone, Debug, Record)]
pub(crate) struct NetSpec<P: Phase> {
    /// Addresses.
    #[replace]
    pub(crate) range: P::Of<String>,
    /// A word.
    pub(crate) label: P::Of<String>,
}

/// Outputs of a network.
#[derive(Clone, Debug, Record)]
pub(crate) struct NetOutputs<P: Phase> {
    /// Its id.
    pub(crate) id: P::Of<String>,
    /// Counts its changes.
    #[volatile]
    pub(crate) revision: P::Of<String>,
}

// No two have the same range, so the old one goes first.
reconcile!(Sub, SubSpec, SubOutputs, "net.sub", |_| None, {
    const RECOVERY: Recovery = Recovery::Tag;
    const ORDER: Order = Order::DeleteFirst;
});

/// Settings of a subnet.
#[derive(Clone, Debug, Record)]
pub(crate) struct SubSpec<P: Phase> {
    /// Its network.
    #[replace]
    pub(crate) net: P::Of<String>,
    /// Addresses.
    #[replace]
    pub(crate) range: P::Of<String>,
    /// A word.
    pub(crate) mode: P::Of<String>,
}

/// Outputs of a subnet.
#[derive(Clone, Debug, Record)]
pub(crate) struct SubOutputs<P: Phase> {
    /// Its id.
    pub(crate) id: P::Of<String>,
}

// Made once per token; the token outlives it.
reconcile!(Gate, GateSpec, GateOutputs, "net.gate", |_| None, {
    const RECOVERY: Recovery = Recovery::Token;
    const PACE: Pace = Pace::seconds(60, 15, 600);
});

/// Settings of a gate.
#[derive(Clone, Debug, Record)]
pub(crate) struct GateSpec<P: Phase> {
    /// Its subnet.
    #[replace]
    pub(crate) sub: P::Of<String>,
    /// How much goes through.
    #[replace]
    pub(crate) size: P::Of<u32>,
    /// A word.
    pub(crate) label: P::Of<String>,
}

/// Outputs of a gate.
#[derive(Clone, Debug, Record)]
pub(crate) struct GateOutputs<P: Phase> {
    /// Its id.
    pub(crate) id: P::Of<String>,
}

// Exists only inside its network.
reconcile!(
    Entry,
    EntrySpec,
    EntryOutputs,
    "net.entry",
    |spec| Some(Id::child(spec.net.as_ref()?, spec.name.as_ref()?)),
    {
        const OWNERSHIP: Ownership = Ownership::Parent;
        const TAGGED: bool = false;
    }
);

/// Settings of an entry.
#[derive(Clone, Debug, Record)]
pub(crate) struct EntrySpec<P: Phase> {
    /// Its network.
    #[replace]
    pub(crate) net: P::Of<String>,
    /// Its name.
    #[replace]
    pub(crate) name: P::Of<String>,
    /// Where it leads.
    pub(crate) gate: P::Of<Option<String>>,
}

/// Outputs of an entry.
#[derive(Clone, Debug, Record)]
pub(crate) struct EntryOutputs<P: Phase> {
    /// Its id.
    pub(crate) id: P::Of<String>,
}

// Comes and goes with its network.
reconcile!(Default, DefaultSpec, DefaultOutputs, "net.default", |spec| spec.net.as_ref().map(Id::new), {
    const OWNERSHIP: Ownership = Ownership::Shared;
    const TAGGED: bool = false;
});

/// Settings of what a network comes with.
#[derive(Clone, Debug, Record)]
pub(crate) struct DefaultSpec<P: Phase> {
    /// Its network.
    #[replace]
    pub(crate) net: P::Of<String>,
    /// How many rules it has.
    pub(crate) rules: P::Of<u32>,
}

/// Outputs of what a network comes with.
#[derive(Clone, Debug, Record)]
pub(crate) struct DefaultOutputs<P: Phase> {
    /// Its id.
    pub(crate) id: P::Of<String>,
}

// Named, and the same name again has the same ARN.
reconcile!(Role, RoleSpec, RoleOutputs, "iam.role", |spec| spec.name.as_ref().map(Id::new), {
    fn protection(spec: &RoleSpec<Observed>) -> Option<&'static str> {
        spec.protected.unwrap_or_default().then_some("protection")
    }
});

/// Settings of a role.
#[derive(Clone, Debug, Record)]
pub(crate) struct RoleSpec<P: Phase> {
    /// Its name.
    #[replace]
    pub(crate) name: P::Of<String>,
    /// Where it is filed. A change needs a new role of the same name.
    #[replace]
    pub(crate) path: P::Of<String>,
    /// What it may do.
    pub(crate) policy: P::Of<String>,
    /// Never shown again.
    pub(crate) secret: P::Of<u32>,
    /// Whether it can be removed.
    pub(crate) protected: P::Of<bool>,
}

/// Outputs of a role.
#[derive(Clone, Debug, Record)]
pub(crate) struct RoleOutputs<P: Phase> {
    /// Its ARN.
    #[named]
    pub(crate) arn: P::Of<String>,
}

// Made when it is missing, never removed.
reconcile!(Linked, LinkedSpec, LinkedOutputs, "iam.linked", |spec| spec.name.as_ref().map(Id::new), {
    const OWNERSHIP: Ownership = Ownership::Shared;
    const TAGGED: bool = false;
});

/// Settings of a role of the account.
#[derive(Clone, Debug, Record)]
pub(crate) struct LinkedSpec<P: Phase> {
    /// Its name.
    #[replace]
    pub(crate) name: P::Of<String>,
}

/// Outputs of a role of the account.
#[derive(Clone, Debug, Record)]
pub(crate) struct LinkedOutputs<P: Phase> {
    /// Its ARN.
    #[named]
    pub(crate) arn: P::Of<String>,
}

// Shows the tags of what it points to.
reconcile!(Alias, AliasSpec, AliasOutputs, "kms.alias", |spec| spec.name.as_ref().map(Id::new), {
    const TAGGED: bool = false;
});

/// Settings of an alias.
#[derive(Clone, Debug, Record)]
pub(crate) struct AliasSpec<P: Phase> {
    /// Its name.
    #[replace]
    pub(crate) name: P::Of<String>,
    /// What it points to.
    pub(crate) target: P::Of<String>,
}

/// Outputs of an alias.
#[derive(Clone, Debug, Record)]
pub(crate) struct AliasOutputs<P: Phase> {
    /// Its ARN.
    #[named]
    pub(crate) arn: P::Of<String>,
}

// Slow, named, and the name stays when the zone changes.
reconcile!(Store, StoreSpec, StoreOutputs, "db.store", |spec| spec.name.as_ref().map(Id::new), {
    const ORDER: Order = Order::DeleteFirst;
    // It makes subnets of its own in its network, and gates in those.
    const LEAVES: bool = true;
    const PACE: Pace = Pace::seconds(300, 20, 1800).lagging(200);

    fn protection(spec: &StoreSpec<Observed>) -> Option<&'static str> {
        spec.protected.unwrap_or_default().then_some("deletion protection")
    }

    async fn leftovers(cloud: &Cloud, id: &Id, spec: &StoreSpec<Observed>) -> Result<Vec<Outsider>, CallError> {
        Ok(spec.net.as_ref().map(|net| cloud.made_in(net, Some(id))).unwrap_or_default())
    }

    async fn sweep(cloud: &Cloud, leftover: &Outsider) -> Result<(), CallError> {
        cloud.delete("net.sub", &leftover.id).await
    }
});

/// Settings of a store.
#[derive(Clone, Debug, Record)]
pub(crate) struct StoreSpec<P: Phase> {
    /// Its name.
    #[replace]
    pub(crate) name: P::Of<String>,
    /// Where it stands.
    #[replace]
    pub(crate) zone: P::Of<String>,
    /// What it is.
    #[refuse]
    pub(crate) engine: P::Of<String>,
    /// Grows by one in each step.
    pub(crate) version: P::Of<u32>,
    /// Its network.
    pub(crate) net: P::Of<String>,
    /// Its role.
    pub(crate) role: P::Of<String>,
    /// Never shown again.
    pub(crate) password: P::Of<u32>,
    /// Whether it can be removed.
    pub(crate) protected: P::Of<bool>,
}

/// Outputs of a store.
#[derive(Clone, Debug, Record)]
pub(crate) struct StoreOutputs<P: Phase> {
    /// Its id.
    #[named]
    pub(crate) id: P::Of<String>,
    /// Where it answers.
    #[volatile]
    pub(crate) revision: P::Of<String>,
}

// Lies in its store, behind an interface of its own.
reconcile!(
    Table,
    TableSpec,
    TableOutputs,
    "db.table",
    |spec| Some(Id::child(spec.store.as_ref()?, spec.name.as_ref()?)),
    {
        const CONTAINED_IN: Option<&'static str> = Some(Store::KIND);
    }
);

/// Settings of a table.
#[derive(Clone, Debug, Record)]
pub(crate) struct TableSpec<P: Phase> {
    /// Its store.
    #[replace]
    pub(crate) store: P::Of<String>,
    /// Its name.
    #[replace]
    pub(crate) name: P::Of<String>,
    /// A word.
    pub(crate) label: P::Of<String>,
}

/// Outputs of a table.
#[derive(Clone, Debug, Record)]
pub(crate) struct TableOutputs<P: Phase> {
    /// Its id.
    pub(crate) id: P::Of<String>,
}
