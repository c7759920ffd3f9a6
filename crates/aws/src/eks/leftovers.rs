//! What the controllers in a cluster, its network plug-in and EKS itself leave in the VPC when the cluster goes.
//!
//! All of it carries the cluster's name in a tag, and nothing without it is touched. The tags are documented by the projects
//! that set them: `kubernetes.io/cluster/<name>` = owned (Kubernetes' AWS cloud provider: its load balancers and their groups;
//! EKS User Guide, "Security group requirements": the cluster's own group), `elbv2.k8s.aws/cluster` (AWS Load Balancer
//! Controller, "Security Groups"), `cluster.k8s.amazonaws.com/name` (amazon-vpc-cni-k8s, `CLUSTER_NAME`).

use crate::{Aws, VpcId, ec2, elb, error::Sent};
use aws_sdk_ec2::types::Filter;
use bedplate_model::{CallError, Class, Id, Outsider, TAG_STACK, Tags};
use std::collections::BTreeMap;

const BALANCER: &str = "elb.load_balancer";
const CLASSIC: &str = "elb.classic_load_balancer";
const TARGET_GROUP: &str = "elb.target_group";
const INTERFACE: &str = "ec2.network_interface";
const GROUP: &str = "ec2.security_group";
/// Tags of so many classic load balancers are told in one call (Elastic Load Balancing 2012-06-01: DescribeTags).
const TAGGED: usize = 20;

/// What is left in the cluster's VPC: load balancers first, then what they use.
pub(super) async fn find(cloud: &Aws, cluster: &Id, vpc: &VpcId) -> Result<Vec<Outsider>, CallError> {
    let (cluster, vpc) = (cluster.as_str(), vpc.as_str());
    let mut found = balancers(cloud, cluster, vpc).await?;
    found.extend(classic_balancers(cloud, cluster, vpc).await?);
    found.extend(target_groups(cloud, cluster, vpc).await?);
    found.extend(interfaces(cloud, cluster, vpc).await?);
    found.extend(groups(cloud, cluster, vpc).await?);
    Ok(found)
}

/// Removes one of them, or starts to.
pub(super) async fn sweep(cloud: &Aws, leftover: &Outsider) -> Result<(), CallError> {
    let id = leftover.id.as_str();
    match leftover.kind.as_str() {
        BALANCER => cloud.elb.delete_load_balancer().load_balancer_arn(id).send().await.sent().map(drop),
        CLASSIC => cloud.classic_elb.delete_load_balancer().load_balancer_name(id).send().await.sent().map(drop),
        TARGET_GROUP => cloud.elb.delete_target_group().target_group_arn(id).send().await.sent().map(drop),
        INTERFACE => cloud.ec2.delete_network_interface().network_interface_id(id).send().await.sent().map(drop),
        GROUP => {
            // Groups that name each other would hold each other for ever.
            ec2::revoke(cloud, &ec2::rules_of(cloud, [id]).await?).await?;
            cloud.ec2.delete_security_group().group_id(id).send().await.sent().map(drop)
        }
        other => Err(CallError::local("eks:Sweep", "UnknownLeftover", format!("{other} is not swept"), Class::Other)),
    }
}

/// Whether tags say that it was made in this cluster's name. What the cluster merely shares says so too, and what is declared
/// here goes as a resource.
fn made_for(cluster: &str, tags: &Tags) -> bool {
    let says = |key: &str, value: &str| tags.get(key).is_some_and(|found| found == value);
    let owned = says(&format!("kubernetes.io/cluster/{cluster}"), "owned");
    let named = ["elbv2.k8s.aws/cluster", "cluster.k8s.amazonaws.com/name"].iter().any(|key| says(key, cluster));
    (owned || named) && !tags.contains_key(TAG_STACK)
}

async fn balancers(cloud: &Aws, cluster: &str, vpc: &str) -> Result<Vec<Outsider>, CallError> {
    let (mut pages, mut arns) = (cloud.elb.describe_load_balancers().into_paginator().items().send(), BTreeMap::new());
    while let Some(balancer) = pages.next().await {
        let balancer = balancer.sent()?;
        if let Some(arn) = balancer.load_balancer_arn().filter(|_| balancer.vpc_id() == Some(vpc)) {
            arns.insert(arn.to_owned(), balancer.dns_name().unwrap_or_default().to_owned());
        }
    }
    tagged(cloud, cluster, BALANCER, arns).await
}

async fn target_groups(cloud: &Aws, cluster: &str, vpc: &str) -> Result<Vec<Outsider>, CallError> {
    let (mut pages, mut arns) = (cloud.elb.describe_target_groups().into_paginator().items().send(), BTreeMap::new());
    while let Some(group) = pages.next().await {
        let group = group.sent()?;
        if let Some(arn) = group.target_group_arn().filter(|_| group.vpc_id() == Some(vpc)) {
            arns.insert(arn.to_owned(), String::new());
        }
    }
    tagged(cloud, cluster, TARGET_GROUP, arns).await
}

