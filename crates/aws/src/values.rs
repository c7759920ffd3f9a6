//! Values that fields hold: ids and ARNs as types of their own, and policies in one canonical form.

use bedplate_model::Json;
use serde::{Deserialize, Serialize};
use std::fmt;

macro_rules! text_types {
    ($($(#[$doc:meta])* $name:ident;)*) => { $(
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// Takes the text as it is.
            pub fn new(text: impl Into<String>) -> Self {
                Self(text.into())
            }

            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl From<$name> for String {
            fn from(value: $name) -> String {
                value.0
            }
        }
    )* };
}

text_types! {
    /// An Amazon Resource Name.
    Arn;
    /// A VPC's id, `vpc-…`.
    VpcId;
    /// A subnet's id, `subnet-…`.
    SubnetId;
    /// An internet gateway's id, `igw-…`.
    InternetGatewayId;
    /// An elastic IP's allocation id, `eipalloc-…`.
    AllocationId;
    /// A NAT gateway's id, `nat-…`.
    NatGatewayId;
    /// A route table's id, `rtb-…`.
    RouteTableId;
    /// A flow log's id, `fl-…`.
    FlowLogId;
    /// A VPC endpoint's id, `vpce-…`.
    VpcEndpointId;
    /// A security group's id, `sg-…`.
    SecurityGroupId;
    /// A security group rule's id, `sgr-…`.
    SecurityGroupRuleId;
    /// A managed prefix list's id, `pl-…`.
    PrefixListId;
    /// A KMS key's id.
    KeyId;
}

/// An IAM policy document in one canonical form.
///
/// AWS takes one text or a list of texts for actions, resources, principals and condition values, in any order, and does
/// not always give back what was sent. Here they are sorted lists, so that equal policies are equal JSON.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(from = "Json", into = "Json")]
pub struct Policy(Json);

impl Policy {
    /// Reads a document as AWS gives it, percent-encoded (IAM) or not.
    ///
    /// # Errors
    /// When it is no JSON.
    pub fn parse(text: &str) -> Result<Self, serde_json::Error> {
        let decoded = if text.trim_start().starts_with('{') {
            text.into()
        } else {
            urlencoding::decode(text).unwrap_or_else(|_| text.into())
        };
        serde_json::from_str::<Json>(&decoded).map(Self::from)
    }
}

impl fmt::Display for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl From<Policy> for Json {
    fn from(policy: Policy) -> Json {
        policy.0
    }
}

impl From<Json> for Policy {
    fn from(document: Json) -> Self {
        Self(canonical(document))
    }
}

fn canonical(document: Json) -> Json {
    let Json::Object(mut map) = document else { return document };
    if let Some(statements) = map.remove("Statement") {
        let statements = match statements {
            Json::Array(items) => items,
            one => vec![one],
        };
        map.insert("Statement".to_owned(), statements.into_iter().map(statement).collect());
    }
    Json::Object(map)
}

fn statement(json: Json) -> Json {
    let Json::Object(map) = json else { return json };
    let parts = map.into_iter().map(|(key, value)| {
        let value = match (key.as_str(), value) {
            ("Action" | "NotAction" | "Resource" | "NotResource", value) => sorted_list(value),
            ("Principal" | "NotPrincipal", Json::Object(by_type)) => {
                by_type.into_iter().map(|(kind, names)| (kind, sorted_list(names))).collect()
            }
            ("Condition", Json::Object(by_operator)) => {
                let tests = by_operator.into_iter().map(|(operator, tests)| {
                    let tests = match tests {
                        Json::Object(tests) => {
                            tests.into_iter().map(|(key, value)| (key, sorted_list(value))).collect()
                        }
                        other => other,
                    };
                    (operator, tests)
                });
                tests.collect()
            }
            (_, value) => value,
        };
        (key, value)
    });
    parts.collect()
}

fn sorted_list(value: Json) -> Json {
    let text = |value: Json| match value {
        // `"aws:SecureTransport": false` and `"false"` mean the same.
        Json::Bool(flag) => Json::String(flag.to_string()),
        Json::Number(number) => Json::String(number.to_string()),
        other => other,
    };
    let mut items: Vec<Json> = match value {
        Json::Array(items) => items.into_iter().map(text).collect(),
        one => vec![text(one)],
    };
    items.sort_by_key(ToString::to_string);
    items.dedup();
    Json::Array(items)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn equal_policies_are_equal() {
        let sent = json!({"Version": "2012-10-17", "Statement": {
            "Effect": "Allow", "Principal": {"Service": "eks.amazonaws.com"}, "Action": ["b:B", "a:A"], "Resource": "*",
            "Condition": {"Bool": {"aws:SecureTransport": false}}}});
        let read = "%7B%22Version%22%3A%222012-10-17%22%2C%22Statement%22%3A%5B%7B%22Effect%22%3A%22Allow%22%2C%22Principal%22%3A%7B%22Service%22%3A%5B%22eks.amazonaws.com%22%5D%7D%2C%22Action%22%3A%5B%22a%3AA%22%2C%22b%3AB%22%5D%2C%22Resource%22%3A%22*%22%2C%22Condition%22%3A%7B%22Bool%22%3A%7B%22aws%3ASecureTransport%22%3A%22false%22%7D%7D%7D%5D%7D";
        assert_eq!(Policy::from(sent), Policy::parse(read).unwrap());
    }
}
