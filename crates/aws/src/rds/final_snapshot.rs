//! The last snapshot of a cluster.

use aws_sdk_rds::types::DbCluster;
use bedplate_model::Tags;

/// RDS asks for the final snapshot only when the cluster is deleted, and keeps it nowhere before. So the cluster carries it
/// in a tag of its own: whoever deletes the cluster finds it, also without a state file. It is a setting, not a tag, to
/// everyone else: `read` shows it as the field it is.
const TAG: &str = "bedplate:final-snapshot";

/// Says in that tag that there shall be no final snapshot. Without the tag there is one.
const NO_SNAPSHOT: &str = "none";

/// The tag that says what the snapshot's name begins with; `None` declines it.
pub(super) fn tag(prefix: Option<&str>) -> Tags {
    Tags::from([(TAG.to_owned(), prefix.unwrap_or(NO_SNAPSHOT).to_owned())])
}

/// The name of the final snapshot, unique because the resource id is; `None` when there shall be none.
pub(super) fn name(cluster: &DbCluster) -> Option<String> {
    let tag = cluster.tag_list().iter().find(|tag| tag.key() == Some(TAG));
    let prefix = tag.and_then(|tag| tag.value()).filter(|prefix| !prefix.is_empty()).unwrap_or("final");
    let resource = cluster.db_cluster_resource_id().unwrap_or_default().to_lowercase();
    let name = [prefix, cluster.db_cluster_identifier().unwrap_or_default(), resource.trim_start_matches("cluster-")];
    (prefix != NO_SNAPSHOT).then(|| name.join("-").trim_end_matches('-').to_owned())
}

/// The setting, out of the tags that it is kept in. Without the tag it reads as an empty name, which no setting is: so the
/// tag is written again.
pub(super) fn taken_from(tags: &mut Tags) -> Option<String> {
    tags.remove(TAG).or(Some(String::new())).filter(|prefix| prefix != NO_SNAPSHOT)
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_rds::types::Tag;

    #[test]
    fn it_has_a_name_of_its_own_unless_it_is_declined() {
        let cluster = |prefix: Option<&str>| {
            let cluster = DbCluster::builder().db_cluster_identifier("c").db_cluster_resource_id("cluster-ABC");
            cluster.set_tag_list(prefix.map(|prefix| vec![Tag::builder().key(TAG).value(prefix).build()])).build()
        };
        assert_eq!(name(&cluster(Some("last"))).unwrap(), "last-c-abc");
        assert_eq!(name(&cluster(None)).unwrap(), "final-c-abc");
        assert_eq!(name(&cluster(Some(NO_SNAPSHOT))), None);
    }
}
