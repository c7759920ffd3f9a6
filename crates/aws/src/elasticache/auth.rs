//! The password of a cache, its AUTH token.

use super::retag;
use crate::{
    Arn, Aws,
    error::Sent,
    secrets::{Sensitive, reveal},
};
use aws_sdk_elasticache::types::{AuthTokenUpdateStrategyType as Strategy, ReplicationGroup};
use bedplate_model::{CallError, Class, Tags};

/// ElastiCache never tells which token it has. The group carries the secret's version that the token was read from in a
/// tag of its own; while the token is changed, ` rotate@` or ` set@` stand behind the version, and when the token had
/// been changed last before that call. The tag is written before the call, and the time tells whether the call was made.
pub(super) const TAG: &str = "bedplate:auth-version";

/// One step of a change of the token: ROTATE takes the new one beside the old, SET then leaves only the new one. `seen` is
/// what the tag says.
pub(super) async fn rotate(
    cloud: &Aws,
    group: &ReplicationGroup,
    seen: &str,
    secret: &Arn,
    version: &str,
) -> Result<(), CallError> {
    let missing = |what| CallError::malformed("elasticache:DescribeReplicationGroups", what);
    let arn = group.arn().ok_or_else(|| missing("ARN"))?;
    let id = group.replication_group_id().ok_or_else(|| missing("ReplicationGroupId"))?;
    let modified = group.auth_token_last_modified_date();
    let modified = modified.and_then(|date| date.to_millis().ok()).unwrap_or_default();
    let (mark, strategy) = turn(seen, version, modified);
    let token = reveal(cloud, secret, version).await?;
    let done = mark == *version;
    retag(cloud, arn, &Tags::from([(TAG.to_owned(), mark)]), &[]).await?;
    let Some(strategy) = strategy else { return Ok(()) };
    match set_token(cloud, id, &token, strategy).await {
        // It was set before: ElastiCache sets a token only after it rotated.
        Err(error) if done && error.class == Class::Invalid => Ok(()),
        answer => answer,
    }
}

async fn set_token(cloud: &Aws, id: &str, token: &Sensitive, strategy: Strategy) -> Result<(), CallError> {
    let request = cloud.elasticache.modify_replication_group().replication_group_id(id);
    let request = request.auth_token(token.expose()).auth_token_update_strategy(strategy).apply_immediately(true);
    request.send().await.sent().map(drop).map_err(|error| token.redact(error))
}

/// What to write into the tag and which call to make next, from what the tag says and when the token was changed last.
fn turn(seen: &str, version: &str, modified: i64) -> (String, Option<Strategy>) {
    let now = modified.to_string();
    let mark = seen.strip_prefix(version).and_then(|rest| rest.strip_prefix(' '));
    match mark.and_then(|mark| mark.split_once('@')) {
        Some(("rotate", before)) if before != now => (format!("{version} set@{now}"), Some(Strategy::Set)),
        Some(("set", before)) => (version.to_owned(), (before == now).then_some(Strategy::Set)),
        _ => (format!("{version} rotate@{now}"), Some(Strategy::Rotate)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_rotated_then_set_and_no_call_is_lost() {
        let mark = |text: &str| text.to_owned();
        assert_eq!(turn("v1", "v2", 10), (mark("v2 rotate@10"), Some(Strategy::Rotate)));
        // Cut off before the call, and after it.
        assert_eq!(turn("v2 rotate@10", "v2", 10), (mark("v2 rotate@10"), Some(Strategy::Rotate)));
        assert_eq!(turn("v2 rotate@10", "v2", 20), (mark("v2 set@20"), Some(Strategy::Set)));
        assert_eq!(turn("v2 set@20", "v2", 20), (mark("v2"), Some(Strategy::Set)));
        assert_eq!(turn("v2 set@20", "v2", 30), (mark("v2"), None));
        // A newer version comes in between.
        assert_eq!(turn("v2 rotate@10", "v3", 20), (mark("v3 rotate@20"), Some(Strategy::Rotate)));
    }
}
