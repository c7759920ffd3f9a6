//! What is wrong with a configuration, and how it is shown.

use std::fmt;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};

use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};

use super::{Environment, schema};

/// What is wrong with a value, why it is, and what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what}: {why}; {help}")]
pub struct Fault {
    what: String,
    why: String,
    help: String,
}

impl Fault {
    pub(super) fn new(what: impl Into<String>, why: impl Into<String>, help: impl Into<String>) -> Self {
        Self { what: what.into(), why: why.into(), help: help.into() }
    }

    /// The same about the value of a setting, where a list can have many lines between the two.
    pub(super) fn about(self, key: &str) -> Self {
        Self { what: format!("`{key}`: {}", self.what), ..self }
    }

    /// The same of an environment that is not the one in force.
    pub(super) fn within(self, environment: Environment) -> Self {
        Self { what: format!("in the environment `{environment}`: {}", self.what), ..self }
    }
}

/// A file with more problems than this is another kind of file, and showing them all takes minutes.
const MOST_SHOWN: usize = 50;

/// The keys that lead to a value.
pub(super) type KeyPath = Vec<String>;

/// What is wrong between settings that are each right for themselves.
#[derive(Debug)]
pub(super) struct Finding {
    /// The settings; the first that the file has is pointed at, the others are shown with it.
    pub(super) keys: Vec<KeyPath>,
    pub(super) fault: Fault,
}

impl Finding {
    pub(super) fn at<const N: usize>(keys: [&str; N], fault: Fault) -> Self {
        Self { keys: keys.map(|key| key.split('.').map(str::to_owned).collect()).into(), fault }
    }

    pub(super) fn at_path(path: KeyPath, fault: Fault) -> Self {
        Self { keys: vec![path], fault }
    }
}

/// One thing that is wrong in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    pub(super) path: KeyPath,
    /// Where it is in bytes of the text; nowhere for what is missing.
    pub(super) span: Option<Range<usize>>,
    /// Other places that have to do with it.
    pub(super) related: Vec<Range<usize>>,
    pub(super) fault: Fault,
}

impl Problem {
    /// What is wrong, why, and what to do.
    pub fn fault(&self) -> &Fault {
        &self.fault
    }

    /// The setting, with its table: `network.zones`. Empty for a syntax error.
    pub fn key(&self) -> String {
        dotted(&self.path)
    }

    /// What is wrong.
    pub fn what(&self) -> &str {
        &self.fault.what
    }

    /// Why it is wrong.
    pub fn why(&self) -> &str {
        &self.fault.why
    }

    /// What to do.
    pub fn help(&self) -> &str {
        &self.fault.help
    }

    /// Where the problem is in bytes of the text; `None` for a setting that is missing.
    pub fn span(&self) -> Option<Range<usize>> {
        self.span.clone()
    }

    fn render(&self, renderer: &Renderer, file: &str, text: &str) -> String {
        let group = Group::with_title(Level::ERROR.primary_title(&*self.fault.what));
        let group = match &self.span {
            Some(span) => {
                let around = self.related.iter().map(|span| AnnotationKind::Context.span(within(text, span)));
                let snippet =
                    Snippet::source(text).path(file).annotation(AnnotationKind::Primary.span(within(text, span)));
                group.element(snippet.annotations(around))
            }
            None => group.element(Origin::path(file)),
        };
        let parts = [(Level::NOTE, &self.fault.why), (Level::HELP, &self.fault.help)];
        let parts = parts.into_iter().filter(|(_, words)| !words.is_empty());
        let group = group.elements(parts.map(|(level, words)| level.message(words.as_str())));
        renderer.render(&[group])
    }
}

/// A span that lies in the text and on its characters, whatever the parser said.
fn within(text: &str, span: &Range<usize>) -> Range<usize> {
    let start = text.floor_char_boundary(span.start);
    start..text.ceil_char_boundary(span.end.max(start))
}

/// Why there is no configuration.
///
/// Its display is the whole text for a terminal without colours: every problem with its place in the file, the reason
/// and what to do.
#[derive(Debug)]
pub struct ConfigError(Box<Kind>);

