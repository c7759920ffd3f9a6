//! From an operation to the IAM action that allows it. Most have the same name; these have not (Service Authorization Reference:
//! "Actions, resources, and condition keys" for Amazon S3, AWS Budgets).

/// The IAM action that allows an operation: `s3:ListBucket` for `s3:ListObjectsV2`.
#[must_use]
pub fn action(operation: &str) -> &str {
    match operation {
        "s3:DeleteBucketEncryption" | "s3:PutBucketEncryption" => "s3:PutEncryptionConfiguration",
        "s3:DeleteBucketIntelligentTieringConfiguration" | "s3:PutBucketIntelligentTieringConfiguration" => {
            "s3:PutIntelligentTieringConfiguration"
        }
        "s3:DeleteBucketLifecycle" | "s3:PutBucketLifecycleConfiguration" => "s3:PutLifecycleConfiguration",
        "s3:DeleteObjects" => "s3:DeleteObject",
        "s3:GetBucketEncryption" => "s3:GetEncryptionConfiguration",
        "s3:GetBucketLifecycleConfiguration" => "s3:GetLifecycleConfiguration",
        "s3:GetPublicAccessBlock" => "s3:GetBucketPublicAccessBlock",
        "s3:HeadBucket" | "s3:ListObjectsV2" => "s3:ListBucket",
        "s3:HeadObject" => "s3:GetObject",
        "s3:ListBucketIntelligentTieringConfigurations" => "s3:GetIntelligentTieringConfiguration",
        "s3:ListBuckets" => "s3:ListAllMyBuckets",
        "s3:ListObjectVersions" => "s3:ListBucketVersions",
        "s3:PutPublicAccessBlock" => "s3:PutBucketPublicAccessBlock",
        other => match other.strip_prefix("budgets:") {
            Some(name) if name.starts_with("Describe") => "budgets:ViewBudget",
            Some(name) if ["Create", "Update", "Delete"].iter().any(|verb| name.starts_with(verb)) => {
                "budgets:ModifyBudget"
            }
            _ => other,
        },
    }
}
