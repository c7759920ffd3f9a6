//! `docs/reference/commands.md`, made from the command line: as it is there, or, for `cargo xtask docs`, written there.

use crate::args::Cli;
use clap::{Arg, ArgAction, Command, CommandFactory};
use std::{env, fmt::Write, path::Path};

/// Set by `cargo xtask docs`.
const WRITE: &str = "BEDPLATE_WRITE_DOCS";

const BEGIN: &str = "\
# Commands

    bedplate [OPTIONS] COMMAND

Results go to standard output, everything else to standard error. With `--json` the result is one JSON document, and progress is
JSON lines on standard error. Without a terminal nothing is asked: what would change something needs `--yes`.

A setting is taken from the option, then from the environment (`BEDPLATE_CONFIG`, `BEDPLATE_STATE`; AWS's own: `AWS_PROFILE`,
`AWS_REGION`, `AWS_ENDPOINT_URL`, `AWS_ENDPOINT_URL_<SERVICE>`, `AWS_CA_BUNDLE`), then from `platform.toml`.

## Exit codes

| code | meaning | what to do next |
|---|---|---|
| 0 | done, or nothing to do | |
| 1 | something failed | read what it says to do, then run the same command again: it goes on where it stopped |
| 2 | changes are pending (`plan --detailed-exitcode`, `drift`) | look at them; `apply`, or `drift --repair` |
| 3 | refused before anything was touched: command line, configuration, preflight, lock, damaged state, foreign resource | put right what it says, then run the same command again |
| 130 | interrupted, the state is saved | run the same command again |

A call that fails (no credentials, an expired token, an endpoint that does not answer, a denied read) is 1, also where a command only
looks, as `plan`, `drift` and `output` do. `preflight`, and `bootstrap` up to its question, answer 3 to that as to everything else that
keeps them from going on: nothing was touched.

What each error says and what to do about it: [troubleshooting](../troubleshooting.md).

This page is made from the code by `cargo xtask docs`.
";

#[test]
fn the_page_of_commands_is_that_of_the_command_line() {
    let mut root = Cli::command();
    root.build();
    let mut page = BEGIN.to_owned();
    page.push_str("\n| command | what it does |\n|---|---|\n");
    for (path, command) in commands(&root) {
        let anchor = path.replace(' ', "-");
        writeln!(page, "| [`{path}`](#bedplate-{anchor}) | {} |", about(command)).unwrap();
    }
    page.push_str("\n## Options of every command\n\n");
    options(&mut page, root.get_arguments().filter(|arg| arg.is_global_set()));
    for (path, command) in commands(&root) {
        section(&mut page, &path, command);
    }

    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference/commands.md");
    if env::var_os(WRITE).is_some() {
        fs_err::write(&path, &page).unwrap();
    }
    let written = fs_err::read_to_string(&path).unwrap_or_default();
    assert!(written == page, "docs/reference/commands.md is not what the code makes: run `cargo xtask docs`");
}

/// Every command that does something, with the words that call it.
fn commands(root: &Command) -> Vec<(String, &Command)> {
    let mut found = Vec::new();
    for command in root.get_subcommands().filter(|it| it.get_name() != "help" && !it.is_hide_set()) {
        let inner = commands(command);
        if inner.is_empty() {
            found.push((command.get_name().to_owned(), command));
        }
        found.extend(inner.into_iter().map(|(path, it)| (format!("{} {path}", command.get_name()), it)));
    }
    found
}

fn section(page: &mut String, path: &str, command: &Command) {
    let own: Vec<&Arg> = command.get_arguments().filter(|arg| !arg.is_global_set() && shown(arg)).collect();
    let mut usage = format!("bedplate {path}");
    for arg in &own {
        let text = if arg.is_positional() { placeholder(arg) } else { spelling(arg) };
        let text = if repeats(arg) { format!("{text}…") } else { text };
        usage.push_str(&if arg.is_required_set() { format!(" {text}") } else { format!(" [{text}]") });
    }
    writeln!(page, "\n## bedplate {path}\n\n{}\n\n    {usage}", about(command)).unwrap();
    if !own.is_empty() {
        page.push('\n');
        options(page, own.into_iter());
    }
}

fn options<'a>(page: &mut String, args: impl Iterator<Item = &'a Arg>) {
    page.push_str("| option | what it means |\n|---|---|\n");
    for arg in args.filter(|arg| shown(arg)) {
        let help = arg.get_long_help().or_else(|| arg.get_help()).map(|help| sentence(&help.to_string()));
        let mut meaning = help.unwrap_or_default();
        let values: Vec<String> =
            arg.get_possible_values().iter().map(|value| format!("`{}`", value.get_name())).collect();
        if arg.get_action().takes_values() && !values.is_empty() {
            write!(meaning, " One of {}.", values.join(", ")).unwrap();
        }
        if let [default] = arg.get_default_values()
            && arg.get_action().takes_values()
        {
            write!(meaning, " Default: `{}`.", default.display()).unwrap();
        }
        if let Some(variable) = arg.get_env() {
            write!(meaning, " Environment: `{}`.", variable.display()).unwrap();
        }
        writeln!(page, "| `{}` | {} |", spelling(arg), meaning.replace('|', "\\|")).unwrap();
    }
}

fn shown(arg: &Arg) -> bool {
    !arg.is_hide_set() && !["help", "version"].contains(&arg.get_id().as_str())
}

fn repeats(arg: &Arg) -> bool {
    matches!(arg.get_action(), ArgAction::Append)
}

fn spelling(arg: &Arg) -> String {
    let Some(long) = arg.get_long() else { return placeholder(arg) };
    let short = arg.get_short().map_or_else(String::new, |short| format!("-{short}, "));
    let value = if arg.get_action().takes_values() { format!(" {}", placeholder(arg)) } else { String::new() };
    format!("{short}--{long}{value}")
}

fn placeholder(arg: &Arg) -> String {
    match arg.get_value_names() {
        Some([name, ..]) => name.to_string(),
        _ => arg.get_id().as_str().to_uppercase(),
    }
}

fn about(command: &Command) -> String {
    let text = command.get_long_about().or_else(|| command.get_about()).map(ToString::to_string);
    sentence(&text.unwrap_or_default())
}

/// In one line, with a full stop.
fn sentence(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.is_empty() || line.ends_with(['.', ']']) { line } else { format!("{line}.") }
}
