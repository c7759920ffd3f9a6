//! `kubeconfig`: how kubectl reaches the cluster.

use super::{output, token::EXEC_API};
use crate::{
    args::{Globals, KubeconfigArgs},
    exit::{Exit, Refused},
    render::Printer,
    session::Local,
};
use anyhow::Result;
use bedplate_model::Json;
use serde_json::json;
use std::{
    io::Write,
    path::{Path, PathBuf},
};

pub(crate) async fn run(globals: &Globals, args: &KubeconfigArgs, printer: &Printer) -> Result<Exit> {
    let config = Local::open(globals).await?.config;
    let outputs = output::known(globals).await?;
    let missing = || Refused::new("there is no cluster to reach yet", "run `bedplate bootstrap`");
    let cluster = Cluster::of(&outputs, &config.region.to_string(), globals.profile.clone()).ok_or_else(missing)?;
    match (&args.out, args.merge) {
        (None, false) => printer.document(&cluster.kubeconfig()),
        (Some(path), _) => {
            write(path, &format!("{:#}\n", cluster.kubeconfig()))?;
            tell(printer, path, &cluster);
            printer.note(&format!("Written; try `kubectl --kubeconfig {} get nodes`.", path.display()));
        }
        (None, true) => {
            let path = users_own()?;
            merge(&path, &cluster)?;
            tell(printer, &path, &cluster);
            printer.note(&format!(
                "Context {} is in {} and is the current one; try `kubectl get nodes`.",
                cluster.name,
                path.display()
            ));
        }
    }
    Ok(Exit::Done)
}

/// For scripts: which file was written, and the context that is the current one in it.
fn tell(printer: &Printer, path: &Path, cluster: &Cluster) {
    if printer.json {
        let Cluster { name, endpoint, region, .. } = cluster;
        printer.document(
            &json!({"format": 1, "written": path, "context": name, "cluster": name, "endpoint": endpoint, "region": region}),
        );
    }
}

/// The output of that name: a whole kubeconfig as a text; `None` as long as there is no cluster. There is no secret in it.
pub(crate) fn text(outputs: &Json, region: &str) -> Option<String> {
    Some(format!("{:#}", Cluster::of(outputs, region, None)?.kubeconfig()))
}

struct Cluster {
    name: String,
    endpoint: String,
    authority: String,
    region: String,
    profile: Option<String>,
}

impl Cluster {
    fn of(outputs: &Json, region: &str, profile: Option<String>) -> Option<Self> {
        let text = |name: &str| outputs.get(name).and_then(Json::as_str).map(str::to_owned);
        Some(Self {
            name: text("cluster_name")?,
            endpoint: text("cluster_endpoint")?,
            authority: text("cluster_certificate_authority")?,
            region: region.to_owned(),
            profile,
        })
    }

    /// JSON is YAML, so kubectl reads it as it is.
    fn kubeconfig(&self) -> Json {
        let Self { name, endpoint, authority, region, profile } = self;
        let mut args = vec!["token", "--cluster", name, "--region", region];
        args.extend(profile.iter().flat_map(|profile| ["--profile", profile]));
        json!({
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": name,
            "clusters": [{"name": name, "cluster": {"server": endpoint, "certificate-authority-data": authority}}],
            "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
            "users": [{"name": name, "user": {"exec": {
                "apiVersion": EXEC_API,
                "command": program(),
                "args": args,
                "interactiveMode": "Never",
                "installHint": "bedplate makes the tokens with which kubectl signs in to EKS: install it, or write its path here.",
            }}}],
        })
    }
}

/// What kubectl shall run: `bedplate`, which goes with every machine and version, if that is this program.
fn program() -> String {
    const NAME: &str = "bedplate";
    let Ok(this) = std::env::current_exe().and_then(fs_err::canonicalize) else { return NAME.to_owned() };
    let path = std::env::var_os("PATH").unwrap_or_default();
    let first = std::env::split_paths(&path).map(|folder| folder.join(NAME)).find(|candidate| candidate.is_file());
    let same = first.is_some_and(|first| fs_err::canonicalize(first).is_ok_and(|first| first == this));
    if same { NAME.to_owned() } else { this.display().to_string() }
}

/// The file that kubectl itself would change: of those in KUBECONFIG the first one that exists, or else the last one.
fn users_own() -> Result<PathBuf> {
    let named = std::env::var_os("KUBECONFIG").unwrap_or_default();
    let named: Vec<PathBuf> = std::env::split_paths(&named).filter(|path| !path.as_os_str().is_empty()).collect();
    if let Some(path) = named.iter().find(|path| path.is_file()).or(named.last()) {
        return Ok(path.clone());
    }
    let nowhere = || Refused::new("there is no KUBECONFIG and no home directory", "give a file with --out");
    Ok(std::env::home_dir().ok_or_else(nowhere)?.join(".kube/config"))
}

/// Puts the cluster into a kubeconfig and leaves everything else in it as it is.
fn merge(path: &Path, cluster: &Cluster) -> Result<()> {
    let refused = |what: String| {
        Refused::new(
            format!("{} {what}; it stays as it is", path.display()),
            "correct it, or write a file of its own with --out and name it in KUBECONFIG",
        )
    };
    if let Some(folder) = path.parent() {
        fs_err::create_dir_all(folder)?;
    }
    // Behind a link lies the file that is meant.
    let path = &fs_err::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let _lock = Lock::take(path)?;
    let before = match fs_err::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(error.into()),
    };
    let mut document = if before.trim().is_empty() {
        json!({})
    } else {
        serde_saphyr::from_str(&before).map_err(|error| refused(format!("is no YAML: {error}")))?
    };
    add(&mut document, cluster.kubeconfig()).ok_or_else(|| refused("is no kubeconfig".to_owned()))?;
    let after = serde_saphyr::to_string(&document)?;
    // What cannot be read back was not written rightly.
    let again: Json = serde_saphyr::from_str(&after)?;
    anyhow::ensure!(again == document, "{} cannot be written without a loss", path.display());
    write(path, &after)
}

