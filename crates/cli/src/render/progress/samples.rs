//! A run for tests, in which everything happens that can.

use super::{board::Board, lines::Lines};
use crate::render::plan::samples;
use bedplate_aws::KINDS;
use bedplate_engine::{EffectError, Event, Kinds};
use bedplate_model::{Address, CallError, Class, Id, Outsider};
use bedplate_plan::Action;
use std::time::Duration;

/// The sample plan while it is carried out.
pub(super) struct Run {
    pub(super) board: Board,
    lines: Lines,
    said: Vec<String>,
}

impl Run {
    pub(super) fn new(live: bool, verbose: bool) -> Self {
        let board = Board::new(&samples::plan(), &Kinds::new(KINDS));
        Self { board, lines: Lines::new(live, verbose), said: Vec::new() }
    }

    fn event(&mut self, seconds: u64, event: &Event<'_>) {
        let now = Duration::from_secs(seconds);
        self.board.event(now, event);
        let lines = self.lines.of(event, now, &self.board);
        self.said.extend(lines.iter().map(|line| anstream::adapter::strip_str(line).to_string()));
    }

    fn begin(&mut self, seconds: u64, address: &str, action: Action) {
        self.event(seconds, &Event::Started { address: &Address::new(address).unwrap(), action });
    }

    fn end(&mut self, seconds: u64, address: &str, action: Action, took: u64) {
        let (address, elapsed) = (Address::new(address).unwrap(), Duration::from_secs(took));
        self.event(seconds, &Event::Finished { address: &address, action, elapsed });
    }

    fn wait(&mut self, seconds: u64, address: &str, state: &str, elapsed: u64, expected: u64) {
        let (elapsed, expected) = (Duration::from_secs(elapsed), Duration::from_secs(expected));
        self.event(seconds, &Event::Waiting { address: &Address::new(address).unwrap(), state, elapsed, expected });
    }

    /// Four minutes in: one thing is done, one failed, one call is repeated and held up, a cluster is being made, and the rest
    /// waits for it.
    pub(super) fn until_the_middle(mut self) -> Self {
        self.begin(0, "network/vpc", Action::Update);
        self.begin(0, "network/subnet/app-a", Action::Delete);
        self.begin(0, "security/role/app", Action::Update);
        self.begin(0, "cluster/cluster", Action::Create);
        self.end(1, "network/vpc", Action::Update, 1);
        for seconds in [2, 3, 5, 9, 17, 33, 40, 64] {
            let message = "The subnet 'subnet-0a1' has dependencies and cannot be deleted.";
            let error = CallError::local("ec2:DeleteSubnet", "DependencyViolation", message, Class::Busy);
            self.event(
                seconds,
                &Event::Retrying { address: &Address::new("network/subnet/app-a").unwrap(), error: &error },
            );
        }
        let by = [Outsider {
            kind: "ec2.network_interface".to_owned(),
            id: Id::new("eni-0c4"),
            about: "made by somebody".to_owned(),
        }];
        self.event(65, &Event::Held { address: &Address::new("network/subnet/app-a").unwrap(), by: &by });
        let error = CallError::local(
            "iam:UpdateAssumeRolePolicy",
            "MalformedPolicyDocument",
            "Invalid principal in policy",
            Class::Invalid,
        );
        let error = EffectError::Call(error);
        self.event(70, &Event::Failed { address: &Address::new("security/role/app").unwrap(), error: &error });
        for elapsed in [0, 10, 25, 31, 55, 62, 240] {
            self.wait(1 + elapsed, "cluster/cluster", "CREATING", elapsed, 540);
        }
        self
    }

    /// All that was said until the cluster fails, too.
    pub(super) fn until_the_end(self) -> String {
        let mut run = self.until_the_middle();
        run.wait(661, "cluster/cluster", "CREATING", 660, 540);
        let error = EffectError::Broken { state: "no room in use1-az1".to_owned() };
        let cluster = Address::new("cluster/cluster").unwrap();
        run.event(670, &Event::Failed { address: &cluster, error: &error });
        let node_group = Address::new("cluster/node-group").unwrap();
        for _ in 0..2 {
            run.event(670, &Event::Skipped { address: &node_group, because: Some(&cluster) });
        }
        run.event(671, &Event::Skipped { address: &Address::new("costs/topic").unwrap(), because: None });
        run.end(672, "network/subnet/app-a", Action::Delete, 672);
        run.said.join("\n")
    }
}
