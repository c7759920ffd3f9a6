//! The check of a parsed file against the schema: all that is wrong with single keys and values.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;

use serde_json::Value;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::error::{Fault, KeyPath, Problem, dotted, shown};
use super::schema::{self, properties};
use super::suggest::closest;
use super::values::Format;

/// All that is wrong with the keys and values of a file.
pub(super) fn check(text: &str, table: &DeTable<'_>) -> Vec<Problem> {
    let mut checker = Checker { text, path: Vec::new(), problems: Vec::new() };
    checker.table(schema::root(), table);
    checker.problems
}

struct Checker<'a> {
    text: &'a str,
    /// Where the check is.
    path: KeyPath,
    problems: Vec<Problem>,
}

impl Checker<'_> {
    fn report(&mut self, span: Range<usize>, fault: Fault) {
        self.problems.push(Problem { path: self.path.clone(), span: Some(span), related: Vec::new(), fault });
    }

    fn table(&mut self, schema: &Value, table: &DeTable<'_>) {
        for (key, value) in table {
            self.path.push(key.get_ref().to_string());
            match properties(schema) {
                Some(known) => match known.get(key.get_ref().as_ref()) {
                    Some(schema) => self.value(schema, value),
                    None => self.report(key.span(), unknown(schema, &self.path, value.get_ref())),
                },
                None => self.entry(schema, key, value),
            }
            self.path.pop();
        }
        let missing: Vec<_> = schema::required(schema).filter(|key| !table.contains_key(*key)).collect();
        for key in missing {
            let known = properties(schema).and_then(|known| known.get(key)).unwrap_or(&Value::Null);
            self.path.push(key.to_owned());
            let example = schema::example(known).unwrap_or_default();
            let help = format!("add a line at the top of the file, for example `{key} = {example}`");
            let fault = Fault::new(format!("`{}` is missing", dotted(&self.path)), reason(known), help);
            self.problems.push(Problem { path: self.path.clone(), span: None, related: Vec::new(), fault });
            self.path.pop();
        }
    }

    /// An entry of a table whose keys are the user's.
    fn entry(&mut self, schema: &Value, key: &Spanned<Cow<'_, str>>, value: &Spanned<DeValue<'_>>) {
        let rule = |name: &str| schema.get(name).unwrap_or(&Value::Null);
        if let Err(fault) = follows(rule("propertyNames"), key.get_ref()) {
            self.report(key.span(), fault);
        }
        self.value(rule("additionalProperties"), value);
    }

    fn value(&mut self, schema: &Value, value: &Spanned<DeValue<'_>>) {
        let span = value.span();
        match value.get_ref() {
            DeValue::Table(table) if schema::is(schema, "object") => {
                self.table(schema, table);
                self.size(schema, table.len(), span);
            }
            DeValue::Array(items) if schema::is(schema, "array") => self.list(schema, items, span),
            DeValue::Boolean(_) if schema::is(schema, "boolean") => {}
            DeValue::String(text) if schema::is(schema, "string") => {
                choose(schema, text, &self.path).unwrap_or_else(|fault| self.report(span.clone(), fault));
                self.follow(schema, text, span);
            }
            DeValue::Integer(number) if schema::is(schema, "integer") => {
                let number = i64::from_str_radix(number.as_str(), number.radix());
                let fault = in_range(schema, number.ok(), &self.written(&span), &self.path);
                fault.unwrap_or_else(|fault| self.report(span, fault));
            }
            DeValue::Integer(number) if schema::is(schema, "number") => {
                let text = i64::from_str_radix(number.as_str(), number.radix()).map(|number| number.to_string());
                let text = text.unwrap_or_else(|_| number.as_str().to_owned());
                self.follow(schema, &text, span);
            }
            DeValue::Float(number) if schema::is(schema, "number") => {
                // In the form in which the number is read later, where 5e3 is 5000.
                let text = number.as_str().parse::<f64>().map(|number| number.to_string());
                let text = text.unwrap_or_else(|_| number.as_str().to_owned());
                self.follow(schema, &text, span);
            }
            other => {
                let fault = self.mismatch(schema, other, &span);
                self.report(span, fault);
            }
        }
    }

    /// Holds a value to the rule that its schema names, if it names one.
    fn follow(&mut self, schema: &Value, text: &str, span: Range<usize>) {
        follows(schema, text).unwrap_or_else(|fault| self.report(span, fault.about(&dotted(&self.path))));
    }

    fn list(&mut self, schema: &Value, items: &[Spanned<DeValue<'_>>], span: Range<usize>) {
        let item = schema.get("items").unwrap_or(&Value::Null);
        let unique = schema.get("uniqueItems") == Some(&Value::Bool(true));
        let mut seen = BTreeMap::new();
        for value in items {
            self.value(item, value);
            let earlier = value.get_ref().as_str().and_then(|text| seen.insert(text, value.span()));
            if let Some(earlier) = earlier.filter(|_| unique) {
                let what = format!("`{}` names {} twice", dotted(&self.path), self.written(&value.span()));
                let fault = Fault::new(what, "naming it a second time changes nothing", "take one of them out");
                let path = self.path.clone();
                self.problems.push(Problem { path, span: Some(value.span()), related: vec![earlier], fault });
            }
        }
        let (least, most) = schema::counts(schema);
        let count = items.len() as u64;
        if count < least || most.is_some_and(|most| count > most) {
            let range = most.map_or(format!("at least {least}"), |most| format!("{least} to {most}"));
            let what = format!("`{}` has {count} entries", dotted(&self.path));
            self.report(span, Fault::new(what, reason(schema), format!("write {range} of them")));
        }
    }

    fn size(&mut self, schema: &Value, count: usize, span: Range<usize>) {
        let most = schema.get("maxProperties").and_then(Value::as_u64);
        if let Some(most) = most.filter(|most| count as u64 > *most) {
            let what = format!("`{}` has {count} entries", dotted(&self.path));
            let why = format!("AWS limits how many a resource has, which leaves room for {most}");
            self.report(span, Fault::new(what, why, format!("keep at most {most}")));
        }
    }

    /// A value as it stands in the file.
    fn written(&self, span: &Range<usize>) -> String {
        format!("`{}`", shown(self.text.get(span.clone()).unwrap_or_default().trim()))
    }

    fn mismatch(&self, schema: &Value, value: &DeValue<'_>, span: &Range<usize>) -> Fault {
        let key = dotted(&self.path);
        let last = self.path.last().map(String::as_str).unwrap_or_default();
        let found = match value {
            DeValue::String(_) => "text",
            DeValue::Integer(_) => "a whole number",
            DeValue::Float(_) => "a number with a point",
            DeValue::Boolean(_) => "true or false",
            DeValue::Datetime(_) => "a date or time",
            DeValue::Array(_) => "a list",
            DeValue::Table(_) => "a table",
        };
        let expected = schema::kind(schema);
        let what = format!("`{key}` has to be {expected}, but is {found}");
        if let (DeValue::Integer(_) | DeValue::Float(_), true) = (value, schema::is(schema, "string")) {
            let bare = self.text.get(span.clone()).unwrap_or_default();
            let why = "a number has no zeros at its ends: 012 would be 12, and 1.30 would be 1.3";
            return Fault::new(what, why, format!("put it in quotes: `{last} = \"{}\"`", shown(bare)));
        }
        let help = match value {
            DeValue::String(text) if schema::is(schema, "integer") && text.parse::<i64>().is_ok() => {
                format!("leave the quotes out: `{last} = {}`", shown(text))
            }
            DeValue::String(text) if schema::is(schema, "boolean") && matches!(text.as_ref(), "true" | "false") => {
                format!("leave the quotes out: `{last} = {text}`")
            }
            DeValue::Array(_) if schema::is(schema, "object") => format!("write `[{key}]` once, in single brackets"),
            _ if schema::is(schema, "object") => format!("write a line `[{key}]`, and its settings after it"),
            _ => match schema::example(schema) {
                Some(example) => format!("for example `{last} = {example}`"),
                None => match schema::range(schema) {
                    Some(range) => format!("write {expected}: {range}"),
                    None => format!("write {expected}"),
                },
            },
        };
        Fault::new(what, reason(schema), help)
    }
}

