//! Keeps requests below the rates that AWS publishes, before AWS has to refuse them.

use crate::fence::reads;
use governor::{
    Quota, RateLimiter,
    clock::Clock,
    middleware::NoOpMiddleware,
    nanos::Nanos,
    state::{InMemoryState, NotKeyed},
};
use std::{
    collections::BTreeMap,
    fmt,
    num::NonZeroU32,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::time::Instant;

/// Percent of a rate that one process takes. The rest is for whoever else works in the account, the console included.
const SHARE: u32 = 80;

/// What AWS lets through.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Rate {
    /// A bucket of so many tokens, into which so many come back each second.
    Bucket {
        /// The most that it holds, and so the most requests at once.
        size: u32,
        /// What comes back each second.
        refill: f64,
    },
    /// So many requests in any second.
    PerSecond(u32),
}

/// Which operations of a service a row is about.
#[derive(Clone, Copy)]
enum Operations {
    /// Those with these names, each with a rate of its own.
    Named(&'static [&'static str]),
    /// All that change something, each with a rate of its own.
    Changes,
    /// All that only read, each with a rate of its own.
    Reads,
    /// All that change something, together.
    AllChanges,
    /// All that only read, together.
    AllReads,
    /// All, together, whatever else counts.
    All,
}

/// AWS's rates in one account and region, by the prefix of the service's IAM actions. The first row that fits counts, and
/// besides it the one of all operations.
const RATES: &[(&str, Operations, Rate)] = {
    use Operations::{All, AllChanges, AllReads, Changes, Named, Reads};
    use Rate::{Bucket, PerSecond};
    &[
        // EC2 Developer Guide, "Request throttling for the Amazon EC2 API". It speaks of a bucket for each action, and did of one
        // for all of a kind before: what fits the latter fits both.
        ("ec2", Named(&["CreateNatGateway", "DeleteNatGateway"]), Bucket { size: 10, refill: 1.0 }),
        (
            "ec2",
            Named(&["CreateVpcEndpoint", "DeleteVpcEndpoints", "ModifyVpcEndpoint"]),
            Bucket { size: 4, refill: 0.3 },
        ),
        ("ec2", AllChanges, Bucket { size: 50, refill: 5.0 }),
        ("ec2", AllReads, Bucket { size: 100, refill: 20.0 }),
        // Elastic Load Balancing, "Request throttling for the Elastic Load Balancing API". Its two versions have buckets of their
        // own; here they share them.
        ("elasticloadbalancing", Named(&["CreateLoadBalancer", "SetSubnets"]), Bucket { size: 10, refill: 0.2 }),
        ("elasticloadbalancing", Named(&["DeregisterTargets", "RegisterTargets"]), Bucket { size: 20, refill: 4.0 }),
        ("elasticloadbalancing", AllChanges, Bucket { size: 20, refill: 3.0 }),
        ("elasticloadbalancing", AllReads, Bucket { size: 40, refill: 10.0 }),
        ("elasticloadbalancing", All, Bucket { size: 40, refill: 10.0 }),
        // RDS User Guide, "Request throttling for the Amazon RDS API".
        ("rds", All, Bucket { size: 300, refill: 12.0 }),
        // KMS Developer Guide, "Request quotas": the least of any operation here.
        ("kms", Changes, PerSecond(5)),
        ("kms", Reads, PerSecond(500)),
        // CloudWatch User Guide, "CloudWatch service quotas".
        ("cloudwatch", Named(&["DeleteAlarms", "PutMetricAlarm"]), PerSecond(3)),
        ("cloudwatch", Named(&["DescribeAlarms"]), PerSecond(9)),
        (
            "cloudwatch",
            Named(&["DeleteDashboards", "GetDashboard", "ListDashboards", "ListTagsForResource", "PutDashboard"]),
            PerSecond(10),
        ),
        // CloudWatch Logs User Guide, "CloudWatch Logs quotas".
        ("logs", Named(&["CreateLogGroup", "DeleteLogGroup", "DescribeLogGroups"]), PerSecond(10)),
        ("logs", Named(&["ListTagsForResource", "PutRetentionPolicy", "TagResource", "UntagResource"]), PerSecond(5)),
        // Secrets Manager User Guide, "AWS Secrets Manager quotas": what changes a secret or its tags, combined.
        ("secretsmanager", AllChanges, PerSecond(50)),
        // AWS General Reference, "Amazon SNS endpoints and quotas": that of TagResource, the least of any change here.
        ("sns", Named(&["ListTagsForResource"]), PerSecond(10)),
        ("sns", Changes, PerSecond(10)),
        ("sns", Reads, PerSecond(30)),
        // AWS General Reference, "Service Quotas endpoints and quotas".
        ("servicequotas", Reads, Bucket { size: 10, refill: 5.0 }),
        // AWS General Reference, "AWS Resource Groups and Tagging endpoints and quotas".
        ("tag", Reads, PerSecond(15)),
    ]
};

