//! What the platform declares: resources and the references between them.

use bedplate_model::{
    Address, AddressError, Input, Json, Owner, Reconcile, Record, StackId, Tags, output_references, references,
};
use petgraph::{
    algo::toposort,
    graph::{DiGraph, NodeIndex},
};
use std::collections::{BTreeMap, BTreeSet};

/// Everything one stack shall consist of. Made by a [`GraphBuilder`]; free of cycles and dangling references.
#[derive(Clone, Debug)]
pub struct Graph {
    stack: StackId,
    nodes: BTreeMap<Address, Node>,
    order: Vec<Address>,
    outputs: BTreeMap<String, Json>,
}

/// One declared resource.
#[derive(Clone, Debug)]
pub struct Node {
    /// Its type.
    pub kind: &'static str,
    /// Its settings, as expressions.
    pub draft: Json,
    /// Its tags without the ownership tags.
    pub tags: Tags,
    /// What it depends on.
    pub depends_on: BTreeMap<Address, Need>,
}

/// What one resource needs of another; with the reason where no data says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// Its outputs.
    Outputs,
    /// That it can be used.
    Ready(&'static str),
    /// That it exists: a create need not wait until it can be used, too.
    Existence(&'static str),
}

impl Node {
    /// What it depends on and only has to exist.
    pub(crate) fn only_existing(&self) -> BTreeSet<Address> {
        let existing = self.depends_on.iter().filter(|(_, need)| matches!(need, Need::Existence(_)));
        existing.map(|(address, _)| address.clone()).collect()
    }
}

impl Need {
    /// What would go wrong without it, where no data flows.
    pub fn why(self) -> Option<&'static str> {
        match self {
            Self::Outputs => None,
            Self::Ready(why) | Self::Existence(why) => Some(why),
        }
    }
}

/// A declaration that cannot be built. Each is a defect of the platform's code or a clash of names in the configuration.
#[derive(Debug, thiserror::Error)]
pub enum GraphError {
    /// Not an address.
    #[error(transparent)]
    Address(#[from] AddressError),
    /// Two resources at one address.
    #[error("{0} is declared twice")]
    Twice(Address),
    /// A reference to nothing.
    #[error("{from} refers to {to}, which is not declared")]
    Dangling {
        /// Who refers.
        from: Address,
        /// To what.
        to: Address,
    },
    /// Resources that wait for each other.
    #[error("{0} depends on itself through others")]
    Cycle(Address),
}

/// Collects declarations.
#[derive(Debug)]
pub struct GraphBuilder {
    stack: StackId,
    prefix: String,
    tags: Tags,
    nodes: BTreeMap<Address, Node>,
    outputs: BTreeMap<String, Json>,
    errors: Vec<GraphError>,
}

impl GraphBuilder {
    /// An empty graph. `prefix` begins every `Name` tag; `tags` go on everything that can be tagged.
    pub fn new(stack: StackId, prefix: impl Into<String>, tags: Tags) -> Self {
        Self {
            stack,
            prefix: prefix.into(),
            tags,
            nodes: BTreeMap::new(),
            outputs: BTreeMap::new(),
            errors: Vec::new(),
        }
    }

    /// Declares a resource and returns references to its outputs.
    pub fn add<K: Reconcile>(
        &mut self,
        address: &str,
        spec: K::Spec<bedplate_model::Draft>,
    ) -> K::Outputs<bedplate_model::Draft> {
        self.declare(address).add::<K>(spec)
    }

    /// Starts a declaration with tags of its own or dependencies that no data carries.
    pub fn declare(&mut self, address: &str) -> Declaration<'_> {
        Declaration { graph: self, address: address.to_owned(), tags: Tags::new(), after: BTreeMap::new() }
    }

    /// Declares an output of the whole stack.
    pub fn output<T>(&mut self, name: &str, value: &Input<T>) {
        self.outputs.insert(name.to_owned(), value.expression().clone());
    }

    /// Checks the whole and orders it.
    ///
    /// # Errors
    /// The first defect.
    pub fn finish(self) -> Result<Graph, GraphError> {
        if let Some(error) = self.errors.into_iter().next() {
            return Err(error);
        }
        let order = order(&self.nodes)?;
        Ok(Graph { stack: self.stack, nodes: self.nodes, order, outputs: self.outputs })
    }
}

/// A declaration being written.
#[derive(Debug)]
pub struct Declaration<'a> {
    graph: &'a mut GraphBuilder,
    address: String,
    tags: Tags,
    after: BTreeMap<String, Need>,
}

