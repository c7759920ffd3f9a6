//! From the text of a file to a [`Config`], or to everything that is wrong with it.

use std::borrow::Cow;
use std::ops::Range;
use std::path::Path;

use serde::Deserialize;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::error::{ConfigError, Fault, Finding, KeyPath, Problem};
use super::{Config, Environment, check, environments, origin, schema};

pub(super) fn load(path: &Path, environment: Option<Environment>) -> Result<Config, ConfigError> {
    let text = fs_err::read_to_string(path).map_err(|error| ConfigError::io(path, error))?;
    parse(&text, &path.display().to_string(), environment)
}

pub(super) fn parse(text: &str, file: &str, environment: Option<Environment>) -> Result<Config, ConfigError> {
    let (mut table, errors) = DeTable::parse_recoverable(text);
    // The first only: those after it mostly follow from it, as when a list is not closed.
    if let Some(first) = errors.first() {
        return Err(ConfigError::invalid(file, text, vec![syntax_problem(first)]));
    }
    let chosen = environments::chosen(table.get_ref(), environment);
    let (config, mut problems) = match checked(text, table.clone(), environment) {
        Ok(config) => (Some(config), Vec::new()),
        Err(problems) => (None, problems),
    };
    // What is wrong for another environment is said today and not on the day when it is chosen. It need not be complete.
    let others = environments::with_table(table.get_ref()).into_iter().filter(|other| *other != chosen);
    let elsewhere = others.flat_map(|other| {
        let wrong = checked(text, table.clone(), Some(other)).err().unwrap_or_default();
        wrong.into_iter().map(move |problem| (Some(other), problem))
    });
    let mut elsewhere: Vec<_> = elsewhere.collect();
    // Also what every environment says otherwise.
    table.get_mut().remove(environments::KEY);
    elsewhere.extend(check::check(text, table.get_ref()).into_iter().map(|problem| (None, problem)));
    for (other, problem) in elsewhere {
        let place = |it: &Problem| (it.path.clone(), it.span.clone(), it.related.clone());
        if problem.span.is_some() && !problems.iter().any(|it| place(it) == place(&problem)) {
            problems.push(match other {
                Some(other) => Problem { fault: problem.fault.within(other), ..problem },
                None => problem,
            });
        }
    }
    match config {
        Some(config) if problems.is_empty() => Ok(config),
        _ => Err(ConfigError::invalid(file, text, problems)),
    }
}

/// The configuration of one environment, or all that is wrong with it.
fn checked(
    text: &str,
    mut table: Spanned<DeTable<'_>>,
    environment: Option<Environment>,
) -> Result<Config, Vec<Problem>> {
    let mut problems = environments::overlay(table.get_mut(), environment);
    problems.extend(check::check(text, table.get_ref()));

    // What is wrong is replaced by something right, so that the rules between settings can speak about the rest.
    let broken: Vec<KeyPath> = problems.iter().map(|problem| problem.path.clone()).collect();
    let minimal = schema::minimal_file();
    let mut mended = table.clone();
    mend(mended.get_mut(), &broken, &minimal);
    match Config::deserialize(toml::Deserializer::from(mended)) {
        Ok(mut config) => {
            config.written = origin::lines(text, environment).into_keys().collect();
            let findings = config.findings().into_iter();
            let sure = findings.filter(|finding| !finding.keys.iter().any(|key| touches(&broken, key)));
            problems.extend(sure.map(|finding| locate(table.get_ref(), finding)));
            if problems.is_empty() {
                return Ok(config);
            }
        }
        // Only if the check accepts what a type does not; the type has the last word.
        Err(error) if problems.is_empty() => problems.push(syntax_problem(&error)),
        Err(_) => {}
    }
    Err(problems)
}

fn syntax_problem(error: &toml::de::Error) -> Problem {
    let why = "the file is not TOML from here on, so that the rest of it was not checked";
    let fault = Fault::new(error.message().trim(), why, "correct it, and see https://toml.io for how TOML is written");
    Problem { path: Vec::new(), span: Some(error.span().unwrap_or(0..0)), related: Vec::new(), fault }
}

/// Takes every broken value out, and puts an example where a required one is then missing.
fn mend<'a>(table: &mut DeTable<'a>, broken: &[KeyPath], minimal: &'a str) {
    for path in broken {
        if let Some((last, parents)) = path.split_last() {
            let parent =
                parents.iter().try_fold(&mut *table, |table, key| match table.get_mut(key.as_str())?.get_mut() {
                    DeValue::Table(inner) => Some(inner),
                    _ => None,
                });
            if let Some(parent) = parent {
                parent.remove(last.as_str());
            }
        }
    }
    let examples = DeTable::parse_recoverable(minimal).0.into_inner();
    for (key, value) in examples {
        if !table.contains_key(key.get_ref().as_ref()) {
            table.insert(Spanned::new(0..0, Cow::Owned(key.into_inner().into_owned())), value);
        }
    }
}

/// Whether a setting, or something in it or around it, is broken.
fn touches(broken: &[KeyPath], key: &[String]) -> bool {
    broken.iter().any(|path| path.starts_with(key) || key.starts_with(path))
}

/// Finds the settings that a finding is about in the file. One that is not there has its default; if none is there,
/// the table is shown that they would be in.
fn locate(table: &DeTable<'_>, finding: Finding) -> Problem {
    let mut spans = finding.keys.iter().filter_map(|key| span_of(table, key));
    let span = spans.next();
    let related = spans.collect();
    let path = finding.keys.into_iter().next().unwrap_or_default();
    Problem { path, span, related, fault: finding.fault }
}

/// Where a setting's value is; for an entry of a user's table where its key is.
fn span_of(table: &DeTable<'_>, path: &[String]) -> Option<Range<usize>> {
    let (key, rest) = path.split_first()?;
    let (name, value) = table.get_key_value(key.as_str())?;
    match (rest, value.get_ref()) {
        ([], _) => Some(value.span()),
        (rest, DeValue::Table(inner)) => match (inner.get_key_value(rest[0].as_str()), key.as_str()) {
            (Some((name, _)), "tags" | "service_budgets") => Some(name.span()),
            _ => span_of(inner, rest),
        },
        _ => Some(name.span()),
    }
}
