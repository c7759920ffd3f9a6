//! Several environments in one file: `[environments.<name>]` and the tables in it hold what is different there.

use std::borrow::Cow;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::Environment;
use super::error::{Fault, Problem};
use super::suggest::closest;

/// The table's name.
pub(super) const KEY: &str = "environments";
const ENVIRONMENT: &str = "environment";

/// The environment in force: the one that is chosen elsewhere, or the file's own choice.
pub(super) fn chosen(table: &DeTable<'_>, elsewhere: Option<Environment>) -> Environment {
    let own = table.get(ENVIRONMENT).and_then(|value| value.get_ref().as_str()).and_then(Environment::named);
    elsewhere.or(own).unwrap_or_default()
}

/// The environments that have a table of their own.
pub(super) fn with_table(table: &DeTable<'_>) -> Vec<Environment> {
    match table.get(KEY).map(Spanned::get_ref) {
        Some(DeValue::Table(own)) => own.keys().filter_map(|name| Environment::named(name.get_ref())).collect(),
        _ => Vec::new(),
    }
}

/// Takes the environments' tables out and lays the chosen one's settings over the others: table by table, a value or a list
/// in place of the other. Without a choice, the file's own `environment` says which.
pub(super) fn overlay(table: &mut DeTable<'_>, elsewhere: Option<Environment>) -> Vec<Problem> {
    let mut problems = Vec::new();
    let chosen = chosen(table, elsewhere);
    if let Some((key, environments)) = table.remove_entry(KEY) {
        let DeValue::Table(environments) = environments.into_inner() else {
            let fault = Fault::new(
                "`environments` is no table",
                "it holds a table for each environment",
                "write [environments.development], and what is different there below it",
            );
            return vec![problem(&[], key.span(), fault)];
        };
        for (name, settings) in environments {
            let span = name.span();
            let Some(environment) = Environment::named(name.get_ref()) else {
                let names = Environment::ALL.map(Environment::as_str);
                let help = closest(name.get_ref(), names).map_or_else(
                    || format!("there are {}", names.join(" and ")),
                    |close| format!("did you mean `{close}`?"),
                );
                let fault = Fault::new(
                    format!("there is no environment `{}`", name.get_ref()),
                    "the settings below it would never be in force",
                    help,
                );
                problems.push(problem(&[name.get_ref()], span, fault));
                continue;
            };
            let DeValue::Table(settings) = settings.into_inner() else {
                let fault = Fault::new(
                    format!("`environments.{}` is no table", name.get_ref()),
                    "it holds settings",
                    format!("write [environments.{}], and the settings below it", name.get_ref()),
                );
                problems.push(problem(&[name.get_ref()], span, fault));
                continue;
            };
            for fixed in [ENVIRONMENT, KEY] {
                if let Some((key, _)) = settings.get_key_value(fixed) {
                    let fault = Fault::new(
                        format!("`{fixed}` stands in `[environments.{}]`", name.get_ref()),
                        "an environment cannot choose another one",
                        "take it out",
                    );
                    problems.push(problem(&[name.get_ref(), fixed], key.span(), fault));
                }
            }
            if environment == chosen && problems.is_empty() {
                merge(table, settings);
            }
        }
    }
    if elsewhere.is_some() {
        table.remove(ENVIRONMENT);
        let value = DeValue::String(Cow::Borrowed(chosen.as_str()));
        table.insert(Spanned::new(0..0, Cow::Borrowed(ENVIRONMENT)), Spanned::new(0..0, value));
    }
    problems
}

fn merge<'a>(base: &mut DeTable<'a>, over: DeTable<'a>) {
    for (key, value) in over {
        let span = value.span();
        match value.into_inner() {
            DeValue::Table(inner)
                if matches!(base.get(key.get_ref().as_ref()).map(Spanned::get_ref), Some(DeValue::Table(_))) =>
            {
                if let Some(DeValue::Table(table)) = base.get_mut(key.get_ref().as_ref()).map(Spanned::get_mut) {
                    merge(table, inner);
                }
            }
            value => {
                // With its own key: that is where it stands.
                base.remove(key.get_ref().as_ref());
                base.insert(key, Spanned::new(span, value));
            }
        }
    }
}

fn problem(path: &[&str], span: std::ops::Range<usize>, fault: Fault) -> Problem {
    let path = [KEY].iter().chain(path).map(|key| (*key).to_owned()).collect();
    Problem { path, span: Some(span), related: Vec::new(), fault }
}

#[cfg(test)]
mod tests {
    use super::super::{Config, ConfigError};
    use super::*;

    const BASE: &str = "project_name = \"fintechglobal\"\nregion = \"us-east-1\"\naccount_id = \"797923187401\"\nalert_email \
                        = \"team@example.com\"\nmonthly_budget_limit = \"5000\"\n";
    const TWO: &str = "[network]\nzones = 3\n[tags]\nTeam = \"a\"\n[environments.development]\naccount_id = \
                       \"111111111111\"\n[environments.development.network]\nnat_gateways = \
                       \"single\"\n[environments.development.tags]\nStage = \"test\"\n";

    fn parse(more: &str, chosen: Option<Environment>) -> Result<Config, ConfigError> {
        Config::parse_for(&format!("{BASE}{more}"), "platform.toml", chosen)
    }

