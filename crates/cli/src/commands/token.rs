//! `token`: signs in to a cluster. kubectl runs it when it needs a token.

use crate::{
    args::{Globals, TokenArgs},
    exit::Exit,
    render::Printer,
    session,
};
use anyhow::{Context, Result};
use serde_json::json;

/// What kubectl and the answer to it agree on (Kubernetes documentation, "client-go credential plugins").
pub(crate) const EXEC_API: &str = "client.authentication.k8s.io/v1";

pub(crate) async fn run(globals: &Globals, args: &TokenArgs, printer: &Printer) -> Result<Exit> {
    let token = session::connect(globals, &args.region).await?.cluster_token(&args.cluster).await?;
    let expires = jiff::Timestamp::try_from(token.expires()).context("the token's end is no time")?;
    printer.document(&json!({
        "apiVersion": EXEC_API,
        "kind": "ExecCredential",
        "spec": {},
        "status": {"expirationTimestamp": expires.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(), "token": token.reveal()},
    }));
    Ok(Exit::Done)
}
