//! `init`: writes a commented configuration, from flags or by asking, and the schema that editors check it with.

use super::config::{derived, schema_text};
use crate::{
    args::{Globals, InitArgs},
    exit::{Exit, Refused},
    render::Printer,
    session,
    signals::{self, FirstSignal},
};
use anyhow::{Context, Error, Result};
use bedplate_model::Json;
use bedplate_platform::config::{Config, Environment, Setting, json_schema, settings};
use dialoguer::Input;
use serde_json::json;
use std::{
    collections::BTreeMap,
    fmt::Write as _,
    fs::File,
    io::{ErrorKind, IsTerminal, Write as _},
    path::Path,
};

/// Beside the configuration, whose first line names it.
const SCHEMA: &str = "platform.schema.json";

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
        return Err(exists(path));
    }
    let aws = proposals(globals, args).await?;
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
    let to = *printer;
    let nothing_written = move || to.note("\nNothing was written.");
    // Before and after a question waits for a key, the terminal makes a signal of Ctrl-C, which it does not hear.
    let asking = FirstSignal::is_for(move || {
        nothing_written();
        signals::leave()
    });
    let Some(answers) = answers(&questions, printer)? else {
        nothing_written();
        return Ok(Exit::Interrupted);
    };
    drop(asking);
    let mut text = format!("#:schema ./{SCHEMA}\n\n");
    for (key, answer) in &answers {
        _ = writeln!(text, "{}", described(key, answer)?);
    }
    text.push_str(&described(
        "environment",
        globals.environment.as_deref().unwrap_or(Environment::default().as_str()),
    )?);
    // Refuses what would be refused later, with the file's own messages.
    let config = Config::parse(&text, &path.display().to_string())?;
    text.push_str(&defaults(&config));
    let schema = path.with_file_name(SCHEMA);
    // First: without it, and with the configuration, the same command would be refused.
    let known = !write(&schema, &schema_text())?;
    if !write(path, &text)? {
        return Err(exists(path));
    }
    if printer.json {
        let written: Vec<_> = [path, &schema].into_iter().take(if known { 1 } else { 2 }).collect();
        printer.document(&json!({"format": 1, "written": written}));
        return Ok(Exit::Done);
    }
    let (path, schema) = (path.display(), schema.display());
    let schema = match known {
        true => format!("left {schema} as it was (`bedplate config --schema` prints that of this version)"),
        false => format!("{schema}, with which editors complete and check it"),
    };
    printer.note(&format!("Wrote {path} and {schema}.\nNext: `bedplate preflight`, then `bedplate bootstrap`."));
    Ok(Exit::Done)
}

fn exists(path: &Path) -> Error {
    Refused::new(
        format!("{} exists already and is not overwritten", path.display()),
        "edit it, or give another name with --config",
    )
}

/// What the environment and the credentials already tell.
struct Proposals {
    region: String,
    account: Option<String>,
}

async fn proposals(globals: &Globals, args: &InitArgs) -> Result<Proposals> {
    let known = "us-east-1".to_owned();
    // Nobody is asked, so nothing has to be proposed.
    if args.complete() || !somebody() {
        return Ok(Proposals { region: known, account: None });
    }
    let config = session::credentials(globals, &known)?.load().await;
    let region = config.region().map_or(known, ToString::to_string);
    let aws = bedplate_aws::Aws::new(&config.into_builder().region(aws_config::Region::new(region.clone())).build());
    let account = bedplate_aws::facts::caller(&aws).await.ok().map(|caller| caller.account);
    Ok(Proposals { region, account })
}

