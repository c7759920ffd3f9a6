//! Whether the account's quotas have room for what a plan makes, and what a reached quota is.

use crate::{
    advice::{Advice, call_advice, reached, too_small},
    render::Printer,
    session::Session,
};
use bedplate_aws::{
    Aws, facts,
    quotas::{QUOTAS, Quota, Standing, standing},
};
use bedplate_engine::Failure;
use bedplate_model::{Address, CallError, Json, references};
use bedplate_plan::{Change, Graph, Plan, Refusal};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

/// The longest that an error waits for the value of its quota.
const PATIENCE: Duration = Duration::from_secs(10);

/// The values of quotas, by code.
pub(crate) type Values = BTreeMap<&'static str, f64>;

/// Asks what the quotas are that these failures say are reached. One that cannot be asked for is left out.
pub(crate) async fn values(aws: &Aws, failures: &[Failure]) -> Values {
    let reached = failures.iter().filter_map(|failure| Quota::reached(failure.error.call()?));
    let reached: BTreeMap<&str, &Quota> = reached.map(|quota| (quota.code, quota)).collect();
    let mut values = Values::new();
    for (code, quota) in reached {
        let question = tokio::time::timeout(PATIENCE, facts::quota(aws, quota.service, code));
        let Ok(Ok(value)) = question.await else { break };
        values.insert(code, value);
    }
    values
}

/// What to do about a failed call, with the value of the quota that it met if that is known.
pub(crate) fn advice(error: &CallError, values: &Values) -> Advice {
    let met = Quota::reached(error).and_then(|quota| Some((quota, *values.get(quota.code)?)));
    met.map_or_else(|| call_advice(error), |(quota, value)| reached(quota, Some(value)))
}

/// Adds a refusal to the plan for every quota that has no room for what it makes. Only quotas of what is made are asked for;
/// where the account may not ask, that is said.
pub(crate) async fn check(session: &Session, plan: &mut Plan, printer: &Printer) {
    let account = session.local.config.account_id.to_string();
    for quota in QUOTAS {
        let made = made(plan, &session.graph, quota);
        if made.is_empty() {
            continue;
        }
        match standing(&session.aws, &account, quota).await {
            Ok(standing) => plan.refusals.extend(shortages(quota, &standing, &made)),
            Err(error) => {
                printer.warning(&format!(
                    "whether the account's quotas have room is not known: {error}; {}",
                    call_advice(&error)
                ));
                return;
            }
        }
    }
}

/// What is made new, by the zone that it counts in.
type Made = BTreeMap<Option<String>, Vec<Address>>;

/// What a plan makes of that which a quota limits.
fn made(plan: &Plan, graph: &Graph, quota: &Quota) -> Made {
    let mut made = Made::new();
    let of_kind = |change: &&Change| Some(&*change.kind) == quota.counts;
    for change in plan.changes.iter().filter(of_kind) {
        let Some(make) = &change.make else { continue };
        // What takes the place of another takes its room, too.
        if make.id.is_some() || change.removals.iter().any(|removal| removal.first) {
            continue;
        }
        let zone = if quota.per_zone { zone(&make.draft, graph) } else { None };
        made.entry(zone).or_default().push(change.address.clone());
    }
    made
}

/// The zone of what stands in a subnet.
fn zone(draft: &Json, graph: &Graph) -> Option<String> {
    let subnets: BTreeSet<Address> = references(&draft["subnet"]);
    let zone = &graph.get(subnets.first()?)?.draft["zone_id"];
    zone.as_str().map(str::to_owned)
}