/// Why a value matters: the setting's description, which is its doc comment.
fn reason(schema: &Value) -> String {
    schema::doc(schema).trim_end_matches('.').to_owned()
}

fn follows(schema: &Value, text: &str) -> Result<(), Fault> {
    match schema.get("format").and_then(Value::as_str).and_then(Format::named) {
        Some(format) => format.fault(text),
        None => Ok(()),
    }
}

fn choose(schema: &Value, text: &str, path: &[String]) -> Result<(), Fault> {
    match schema::choices(schema) {
        Some(choices) if !choices.contains(&text) => {
            let quoted: Vec<_> = choices.iter().map(|choice| format!("`\"{choice}\"`")).collect();
            let choice = quoted.join(" or ");
            let help = match closest(text, choices.iter().copied()) {
                Some(close) => format!("did you mean `\"{close}\"`? It can be {choice}"),
                None => format!("write {choice}"),
            };
            let what = format!("`{}` cannot be `{}`", dotted(path), shown(text));
            Err(Fault::new(what, reason(schema), help))
        }
        _ => Ok(()),
    }
}

/// `None` is a number beyond 64 bits.
fn in_range(schema: &Value, number: Option<i64>, written: &str, path: &[String]) -> Result<(), Fault> {
    let (least, most) = schema::bounds(schema);
    let accepted: Option<Vec<i64>> =
        schema.get("enum").and_then(Value::as_array).map(|all| all.iter().filter_map(Value::as_i64).collect());
    let fault = |help| Err(Fault::new(format!("`{}` cannot be {written}", dotted(path)), reason(schema), help));
    match (number, accepted) {
        (Some(number), Some(accepted)) if accepted.contains(&number) => Ok(()),
        (number, Some(accepted)) => {
            let number = number.unwrap_or(i64::MAX);
            let above = accepted.iter().find(|it| **it > number).or(accepted.last()).copied().unwrap_or_default();
            fault(format!("write {above}, or another of {}", schema::range(schema).unwrap_or_default()))
        }
        (Some(number), None) if least.is_none_or(|it| it <= number) && most.is_none_or(|it| number <= it) => Ok(()),
        (_, None) => match (least, most) {
            (Some(least), Some(most)) => fault(format!("write a whole number from {least} to {most}")),
            _ => fault("write a smaller number".to_owned()),
        },
    }
}