/// `None` for who left it.
fn answers(questions: &[Question<'_>], printer: &Printer) -> Result<Option<Vec<(&'static str, String)>>> {
    let missing: Vec<&str> = questions.iter().filter(|it| it.given.is_none()).map(|it| it.key).collect();
    if !missing.is_empty() && (printer.json || !somebody()) {
        let flags: Vec<String> = missing.iter().map(|key| format!("--{}", key.replace('_', "-"))).collect();
        return Err(Refused::new("nobody is there to ask", format!("give {}", flags.join(", "))));
    }
    let mut answers = Vec::new();
    for question in questions {
        let answer = match question.given {
            Some(given) => Some(given.clone()),
            None => ask(question, printer)?,
        };
        let Some(answer) = answer else { return Ok(None) };
        answers.push((question.key, answer));
    }
    Ok(Some(answers))
}

/// Whether there is anybody who sees a question and can answer it.
fn somebody() -> bool {
    std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
}

/// Asks until the answer is right. A wrong one stays on the screen with what is wrong about it, and is there to be edited.
///
/// `None` after Ctrl-C.
fn ask(question: &Question<'_>, printer: &Printer) -> Result<Option<String>> {
    let mut wrong: Option<String> = None;
    loop {
        let mut input = Input::<String>::new().with_prompt(question.ask);
        if let Some(wrong) = wrong {
            input = input.with_initial_text(wrong);
        } else if let Some(proposal) = &question.proposal {
            input = input.default(proposal.clone());
        }
        let answer = match input.interact_text() {
            Ok(answer) => answer,
            Err(dialoguer::Error::IO(error)) if error.kind() == ErrorKind::Interrupted => return Ok(None),
            Err(error) => return Err(error).context("cannot ask"),
        };
        match check(question.key, &answer) {
            Ok(()) => return Ok(Some(answer)),
            Err(fault) => printer.error(&fault, None),
        }
        wrong = Some(answer);
    }
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
    Config::parse(&text, "").map(|_| ()).map_err(|error| match error.problems().first() {
        // Here nobody writes a key, and the quotes come by themselves.
        Some(problem) => {
            let what = problem.what();
            let what = what.strip_prefix(&format!("`{key}`: ")).unwrap_or(what);
            format!("{what}: {}; {}", problem.why(), problem.help().replace(" in quotes", ""))
        }
        None => error.to_string(),
    })
}

/// A setting with its meaning above it.
fn described(key: &str, value: &str) -> Result<String> {
    let all = settings();
    let setting =
        all.iter().find(|setting| setting.table.is_empty() && setting.key == key).context("unknown setting")?;
    Ok(format!("{}{key} = {}\n", comment(setting), quoted(value)))
}

/// All other settings with their defaults, commented out so that a file without any `#` before a key or a table means the
/// same: what is for people has a space after it.
fn defaults(config: &Config) -> String {
    let mut text = String::from(
        "\n# Everything below has a default, which is what stands here. To change a setting, take the `#` away from it and\n\
         # from the table above it.\n\n",
    );
    let all = settings();
    let given = |setting: &&Setting| setting.required || (setting.table.is_empty() && setting.key == "environment");
    let derived: BTreeMap<_, _> = derived(config).into_iter().collect();
    let schema = json_schema();
    let mut table = "";
    for setting in all.iter().filter(|setting| !given(setting)) {
        if setting.table != table {
            table = &setting.table;
            _ = writeln!(text, "\n#[{table}]");
        }
        text.push_str(&comment(setting));
        let path = if table.is_empty() { setting.key.clone() } else { format!("{table}.{}", setting.key) };
        let derived = derived.get(path.as_str()).and_then(toml);
        match (setting.default.clone().or(derived), example(&schema, &path)) {
            (Some(value), _) => _ = writeln!(text, "#{} = {value}", setting.key),
            (None, Some(value)) => _ = writeln!(text, "# Not set. For example: {} = {value}", setting.key),
            (None, None) => text.push_str("# Not set.\n"),
        }
    }
    text.push_str(
        "\n# What is different in one environment, which --environment or BEDPLATE_ENVIRONMENT chooses. For example:\n\
         # [environments.development]\n# network.nat_gateways = \"single\"\n",
    );
    text
}

/// A value that the schema shows for a setting.
fn example(schema: &Json, path: &str) -> Option<String> {
    let setting = path.split('.').try_fold(schema, |schema, key| schema["properties"].get(key))?;
    setting["examples"].get(0).and_then(toml)
}

fn toml(value: &Json) -> Option<String> {
    toml::Value::try_from(value).ok().map(|value| value.to_string())
}

/// Within the columns of an editor, and never within a name.
fn comment(setting: &Setting) -> String {
    let range = setting.range.as_ref().map(|range| format!(" ({range})")).unwrap_or_default();
    let whole = format!("{}{range}", setting.doc);
    let options = textwrap::Options::new(112)
        .word_separator(textwrap::WordSeparator::AsciiSpace)
        .word_splitter(textwrap::WordSplitter::NoHyphenation);
    textwrap::wrap(&whole, options).iter().map(|line| format!("# {line}\n")).collect()
}

fn quoted(text: &str) -> String {
    toml::Value::from(text).to_string()
}

/// Whether it was written: never over a file that is there, or came meanwhile.
fn write(path: &Path, text: &str) -> Result<bool> {
    let cannot = || format!("cannot write {}", path.display());
    match File::options().write(true).create_new(true).open(path) {
        Ok(mut file) => file.write_all(text.as_bytes()).with_context(cannot).map(|()| true),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(error).with_context(cannot),
    }
}
