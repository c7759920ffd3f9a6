//! Every rule, with texts on both sides of it.

use insta::assert_snapshot;

use super::*;
use crate::config::{OrganizationTarget, RoleName, TagKey, TagValue, VpcCidr};

/// Checks that the example and `right` are accepted and shows what is said about each of `wrong`.
fn rule(format: &Format, right: &[&str], wrong: &[&str]) -> String {
    for text in right.iter().chain([&format.example]) {
        format.fault(text).unwrap_or_else(|fault| panic!("{text} was refused: {fault}"));
    }
    let fault = |text: &&str| format.fault(text).expect_err(text).to_string();
    wrong.iter().map(fault).collect::<Vec<_>>().join("\n")
}

#[test]
fn rules_have_one_name_each() {
    for format in FORMATS {
        assert_eq!(FORMATS.iter().filter(|other| other.name == format.name).count(), 1, "{}", format.name);
        (format.check)(format.example).unwrap_or_else(|why| panic!("{}: {why:?}", format.name));
    }
}

#[test]
fn project_names() {
    let right = ["abc", "a-b-c", "abcdefghijklmnopqrstuvwx", "a1b"];
    let wrong = ["", "ab", "abcdefghijklmnopqrstuvwxy", "Abc", "a_b", "1abc", "abc-", "a--b", "a b c", "sg-a"];
    assert_snapshot!(rule(&ProjectName::FORMAT, &right, &wrong), @r"
    `` is not a project name: it is empty; write 3 to 24 lower-case letters, digits and hyphens, beginning with a letter, for example `fintechglobal`
    `ab` is not a project name: it has 2 characters; it needs at least 3; write 3 to 24 lower-case letters, digits and hyphens, beginning with a letter, for example `fintechglobal`
    `abcdefghijklmnopqrstuvwxy` is not a project name: it has 25 characters; at most 24 fit; write 3 to 24 lower-case letters, digits and hyphens, beginning with a letter, for example `fintechglobal`
    `Abc` is not a project name: `A` is a capital letter, which names of buckets cannot have; write 3 to 24 lower-case letters, digits and hyphens, beginning with a letter, for example `fintechglobal`
    `a_b` is not a project name: `_` is not allowed in it; write 3 to 24 lower-case letters, digits and hyphens, beginning with a letter, for example `fintechglobal`
    `1abc` is not a project name: it does not begin with a letter; write 3 to 24 lower-case letters, digits and hyphens, beginning with a letter, for example `fintechglobal`
    `abc-` is not a project name: names made from it would have two hyphens in a row; write 3 to 24 lower-case letters, digits and hyphens, beginning with a letter, for example `fintechglobal`
    `a--b` is not a project name: names made from it would have two hyphens in a row; write 3 to 24 lower-case letters, digits and hyphens, beginning with a letter, for example `fintechglobal`
    `a b c` is not a project name: it has a space in it; write 3 to 24 lower-case letters, digits and hyphens, beginning with a letter, for example `fintechglobal`
    `sg-a` is not a project name: names of security groups cannot begin with `sg-`; write 3 to 24 lower-case letters, digits and hyphens, beginning with a letter, for example `fintechglobal`
    ");
}

#[test]
fn regions() {
    let right = ["eu-central-2", "ap-southeast-7", "mx-central-1", "il-central-1"];
    let wrong = ["", "us-east", "us-east-1b", "us-east-10", "US-EAST-1", "us-gov-west-1", "cn-north-1", "virginia"];
    assert_snapshot!(rule(&Region::FORMAT, &right, &wrong), @r"
    `` is not a region: it is empty; write the code of an AWS region, for example `us-east-1`
    `us-east` is not a region: a region's code is an area, a direction and a number, joined by hyphens; write the code of an AWS region, for example `us-east-1`
    `us-east-1b` is not a region: it is the name of an availability zone; write `us-east-1`
    `us-east-10` is not a region: a region's code is an area, a direction and a number, joined by hyphens; write the code of an AWS region, for example `us-east-1`
    `US-EAST-1` is not a region: a region's code is an area, a direction and a number, joined by hyphens; write the code of an AWS region, for example `us-east-1`
    `us-gov-west-1` is not a region: it lies in another partition of AWS, which does not know the budgets in us-east-1; choose a region of the commercial partition, for example `us-east-1`
    `cn-north-1` is not a region: it lies in another partition of AWS, which does not know the budgets in us-east-1; choose a region of the commercial partition, for example `us-east-1`
    `virginia` is not a region: a region's code is an area, a direction and a number, joined by hyphens; write the code of an AWS region, for example `us-east-1`
    ");
}

#[test]
fn account_ids() {
    let wrong = ["", "12345678901", "1234-5678-9012", "12345678901a", "١٢٣٤٥٦٧٨٩٠١٢"];
    assert_snapshot!(rule(&AccountId::FORMAT, &["000000000000"], &wrong), @r#"
    `` is not an account id: it has 0 digits instead of 12; write the account's 12 digits in quotes, for example `123456789012`
    `12345678901` is not an account id: it has 11 digits instead of 12; write the account's 12 digits in quotes, for example `123456789012`
    `1234-5678-9012` is not an account id: AWS shows it in groups, but takes it without them; write `"123456789012"`
    `12345678901a` is not an account id: `a` is not allowed in it; write the account's 12 digits in quotes, for example `123456789012`
    `١٢٣٤٥٦٧٨٩٠١٢` is not an account id: `١` is not allowed in it; write the account's 12 digits in quotes, for example `123456789012`
    "#);
}

#[test]
fn email_addresses() {
    let right = ["a@b.co", "first.last+aws=x/y@sub.example-mail.com"];
    let wrong = ["", "a", "@b.co", "a@b", "a@b@c.co", "a b@c.co", "a@-b.co", "a@b..co", "a'b@c.co"];
    assert_snapshot!(rule(&Email::FORMAT, &right, &wrong), @r"
    `` is not an e-mail address: it is empty; write one e-mail address, for example `team-platform@example.com`
    `a` is not an e-mail address: it has no `@`; write one e-mail address, for example `team-platform@example.com`
    `@b.co` is not an e-mail address: nothing stands before the `@`; write one e-mail address, for example `team-platform@example.com`
    `a@b` is not an e-mail address: no domain such as `example.com` stands after the `@`; write one e-mail address, for example `team-platform@example.com`
    `a@b@c.co` is not an e-mail address: it has more than one `@`; write one e-mail address, for example `team-platform@example.com`
    `a b@c.co` is not an e-mail address: it has a space in it; write one e-mail address, for example `team-platform@example.com`
    `a@-b.co` is not an e-mail address: no domain such as `example.com` stands after the `@`; write one e-mail address, for example `team-platform@example.com`
    `a@b..co` is not an e-mail address: no domain such as `example.com` stands after the `@`; write one e-mail address, for example `team-platform@example.com`
    `a'b@c.co` is not an e-mail address: `'` is not allowed in it; write one e-mail address, for example `team-platform@example.com`
    ");
}

#[test]
fn amounts() {
    let right = ["1", "0.01", "5000.50", "999999999999.99"];
    let wrong = ["", "0", "0.00", "-5", "$5000", "5,000", "5000.001", "1e3", ".5", "5.", "1000000000000", "nan", "+5"];
    assert_snapshot!(rule(&Amount::FORMAT, &right, &wrong), @r#"
    `` is not an amount of US dollars: it is not a decimal number; write an amount in dollars, with cents after a point if need be, for example `5000`
    `0` is not an amount of US dollars: a budget of zero is used up at once; write an amount in dollars, with cents after a point if need be, for example `5000`
    `0.00` is not an amount of US dollars: a budget of zero is used up at once; write an amount in dollars, with cents after a point if need be, for example `5000`
    `-5` is not an amount of US dollars: it is less than zero; write an amount in dollars, with cents after a point if need be, for example `5000`
    `$5000` is not an amount of US dollars: the currency is US dollars already; write `"5000"`
    `5,000` is not an amount of US dollars: `,` may separate thousands or cents; write `5000` or `5000.50`
    `5000.001` is not an amount of US dollars: it is more exact than a cent; write an amount in dollars, with cents after a point if need be, for example `5000`
    `1e3` is not an amount of US dollars: it is not a decimal number; write an amount in dollars, with cents after a point if need be, for example `5000`
    `.5` is not an amount of US dollars: it is not a decimal number; write an amount in dollars, with cents after a point if need be, for example `5000`
    `5.` is not an amount of US dollars: it is not a decimal number; write an amount in dollars, with cents after a point if need be, for example `5000`
    `1000000000000` is not an amount of US dollars: it has more than 12 digits; write an amount in dollars, with cents after a point if need be, for example `5000`
    `nan` is not an amount of US dollars: it is not a decimal number; write an amount in dollars, with cents after a point if need be, for example `5000`
    `+5` is not an amount of US dollars: it is not a decimal number; write an amount in dollars, with cents after a point if need be, for example `5000`
    "#);
}

#[test]
fn vpc_ranges() {
    let right = ["10.255.0.0/16", "172.31.0.0/16", "192.168.252.0/22", "100.127.0.0/20"];
    let wrong = [
        "",
        "10.0.0.0",
        "10.0.0.0/33",
        "10.0.0.0/8",
        "10.0.0.0/23",
        "10.0.1.0/16",
        "172.32.0.0/16",
        "8.8.0.0/16",
        "fd00::/64",
    ];
    assert_snapshot!(rule(&VpcCidr::FORMAT, &right, &wrong), @r"
    `` is not the address range of a VPC: it is not four numbers, a slash and a length up to 32; write a private IPv4 range from /16 to /22, for example `10.0.0.0/16`
    `10.0.0.0` is not the address range of a VPC: it is one address without a length; write a private IPv4 range from /16 to /22, for example `10.0.0.0/16`
    `10.0.0.0/33` is not the address range of a VPC: it is not four numbers, a slash and a length up to 32; write a private IPv4 range from /16 to /22, for example `10.0.0.0/16`
    `10.0.0.0/8` is not the address range of a VPC: AWS allows no more than the 65,536 addresses of a /16 in one range; write a smaller range, for example `10.0.0.0/16`
    `10.0.0.0/23` is not the address range of a VPC: 512 addresses are too few for the subnets: the load balancer's need a /27, and a /22 is the smallest that holds them all; write a range from /16 to /22, for example `10.0.0.0/16`
    `10.0.1.0/16` is not the address range of a VPC: a /16 does not begin at 10.0.1.0; write `10.0.0.0/16`, the range that this address lies in
    `172.32.0.0/16` is not the address range of a VPC: these addresses belong to somebody on the internet, who could not be reached any more; take a range from 10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16 or 100.64.0.0/10
    `8.8.0.0/16` is not the address range of a VPC: these addresses belong to somebody on the internet, who could not be reached any more; take a range from 10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16 or 100.64.0.0/10
    `fd00::/64` is not the address range of a VPC: it is not four numbers, a slash and a length up to 32; write a private IPv4 range from /16 to /22, for example `10.0.0.0/16`
    ");
}

#[test]
fn address_ranges() {
    let wrong = ["203.0.113.7", "203.0.113.7/24", "203.0.113/24", "x"];
    assert_snapshot!(rule(&Ipv4Cidr::FORMAT, &["0.0.0.0/0", "203.0.113.7/32"], &wrong), @r"
    `203.0.113.7` is not an IPv4 range: it is one address without a length; write `203.0.113.7/32` for this address
    `203.0.113.7/24` is not an IPv4 range: a /24 does not begin at 203.0.113.7; write `203.0.113.0/24`, the range that this address lies in
    `203.0.113/24` is not an IPv4 range: it is not four numbers, a slash and a length up to 32; write an IPv4 range in CIDR form, for example `203.0.113.0/24`
    `x` is not an IPv4 range: it is not four numbers, a slash and a length up to 32; write an IPv4 range in CIDR form, for example `203.0.113.0/24`
    ");
}

#[test]
fn zone_ids() {
    let right = ["use1-az6", "apse2-az3", "usw2-az10"];
    let wrong = ["", "us-east-1a", "use1", "use1-az", "USE1-AZ1", "use-az1", "use1-az1x"];
    assert_snapshot!(rule(&ZoneId::FORMAT, &right, &wrong), @r"
    `` is not a zone id: a zone's id is a short form of the region, `-az` and a number; write the id of an availability zone, for example `use1-az1`
    `us-east-1a` is not a zone id: it is a zone's name, which means another zone in every account; write the id: `aws ec2 describe-availability-zones` lists them as ZoneId
    `use1` is not a zone id: a zone's id is a short form of the region, `-az` and a number; write the id of an availability zone, for example `use1-az1`
    `use1-az` is not a zone id: a zone's id is a short form of the region, `-az` and a number; write the id of an availability zone, for example `use1-az1`
    `USE1-AZ1` is not a zone id: a zone's id is a short form of the region, `-az` and a number; write the id of an availability zone, for example `use1-az1`
    `use-az1` is not a zone id: a zone's id is a short form of the region, `-az` and a number; write the id of an availability zone, for example `use1-az1`
    `use1-az1x` is not a zone id: a zone's id is a short form of the region, `-az` and a number; write the id of an availability zone, for example `use1-az1`
    ");
}

#[test]
fn endpoint_services() {
    let wrong = ["", "com.amazonaws.us-east-1.ecr.dkr", "s3", "ECR", "ecr..api", ".ecr"];
    assert_snapshot!(rule(&EndpointService::FORMAT, &["sts", "execute-api"], &wrong), @r#"
    `` is not a service with an interface endpoint: it is empty; write the last part of an endpoint's service name, for example `ecr.api`
    `com.amazonaws.us-east-1.ecr.dkr` is not a service with an interface endpoint: the region's part is added by bedplate; write `"ecr.dkr"`
    `s3` is not a service with an interface endpoint: its gateway endpoint reaches it already, and costs nothing; leave it out here; `gateway_endpoints` has it
    `ECR` is not a service with an interface endpoint: `E` is not allowed in it; write the last part of an endpoint's service name, for example `ecr.api`
    `ecr..api` is not a service with an interface endpoint: it does not begin and end with a letter or digit; write the last part of an endpoint's service name, for example `ecr.api`
    `.ecr` is not a service with an interface endpoint: it does not begin and end with a letter or digit; write the last part of an endpoint's service name, for example `ecr.api`
    "#);
}

#[test]
fn key_aliases() {
    let wrong = ["", "alias/data", "aws/s3", "a b"];
    assert_snapshot!(rule(&KeyAlias::FORMAT, &["team/data_key"], &wrong), @r#"
    `` is not a key's alias: it is empty; write letters, digits, `-`, `_` and `/`, for example `fintech-data-key`
    `alias/data` is not a key's alias: `alias/` is added by bedplate; write `"data"`
    `aws/s3` is not a key's alias: aliases that begin with `aws/` belong to AWS; write letters, digits, `-`, `_` and `/`, for example `fintech-data-key`
    `a b` is not a key's alias: it has a space in it; write letters, digits, `-`, `_` and `/`, for example `fintech-data-key`
    "#);
}

#[test]
fn principals() {
    let right = ["arn:aws:iam::123456789012:role/path/to/admin", "arn:aws:iam::123456789012:user/eve"];
    let wrong = [
        "",
        "admin",
        "arn:aws:iam::123456789012:root",
        "arn:aws:iam::1234:role/admin",
        "arn:aws:iam::123456789012:role/",
        "arn:aws:sts::123456789012:assumed-role/admin/session",
        "arn:aws-cn:iam::123456789012:role/admin",
        "arn:aws:s3::123456789012:role/admin",
    ];
    assert_snapshot!(rule(&PrincipalArn::FORMAT, &right, &wrong), @r"
    `` is not the ARN of a role or user: it is empty; write the ARN of an IAM role or user, for example `arn:aws:iam::123456789012:role/platform-admin`
    `admin` is not the ARN of a role or user: it does not begin with `arn:aws:`; write the ARN of an IAM role or user, for example `arn:aws:iam::123456789012:role/platform-admin`
    `arn:aws:iam::123456789012:root` is not the ARN of a role or user: it names neither a role nor a user; write the ARN of an IAM role or user, for example `arn:aws:iam::123456789012:role/platform-admin`
    `arn:aws:iam::1234:role/admin` is not the ARN of a role or user: its fifth part is not an account of 12 digits; write the ARN of an IAM role or user, for example `arn:aws:iam::123456789012:role/platform-admin`
    `arn:aws:iam::123456789012:role/` is not the ARN of a role or user: it names neither a role nor a user; write the ARN of an IAM role or user, for example `arn:aws:iam::123456789012:role/platform-admin`
    `arn:aws:sts::123456789012:assumed-role/admin/session` is not the ARN of a role or user: it is a session of a role, which ends; write the role itself, with its path if it has one: `arn:aws:iam::123456789012:role/admin`
    `arn:aws-cn:iam::123456789012:role/admin` is not the ARN of a role or user: it does not begin with `arn:aws:`; write the ARN of an IAM role or user, for example `arn:aws:iam::123456789012:role/platform-admin`
    `arn:aws:s3::123456789012:role/admin` is not the ARN of a role or user: it is not an ARN of IAM; write the ARN of an IAM role or user, for example `arn:aws:iam::123456789012:role/platform-admin`
    ");
}

#[test]
fn certificates() {
    let wrong = ["arn:aws:iam::123456789012:server-certificate/x", "arn:aws:acm:us-east-1:123456789012:certificate/"];
    assert_snapshot!(rule(&CertificateArn::FORMAT, &[], &wrong), @r"
    `arn:aws:iam::123456789012:server-certificate/x` is not the ARN of a certificate: it is not an ARN of Certificate Manager; write the ARN of a certificate in Certificate Manager, for example `arn:aws:acm:us-east-1:123456789012:certificate/12345678-1234-1234-1234-123456789012`
    `arn:aws:acm:us-east-1:123456789012:certificate/` is not the ARN of a certificate: it names no certificate; write the ARN of a certificate in Certificate Manager, for example `arn:aws:acm:us-east-1:123456789012:certificate/12345678-1234-1234-1234-123456789012`
    ");
}

#[test]
fn instance_types() {
    let right = ["m7i-flex.large", "u-6tb1.112xlarge", "c7gn.metal"];
    let wrong = ["", "t3", "t3.", "T3.medium", "db.r6g.large"];
    assert_snapshot!(rule(&InstanceType::FORMAT, &right, &wrong), @r#"
    `` is not an instance type: it is empty; write an EC2 instance type, for example `t3.medium`
    `t3` is not an instance type: an instance type is a family, a point and a size; write an EC2 instance type, for example `t3.medium`
    `t3.` is not an instance type: an instance type is a family, a point and a size; write an EC2 instance type, for example `t3.medium`
    `T3.medium` is not an instance type: `T` is not allowed in it; write an EC2 instance type, for example `t3.medium`
    `db.r6g.large` is not an instance type: it is the class of a database or cache; write `"r6g.large"`
    "#);
}

#[test]
fn paths_and_policies() {
    assert_snapshot!(rule(&HttpPath::FORMAT, &["/", "/a?b=c"], &["", "healthz", "/a b", "/ä"]), @r"
    `` is not a path: it is empty; write a path that begins with `/`, for example `/healthz`
    `healthz` is not a path: it does not begin with `/`; write a path that begins with `/`, for example `/healthz`
    `/a b` is not a path: it has a space in it; write a path that begins with `/`, for example `/healthz`
    `/ä` is not a path: `ä` is not allowed in it; write a path that begins with `/`, for example `/healthz`
    ");
    assert_snapshot!(rule(&SslPolicy::FORMAT, &[], &["TLS13", "ELBSecurityPolicy-ä"]), @r"
    `TLS13` is not a security policy: its name does not begin with `ELBSecurityPolicy-`; write the name of a security policy of Elastic Load Balancing, for example `ELBSecurityPolicy-TLS13-1-2-2021-06`
    `ELBSecurityPolicy-ä` is not a security policy: `ä` is not allowed in it; write the name of a security policy of Elastic Load Balancing, for example `ELBSecurityPolicy-TLS13-1-2-2021-06`
    ");
}

#[test]
fn kubernetes_versions() {
    let wrong = ["", "1.3", "v1.35", "1.35.2", "2.10", "1.035", "1.x"];
    assert_snapshot!(rule(&KubernetesVersion::FORMAT, &["1.99"], &wrong), @r#"
    `` is not a Kubernetes version: EKS names versions by 1, a point and two digits; write a major and a minor version in quotes, for example `1.35`
    `1.3` is not a Kubernetes version: EKS names versions by 1, a point and two digits; write a major and a minor version in quotes, for example `1.35`
    `v1.35` is not a Kubernetes version: EKS names versions without `v` and chooses the patch itself; write `"1.35"`
    `1.35.2` is not a Kubernetes version: EKS names versions without `v` and chooses the patch itself; write `"1.35"`
    `2.10` is not a Kubernetes version: EKS names versions by 1, a point and two digits; write a major and a minor version in quotes, for example `1.35`
    `1.035` is not a Kubernetes version: EKS names versions by 1, a point and two digits; write a major and a minor version in quotes, for example `1.35`
    `1.x` is not a Kubernetes version: EKS names versions by 1, a point and two digits; write a major and a minor version in quotes, for example `1.35`
    "#);
}

#[test]
fn kubernetes_names() {
    let long = "a".repeat(64);
    assert_snapshot!(rule(&DnsLabel::FORMAT, &["a", "a-1"], &["", "A", "a.b", "1a", "a-", &long]), @r"
    `` is not a Kubernetes name: it is empty; write up to 63 lower-case letters, digits and hyphens, for example `fintech-prod`
    `A` is not a Kubernetes name: `A` is not allowed in it; write up to 63 lower-case letters, digits and hyphens, for example `fintech-prod`
    `a.b` is not a Kubernetes name: `.` is not allowed in it; write up to 63 lower-case letters, digits and hyphens, for example `fintech-prod`
    `1a` is not a Kubernetes name: it does not begin with a letter; write up to 63 lower-case letters, digits and hyphens, for example `fintech-prod`
    `a-` is not a Kubernetes name: it ends with a hyphen; write up to 63 lower-case letters, digits and hyphens, for example `fintech-prod`
    `aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa…` is not a Kubernetes name: it has 64 characters; at most 63 fit; write up to 63 lower-case letters, digits and hyphens, for example `fintech-prod`
    ");
    assert_snapshot!(rule(&NodeGroupName::FORMAT, &["System_1", "1"], &["", "-a", "a.b"]), @r"
    `` is not the name of a node group: it is empty; write up to 63 letters, digits, `-` and `_`, beginning with a letter or digit, for example `system-ng`
    `-a` is not the name of a node group: it does not begin with a letter or digit; write up to 63 letters, digits, `-` and `_`, beginning with a letter or digit, for example `system-ng`
    `a.b` is not the name of a node group: `.` is not allowed in it; write up to 63 letters, digits, `-` and `_`, beginning with a letter or digit, for example `system-ng`
    ");
    assert_snapshot!(rule(&AddonName::FORMAT, &["adot"], &["", "-a", "CoreDNS"]), @r"
    `` is not the name of an add-on: it is empty; write the name that `aws eks describe-addon-versions` shows, for example `metrics-server`
    `-a` is not the name of an add-on: it does not begin and end with a letter or digit; write the name that `aws eks describe-addon-versions` shows, for example `metrics-server`
    `CoreDNS` is not the name of an add-on: `C` is not allowed in it; write the name that `aws eks describe-addon-versions` shows, for example `metrics-server`
    ");
}

#[test]
fn labels() {
    let right = ["Role", "example.com/role", "notkubernetes.io/role"];
    let wrong = ["", "-a", "a b", "/a", "example.com/", "kubernetes.io/role", "node.k8s.io/x", "eks.amazonaws.com/x"];
    assert_snapshot!(rule(&LabelKey::FORMAT, &right, &wrong), @r"
    `` is not the key of a label: it is empty; write up to 63 letters, digits, `-`, `_` and `.`, with a domain and `/` before them if need be, for example `role`
    `-a` is not the key of a label: it does not begin and end with a letter or digit; write up to 63 letters, digits, `-`, `_` and `.`, with a domain and `/` before them if need be, for example `role`
    `a b` is not the key of a label: it has a space in it; write up to 63 letters, digits, `-`, `_` and `.`, with a domain and `/` before them if need be, for example `role`
    `/a` is not the key of a label: it is empty; write up to 63 letters, digits, `-`, `_` and `.`, with a domain and `/` before them if need be, for example `role`
    `example.com/` is not the key of a label: it is empty; write up to 63 letters, digits, `-`, `_` and `.`, with a domain and `/` before them if need be, for example `role`
    `kubernetes.io/role` is not the key of a label: its prefix belongs to Kubernetes or EKS; write up to 63 letters, digits, `-`, `_` and `.`, with a domain and `/` before them if need be, for example `role`
    `node.k8s.io/x` is not the key of a label: its prefix belongs to Kubernetes or EKS; write up to 63 letters, digits, `-`, `_` and `.`, with a domain and `/` before them if need be, for example `role`
    `eks.amazonaws.com/x` is not the key of a label: its prefix belongs to Kubernetes or EKS; write up to 63 letters, digits, `-`, `_` and `.`, with a domain and `/` before them if need be, for example `role`
    ");
    assert_snapshot!(rule(&LabelValue::FORMAT, &["", "A.b_c-1"], &["a/b", "a-"]), @r"
    `a/b` is not the value of a label: `/` is not allowed in it; write up to 63 letters, digits, `-`, `_` and `.`, for example `system`
    `a-` is not the value of a label: it does not begin and end with a letter or digit; write up to 63 letters, digits, `-`, `_` and `.`, for example `system`
    ");
}

#[test]
fn tags() {
    let (long_key, long_value) = ("k".repeat(129), "v".repeat(257));
    let right = ["cost center", "a+-=._:/@", "Größe", "kaws:"];
    let wrong = ["", " a", "a#b", "aws:x", "AWS:x", "bedplate:stack", "a\tb", &long_key];
    assert_snapshot!(rule(&TagKey::FORMAT, &right, &wrong), @r"
    `` is not the key of a tag: it is empty; write up to 128 letters, digits, spaces and `+ - = . _ : / @`, for example `CostCenter`
    ` a` is not the key of a tag: it begins or ends with a space, which not every service keeps; write up to 128 letters, digits, spaces and `+ - = . _ : / @`, for example `CostCenter`
    `a#b` is not the key of a tag: `#` is not allowed in it; write up to 128 letters, digits, spaces and `+ - = . _ : / @`, for example `CostCenter`
    `aws:x` is not the key of a tag: what begins with `aws:` belongs to AWS; write up to 128 letters, digits, spaces and `+ - = . _ : / @`, for example `CostCenter`
    `AWS:x` is not the key of a tag: what begins with `aws:` belongs to AWS; write up to 128 letters, digits, spaces and `+ - = . _ : / @`, for example `CostCenter`
    `bedplate:stack` is not the key of a tag: what begins with `bedplate:` says which stack a resource belongs to; choose another beginning
    `a�b` is not the key of a tag: `�` is not allowed in it; write up to 128 letters, digits, spaces and `+ - = . _ : / @`, for example `CostCenter`
    `kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk…` is not the key of a tag: it has 129 characters; at most 128 fit; write up to 128 letters, digits, spaces and `+ - = . _ : / @`, for example `CostCenter`
    ");
    assert_snapshot!(rule(&TagValue::FORMAT, &["bedplate:x", "a b"], &["", "a\nb", "aws:x", " a", "a ", &long_value]), @r"
    `` is not the value of a tag: it is empty; write up to 256 letters, digits, spaces and `+ - = . _ : / @`, for example `4711`
    `a�b` is not the value of a tag: `�` is not allowed in it; write up to 256 letters, digits, spaces and `+ - = . _ : / @`, for example `4711`
    `aws:x` is not the value of a tag: what begins with `aws:` belongs to AWS; write up to 256 letters, digits, spaces and `+ - = . _ : / @`, for example `4711`
    ` a` is not the value of a tag: it begins or ends with a space, which not every service keeps; write up to 256 letters, digits, spaces and `+ - = . _ : / @`, for example `4711`
    `a ` is not the value of a tag: it begins or ends with a space, which not every service keeps; write up to 256 letters, digits, spaces and `+ - = . _ : / @`, for example `4711`
    `vvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvv…` is not the value of a tag: it has 257 characters; at most 256 fit; write up to 256 letters, digits, spaces and `+ - = . _ : / @`, for example `4711`
    ");
}

#[test]
fn retention_days() {
    let faults: Vec<_> =
        [0, 2, 91, 4000].map(|days| RetentionDays::try_from(days).expect_err("not accepted").to_string()).into();
    assert_snapshot!(faults.join("\n"), @r"
    CloudWatch Logs cannot keep a log for 0 days: it accepts only some numbers of days; write 1, the nearest number that keeps it as long
    CloudWatch Logs cannot keep a log for 2 days: it accepts only some numbers of days; write 3, the nearest number that keeps it as long
    CloudWatch Logs cannot keep a log for 91 days: it accepts only some numbers of days; write 120, the nearest number that keeps it as long
    CloudWatch Logs cannot keep a log for 4000 days: it accepts only some numbers of days; write 3653, the nearest number that keeps it as long
    ");
    assert!(RetentionDays::ACCEPTED.is_sorted());
}

#[test]
fn texts_are_read_as_values() {
    let name: ProjectName = "shop".parse().expect("a project name");
    assert_eq!(name.to_string(), "shop");
    assert!("Shop".parse::<ProjectName>().is_err());
    let certificate: CertificateArn = CertificateArn::FORMAT.example.parse().expect("an ARN");
    assert_eq!((certificate.region(), certificate.account()), ("us-east-1", "123456789012"));
}

#[test]
fn classes_of_databases_and_caches() {
    assert_snapshot!(rule(&DatabaseClass::FORMAT, &["db.t4g.medium"], &["", "r6g.large", "cache.r6g.large", "db.r6g", "db.R6g.large"]), @r#"
    `` is not the class of a database instance: it is empty; write `db.`, a family, a point and a size, for example `db.r6g.large`
    `r6g.large` is not the class of a database instance: it is the type of an EC2 instance; write `"db.r6g.large"`
    `cache.r6g.large` is not the class of a database instance: it is not `db.`, a family, a point and a size; write `db.`, a family, a point and a size, for example `db.r6g.large`
    `db.r6g` is not the class of a database instance: it is not `db.`, a family, a point and a size; write `db.`, a family, a point and a size, for example `db.r6g.large`
    `db.R6g.large` is not the class of a database instance: `R` is not allowed in it; write `db.`, a family, a point and a size, for example `db.r6g.large`
    "#);
    assert_snapshot!(rule(&CacheClass::FORMAT, &["cache.t4g.micro"], &["t4g.micro", "db.t4g.micro"]), @r#"
    `t4g.micro` is not the type of a cache node: it is the type of an EC2 instance; write `"cache.t4g.micro"`
    `db.t4g.micro` is not the type of a cache node: it is not `cache.`, a family, a point and a size; write `cache.`, a family, a point and a size, for example `cache.r6g.large`
    "#);
}

#[test]
fn engine_versions() {
    assert_snapshot!(rule(&AuroraVersion::FORMAT, &["14.9", "17.10"], &["", "16", "16.x", "16.8.1", "13.20", "v16.8"]), @r"
    `` is not a version of Aurora PostgreSQL: the minor version is missing; write a major and a minor version in quotes, as `aws rds describe-db-engine-versions` shows them, for example `16.8`
    `16` is not a version of Aurora PostgreSQL: the minor version is missing; write a major and a minor version in quotes, as `aws rds describe-db-engine-versions` shows them, for example `16.8`
    `16.x` is not a version of Aurora PostgreSQL: it is not two numbers with a point between them; write a major and a minor version in quotes, as `aws rds describe-db-engine-versions` shows them, for example `16.8`
    `16.8.1` is not a version of Aurora PostgreSQL: it is not two numbers with a point between them; write a major and a minor version in quotes, as `aws rds describe-db-engine-versions` shows them, for example `16.8`
    `13.20` is not a version of Aurora PostgreSQL: Aurora PostgreSQL before 14 is out of standard support, and AWS charges extra for it; write a major and a minor version in quotes, as `aws rds describe-db-engine-versions` shows them, for example `16.8`
    `v16.8` is not a version of Aurora PostgreSQL: it is not two numbers with a point between them; write a major and a minor version in quotes, as `aws rds describe-db-engine-versions` shows them, for example `16.8`
    ");
    assert_snapshot!(rule(&RedisVersion::FORMAT, &["7.0"], &["7", "7.2", "6.2"]), @r"
    `7` is not a version of Redis in ElastiCache: ElastiCache names versions of Redis by major and minor version, and 7.1 is its last one; write `7.0` or `7.1`, for example `7.1`
    `7.2` is not a version of Redis in ElastiCache: ElastiCache names versions of Redis by major and minor version, and 7.1 is its last one; write `7.0` or `7.1`, for example `7.1`
    `6.2` is not a version of Redis in ElastiCache: ElastiCache names versions of Redis by major and minor version, and 7.1 is its last one; write `7.0` or `7.1`, for example `7.1`
    ");
    assert_eq!(AuroraVersion::known("17.5").parameter_family(), "aurora-postgresql17");
}

#[test]
fn names_in_databases() {
    assert_snapshot!(rule(&DatabaseName::FORMAT, &["a", "Shop_1"], &["", "1a", "a-b", "postgres"]), @r"
    `` is not the name of a database: it is empty; write up to 63 letters, digits and `_`, beginning with a letter, for example `fintech`
    `1a` is not the name of a database: it does not begin with a letter; write up to 63 letters, digits and `_`, beginning with a letter, for example `fintech`
    `a-b` is not the name of a database: `-` is not allowed in it; write up to 63 letters, digits and `_`, beginning with a letter, for example `fintech`
    `postgres` is not the name of a database: every PostgreSQL of RDS has a database of this name already; write up to 63 letters, digits and `_`, beginning with a letter, for example `fintech`
    ");
    assert_snapshot!(rule(&DatabaseUser::FORMAT, &["a", "Shop_1"], &["", "_a", "admin", "rdsadmin", "pg_x"]), @r"
    `` is not the name of a database user: it is empty; write up to 63 letters, digits and `_`, beginning with a letter, for example `fintechadmin`
    `_a` is not the name of a database user: it does not begin with a letter; write up to 63 letters, digits and `_`, beginning with a letter, for example `fintechadmin`
    `admin` is not the name of a database user: PostgreSQL or RDS keeps this name for itself; write up to 63 letters, digits and `_`, beginning with a letter, for example `fintechadmin`
    `rdsadmin` is not the name of a database user: PostgreSQL or RDS keeps this name for itself; write up to 63 letters, digits and `_`, beginning with a letter, for example `fintechadmin`
    `pg_x` is not the name of a database user: PostgreSQL or RDS keeps this name for itself; write up to 63 letters, digits and `_`, beginning with a letter, for example `fintechadmin`
    ");
    assert_snapshot!(rule(&TableName::FORMAT, &["a.b", "A-b_c"], &["ab", "a/b"]), @r"
    `ab` is not the name of a table: it has 2 characters; it needs at least 3; write 3 to 255 letters, digits, `-`, `_` and `.`, for example `fintech-sessions`
    `a/b` is not the name of a table: `/` is not allowed in it; write 3 to 255 letters, digits, `-`, `_` and `.`, for example `fintech-sessions`
    ");
    assert_snapshot!(rule(&AttributeName::FORMAT, &["a", "user.id"], &["", "user id"]), @r"
    `` is not the name of an attribute: it is empty; write up to 255 letters, digits, `-`, `_` and `.`, for example `userId`
    `user id` is not the name of an attribute: it has a space in it; write up to 255 letters, digits, `-`, `_` and `.`, for example `userId`
    ");
}

#[test]
fn windows() {
    let right = ["02:00-03:00", "23:30-00:30", "00:00-23:59"];
    let wrong = ["", "02:00", "2:00-3:00", "02:00-02:59", "02:00-02:00", "24:00-25:00", "sun:02:00-sun:03:00"];
    assert_snapshot!(rule(&DailyWindow::FORMAT, &right, &wrong), @r"
    `` is not a daily window: it has no end; write a time of day in UTC with its end, an hour or more later, for example `02:00-03:00`
    `02:00` is not a daily window: it has no end; write a time of day in UTC with its end, an hour or more later, for example `02:00-03:00`
    `2:00-3:00` is not a daily window: a time is two digits, `:` and two digits, up to `23:59`; write a time of day in UTC with its end, an hour or more later, for example `02:00-03:00`
    `02:00-02:59` is not a daily window: it is shorter than an hour; write a time of day in UTC with its end, an hour or more later, for example `02:00-03:00`
    `02:00-02:00` is not a daily window: it is shorter than an hour; write a time of day in UTC with its end, an hour or more later, for example `02:00-03:00`
    `24:00-25:00` is not a daily window: a time is two digits, `:` and two digits, up to `23:59`; write a time of day in UTC with its end, an hour or more later, for example `02:00-03:00`
    `sun:02:00-sun:03:00` is not a daily window: a time is two digits, `:` and two digits, up to `23:59`; write a time of day in UTC with its end, an hour or more later, for example `02:00-03:00`
    ");
    let right = ["sun:04:00-sun:05:00", "sun:23:30-mon:00:30", "mon:12:00-tue:11:59"];
    let wrong =
        ["04:00-05:00", "Sun:04:00-Sun:05:00", "sun:04:00-mon:05:00", "sun:04:00-sat:05:00", "sun:04:00-sun:04:30"];
    assert_snapshot!(rule(&WeeklyWindow::FORMAT, &right, &wrong), @r"
    `04:00-05:00` is not a weekly window: a day is one of mon, tue, wed, thu, fri, sat, sun; write a day and time in UTC with its end, an hour or more later, for example `sun:04:00-sun:05:00`
    `Sun:04:00-Sun:05:00` is not a weekly window: a day is one of mon, tue, wed, thu, fri, sat, sun; write a day and time in UTC with its end, an hour or more later, for example `sun:04:00-sun:05:00`
    `sun:04:00-mon:05:00` is not a weekly window: it is longer than a day; write a day and time in UTC with its end, an hour or more later, for example `sun:04:00-sun:05:00`
    `sun:04:00-sat:05:00` is not a weekly window: it is longer than a day; write a day and time in UTC with its end, an hour or more later, for example `sun:04:00-sun:05:00`
    `sun:04:00-sun:04:30` is not a weekly window: it is shorter than an hour; write a day and time in UTC with its end, an hour or more later, for example `sun:04:00-sun:05:00`
    ");
}

#[test]
fn windows_are_written_as_they_were_read() {
    for text in ["02:00-03:00", "23:30-00:30"] {
        assert_eq!(text.parse::<DailyWindow>().expect("a window").to_string(), text);
    }
    for text in ["sun:04:00-sun:05:00", "sun:23:30-mon:00:30"] {
        assert_eq!(text.parse::<WeeklyWindow>().expect("a window").to_string(), text);
    }
}

#[test]
fn prefixes() {
    assert_snapshot!(rule(&ObjectPrefix::FORMAT, &["a/", "a/b.c/"], &["", "/", "/a/", "a//b/", "a/b", "a b/"]), @r#"
    `` is not a prefix in a bucket: it is empty; write names of letters, digits, `-`, `_` and `.`, each followed by `/`, for example `raw/transactions/`
    `/` is not a prefix in a bucket: it has 1 characters; it needs at least 2; write names of letters, digits, `-`, `_` and `.`, each followed by `/`, for example `raw/transactions/`
    `/a/` is not a prefix in a bucket: a name in it does not begin and end with a letter or digit; write names of letters, digits, `-`, `_` and `.`, each followed by `/`, for example `raw/transactions/`
    `a//b/` is not a prefix in a bucket: a name in it does not begin and end with a letter or digit; write names of letters, digits, `-`, `_` and `.`, each followed by `/`, for example `raw/transactions/`
    `a/b` is not a prefix in a bucket: it does not end with `/`, and would take in keys that only begin alike; write `"a/b/"`
    `a b/` is not a prefix in a bucket: it has a space in it; write names of letters, digits, `-`, `_` and `.`, each followed by `/`, for example `raw/transactions/`
    "#);
    assert_snapshot!(rule(&SecretPrefix::FORMAT, &["a", "team/a"], &["", "/a", "a/", "a//b", "a b"]), @r"
    `` is not the beginning of secrets' names: it is empty; write up to 128 letters, digits, `-`, `_`, `.` and `/`, for example `fintech`
    `/a` is not the beginning of secrets' names: it does not begin and end with a letter or digit; write up to 128 letters, digits, `-`, `_`, `.` and `/`, for example `fintech`
    `a/` is not the beginning of secrets' names: it does not begin and end with a letter or digit; write up to 128 letters, digits, `-`, `_`, `.` and `/`, for example `fintech`
    `a//b` is not the beginning of secrets' names: it does not begin and end with a letter or digit; write up to 128 letters, digits, `-`, `_`, `.` and `/`, for example `fintech`
    `a b` is not the beginning of secrets' names: it has a space in it; write up to 128 letters, digits, `-`, `_`, `.` and `/`, for example `fintech`
    ");
    assert_eq!(ObjectPrefix::known("raw/logs/").top(), "raw/");
}

#[test]
fn organization_targets() {
    let right = ["r-ab12", "ou-ab12-12345678", "012345678901"];
    let wrong = ["", "root", "r-AB12", "r-abc", "ou-ab12", "ou-ab12-1234", "12345678901", "r-ab12-12345678"];
    let said = rule(&OrganizationTarget::FORMAT, &right, &wrong);
    assert!(said.lines().all(|line| line.contains("write r-…, ou-… or the 12 digits of an account")), "{said}");
}

#[test]
fn role_names() {
    let right = ["Admin", "team/Admin_1", "aws-reserved/sso.amazonaws.com/*/AWSReservedSSO_Admin_*"];
    assert_snapshot!(rule(&RoleName::FORMAT, &right, &["", "/Admin", "*", "a b", "arn:aws:iam::1:role/a"]), @r"
    `` is not the name of an IAM role: it is empty; write the role's path and name, where * stands for any characters, for example `OrganizationAccountAccessRole`
    `/Admin` is not the name of an IAM role: it begins with `/`, which stands before it anyway; write the role's path and name, where * stands for any characters, for example `OrganizationAccountAccessRole`
    `*` is not the name of an IAM role: it would exempt every role; write the role's path and name, where * stands for any characters, for example `OrganizationAccountAccessRole`
    `a b` is not the name of an IAM role: it has a space in it; write the role's path and name, where * stands for any characters, for example `OrganizationAccountAccessRole`
    `arn:aws:iam::1:role/a` is not the name of an IAM role: `:` is not allowed in it; write the role's path and name, where * stands for any characters, for example `OrganizationAccountAccessRole`
    ");
}