    #[test]
    fn an_environment_is_the_base_with_what_is_different() {
        let base = parse(TWO, None).unwrap();
        assert_eq!((base.stack().as_str(), base.account_id.as_str()), ("fintechglobal-production", "797923187401"));
        assert_eq!(base, parse(TWO, Some(Environment::Production)).unwrap());

        let development = parse(TWO, Some(Environment::Development)).unwrap();
        let (stack, account) = (development.stack(), development.account_id.as_str());
        assert_eq!((stack.as_str(), account), ("fintechglobal-development", "111111111111"));
        assert_eq!(
            (development.network.zones, development.network.nat_gateways),
            (3, super::super::NatGateways::Single)
        );
        assert_eq!(development.tags.len(), 2, "{:?}", development.tags);
        // The file's own choice does the same.
        let chosen = parse(&format!("environment = \"development\"\n{TWO}"), None).unwrap();
        assert_eq!(development, Config { written: development.written.clone(), ..chosen });
    }

    #[test]
    fn a_file_without_the_table_takes_the_choice_too() {
        assert_eq!(parse("", Some(Environment::Development)).unwrap().stack(), "fintechglobal-development");
        assert_eq!(parse("", None).unwrap().stack(), "fintechglobal-production");
    }

    #[test]
    fn what_is_wrong_in_it_is_shown_where_it_stands() {
        let said = |more: &str, chosen| parse(more, chosen).unwrap_err().to_string();
        let development = Some(Environment::Development);
        let zones = said("[environments.development.network]\nzones = 9\n", development);
        assert!(zones.contains("network.zones") && zones.contains("platform.toml:7"), "{zones}");
        let name = said("[environments.developmnt]\nregion = \"eu-west-1\"\n", None);
        assert!(name.contains("did you mean `development`?"), "{name}");
        let nested = said("[environments.development]\nenvironment = \"production\"\n", None);
        assert!(nested.contains("cannot choose another"), "{nested}");
        assert!(said("environments = 1\n", None).contains("is no table"));
        assert!(said("[environments]\ndevelopment = 1\n", None).contains("is no table"));
    }

    #[test]
    fn every_table_is_checked_whichever_is_chosen() {
        let said = |more: &str, chosen| parse(more, chosen).unwrap_err();
        let more = "[network]\nzones = 3\n[environments.development.network]\nzones = 9\nzonse = 2\n\
                    [environments.production.database]\nreaders = -1\n";
        for chosen in [None, Some(Environment::Production), Some(Environment::Development)] {
            let error = said(more, chosen);
            let lines: Vec<usize> = error.problems().iter().map(|problem| error.position(problem).unwrap().0).collect();
            assert_eq!(lines, [9, 10, 12], "{error}");
            let other = error.problems().iter().map(|problem| problem.what().starts_with("in the environment `"));
            let development = chosen == Some(Environment::Development);
            assert!(other.eq([!development, !development, development]), "{error}");
        }
        let error = said("[environments.development.network]\nzones = 9\n", None).to_string();
        insta::assert_snapshot!(error);
    }

    #[test]
    fn what_goes_wrong_only_together_is_told_of_its_environment() {
        let base = "[cluster.autoscaling]\nmin_replicas = 5\nmax_replicas = 8\n";
        let error = parse(&format!("{base}[environments.development.cluster.autoscaling]\nmax_replicas = 4\n"), None);
        let error = error.unwrap_err();
        let [problem] = error.problems() else { panic!("{error}") };
        assert!(problem.what().starts_with("in the environment `development`: "), "{error}");
        assert!(error.to_string().contains("max_replicas = 4"), "{error}");
    }

    #[test]
    fn what_is_wrong_for_all_is_told_once_also_where_every_environment_says_otherwise() {
        let wrong = "[network]\nzones = 9\n";
        let error = parse(&format!("{wrong}[environments.development.tags]\nStage = \"test\"\n"), None).unwrap_err();
        assert_eq!(error.problems().len(), 1, "{error}");
        let otherwise = "[environments.production.network]\nzones = 3\n[environments.development.network]\nzones = 2\n";
        let error = parse(&format!("{wrong}{otherwise}"), None).unwrap_err();
        let [problem] = error.problems() else { panic!("{error}") };
        assert_eq!(error.position(problem).unwrap().0, 7);
    }

    #[test]
    fn another_environment_need_not_be_complete() {
        let base = BASE.replace("account_id = \"797923187401\"\n", "");
        let text =
            format!("{base}[environments.production]\naccount_id = \"797923187401\"\n[environments.development]\n");
        assert!(Config::parse_for(&text, "platform.toml", None).is_ok());
        let error = Config::parse_for(&text, "platform.toml", Some(Environment::Development)).unwrap_err();
        assert!(error.to_string().contains("`account_id` is missing"), "{error}");
    }

    #[test]
    fn a_setting_has_the_line_of_what_is_in_force() {
        let text = format!("{BASE}{TWO}");
        let lines = Config::lines(&text, Some(Environment::Development));
        assert_eq!((lines["account_id"], lines["network.zones"], lines["network.nat_gateways"]), (11, 7, 13));
        assert!(!lines.contains_key("environment") && !lines.keys().any(|key| key.starts_with(KEY)), "{lines:?}");
        assert_eq!(Config::lines(&text, None)["account_id"], 3);
    }
}