/// Those of these ARNs, with words about them, whose tags name the cluster.
async fn tagged(
    cloud: &Aws,
    cluster: &str,
    kind: &str,
    arns: BTreeMap<String, String>,
) -> Result<Vec<Outsider>, CallError> {
    let tags = elb::tags_of(cloud, &arns.keys().map(String::as_str).collect::<Vec<_>>()).await?;
    let ours = arns.iter().filter(|(arn, _)| tags.get(*arn).is_some_and(|tags| made_for(cluster, tags)));
    Ok(ours.map(|(arn, about)| Outsider::new(kind, arn, about)).collect())
}

async fn classic_balancers(cloud: &Aws, cluster: &str, vpc: &str) -> Result<Vec<Outsider>, CallError> {
    let mut pages = cloud.classic_elb.describe_load_balancers().into_paginator().items().send();
    let mut names = BTreeMap::new();
    while let Some(balancer) = pages.next().await {
        let balancer = balancer.sent()?;
        if let Some(name) = balancer.load_balancer_name().filter(|_| balancer.vpc_id() == Some(vpc)) {
            names.insert(name.to_owned(), balancer.dns_name().unwrap_or_default().to_owned());
        }
    }
    let (all, mut found) = (names.keys().cloned().collect::<Vec<_>>(), Vec::new());
    for portion in all.chunks(TAGGED) {
        let request = cloud.classic_elb.describe_tags().set_load_balancer_names(Some(portion.to_vec()));
        // One that is gone by now fails the call for all of them: the next look tells.
        let Some(answer) = request.send().await.found()? else { continue };
        for described in answer.tag_descriptions() {
            let name = described.load_balancer_name().unwrap_or_default();
            let pairs = described.tags().iter();
            let tags = pairs.map(|tag| (tag.key().to_owned(), tag.value().unwrap_or_default().to_owned())).collect();
            if made_for(cluster, &tags) {
                found.push(Outsider::new(CLASSIC, name, names.get(name).map(String::as_str).unwrap_or_default()));
            }
        }
    }
    Ok(found)
}

/// Interfaces that nobody uses any more: those in use go with what uses them.
async fn interfaces(cloud: &Aws, cluster: &str, vpc: &str) -> Result<Vec<Outsider>, CallError> {
    let filter = |name: &str, value: &str| Filter::builder().name(name).values(value).build();
    let free = ec2::interfaces(cloud, vec![filter("vpc-id", vpc), filter("status", "available")]).await?;
    let ours = free.iter().filter(|interface| made_for(cluster, &ec2::tags(interface.tag_set())));
    let ours = ours.filter_map(|interface| {
        let about = interface.description().unwrap_or_default();
        Some(Outsider::new(INTERFACE, interface.network_interface_id()?, about))
    });
    Ok(ours.collect())
}

async fn groups(cloud: &Aws, cluster: &str, vpc: &str) -> Result<Vec<Outsider>, CallError> {
    let filter = Filter::builder().name("vpc-id").values(vpc).build();
    let mut pages = cloud.ec2.describe_security_groups().filters(filter).into_paginator().items().send();
    let mut found = Vec::new();
    while let Some(group) = pages.next().await {
        let group = group.sent()?;
        if let Some(id) = group.group_id().filter(|_| made_for(cluster, &ec2::tags(group.tags()))) {
            found.push(Outsider::new(GROUP, id, group.group_name().unwrap_or_default()));
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_names_the_cluster_is_its() {
        let made = |pairs: &[(&str, &str)]| {
            let tags = pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
            made_for("main", &tags)
        };
        for ours in [
            ("kubernetes.io/cluster/main", "owned"),
            ("elbv2.k8s.aws/cluster", "main"),
            ("cluster.k8s.amazonaws.com/name", "main"),
        ] {
            assert!(made(&[ours]), "{ours:?}");
            assert!(!made(&[ours, (TAG_STACK, "fintechglobal-production")]), "a resource of a stack: {ours:?}");
        }
        for theirs in [
            ("kubernetes.io/cluster/main", "shared"),
            ("kubernetes.io/cluster/main-2", "owned"),
            ("elbv2.k8s.aws/cluster", "other"),
            ("cluster.k8s.amazonaws.com/name", "Main"),
            ("kubernetes.io/service-name", "default/web"),
            ("Name", "main"),
        ] {
            assert!(!made(&[theirs]), "{theirs:?}");
        }
        assert!(!made(&[]));
    }
}
