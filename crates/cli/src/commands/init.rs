//! `init`: writes a commented configuration, from flags or by asking.

use crate::{
    args::{Globals, InitArgs},
    exit::{Exit, Refused},
    render::Printer,
};
use anyhow::{Context, Result};
use bedplate_platform::config::{Config, Setting, settings};
use dialoguer::Input;
use std::{fmt::Write as _, fs::File, io::IsTerminal, io::Write as _};

/// A question: the setting, its flag's value, and what is proposed.
struct Question<'a> {
    key: &'static str,
    ask: &'static str,
    given: Option<&'a String>,
    proposal: Option<String>,
}

pub(crate) async fn run(globals: &Globals, args: &InitArgs, printer: &Printer) -> Result<Exit> {
    let path = &globals.config;
    if path.exists() {
        return Err(Refused::new(
            format!("{} exists already and is not overwritten", path.display()),
            "edit it, or give another name with --config",
        ));
    }
    let aws = proposals(globals, args).await;
    let questions = [
        Question {
            key: "project_name",
            ask: "Project name, the beginning of every name",
            given: args.project_name.as_ref(),
            proposal: None,
        },
        Question { key: "region", ask: "AWS region", given: args.region.as_ref(), proposal: Some(aws.region) },
        Question { key: "account_id", ask: "AWS account id", given: args.account_id.as_ref(), proposal: aws.account },
        Question {
            key: "alert_email",
            ask: "E-mail address for alerts",
            given: args.alert_email.as_ref(),
            proposal: None,
        },
        Question {
            key: "monthly_budget_limit",
            ask: "Monthly budget in US dollars",
            given: args.monthly_budget_limit.as_ref(),
            proposal: Some("5000".to_owned()),
        },
    ];
    let answers = answers(&questions, printer)?;
    let mut text = String::new();
    for (key, answer) in &answers {
        _ = writeln!(text, "{}", described(key, answer)?);
    }
    _ = writeln!(text, "{}", described("environment", globals.environment.as_deref().unwrap_or("production"))?);
    text.push_str(&defaults());
    // Refuses what would be refused later, with the file's own messages.
    Config::parse(&text, &path.display().to_string())?;
    write(path, &text)?;
    printer.note(&format!("Wrote {}. Next: `bedplate preflight`, then `bedplate bootstrap`.", path.display()));
    Ok(Exit::Done)
}

/// What the environment and the credentials already tell.
struct Proposals {
    region: String,
    account: Option<String>,
}

async fn proposals(globals: &Globals, args: &InitArgs) -> Proposals {
    let mut loader = aws_config::defaults(aws_config::BehaviorVersion::latest());
    if let Some(profile) = &globals.profile {
        loader = loader.profile_name(profile);
    }
    if let Some(endpoint) = &globals.endpoint_url {
        loader = loader.endpoint_url(endpoint);
    }
    let known = "us-east-1".to_owned();
    // Nobody is asked, so nothing has to be proposed.
    if args.complete() || !std::io::stdin().is_terminal() {
        return Proposals { region: known, account: None };
    }
    let config = loader.load().await;
    let region = config.region().map_or(known, ToString::to_string);
    let aws = bedplate_aws::Aws::new(&config.into_builder().region(aws_config::Region::new(region.clone())).build());
    let account = bedplate_aws::facts::caller(&aws).await.ok().map(|caller| caller.account);
    Proposals { region, account }
}

fn answers(questions: &[Question<'_>], printer: &Printer) -> Result<Vec<(&'static str, String)>> {
    let missing: Vec<&str> = questions.iter().filter(|it| it.given.is_none()).map(|it| it.key).collect();
    if !missing.is_empty() && (printer.json || !std::io::stdin().is_terminal()) {
        let flags: Vec<String> = missing.iter().map(|key| format!("--{}", key.replace('_', "-"))).collect();
        return Err(Refused::new("nobody is there to ask", format!("give {}", flags.join(", "))));
    }
    let mut answers = Vec::new();
    for question in questions {
        let answer = match question.given {
            Some(given) => given.clone(),
            None => ask(question)?,
        };
        answers.push((question.key, answer));
    }
    Ok(answers)
}

fn ask(question: &Question<'_>) -> Result<String> {
    let input =
        Input::<String>::new().with_prompt(question.ask).validate_with(|answer: &String| check(question.key, answer));
    let input = match &question.proposal {
        Some(proposal) => input.default(proposal.clone()),
        None => input,
    };
    input.interact_text().context("cannot ask")
}

/// Checks one answer as the file's check would, beside right answers to everything else.
fn check(key: &str, answer: &str) -> Result<(), String> {
    let right = [
        ("project_name", "example"),
        ("region", "us-east-1"),
        ("account_id", "111122223333"),
        ("alert_email", "team@example.com"),
        ("monthly_budget_limit", "5000"),
    ];
    let text: String = right
        .iter()
        .map(|(other, value)| format!("{other} = {}\n", quoted(if *other == key { answer } else { value })))
        .collect();
    Config::parse(&text, "").map(|_| ()).map_err(|error| {
        error.problems().first().map_or_else(|| error.to_string(), |problem| problem.fault().to_string())
    })
}

/// A setting with its meaning above it.
fn described(key: &str, value: &str) -> Result<String> {
    let all = settings();
    let setting =
        all.iter().find(|setting| setting.table.is_empty() && setting.key == key).context("unknown setting")?;
    Ok(format!("{}{key} = {}\n", comment(setting), quoted(value)))
}

/// All other settings with their defaults, commented out.
fn defaults() -> String {
    let mut text = String::from(
        "\n# Everything below has a default, which is what stands here. To change a setting, take the `#` away from it and\n\
         # from the table above it.\n",
    );
    let mut table = String::new();
    for setting in settings().iter().filter(|setting| !setting.table.is_empty()) {
        if setting.table != table {
            table.clone_from(&setting.table);
            _ = writeln!(text, "\n#[{table}]");
        }
        text.push_str(&comment(setting));
        match &setting.default {
            Some(default) => _ = writeln!(text, "#{} = {default}", setting.key),
            None => _ = writeln!(text, "#{} =", setting.key),
        }
    }
    text
}

fn comment(setting: &Setting) -> String {
    let range = setting.range.as_ref().map(|range| format!(" ({range})")).unwrap_or_default();
    let whole = format!("{}{range}", setting.doc);
    textwrap::wrap(&whole, 112).iter().map(|line| format!("# {line}\n")).collect()
}

fn quoted(text: &str) -> String {
    toml::Value::from(text).to_string()
}

/// Never over a file that came meanwhile.
fn write(path: &std::path::Path, text: &str) -> Result<()> {
    let mut file = File::options()
        .write(true)
        .create_new(true)
        .open(path)
        .with_context(|| format!("cannot write {}", path.display()))?;
    file.write_all(text.as_bytes()).with_context(|| format!("cannot write {}", path.display()))
}
