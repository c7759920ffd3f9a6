//! The documents: every command in their `sh` blocks is run, every command they speak of exists, and every link leads somewhere.

use bedplate_tests::{Cloud, JsonExt, Project, python, root};
use serde_json::json;
use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    process::Command,
};

/// What is not run here: page, what the block begins with, and why.
const NOT_RUN: &[(&str, &str, &str)] = &[
    ("README.md", "cargo xtask", "`cargo xtask test` runs this test, and the demo as a part of its own"),
    ("README.md", "cargo install", "it builds the project for minutes, and puts it among the person's programs"),
    ("docs/guide.md", "cargo xtask", "they go on until Ctrl-C; `cargo xtask test` runs the demo to its end"),
    ("docs/guide.md", "cargo install", "it builds the project for minutes, and puts it among the person's programs"),
    (
        "docs/reference/permissions.md",
        "sed",
        "it needs the AWS CLI; its operations and options are looked up, and the policies linted, by other tests",
    ),
    (
        "docs/ci.md",
        "aws",
        "they need the AWS CLI; they are looked up, and those on S3 are carried out before the workflow is run",
    ),
    ("docs/from-terraform.md", "terraform", "it needs Terraform and a state of it"),
];

/// Commands that are to exit with another code than 0: page, command, code, and why.
const OTHER_CODES: &[(&str, &str, i32, &str)] = &[
    ("README.md", "bedplate destroy", 3, "a production stack refuses"),
    ("docs/from-terraform.md", "bedplate import network/vpc vpc-0a1b2c3d4e5f60718", 3, "that address is taken by then"),
    ("docs/guide.md", "bedplate destroy", 3, "a production stack refuses"),
];

/// What a person answers: each of these asks, or asks without a terminal for an option that says yes.
const ASKED: &[(&str, &[&str])] = &[
    ("init", &["--project-name", "fintechglobal", "--region", "us-east-1", "--account-id", "797923187401"]),
    ("init", &["--alert-email", "team-platform@yourcompany.com", "--monthly-budget-limit", "5000"]),
    ("bootstrap", &["--yes"]),
    ("apply", &["--yes"]),
    ("import", &["--yes"]),
    ("drift --repair", &["--yes"]),
    ("destroy", &["--yes"]),
];

struct Page {
    /// Its path from the project's root.
    name: String,
    text: String,
}

fn pages() -> Vec<Page> {
    let mut folders = vec![root().join("docs")];
    let mut paths = vec![root().join("README.md")];
    while let Some(folder) = folders.pop() {
        for entry in fs_err::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => folders.push(path),
                false if path.extension().is_some_and(|it| it == "md") => paths.push(path),
                false => {}
            }
        }
    }
    paths.sort();
    let page = |path: &PathBuf| Page {
        name: path.strip_prefix(root()).unwrap().display().to_string(),
        text: fs_err::read_to_string(path).unwrap(),
    };
    paths.iter().map(page).collect()
}

impl Page {
    /// The lines outside of code blocks, and the blocks with their languages.
    fn parts(&self) -> (Vec<&str>, Vec<(&str, Vec<&str>)>) {
        let (mut prose, mut blocks) = (Vec::new(), Vec::new());
        let mut block: Option<(&str, Vec<&str>)> = None;
        for line in self.text.lines() {
            match (line.trim_start().strip_prefix("```"), &mut block) {
                (Some(language), None) => block = Some((language, Vec::new())),
                (Some(_), Some(_)) => blocks.extend(block.take()),
                (None, Some((_, lines))) => lines.push(line.trim_start()),
                (None, None) => prose.push(line),
            }
        }
        assert!(block.is_none(), "{}: a block does not end", self.name);
        (prose, blocks)
    }

    /// What is written as code within the lines.
    fn inline(&self) -> Vec<&str> {
        self.parts().0.into_iter().flat_map(|line| line.split('`').skip(1).step_by(2)).collect()
    }

