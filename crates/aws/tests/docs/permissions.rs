//! `docs/reference/permissions.md` and the policies beside it.

use crate::{assert_is, row};
use bedplate_aws::{KINDS, StateObject, facts, organizations};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// The most characters of a managed policy, white space not counted (IAM User Guide, "IAM and AWS STS quotas").
const LONGEST: usize = 6144;
/// The services of the first of the two policies; everything is more than one may hold.
const FOUNDATION: [&str; 10] =
    ["autoscaling", "ec2", "eks", "elasticloadbalancing", "iam", "kms", "logs", "route53", "sts", "tag"];
/// Reads that show a secret or somebody's data: planning does without them.
const REVEALING: [&str; 3] = ["s3:GetObject", "secretsmanager:GetRandomPassword", "secretsmanager:GetSecretValue"];

const BEGIN: &str = "\
# Permissions

What the caller of bedplate has to be allowed, as policies to attach to its role. They are made from the actions that every
resource type names, by `cargo xtask docs`; a test lets a whole platform be made, changed and removed and compares every call
with them.

| policy | for | what it allows |
|---|---|---|
| [deploy-foundation.json](deploy-foundation.json) and [deploy-services.json](deploy-services.json) | `bootstrap`, `apply`, `drift --repair`, `destroy` | everything; two, because IAM takes 6,144 characters in one |
| [plan.json](plan.json) | `preflight`, `plan`, `drift` | reading, without the values of secrets and without what lies in buckets |
| [state.json](state.json) | a state in S3, beside the others | the state, its lock, and a look at its bucket |

They are for the project name `fintechglobal` and the state's bucket `example-bedplate-state`: put yours in, and attach them.
Who may attach policies does this once:

```sh
sed -i 's/fintechglobal/myplatform/g; s/example-bedplate-state/my-bucket/g' *.json
for policy in deploy-foundation deploy-services state; do
  aws iam create-policy --policy-name \"bedplate-$policy\" --policy-document \"file://$policy.json\"
  aws iam attach-role-policy --role-name platform-apply --policy-arn \"arn:aws:iam::111122223333:policy/bedplate-$policy\"
done
```

**What they do not limit.** Roles are limited by their names. Most other names are AWS's to give, so there the policies speak of
every resource of the account: what keeps one platform from another is an account of its own. And who can make a role and give it
policies can give it any: treat the deploying role as the administrator that it is. A permissions boundary or a policy of the
organization limits it further.

**What is denied** is said with the statement that is missing: see [troubleshooting](../troubleshooting.md#access-denied). `preflight`,
and `bootstrap` when there is something to do, ask IAM beforehand about every action of the declared types, those of a `destroy` among
them: for roles by the platform's names, for everything else on any resource. What a policy denies is refused; what no policy allows everywhere is a warning, because policies
of your own may allow it for single resources.

The objects in the cluster need no action in IAM: the cluster lets in who is an administrator there
(`cluster.admin_principals`).

## Actions by resource type

Asked before anything else, by every command that looks at AWS: FACTS.

Asked by `preflight` and `bootstrap` to tell beforehand what would not work, and once for which organization the account is in; what
asks goes on without: CHECKS.

With `[organization]`: ORGANIZATION.

| type | actions |
|---|---|
";

#[test]
fn the_page_of_permissions_is_that_of_the_table() {
    let list = |actions: &[&str]| actions.iter().map(|action| format!("`{action}`")).collect::<Vec<_>>().join(", ");
    let mut page = BEGIN
        .replace("FACTS", &list(facts::ACTIONS))
        .replace("CHECKS", &list(facts::CHECKS))
        .replace("ORGANIZATION", &list(organizations::ACTIONS));
    for kind in KINDS {
        let actions: Vec<&str> = kind.actions().iter().copied().collect::<BTreeSet<_>>().into_iter().collect();
        let anchor = kind.name().replace('.', "");
        page.push_str(&row([format!("[`{}`](resource-types.md#{anchor})", kind.name()), list(&actions)]));
    }
    assert_is("permissions.md", &page);
}

#[test]
fn the_policies_are_those_of_the_table() {
    let all = all();
    let (foundation, services): (BTreeSet<&str>, BTreeSet<&str>) =
        all.iter().partition(|action| FOUNDATION.contains(&service(action)));
    let reads: BTreeSet<&str> = all.iter().copied().filter(|action| is_read(action)).collect();
    for (name, statements) in [
        ("deploy-foundation.json", statements(&foundation)),
        ("deploy-services.json", statements(&services)),
        ("plan.json", vec![allow("Read", reads, "*")]),
        ("state.json", state()),
    ] {
        let policy = json!({"Version": "2012-10-17", "Statement": statements});
        let length = policy.to_string().chars().filter(|it| !it.is_whitespace()).count();
        assert!(length <= LONGEST, "{name} has {length} characters, and IAM takes {LONGEST}");
        assert_is(name, &format!("{policy:#}\n"));
    }
}

/// Every action that anything needs.
fn all() -> BTreeSet<&'static str> {
    let kinds = KINDS.iter().flat_map(|kind| kind.actions());
    // What lies in a cluster is the cluster's to allow.
    let actions = kinds.chain(facts::ACTIONS).chain(facts::CHECKS).chain(organizations::ACTIONS).copied();
    actions.filter(|action| service(action) != "kubernetes").collect()
}

fn service(action: &str) -> &str {
    action.split(':').next().unwrap_or_default()
}

fn is_read(action: &str) -> bool {
    let verb = action.split(':').nth(1).unwrap_or_default();
    ["Describe", "Get", "List", "Simulate", "View"].iter().any(|read| verb.starts_with(read))
        && !REVEALING.contains(&action)
}

/// The statements that allow these actions, each on as little as its resource's name allows to say.
fn statements(actions: &BTreeSet<&'static str>) -> Vec<Value> {
    let mut groups: BTreeMap<(&str, &str), BTreeSet<&str>> = BTreeMap::new();
    for action in actions {
        let group = match *action {
            read if is_read(read) => ("Anything", "*"),
            "iam:CreateServiceLinkedRole" => {
                ("RolesOfServices", "arn:aws:iam::*:role/aws-service-role/*.amazonaws.com/*")
            }
            it if it.starts_with("iam:") && it.contains("OpenIDConnectProvider") => {
                ("Issuers", "arn:aws:iam::*:oidc-provider/*")
            }
            it if it.starts_with("iam:") => ("Roles", "arn:aws:iam::*:role/fintechglobal-*"),
            _ => ("Anything", "*"),
        };
        groups.entry(group).or_default().insert(action);
    }
    groups.into_iter().map(|((sid, resource), actions)| allow(sid, actions, resource)).collect()
}

/// The lock is `<key>.lock`.
fn state() -> Vec<Value> {
    let bucket = "arn:aws:s3:::example-bedplate-state";
    let set = |actions: &[&'static str]| actions.iter().copied().collect();
    vec![
        allow("Bucket", set(StateObject::BUCKET_ACTIONS), bucket),
        allow("StateAndLock", set(StateObject::OBJECT_ACTIONS), &format!("{bucket}/*")),
    ]
}

fn allow(sid: &str, actions: BTreeSet<&str>, resource: &str) -> Value {
    json!({"Sid": sid, "Effect": "Allow", "Action": actions, "Resource": resource})
}
