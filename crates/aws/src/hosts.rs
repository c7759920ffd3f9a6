//! How many requests are under way to one host at once.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// One more would open one more connection, which takes as long as two requests over one that is open (TCP and TLS have to
/// be set up), so it waits for that. A survey asks no host of AWS for more at once; of an endpoint that stands for all of
/// AWS it does.
const AT_ONCE: usize = 24;

/// Places for requests, by host.
#[derive(Clone, Debug, Default)]
pub(crate) struct Hosts(Arc<Mutex<BTreeMap<String, Arc<Semaphore>>>>);

impl Hosts {
    /// Waits for a place at the host of this URI; it is free again when what is returned is dropped.
    pub(crate) async fn place(&self, uri: &str) -> Option<OwnedSemaphorePermit> {
        let places = {
            let mut hosts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let places = hosts.entry(host(uri).to_owned()).or_insert_with(|| Arc::new(Semaphore::new(AT_ONCE)));
            Arc::clone(places)
        };
        // None of them is ever closed, which is the only error.
        places.acquire_owned().await.ok()
    }
}

/// Scheme, host and port.
fn host(uri: &str) -> &str {
    let start = uri.find("://").map_or(0, |at| at + 3);
    let end = uri[start..].find(['/', '?']).map_or(uri.len(), |at| start + at);
    &uri[..end]
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::ready;

    async fn is_free(hosts: &Hosts, uri: &str) -> bool {
        tokio::select! {
            biased;
            _ = hosts.place(uri) => true,
            () = ready(()) => false,
        }
    }

    #[tokio::test]
    async fn one_too_many_waits_at_its_host_and_at_no_other() {
        let hosts = Hosts::default();
        let mut places = Vec::new();
        for number in 0..AT_ONCE {
            places.push(hosts.place(&format!("https://ec2.us-east-1.amazonaws.com/{number}")).await.unwrap());
        }
        assert!(!is_free(&hosts, "https://ec2.us-east-1.amazonaws.com").await);
        assert!(!is_free(&hosts, "https://ec2.us-east-1.amazonaws.com?Action=DescribeVpcs").await);
        assert!(is_free(&hosts, "https://rds.us-east-1.amazonaws.com/").await);
        assert!(is_free(&hosts, "http://ec2.us-east-1.amazonaws.com/").await);
        places.pop();
        assert!(is_free(&hosts, "https://ec2.us-east-1.amazonaws.com/").await);
    }
}