    /// What links to its headings call them, as GitHub does.
    fn anchors(&self) -> BTreeSet<String> {
        let headings = self.parts().0.into_iter().filter(|line| line.starts_with('#'));
        let slug = |heading: &str| {
            let text = heading.trim_start_matches('#').trim().to_lowercase();
            let kept = text.chars().filter(|it| it.is_alphanumeric() || [' ', '-', '_'].contains(it));
            kept.map(|it| if it == ' ' { '-' } else { it }).collect()
        };
        headings.map(slug).collect()
    }
}

/// A line without what the shell does not read.
fn without_remark(command: &str) -> &str {
    command.split('#').next().unwrap_or_default().trim()
}

/// The words that a person would type, and those that answer what is asked then.
fn typed(command: &str) -> Vec<&str> {
    let command = without_remark(command);
    let words = command.strip_prefix("bedplate ").unwrap_or_else(|| panic!("what to do with `{command}`?"));
    let answers = ASKED.iter().filter(|(asks, _)| words == *asks || words.starts_with(&format!("{asks} ")));
    words.split_whitespace().chain(answers.flat_map(|(_, answers)| answers.iter().copied())).collect()
}

#[test]
fn every_command_works() {
    let mut not_run = BTreeSet::new();
    let mut other_codes = BTreeSet::new();
    for page in pages() {
        let (_, blocks) = page.parts();
        let mut blocks: Vec<Vec<&str>> =
            blocks.into_iter().filter(|(language, _)| *language == "sh").map(|(_, lines)| lines).collect();
        blocks.retain(|lines| {
            let known = NOT_RUN.iter().position(|it| page.name == it.0 && lines[0].starts_with(it.1));
            not_run.extend(known);
            known.is_none()
        });
        if blocks.is_empty() {
            continue;
        }
        let cloud = Cloud::start();
        let project = Project::new(&cloud);
        if page.text.contains("bedplate init\n") {
            fs_err::remove_file(project.path("platform.toml")).unwrap();
        }
        prepare(&page, &cloud, &project);
        for command in blocks.into_iter().flatten() {
            // As the shell would: into a file, in the home directory, into a new folder.
            let command = command.replace("~/", &format!("{}/", project.path("").display()));
            if let Some(folder) = command.strip_prefix("mkdir -p ") {
                fs_err::create_dir_all(folder).unwrap();
                continue;
            }
            let (command, file) = command.split_once(" > ").unwrap_or((&command, ""));
            let run = project.run(&typed(command));
            if !file.is_empty() {
                project.write(file, &run.stdout);
            }
            let other = OTHER_CODES.iter().position(|it| page.name == it.0 && without_remark(command) == it.1);
            other_codes.extend(other);
            let code = other.map_or(0, |index| OTHER_CODES[index].2);
            assert_eq!(run.code, Some(code), "{}: {run}", page.name);
        }
    }
    assert_eq!(not_run.len(), NOT_RUN.len(), "some of what is not run is not there: {not_run:?}");
    assert_eq!(other_codes.len(), OTHER_CODES.len(), "some of the other codes do not occur: {other_codes:?}");
}