/// What is taken for the services that publish nothing (IAM, EKS, ElastiCache, Auto Scaling, Budgets, Cost Explorer and more): a
/// careful guess, for each operation.
const UNPUBLISHED: [(Operations, Rate); 2] = [
    (Operations::Changes, Rate::Bucket { size: 20, refill: 5.0 }),
    (Operations::Reads, Rate::Bucket { size: 40, refill: 20.0 }),
];

/// A limit that a request is counted against.
#[derive(Clone, Debug, PartialEq)]
pub struct Limit {
    /// Its name: an operation, or a service and a kind of operations.
    pub name: String,
    /// What AWS lets through.
    pub rate: Rate,
}

/// The limits of an operation, `ec2` and `CreateVpc`. Each counts for itself.
pub fn limits(service: &str, operation: &str) -> Vec<Limit> {
    let published = || RATES.iter().filter(|(of, ..)| *of == service).map(|(_, operations, rate)| (*operations, *rate));
    let fits = |(operations, _): &(Operations, Rate)| match operations {
        Operations::Named(names) => names.contains(&operation),
        Operations::Changes | Operations::AllChanges => !reads(operation),
        Operations::Reads | Operations::AllReads => reads(operation),
        Operations::All => false,
    };
    let all = published().find(|(operations, _)| matches!(operations, Operations::All));
    let own = published().find(fits);
    let guessed = if own.is_none() && all.is_none() { UNPUBLISHED.into_iter().find(fits) } else { None };
    let name = |operations| match operations {
        Operations::All => format!("{service} calls"),
        Operations::AllChanges => format!("{service} changes"),
        Operations::AllReads => format!("{service} reads"),
        _ => format!("{service}:{operation}"),
    };
    let found = own.into_iter().chain(all).chain(guessed);
    found.map(|(operations, rate)| Limit { name: name(operations), rate }).collect()
}

impl Rate {
    /// Our share of it. What is allowed each second is spread over the second, so that no second has more.
    fn quota(self) -> Quota {
        let (size, refill) = match self {
            Self::Bucket { size, refill } => (size * SHARE / 100, refill),
            Self::PerSecond(most) => (1, f64::from(most)),
        };
        let period = Duration::from_secs_f64(100.0 / (refill * f64::from(SHARE)));
        let quota = Quota::with_period(period).expect("no rate is zero");
        quota.allow_burst(NonZeroU32::new(size).unwrap_or(NonZeroU32::MIN))
    }
}

/// Lets requests through one after the other, as fast as AWS takes them. All clients of a process share one.
#[derive(Clone, Debug, Default)]
pub struct Throttle(Option<Arc<Buckets>>);

/// Time as tokio has it, which tests can stop.
#[derive(Clone, Debug)]
struct Time(Instant);

impl Clock for Time {
    type Instant = Nanos;

    fn now(&self) -> Nanos {
        self.0.elapsed().into()
    }
}

#[derive(Debug)]
struct Buckets {
    time: Time,
    by_name: Mutex<BTreeMap<String, Arc<Bucket>>>,
}

struct Bucket {
    tokens: RateLimiter<NotKeyed, InMemoryState, Time, NoOpMiddleware<Nanos>>,
    /// Held by who is next: who came first goes first.
    turn: tokio::sync::Mutex<()>,
}

impl fmt::Debug for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bucket").finish_non_exhaustive()
    }
}

impl Throttle {
    /// AWS's.
    pub fn published() -> Self {
        Self(Some(Arc::new(Buckets { time: Time(Instant::now()), by_name: Mutex::default() })))
    }

    /// None: for what is not AWS.
    pub fn unlimited() -> Self {
        Self(None)
    }

    /// Returns when a request may be sent, and how long that took.
    #[expect(clippy::disallowed_methods, reason = "the SDK's clients wait between their attempts by themselves, too")]
    pub async fn turn(&self, service: &str, operation: &str) -> Duration {
        let Some(buckets) = &self.0 else { return Duration::ZERO };
        let began = Instant::now();
        for limit in limits(service, operation) {
            let bucket = buckets.of(limit);
            let _turn = bucket.turn.lock().await;
            while let Err(empty) = bucket.tokens.check() {
                tokio::time::sleep(empty.wait_time_from(buckets.time.now())).await;
            }
        }
        began.elapsed()
    }
}