/// What to say about a key that its table does not have.
fn unknown(schema: &Value, path: &[String], value: &DeValue<'_>) -> Fault {
    let (key, table) = path.split_last().map(|(key, table)| (key.as_str(), table)).unwrap_or_default();
    let place =
        if table.is_empty() { "at the top of the file".to_owned() } else { format!("in `[{}]`", dotted(table)) };
    let thing = if matches!(value, DeValue::Table(_)) { "table" } else { "setting" };
    let what = format!("there is no {thing} `{}` {place}", shown(key));
    let siblings: Vec<&str> = properties(schema).into_iter().flatten().map(|(key, _)| key.as_str()).collect();
    let elsewhere = places(schema::root(), &[]);
    let exact: Vec<String> = elsewhere.iter().filter(|(_, name)| name == key).map(|(table, _)| header(table)).collect();
    if !exact.is_empty() {
        let why = match value {
            DeValue::Table(_) => "a table stands where its name says",
            _ => "a setting belongs to the last table whose name stands above it",
        };
        return Fault::new(what, why, format!("it belongs to {}", exact.join(" or ")));
    }
    let why = "a setting that nothing reads would look as if it worked";
    let help = match closest(key, siblings.iter().copied()) {
        Some(close) => format!("did you mean `{close}`?"),
        None => match closest(key, elsewhere.iter().map(|(_, name)| name.as_str())) {
            Some(close) => {
                let tables = elsewhere.iter().filter(|(_, name)| name == close).map(|(table, _)| header(table));
                format!("did you mean `{close}`, which belongs to {}?", tables.collect::<Vec<_>>().join(" or "))
            }
            None => format!("{place} are {}", siblings.join(", ")),
        },
    };
    Fault::new(what, why, help)
}

fn header(table: &[String]) -> String {
    if table.is_empty() {
        "the top of the file, above every table".to_owned()
    } else {
        format!("`[{}]`", dotted(table))
    }
}

/// Every setting and table with the table that it is in.
fn places(schema: &Value, table: &[String]) -> Vec<(KeyPath, String)> {
    let mut all = Vec::new();
    for (key, property) in properties(schema).into_iter().flatten() {
        all.push((table.to_vec(), key.clone()));
        let inner: KeyPath = table.iter().chain([key]).cloned().collect();
        all.extend(places(property, &inner));
    }
    all
}
