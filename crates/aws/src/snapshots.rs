//! Last snapshots, which RDS and ElastiCache make of what is deleted.

use bedplate_model::{CallError, Class};

/// How many names are tried.
const NAMES: u32 = 20;

/// Makes a call that leaves a snapshot of this name. A deletion that failed after its snapshot was made leaves the name taken:
/// then `name-2` is tried, and so on.
pub(crate) async fn leaving<F>(name: Option<String>, call: impl Fn(Option<String>) -> F) -> Result<(), CallError>
where
    F: Future<Output = Result<(), CallError>>,
{
    let Some(name) = name else { return call(None).await };
    let mut number = 1;
    loop {
        let numbered = if number == 1 { name.clone() } else { format!("{name}-{number}") };
        match call(Some(numbered)).await {
            Err(error) if error.class == Class::AlreadyExists && number < NAMES => number += 1,
            answer => return answer,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;

    #[tokio::test]
    async fn a_name_that_is_taken_is_numbered() {
        let tried = RefCell::new(Vec::new());
        let taken = ["final", "final-2"];
        let call = |name: Option<String>| {
            let found = taken.iter().any(|taken| name.as_deref() == Some(taken));
            tried.borrow_mut().push(name);
            let error =
                CallError::local("rds:DeleteDBCluster", "DBClusterSnapshotAlreadyExists", "", Class::AlreadyExists);
            async move { if found { Err(error) } else { Ok(()) } }
        };
        leaving(Some("final".to_owned()), call).await.unwrap();
        leaving(None, call).await.unwrap();
        let names = ["final", "final-2", "final-3"].map(|name| Some(name.to_owned()));
        assert_eq!(*tried.borrow(), [&names[..], &[None]].concat());
    }
}
