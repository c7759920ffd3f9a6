//! How close together the calls of simulated bootstraps were, and which of them AWS would have refused.

use crate::simulated::Cloud;
use bedplate_aws::{Rate, limits};
use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};
use tokio::time::Instant;

const SECOND: Duration = Duration::from_secs(1);

/// The most changing calls that a service got within one second, of all stacks together.
pub(crate) fn peaks(clouds: &[Cloud]) -> BTreeMap<&'static str, usize> {
    let mut all: BTreeMap<&'static str, Vec<Instant>> = BTreeMap::new();
    for cloud in clouds {
        for (operation, times) in &cloud.world().changes {
            all.entry(operation.split(':').next().unwrap_or(operation)).or_default().extend(times);
        }
    }
    let peak = |mut times: Vec<Instant>| {
        times.sort();
        let within = |from: usize| times[from..].iter().take_while(|time| **time < times[from] + SECOND).count();
        (0..times.len()).map(within).max().unwrap_or(0)
    };
    all.into_iter().map(|(service, times)| (service, peak(times))).collect()
}

/// How many calls AWS would have refused, by the whole of its rates.
pub(crate) fn refused(clouds: &[Cloud]) -> usize {
    let mut all: BTreeMap<String, (Rate, Vec<Instant>)> = BTreeMap::new();
    for cloud in clouds {
        let world = cloud.world();
        for (operation, times) in world.changes.iter().chain(&world.looks) {
            let (service, operation) = operation.split_once(':').unwrap_or((operation, ""));
            for limit in limits(service, operation) {
                all.entry(limit.name).or_insert((limit.rate, Vec::new())).1.extend(times);
            }
        }
    }
    let refused = |(rate, mut times): (Rate, Vec<Instant>)| {
        times.sort();
        match rate {
            Rate::Bucket { size, refill } => refused_by_bucket(f64::from(size), refill, &times),
            Rate::PerSecond(most) => refused_each_second(most as usize, &times),
        }
    };
    all.into_values().map(refused).sum()
}

fn refused_by_bucket(size: f64, refill: f64, times: &[Instant]) -> usize {
    let (mut tokens, mut before, mut refused) = (size, times.first().copied(), 0);
    for time in times {
        let passed = before.replace(*time).map_or(Duration::ZERO, |before| *time - before);
        tokens = size.min(tokens + passed.as_secs_f64() * refill);
        if tokens >= 1.0 { tokens -= 1.0 } else { refused += 1 }
    }
    refused
}

fn refused_each_second(most: usize, times: &[Instant]) -> usize {
    let (mut last, mut refused) = (VecDeque::new(), 0);
    for time in times {
        while last.front().is_some_and(|then| *time - *then >= SECOND) {
            last.pop_front();
        }
        if last.len() < most { last.push_back(*time) } else { refused += 1 }
    }
    refused
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_much_is_counted() {
        let start = Instant::now();
        let times = [0, 0, 0, 500, 1000, 1000].map(|milliseconds| start + Duration::from_millis(milliseconds));
        // Two at once, then one each second: the third is too early, and so are the fourth and the last.
        assert_eq!(refused_by_bucket(2.0, 1.0, &times), 3);
        assert_eq!(refused_each_second(2, &times), 2);
        assert_eq!((refused_by_bucket(6.0, 1.0, &times), refused_each_second(6, &times)), (0, 0));
    }
}