/// What the steps of the workflow run, as they stand there.
#[test]
fn the_workflow_runs() {
    let page = fs_err::read_to_string(root().join("docs/ci.md")).unwrap();
    let place = page.lines().find_map(|line| line.trim().strip_prefix("BEDPLATE_STATE: ")).expect("where the state is");
    let bucket = place.strip_prefix("s3://").and_then(|rest| rest.split('/').next()).expect("in a bucket");
    let environment = [("BEDPLATE_STATE", place), ("AWS_REGION", "us-east-1")];
    let steps: Vec<&str> = page.lines().filter_map(|line| line.trim().strip_prefix("- run: bedplate ")).collect();
    let steps: Vec<Vec<&str>> = steps.iter().map(|step| without_remark(step).split_whitespace().collect()).collect();
    assert_eq!(steps, [&["plan"][..], &["drift"], &["bootstrap", "--yes"]]);

    let cloud = Cloud::start();
    let project = Project::network_and_cluster(&cloud, "");
    project.run_with(&steps[2], &environment).exits(3).says(&["there is no bucket", bucket]);
    // What the page says to do once.
    let commands: Vec<&str> = page.lines().filter(|line| line.starts_with("aws s3api ")).collect();
    assert_eq!(commands.len(), 4);
    for command in commands {
        s3api(&cloud, command);
    }
    // From a runner of GitHub's, which is not in the VPC.
    cloud.reach_clusters(false);
    project.run_with(&steps[0], &environment).ok().says(&["only inside its VPC"]);
    project.run_with(&steps[2], &environment).exits(1).says(&["cluster/namespace", "cannot be reached"]);
    // Once from where it can be reached; from then on the pipeline gets on.
    cloud.reach_clusters(true);
    project.run_with(&["bootstrap", "--yes"], &environment).ok();
    cloud.reach_clusters(false);
    for step in &steps {
        project.run_with(step, &environment).ok().says(&["not looked at"]);
    }
    cloud.ec2("delete_tags", json!({"Resources": [vpc(&cloud)], "Tags": [{"Key": "Project"}]}));
    project.run_with(&steps[1], &environment).exits(2);
}

/// The one that bedplate made.
fn vpc(cloud: &Cloud) -> String {
    let mine = json!({"Filters": [{"Name": "tag:Project", "Values": ["fintechglobal"]}]});
    cloud.ec2("describe_vpcs", mine)["Vpcs"][0].text("VpcId").to_owned()
}

/// A command of the AWS CLI on S3 whose values are flags, `Key=value` or JSON.
fn s3api(cloud: &Cloud, command: &str) {
    let words = words(command);
    let camel = |flag: &str| flag.split('-').map(|part| part[..1].to_uppercase() + &part[1..]).collect::<String>();
    let mut arguments = json!({});
    for pair in words[3..].chunks(2) {
        let [flag, value] = pair else { panic!("{command}") };
        let truth = |value: &str| value.parse().map_or_else(|_| json!(value), |it: bool| json!(it));
        let value = match value.split_once('=') {
            _ if value.starts_with('{') => serde_json::from_str(value).unwrap(),
            Some(_) => value
                .split(',')
                .filter_map(|it| it.split_once('='))
                .map(|(key, it)| (key.to_owned(), truth(it)))
                .collect(),
            None => json!(value),
        };
        match flag.as_str() {
            "--region" => {}
            flag => arguments[camel(flag.trim_start_matches("--"))] = value,
        }
    }
    cloud.call("s3", &words[2].replace('-', "_"), arguments);
}