/// Adds what `ours` has, in place of what has the same name. `None` when `document` is no kubeconfig.
fn add(document: &mut Json, ours: Json) -> Option<()> {
    let document = document.as_object_mut()?;
    let Json::Object(ours) = ours else { return None };
    for (key, value) in ours {
        let Json::Array(entries) = value else {
            document.insert(key, value);
            continue;
        };
        let list = document.entry(&key).or_insert(Json::Null);
        if list.is_null() {
            *list = json!([]);
        }
        let list = list.as_array_mut()?;
        for entry in entries {
            match list.iter_mut().find(|other| other["name"] == entry["name"]) {
                // A context may have a namespace by now.
                Some(other) if key == "contexts" && other["context"].is_object() => {
                    let context = other["context"].as_object_mut()?;
                    context.extend(entry["context"].as_object()?.clone());
                }
                Some(other) => *other = entry,
                None => list.push(entry),
            }
        }
    }
    Some(())
}

/// Replaces a file as a whole. Temporary files are made with mode 0600, which kubectl asks for.
fn write(path: &Path, text: &str) -> Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let mut file = tempfile::NamedTempFile::new_in(folder.unwrap_or_else(|| Path::new(".")))?;
    file.write_all(text.as_bytes())?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    Ok(())
}

/// What kubectl makes beside a kubeconfig while it changes it; gone with this value.
struct Lock(PathBuf);

impl Lock {
    fn take(path: &Path) -> Result<Self> {
        let mut name = path.as_os_str().to_owned();
        name.push(".lock");
        let lock = PathBuf::from(name);
        match fs_err::OpenOptions::new().write(true).create_new(true).open(&lock) {
            Ok(_) => Ok(Self(lock)),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Err(Refused::new(
                format!("another program is changing {}", path.display()),
                format!("wait for it; if there is none any more, remove {}", lock.display()),
            )),
            Err(error) => Err(error.into()),
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        _ = fs_err::remove_file(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cluster(endpoint: &str) -> Cluster {
        Cluster {
            name: "c".to_owned(),
            endpoint: endpoint.to_owned(),
            authority: "Y2E=".to_owned(),
            region: "us-east-1".to_owned(),
            profile: Some("p".to_owned()),
        }
    }

    fn read(path: &Path) -> Json {
        serde_saphyr::from_str(&fs_err::read_to_string(path).unwrap()).unwrap()
    }

    #[test]
    fn what_is_there_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config");
        let before = "apiVersion: v1\nkind: Config\npreferences: {colors: true}\ncurrent-context: other\nclusters:\n- name: \
                      other\n  cluster: {server: https://other, tls-server-name: \"yes\", extensions: [{name: x, extension: {n: 1}}]}\n\
                      contexts:\n- name: c\n  context: {cluster: old, user: old, namespace: shop}\nusers: null\n";
        fs_err::write(&path, before).unwrap();
        merge(&path, &cluster("https://one")).unwrap();
        merge(&path, &cluster("https://two")).unwrap();
        let after = read(&path);
        assert_eq!(after["preferences"], json!({"colors": true}));
        assert_eq!(after["clusters"][0]["cluster"]["tls-server-name"], "yes");
        assert_eq!(after["clusters"][0]["cluster"]["extensions"], json!([{"name": "x", "extension": {"n": 1}}]));
        assert_eq!(after["clusters"][1]["cluster"]["server"], "https://two");
        let contexts = json!([{"name": "c", "context": {"cluster": "c", "user": "c", "namespace": "shop"}}]);
        assert_eq!(after["contexts"], contexts);
        assert_eq!((after["users"].as_array().unwrap().len(), &after["current-context"]), (1, &json!("c")));
        assert_eq!(fs_err::read_dir(folder.path()).unwrap().count(), 1, "no lock and no temporary file is left");
    }

    #[test]
    fn what_is_no_kubeconfig_is_not_touched() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config");
        for text in ["- a list\n", "clusters: {}\n", "a: [b\n"] {
            fs_err::write(&path, text).unwrap();
            assert!(merge(&path, &cluster("https://one")).unwrap_err().is::<Refused>());
            assert_eq!(fs_err::read_to_string(&path).unwrap(), text);
        }
        fs_err::write(folder.path().join("config.lock"), "").unwrap();
        fs_err::write(&path, "{}").unwrap();
        assert!(merge(&path, &cluster("https://one")).unwrap_err().to_string().contains("another program"));
    }

    #[cfg(unix)]
    #[test]
    fn a_link_stays_a_link_and_the_mode_is_private() {
        use std::os::unix::fs::{PermissionsExt, symlink};
        let folder = tempfile::tempdir().unwrap();
        let (real, link) = (folder.path().join("real"), folder.path().join("config"));
        fs_err::write(&real, "").unwrap();
        symlink(&real, &link).unwrap();
        merge(&link, &cluster("https://one")).unwrap();
        assert!(fs_err::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs_err::metadata(&real).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(read(&real)["current-context"], "c");
    }
}