#[derive(Debug)]
enum Kind {
    Missing { path: PathBuf },
    Unreadable { path: PathBuf, source: io::Error },
    Invalid { file: String, text: String, problems: Vec<Problem> },
}

impl ConfigError {
    pub(super) fn io(path: &Path, source: io::Error) -> Self {
        let path = path.to_owned();
        let missing = source.kind() == io::ErrorKind::NotFound;
        Self(Box::new(if missing { Kind::Missing { path } } else { Kind::Unreadable { path, source } }))
    }

    pub(super) fn invalid(file: &str, text: &str, mut problems: Vec<Problem>) -> Self {
        // In the order of the file, with what is missing at the end.
        problems.sort_by_key(|problem| problem.span.as_ref().map_or(usize::MAX, |span| span.start));
        Self(Box::new(Kind::Invalid { file: file.to_owned(), text: text.to_owned(), problems }))
    }

    /// Every problem in the file, in its order; empty if the file could not be read.
    pub fn problems(&self) -> &[Problem] {
        match &*self.0 {
            Kind::Invalid { problems, .. } => problems,
            Kind::Missing { .. } | Kind::Unreadable { .. } => &[],
        }
    }

    /// The line and the column of a problem, both from 1 and the column in characters, as editors count.
    pub fn position(&self, problem: &Problem) -> Option<(usize, usize)> {
        let Kind::Invalid { text, .. } = &*self.0 else { return None };
        let before = &text[..within(text, problem.span.as_ref()?).start];
        let line = before.rsplit('\n').next().unwrap_or_default();
        Some((before.matches('\n').count() + 1, line.chars().count() + 1))
    }

    /// The text of the display with ANSI colours.
    pub fn render_colored(&self) -> String {
        self.render(&Renderer::styled())
    }

    fn render(&self, renderer: &Renderer) -> String {
        match &*self.0 {
            Kind::Missing { path } => {
                let example = schema::minimal_file();
                let title = format!("there is no configuration at `{}`", path.display());
                let help =
                    format!("run `bedplate init` to write one, or begin with these lines:\n{}", example.trim_end());
                let group = Group::with_title(Level::ERROR.primary_title(title));
                renderer.render(&[group.element(Level::HELP.message(help))])
            }
            Kind::Unreadable { path, source } => {
                let title = format!("the configuration `{}` cannot be read", path.display());
                let group = Group::with_title(Level::ERROR.primary_title(title));
                let help = "`--config` names another file; a file for bedplate is UTF-8 text that you may read";
                let parts = [Level::NOTE.message(source.to_string()), Level::HELP.message(help)];
                renderer.render(&[group.elements(parts)])
            }
            Kind::Invalid { file, text, problems } => {
                let shown = problems.iter().take(MOST_SHOWN);
                let mut parts: Vec<_> = shown.map(|problem| problem.render(renderer, file, text)).collect();
                if problems.len() > 1 {
                    let first = if problems.len() > MOST_SHOWN { ", of which these are the first" } else { "" };
                    let title = format!("{} problems in `{file}`{first}; nothing was touched", problems.len());
                    parts.push(renderer.render(&[Group::with_title(Level::ERROR.primary_title(title))]));
                }
                parts.join("\n\n")
            }
        }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(&Renderer::plain()))
    }
}

// The display has the words of the cause already, so that there is no source to print after it.
impl std::error::Error for ConfigError {}

/// A key path as TOML writes it: `tags."cost center"`.
pub(super) fn dotted(path: &[String]) -> String {
    let bare = |key: &str| !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    let keys: Vec<_> =
        path.iter().map(|key| if bare(key) { key.clone() } else { format!("{:?}", shown(key)) }).collect();
    keys.join(".")
}

/// A text for a message: on one line, without control characters, and not too long.
pub(super) fn shown(text: &str) -> String {
    let mut characters = text.chars();
    let mut shown: String = characters.by_ref().take(60).collect();
    if characters.next().is_some() {
        shown.push('…');
    }
    shown.chars().map(|character| if character.is_control() { '\u{fffd}' } else { character }).collect()
}
