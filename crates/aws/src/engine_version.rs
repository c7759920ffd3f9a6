//! Versions of databases and caches.

/// Major and minor version of `17.5`; the minor of `17` is 0.
pub(crate) fn version(text: &str) -> Option<(u32, u32)> {
    let mut parts = text.split('.');
    let major = parts.next()?.parse().ok()?;
    Some((major, parts.next().map_or(Some(0), |minor| minor.parse().ok())?))
}

/// The major version that an upgrade leads to; `None` when it stays.
pub(crate) fn next_major(from: &str, to: &str) -> Option<u32> {
    let (from, to) = (version(from)?.0, version(to)?.0);
    (to > from).then_some(to)
}

/// Whether AWS runs the wanted major version with its own, newer minor version.
pub(crate) fn is_patched(wanted: &str, seen: &str) -> bool {
    version(wanted).zip(version(seen)).is_some_and(|(wanted, seen)| seen.0 == wanted.0 && seen.1 > wanted.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_upgrade_leads_to_another_major_version() {
        assert_eq!(next_major("16.8", "17.5"), Some(17));
        assert_eq!(next_major("16.8", "16.9"), None);
    }

    #[test]
    fn a_newer_minor_version_is_a_patch() {
        assert!(is_patched("16.6", "16.8"));
        assert!(!is_patched("16.8", "16.8") && !is_patched("16.8", "17.9"));
    }
}