/// The words of a command as the shell reads them.
fn words(command: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    for (number, part) in command.split('\'').enumerate() {
        match number % 2 {
            // Between quotes.
            1 => words.last_mut().unwrap().push_str(part),
            _ => {
                for (number, piece) in part.split(' ').enumerate() {
                    if number > 0 {
                        words.push(String::new());
                    }
                    words.last_mut().unwrap().push_str(piece);
                }
            }
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

/// That AWS has the operations that the pages call with the AWS CLI, with the options that they give.
#[test]
fn every_command_of_the_aws_cli_exists() {
    let mut commands = Vec::new();
    for page in pages() {
        let (_, blocks) = page.parts();
        let lines = blocks.iter().flat_map(|(_, lines)| lines.iter().copied());
        let all = page.inline().into_iter().chain(lines).map(str::trim).filter(|text| text.starts_with("aws "));
        // Of what is only spoken of, no more than the name is sure to be there.
        let complete = |text: &str| !text.contains(['…', '<', '[']);
        commands.extend(all.filter(|text| complete(text)).map(|text| json!([page.name, words(text)])));
    }
    assert!(commands.len() > 10, "{commands:?}");
    let mut check = Command::new(python());
    check.arg(root().join("tests/python/aws_cli.py")).arg(json!(commands).to_string());
    let output = check.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(String::from_utf8_lossy(&output.stdout), "");
}

/// What a page takes for granted.
fn prepare(page: &Page, cloud: &Cloud, project: &Project) {
    if page.name == "docs/from-terraform.md" {
        let vpc = cloud.ec2("create_vpc", json!({"CidrBlock": "10.0.0.0/16"}))["Vpc"].text("VpcId").to_owned();
        let resource = json!({
            "mode": "managed", "type": "aws_vpc", "name": "main", "module": "module.vpc",
            "instances": [{"attributes": {"id": vpc, "cidr_block": "10.0.0.0/16"}}],
        });
        let state = json!({"version": 4, "serial": 1, "lineage": "l", "resources": [resource]});
        project.write("before.tfstate", &state.to_string());
    }
}

#[test]
fn every_command_that_is_spoken_of_exists() {
    let reference = fs_err::read_to_string(root().join("docs/reference/commands.md")).unwrap();
    let sections: Vec<&str> = reference.split("\n## ").collect();
    let globals = sections.iter().find(|it| it.starts_with("Options of every command")).unwrap();
    let mut checked = 0;
    for page in pages() {
        let (_, blocks) = page.parts();
        let lines = blocks.iter().flat_map(|(_, lines)| lines.iter().copied());
        let commands = page.inline().into_iter().chain(lines).map(|text| text.trim_start_matches("- run: "));
        for command in commands.filter(|text| text.starts_with("bedplate ")) {
            let words: Vec<&str> = command.split('#').next().unwrap_or_default().split_whitespace().skip(1).collect();
            let Some(first) = words.iter().find(|word| !word.starts_with('-')) else { continue };
            // The placeholders of a usage are none of them.
            if !first.starts_with(|it: char| it.is_ascii_lowercase()) {
                continue;
            }
            let second = words.iter().skip_while(|word| word != &first).nth(1).copied().unwrap_or_default();
            let section = sections.iter().find(|section| {
                let title = section.lines().next().unwrap_or_default();
                title == format!("bedplate {first}") || title == format!("bedplate {first} {second}")
            });
            let section = section.unwrap_or_else(|| panic!("{}: there is no `{command}`", page.name));
            for flag in words.iter().map(|word| word.trim_matches(['[', ']', '…'])) {
                let Some(name) = flag.strip_prefix("--") else { continue };
                let name = format!("--{}", name.split('=').next().unwrap_or_default());
                let known = [*section, *globals].iter().any(|text| text.contains(&name));
                assert!(known, "{}: `{command}` has no {name}", page.name);
            }
            checked += 1;
        }
    }
    assert!(checked > 40, "only {checked} commands were found");
}

#[test]
fn every_link_leads_somewhere() {
    let pages = pages();
    let mut links = 0;
    for page in &pages {
        let folder = root().join(&page.name).parent().unwrap().to_owned();
        let (prose, _) = page.parts();
        for target in prose.iter().flat_map(|line| line.split("](").skip(1)).filter_map(|rest| rest.split(')').next()) {
            if target.starts_with("https://") {
                continue;
            }
            let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
            let path = if file.is_empty() { root().join(&page.name) } else { folder.join(file) };
            let path = fs_err::canonicalize(&path).unwrap_or_else(|error| panic!("{}: {target}: {error}", page.name));
            if !anchor.is_empty() {
                let name = |path: &Path| {
                    path.strip_prefix(fs_err::canonicalize(root()).unwrap()).unwrap().display().to_string()
                };
                let other = pages.iter().find(|it| it.name == name(&path));
                let other = other.unwrap_or_else(|| panic!("{}: {target} is no page", page.name));
                assert!(other.anchors().contains(anchor), "{}: {target} is no heading of it", page.name);
            }
            links += 1;
        }
    }
    assert!(links > 30, "only {links} links were found");
}