impl Declaration<'_> {
    /// Adds a tag.
    #[must_use]
    pub fn tag(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.tags.insert(key.into(), value.into());
        self
    }

    /// Makes it wait for another resource although no data flows between them; `why` says what would go wrong.
    #[must_use]
    pub fn after(mut self, address: &str, why: &'static str) -> Self {
        self.after.insert(address.to_owned(), Need::Ready(why));
        self
    }

    /// Makes it wait until another resource exists, not until that can be used; `why` says what would go wrong.
    #[must_use]
    pub fn beside(mut self, address: &str, why: &'static str) -> Self {
        self.after.insert(address.to_owned(), Need::Existence(why));
        self
    }

    /// Declares the resource.
    #[expect(clippy::should_implement_trait, reason = "nobody takes it for an addition")]
    pub fn add<K: Reconcile>(self, spec: K::Spec<bedplate_model::Draft>) -> K::Outputs<bedplate_model::Draft> {
        let Self { graph, address, tags: own, after } = self;
        let address = match Address::new(address) {
            Ok(address) => address,
            Err(error) => {
                graph.errors.push(error.into());
                Address::new("invalid").expect("a valid address")
            }
        };
        let draft = spec.to_json();
        let mut depends_on: BTreeMap<_, _> = references(&draft).into_iter().map(|to| (to, Need::Outputs)).collect();
        for (to, need) in after {
            match Address::new(to) {
                Ok(to) => _ = depends_on.entry(to).or_insert(need),
                Err(error) => graph.errors.push(error.into()),
            }
        }
        let mut tags = graph.tags.clone();
        let short = address.as_str().split_once('/').map_or(address.as_str(), |(_, rest)| rest);
        tags.insert("Name".to_owned(), format!("{}-{}", graph.prefix, short.replace('/', "-")));
        tags.extend(own);
        let outputs = output_references::<K>(&address);
        let node = Node { kind: K::KIND, draft, tags, depends_on };
        if graph.nodes.insert(address.clone(), node).is_some() {
            graph.errors.push(GraphError::Twice(address));
        }
        outputs
    }
}

impl Graph {
    /// The stack.
    pub fn stack(&self) -> &StackId {
        &self.stack
    }

    /// A graph of the same stack that declares nothing: what `destroy` wants.
    #[must_use]
    pub fn emptied(&self) -> Self {
        Self { stack: self.stack.clone(), nodes: BTreeMap::new(), order: Vec::new(), outputs: BTreeMap::new() }
    }

    /// The resource at an address.
    pub fn get(&self, address: &Address) -> Option<&Node> {
        self.nodes.get(address)
    }

    /// All resources, each after what it depends on, by address where that leaves a choice.
    pub fn iter(&self) -> impl Iterator<Item = (&Address, &Node)> {
        self.order.iter().map(|address| (address, &self.nodes[address]))
    }

    /// The stack's outputs, as expressions.
    pub fn outputs(&self) -> &BTreeMap<String, Json> {
        &self.outputs
    }

    /// The tags a resource shall carry, ownership included.
    pub fn tags(&self, address: &Address, generation: u32) -> Tags {
        let owner = Owner { stack: self.stack.clone(), address: address.clone(), generation };
        let mut tags = self.nodes.get(address).map(|node| node.tags.clone()).unwrap_or_default();
        tags.extend(owner.to_tags());
        tags
    }

    /// `chosen` and everything they depend on.
    pub fn with_dependencies(&self, chosen: BTreeSet<Address>) -> BTreeSet<Address> {
        let mut reached = BTreeSet::new();
        let mut open: Vec<Address> = chosen.into_iter().collect();
        while let Some(address) = open.pop() {
            if let Some(node) = self.nodes.get(&address) {
                open.extend(node.depends_on.keys().filter(|to| !reached.contains(*to)).cloned());
            }
            reached.insert(address);
        }
        reached
    }
}

fn order(nodes: &BTreeMap<Address, Node>) -> Result<Vec<Address>, GraphError> {
    let mut graph: DiGraph<&Address, ()> = DiGraph::with_capacity(nodes.len(), nodes.len() * 2);
    // Added backwards, because `toposort` takes what was added last first.
    let index: BTreeMap<&Address, NodeIndex> = nodes.keys().rev().map(|a| (a, graph.add_node(a))).collect();
    for (from, node) in nodes {
        for to in node.depends_on.keys() {
            let Some(&target) = index.get(to) else {
                return Err(GraphError::Dangling { from: from.clone(), to: to.clone() });
            };
            graph.add_edge(target, index[from], ());
        }
    }
    match toposort(&graph, None) {
        Ok(order) => Ok(order.into_iter().map(|index| graph[index].clone()).collect()),
        Err(cycle) => Err(GraphError::Cycle(graph[cycle.node_id()].clone())),
    }
}