/// What does not fit. It is refused at the first resource that there is no room for.
fn shortages(quota: &Quota, standing: &Standing, made: &Made) -> Vec<Refusal> {
    let fits = |number: usize| u32::try_from(number).is_ok_and(|number| f64::from(number) <= standing.value);
    let shortage = |(zone, addresses): (&Option<String>, &Vec<Address>)| {
        let used = standing.used.get(zone).copied().unwrap_or_default();
        let (_, first) = addresses.iter().enumerate().find(|(index, _)| !fits(used + index + 1))?;
        let place = zone.as_ref().map_or_else(String::new, |zone| format!(" in {zone}"));
        let problem = format!(
            "the account's quota `{}` ({}) is {}: {used} used{place}, {} more needed",
            quota.name,
            quota.code,
            standing.value,
            addresses.len()
        );
        let hint = too_small(quota, used + addresses.len());
        Some(Refusal { address: first.clone(), problem, hint })
    };
    made.iter().filter_map(shortage).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use bedplate_aws::{
        AllocationId, SubnetId, VpcId,
        ec2::{ElasticIp, NatGateway, NatGatewaySpec, Subnet, SubnetSpec},
    };
    use bedplate_model::{Input, Reconcile, StackId};
    use bedplate_plan::{Action, GraphBuilder};
    use serde_json::{Value, json};

    fn quota(kind: &str) -> &'static Quota {
        QUOTAS.iter().find(|quota| quota.counts == Some(kind)).unwrap()
    }

    fn change(address: &str, kind: &str, action: Action, id: Option<&str>, first: Option<bool>) -> Change {
        let removal = |first| json!({"generation": 0, "id": "old", "depends_on": [], "unprotect": false, "discard": false, "first": first});
        let make = json!({"generation": 0, "client_token": "t", "id": id, "draft": {}, "tags": {}, "depends_on": [],
            "held": [], "interrupted": false});
        serde_json::from_value(json!({
            "address": address, "kind": kind, "action": action, "reason": "", "fields": [],
            "make": if action == Action::Delete { Value::Null } else { make },
            "removals": first.map(removal).into_iter().collect::<Vec<_>>(),
        }))
        .unwrap()
    }

    fn plan(changes: Vec<Change>) -> Plan {
        Plan {
            format: Plan::FORMAT,
            stack: StackId::new("s"),
            lineage: "l".to_owned(),
            serial: 0,
            changes,
            unchanged: 0,
            outputs: BTreeMap::new(),
            refusals: Vec::new(),
            unseen: BTreeMap::new(),
        }
    }

    fn addresses(made: &Made, zone: Option<&str>) -> Vec<String> {
        made.get(&zone.map(str::to_owned)).into_iter().flatten().map(ToString::to_string).collect()
    }

    #[test]
    fn only_what_comes_on_top_counts() {
        let of = |address, action, id, first| change(address, ElasticIp::KIND, action, id, first);
        let plan = plan(vec![
            of("n/new", Action::Create, None, None),
            of("n/beside-the-old", Action::Replace, None, Some(false)),
            of("n/after-the-old", Action::Replace, None, Some(true)),
            of("n/changed", Action::Update, Some("eipalloc-1"), None),
            of("n/gone", Action::Delete, None, Some(false)),
            change("n/subnet", Subnet::KIND, Action::Create, None, None),
        ]);
        let graph = GraphBuilder::new(StackId::new("s"), "s", BTreeMap::new()).finish().unwrap();
        let made = made(&plan, &graph, quota(ElasticIp::KIND));
        assert_eq!(addresses(&made, None), ["n/new", "n/beside-the-old"]);
        assert_eq!(made.len(), 1);
    }

    #[test]
    fn a_gateway_counts_in_the_zone_of_its_subnet() {
        let mut builder = GraphBuilder::new(StackId::new("s"), "s", BTreeMap::new());
        let mut changes = Vec::new();
        for zone in ["use1-az1", "use1-az2"] {
            let subnet = builder.add::<Subnet>(
                &format!("n/{zone}"),
                SubnetSpec {
                    vpc: VpcId::new("vpc-1").into(),
                    cidr: Input::from_expression(json!("10.0.0.0/24")),
                    zone_id: zone.into(),
                    public_addresses: true.into(),
                },
            );
            let subnet: Input<SubnetId> = subnet.id;
            let address = format!("n/nat-{zone}");
            let spec = NatGatewaySpec { subnet, allocation: AllocationId::new("eipalloc-1").into() };
            builder.add::<NatGateway>(&address, spec);
            changes.push(change(&address, NatGateway::KIND, Action::Create, None, None));
        }
        let graph = builder.finish().unwrap();
        for change in &mut changes {
            change.make.as_mut().unwrap().draft = graph.get(&change.address).unwrap().draft.clone();
        }
        let made = made(&plan(changes), &graph, quota(NatGateway::KIND));
        assert_eq!(addresses(&made, Some("use1-az1")), ["n/nat-use1-az1"]);
        assert_eq!(addresses(&made, Some("use1-az2")), ["n/nat-use1-az2"]);

        // The other zone has room.
        let used = BTreeMap::from([(Some("use1-az2".to_owned()), 5), (Some("use1-az1".to_owned()), 4)]);
        let refused = shortages(quota(NatGateway::KIND), &Standing { value: 5.0, used }, &made);
        let [refusal] = &refused[..] else { panic!("{refused:?}") };
        assert_eq!(refusal.address.as_str(), "n/nat-use1-az2");
        let said = "the account's quota `NAT gateways per Availability Zone` (L-FE5A380F) is 5: 5 used in use1-az2, 1 more needed";
        assert_eq!(refusal.problem, said);
    }

    #[test]
    fn a_quota_without_room_is_refused_with_what_to_ask_for() {
        let names = ["n/a", "n/b"].map(|address| Address::new(address).unwrap());
        let made = Made::from([(None, names.to_vec())]);
        let refused = |value: f64, used: usize| {
            let used = BTreeMap::from([(None, used)]);
            shortages(quota(ElasticIp::KIND), &Standing { value, used }, &made)
        };
        assert_eq!(refused(5.0, 3), []);
        let [refusal] = &refused(5.0, 4)[..] else { panic!("one refusal") };
        assert_eq!(refusal.address.as_str(), "n/b");
        assert_eq!(
            refusal.problem,
            "the account's quota `EC2-VPC Elastic IPs` (L-0263D0A3) is 5: 4 used, 2 more needed"
        );
        assert!(refusal.hint.ends_with("--service-code ec2 --quota-code L-0263D0A3 --desired-value 6"), "{refusal:?}");
        // More may be used than is allowed since.
        let [refusal] = &refused(5.0, 7)[..] else { panic!("one refusal") };
        assert_eq!(refusal.address.as_str(), "n/a");
        assert!(refusal.hint.ends_with("--desired-value 9"), "{refusal:?}");
    }
}
