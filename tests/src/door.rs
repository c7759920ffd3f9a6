//! An encrypted door to a cloud.

use crate::{Cloud, environment, server::Server};
use std::{path::PathBuf, process::Command, time::Duration};

/// An endpoint that is encrypted as AWS's are, before a cloud.
#[derive(Debug)]
pub struct Door {
    /// Where it is.
    pub endpoint: String,
    folder: tempfile::TempDir,
    _server: Server,
}

impl Door {
    /// Opens one.
    pub fn before(cloud: &Cloud) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let port = cloud.endpoint.rsplit(':').next().expect("an address has a port");
        let mut command = Command::new(environment::python());
        command.arg(environment::root().join("tests/src/door.py")).arg(port).arg(folder.path().join("authority.pem"));
        command.env("PYTHONPATH", environment::root().join("tests/cloud"));
        let (server, endpoint) = Server::start(&mut command, "door open: ", Duration::from_secs(60))
            .unwrap_or_else(|status| panic!("the door did not open ({status:?})"));
        Self { endpoint, folder, _server: server }
    }

    /// The certificate of the authority that vouches for it.
    pub fn authority(&self) -> PathBuf {
        self.folder.path().join("authority.pem")
    }
}