impl Buckets {
    fn of(&self, limit: Limit) -> Arc<Bucket> {
        let mut all = self.by_name.lock().unwrap_or_else(PoisonError::into_inner);
        let bucket = || {
            let tokens = RateLimiter::direct_with_clock(limit.rate.quota(), self.time.clone());
            Arc::new(Bucket { tokens, turn: tokio::sync::Mutex::default() })
        };
        Arc::clone(all.entry(limit.name).or_insert_with(bucket))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// When each of so many requests went out that all came at once, in seconds.
    async fn sent(operations: &[(&str, &str)], count: usize) -> Vec<f64> {
        let (throttle, began) = (Throttle::published(), Instant::now());
        let mut times = Vec::new();
        for number in 0..count {
            let (service, operation) = operations[number % operations.len()];
            throttle.turn(service, operation).await;
            times.push(began.elapsed().as_secs_f64());
        }
        times
    }

    #[tokio::test(start_paused = true)]
    async fn a_bucket_is_emptied_at_once_and_then_refilled() {
        // All changes of EC2 share one; 40 of 50 tokens and 4 of 5 a second are ours.
        let times = sent(&[("ec2", "CreateVpc"), ("ec2", "DeleteSubnet")], 48).await;
        assert!(times[39] < 0.01, "{times:?}");
        let seconds: Vec<f64> = times[40..].iter().map(|time| (time * 100.0).round() / 100.0).collect();
        assert_eq!(seconds, [0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 1.75, 2.0]);
    }

    #[tokio::test(start_paused = true)]
    async fn no_second_has_more_than_is_allowed_in_one() {
        for (operation, most) in [("PutMetricAlarm", 3), ("PutDashboard", 10)] {
            let times = sent(&[("cloudwatch", operation)], 40).await;
            for first in &times {
                let within = times.iter().filter(|time| (*first..first + 1.0).contains(time)).count();
                assert!(within <= most, "{operation}: {within} in the second after {first}");
            }
            assert!(times[39] < 40.0 / (0.7 * most as f64), "{operation} is slower than it has to be: {}", times[39]);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn who_comes_first_goes_first_and_others_do_not_wait() {
        let throttle = Throttle::published();
        let went = Mutex::new(Vec::new());
        let send = |operation: &'static str, number: u32| {
            let (throttle, went) = (&throttle, &went);
            async move {
                throttle.turn("ec2", operation).await;
                went.lock().unwrap().push(number);
            }
        };
        tokio::join!(
            send("CreateVpcEndpoint", 1),
            send("CreateVpcEndpoint", 2),
            send("CreateVpcEndpoint", 3),
            send("CreateVpcEndpoint", 4),
            send("CreateVpcEndpoint", 5),
            send("CreateSubnet", 6),
        );
        assert_eq!(*went.lock().unwrap(), [1, 2, 3, 6, 4, 5]);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_not_aws_is_not_waited_for() {
        let (throttle, began) = (Throttle::unlimited(), Instant::now());
        for _ in 0..1000 {
            assert_eq!(throttle.turn("ec2", "CreateVpcEndpoint").await, Duration::ZERO);
        }
        assert_eq!(began.elapsed(), Duration::ZERO);
    }

    #[test]
    fn the_first_row_that_fits_counts_and_the_one_of_all() {
        let of =
            |service, operation| limits(service, operation).into_iter().map(|limit| limit.name).collect::<Vec<_>>();
        assert_eq!(of("ec2", "CreateVpcEndpoint"), ["ec2:CreateVpcEndpoint"]);
        assert_eq!(of("ec2", "CreateVpc"), ["ec2 changes"]);
        assert_eq!(of("ec2", "DescribeVpcs"), ["ec2 reads"]);
        assert_eq!(of("iam", "CreateRole"), ["iam:CreateRole"]);
        assert_eq!(of("rds", "DescribeDBClusters"), ["rds calls"]);
        let balancer = ["elasticloadbalancing:CreateLoadBalancer", "elasticloadbalancing calls"];
        assert_eq!(of("elasticloadbalancing", "CreateLoadBalancer"), balancer);
        assert_eq!(limits("iam", "CreateRole")[0].rate, Rate::Bucket { size: 20, refill: 5.0 });
        assert_eq!(limits("cloudwatch", "TagResource")[0].rate, Rate::Bucket { size: 20, refill: 5.0 });
    }

    #[tokio::test(start_paused = true)]
    async fn what_counts_twice_waits_for_both() {
        // 16 changes of 20 and 2.4 a second are ours, and of all calls 32 of 40 and 8 a second.
        let times = sent(&[("elasticloadbalancing", "AddTags"), ("elasticloadbalancing", "DescribeTags")], 34).await;
        assert!(times[31] < 0.9, "{times:?}");
        assert!(times[33] > times[31], "{times:?}");
    }
}
