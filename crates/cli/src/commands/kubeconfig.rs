//! `kubeconfig`: how kubectl reaches the cluster.

use super::output;
use crate::{
    args::{Globals, KubeconfigArgs},
    exit::{Exit, Refused},
    render::Printer,
    session::Local,
};
use anyhow::Result;
use bedplate_model::Json;
use std::io::Write;

pub(crate) async fn run(globals: &Globals, args: &KubeconfigArgs, printer: &Printer) -> Result<Exit> {
    let config = Local::open(globals).await?.config;
    let outputs = output::known(globals).await?;
    let text = |name: &str| {
        let missing = || Refused::new(format!("the cluster has no {name} yet"), "run `bedplate bootstrap`");
        outputs.get(name).and_then(Json::as_str).map(str::to_owned).ok_or_else(missing)
    };
    let cluster = Cluster {
        name: text("cluster_name")?,
        endpoint: text("cluster_endpoint")?,
        authority: text("cluster_certificate_authority")?,
        region: config.region.to_string(),
        profile: globals.profile.clone(),
    };
    let document = cluster.kubeconfig();
    match &args.out {
        None => printer.document(&document),
        Some(path) => {
            // Temporary files are made with mode 0600, which kubectl asks for.
            let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
            let mut file = tempfile::NamedTempFile::new_in(folder.unwrap_or_else(|| std::path::Path::new(".")))?;
            writeln!(file, "{document:#}")?;
            file.persist(path)?;
            printer.note(&format!("Written; try `kubectl --kubeconfig {} get nodes`.", path.display()));
        }
    }
    Ok(Exit::Done)
}

struct Cluster {
    name: String,
    endpoint: String,
    authority: String,
    region: String,
    profile: Option<String>,
}

impl Cluster {
    /// JSON is YAML, so kubectl reads it as it is.
    fn kubeconfig(&self) -> Json {
        let Self { name, endpoint, authority, region, profile } = self;
        let env = profile.iter().map(|profile| serde_json::json!({"name": "AWS_PROFILE", "value": profile}));
        serde_json::json!({
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": name,
            "clusters": [{"name": name, "cluster": {"server": endpoint, "certificate-authority-data": authority}}],
            "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
            "users": [{"name": name, "user": {"exec": {
                "apiVersion": "client.authentication.k8s.io/v1beta1",
                "command": "aws",
                "args": ["--region", region, "eks", "get-token", "--cluster-name", name, "--output", "json"],
                "env": env.collect::<Vec<_>>(),
                "interactiveMode": "Never",
                "installHint": "Install the AWS CLI: it makes the tokens with which kubectl signs in to EKS.",
            }}}],
        })
    }
}
