//! Whether AWS has the versions of the database and the cache that a plan makes.

use crate::{
    advice::{AGAIN, call_advice},
    render::Printer,
    session::Session,
};
use bedplate_aws::{Aws, elasticache, facts, rds};
use bedplate_model::{Address, CallError, Reconcile};
use bedplate_plan::{Change, Plan, Refusal};

/// Adds a refusal to the plan for every version that AWS does not offer. Only what is made new or gets another version is asked
/// for; where the account may not ask, that is said.
pub(crate) async fn check(session: &Session, plan: &mut Plan, printer: &Printer) {
    let region = session.local.config.region.to_string();
    let wanted: Vec<Wanted> = plan.changes.iter().filter_map(Wanted::of).collect();
    for wanted in wanted {
        match wanted.engine.offered(&session.aws, &wanted.name).await {
            Ok(offered) => plan.refusals.extend(wanted.refusal(&offered, &region)),
            Err(error) => printer.warning(&format!(
                "whether AWS offers {} {} is not known: {error}; {}",
                wanted.engine.called(),
                wanted.version,
                call_advice(&error)
            )),
        }
    }
}

/// What has a version that AWS withdraws one day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Engine {
    Database,
    Cache,
}

impl Engine {
    fn of(kind: &str) -> Option<Self> {
        match kind {
            rds::Cluster::KIND => Some(Self::Database),
            elasticache::ReplicationGroup::KIND => Some(Self::Cache),
            _ => None,
        }
    }

    async fn offered(self, aws: &Aws, name: &str) -> Result<Vec<String>, CallError> {
        match self {
            Self::Database => facts::database_versions(aws, name).await,
            Self::Cache => facts::cache_versions(aws, name).await,
        }
    }

    fn called(self) -> &'static str {
        match self {
            Self::Database => "Aurora PostgreSQL",
            Self::Cache => "Redis",
        }
    }

    fn service(self) -> &'static str {
        match self {
            Self::Database => "RDS",
            Self::Cache => "ElastiCache",
        }
    }

    fn table(self) -> &'static str {
        match self {
            Self::Database => "database",
            Self::Cache => "cache",
        }
    }
}

/// A version that a plan needs and that nothing runs yet.
#[derive(Debug, PartialEq)]
struct Wanted {
    address: Address,
    engine: Engine,
    /// What AWS calls the engine.
    name: String,
    version: String,
}

impl Wanted {
    fn of(change: &Change) -> Option<Self> {
        let engine = Engine::of(&change.kind)?;
        let make = change.make.as_ref()?;
        if make.id.is_some() && !change.fields.iter().any(|field| field.path == "engine_version") {
            return None;
        }
        let text = |field: &str| make.draft[field].as_str().map(str::to_owned);
        let (name, version) = (text("engine")?, text("engine_version")?);
        Some(Self { address: change.address.clone(), engine, name, version })
    }

    /// Who lists nothing, as an emulator may, says nothing.
    fn refusal(&self, offered: &[String], region: &str) -> Option<Refusal> {
        let Self { address, engine, version, .. } = self;
        // ElastiCache has listed the patch level, too.
        let patch = format!("{version}.");
        if offered.is_empty() || offered.iter().any(|it| it == version || it.starts_with(&patch)) {
            return None;
        }
        let problem = format!("{} does not offer {} {version} in {region}", engine.service(), engine.called());
        let hint =
            format!("set `engine_version` in [{}] to one of {}, {AGAIN}", engine.table(), near(offered, version));
        Some(Refusal { address: address.clone(), problem, hint })
    }
}

/// The offered versions of the same major version; where there is none, all of them.
fn near(offered: &[String], version: &str) -> String {
    let major = |text: &str| text.split('.').next().map(str::to_owned);
    let alike: Vec<&str> = offered.iter().map(String::as_str).filter(|it| major(it) == major(version)).collect();
    if alike.is_empty() { offered.join(", ") } else { alike.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn change(kind: &str, id: Option<&str>, fields: &[&str]) -> Change {
        let field = |path: &&str| json!({"path": path, "before": "a", "after": "b", "forces_replacement": false, "drift": false});
        let fields: Vec<Value> = fields.iter().map(field).collect();
        let draft = json!({"engine": "redis", "engine_version": "7.0"});
        let make = json!({"generation": 0, "client_token": "t", "id": id, "draft": draft, "tags": {}, "depends_on": [],
            "held": [], "interrupted": false});
        serde_json::from_value(json!({
            "address": "cache/redis", "kind": kind, "action": if id.is_some() { "update" } else { "create" },
            "reason": "", "fields": fields, "make": make, "removals": [],
        }))
        .unwrap()
    }

    #[test]
    fn only_a_version_that_nothing_runs_yet_is_asked_for() {
        let kind = elasticache::ReplicationGroup::KIND;
        assert!(Wanted::of(&change(kind, None, &[])).is_some());
        assert!(Wanted::of(&change(kind, Some("r"), &["engine_version"])).is_some());
        assert_eq!(Wanted::of(&change(kind, Some("r"), &["node_type"])), None);
        assert_eq!(Wanted::of(&change("ec2.vpc", None, &[])), None);
    }

    #[test]
    fn what_is_not_offered_is_refused_with_what_is() {
        let wanted = Wanted::of(&change(elasticache::ReplicationGroup::KIND, None, &[])).unwrap();
        let refusal = |offered: &[&str]| {
            let offered: Vec<String> = offered.iter().map(ToString::to_string).collect();
            wanted.refusal(&offered, "us-east-1")
        };
        for offered in [&["6.2", "7.0"][..], &["7.0.7"], &[]] {
            assert_eq!(refusal(offered), None);
        }
        let refused = refusal(&["6.2", "7.1", "7.2"]).unwrap();
        assert_eq!(refused.problem, "ElastiCache does not offer Redis 7.0 in us-east-1");
        assert_eq!(refused.hint, "set `engine_version` in [cache] to one of 7.1, 7.2, then run the same command again");
        let refused = refusal(&["5.0", "6.2"]).unwrap();
        assert!(refused.hint.contains("one of 5.0, 6.2,"), "{refused:?}");
    }
}
