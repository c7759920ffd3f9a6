//! Values of the data tiers: databases, caches, tables, buckets, secrets.

use std::fmt;

use super::{Why, characters, ensure, framed, known, length, lower, text, value};

text! {
    /// The instance class of a database.
    DatabaseClass {
        format: "database-class",
        noun: "the class of a database instance",
        rule: "`db.`, a family, a point and a size",
        example: "db.r6g.large",
        check: database_class,
    }
}

fn database_class(text: &str) -> Result<(), Why> {
    class(text, "db")
}

text! {
    /// The node type of a cache.
    CacheClass {
        format: "cache-class",
        noun: "the type of a cache node",
        rule: "`cache.`, a family, a point and a size",
        example: "cache.r6g.large",
        check: cache_class,
    }
}

fn cache_class(text: &str) -> Result<(), Why> {
    class(text, "cache")
}

fn class(text: &str, service: &str) -> Result<(), Why> {
    length(text, 1, 32)?;
    characters(text, |character| lower(character) || character == '.')?;
    let parts: Vec<_> = text.split('.').collect();
    match parts[..] {
        [first, family, size] if first == service && framed(family) && framed(size) => Ok(()),
        [family, size] if framed(family) && framed(size) && !["db", "cache"].contains(&family) => {
            Err(Why::new("it is the type of an EC2 instance").help(format!("write `\"{service}.{text}\"`")))
        }
        _ => Err(Why::new(format!("it is not `{service}.`, a family, a point and a size"))),
    }
}

text! {
    /// A version of Aurora PostgreSQL, major and minor: `16.8`.
    AuroraVersion {
        format: "aurora-version",
        noun: "a version of Aurora PostgreSQL",
        rule: "a major and a minor version in quotes, as `aws rds describe-db-engine-versions` shows them",
        example: "16.8",
        check: aurora_version,
    }
}

impl AuroraVersion {
    /// The family of parameter groups that fit this version.
    pub fn parameter_family(&self) -> String {
        let major = self.as_str().split('.').next().unwrap_or_default();
        format!("aurora-postgresql{major}")
    }
}

fn aurora_version(text: &str) -> Result<(), Why> {
    let number = |part: &str| (1..=2).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
    let (major, minor) = text.split_once('.').ok_or_else(|| Why::new("the minor version is missing"))?;
    ensure(number(major) && number(minor), "it is not two numbers with a point between them")?;
    // Aurora PostgreSQL 13 left standard support in February 2026 (Aurora release calendar), and the oldest version that
    // this program knows how to set up is the one after it.
    let supported = major.parse::<u8>().is_ok_and(|major| major >= 14);
    ensure(supported, "Aurora PostgreSQL before 14 is out of standard support, and AWS charges extra for it")
}

text! {
    /// A version of Redis in ElastiCache, major and minor: `7.1`.
    RedisVersion {
        format: "redis-version",
        noun: "a version of Redis in ElastiCache",
        rule: "`7.0` or `7.1`",
        example: "7.1",
        check: redis_version,
    }
}

impl RedisVersion {
    /// The family of parameter groups that fit this version.
    pub const PARAMETER_FAMILY: &str = "redis7";
}

fn redis_version(text: &str) -> Result<(), Why> {
    ensure(
        matches!(text, "7.0" | "7.1"),
        "ElastiCache names versions of Redis by major and minor version, and 7.1 is its last one",
    )
}

text! {
    /// The name of a PostgreSQL database: up to 63 letters, digits and `_`.
    DatabaseName {
        format: "database-name",
        noun: "the name of a database",
        rule: "up to 63 letters, digits and `_`, beginning with a letter",
        example: "fintech",
        check: database_name,
    }
}

fn database_name(text: &str) -> Result<(), Why> {
    identifier(text)?;
    let taken = matches!(text, "template0" | "template1" | "postgres" | "rdsadmin");
    ensure(!taken, "every PostgreSQL of RDS has a database of this name already")
}

text! {
    /// The name of a database's first user: up to 63 letters, digits and `_`.
    DatabaseUser {
        format: "database-user",
        noun: "the name of a database user",
        rule: "up to 63 letters, digits and `_`, beginning with a letter",
        example: "fintechadmin",
        check: database_user,
    }
}

fn database_user(text: &str) -> Result<(), Why> {
    identifier(text)?;
    // Words that PostgreSQL or RDS keeps for itself (Amazon RDS user guide, CreateDBCluster, MasterUsername).
    let taken = matches!(text, "admin" | "user" | "postgres" | "public" | "none" | "root" | "replication");
    ensure(
        !taken && !text.starts_with("rds") && !text.starts_with("pg_"),
        "PostgreSQL or RDS keeps this name for itself",
    )
}

fn identifier(text: &str) -> Result<(), Why> {
    length(text, 1, 63)?;
    characters(text, |character| character.is_ascii_alphanumeric() || character == '_')?;
    ensure(text.starts_with(|first: char| first.is_ascii_alphabetic()), "it does not begin with a letter")
}

/// Minutes of a day.
const DAY: u16 = 24 * 60;

/// A time of day in UTC with its end.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Window {
    /// `None` for every day; otherwise which of [`DAYS`].
    day: Option<u8>,
    start: u16,
    minutes: u16,
}

const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let end = self.start + self.minutes;
        let (late, end) = (end >= DAY, end % DAY);
        let day = |next: bool| match self.day {
            Some(day) => format!("{}:", DAYS[(usize::from(day) + usize::from(next)) % DAYS.len()]),
            None => String::new(),
        };
        let (from, to) = (self.start, end);
        write!(f, "{}{:02}:{:02}-{}{:02}:{:02}", day(false), from / 60, from % 60, day(late), to / 60, to % 60)
    }
}

impl Window {
    /// Whether both are open at some time of some day.
    fn overlaps(&self, other: &Self) -> bool {
        let after = |from: u16, to: u16| (to + DAY - from) % DAY;
        after(self.start, other.start) < self.minutes || after(other.start, self.start) < other.minutes
    }
}

value! {
    /// A time of every day in UTC at which something may happen: `02:00-03:00`.
    DailyWindow(Window) {
        format: "daily-window",
        noun: "a daily window",
        rule: "a time of day in UTC with its end, an hour or more later",
        example: "02:00-03:00",
        parse: daily_window,
    }
}

impl DailyWindow {
    /// Whether both are open at some time of some day.
    pub fn overlaps(&self, week: &WeeklyWindow) -> bool {
        self.0.overlaps(&week.0)
    }

    pub(in crate::config) const fn starting(hour: u16) -> Self {
        Self(Window { day: None, start: hour * 60, minutes: 60 })
    }
}

value! {
    /// A time of every week in UTC at which something may happen: `sun:04:00-sun:05:00`.
    WeeklyWindow(Window) {
        format: "weekly-window",
        noun: "a weekly window",
        rule: "a day and time in UTC with its end, an hour or more later",
        example: "sun:04:00-sun:05:00",
        parse: weekly_window,
    }
}

impl WeeklyWindow {
    /// On Sundays.
    pub(in crate::config) const fn starting(hour: u16) -> Self {
        Self(Window { day: Some(6), start: hour * 60, minutes: 60 })
    }
}

fn daily_window(text: &str) -> Result<Window, Why> {
    let (start, end) = text.split_once('-').ok_or_else(|| Why::new("it has no end"))?;
    window(None, time(start)?, time(end)?)
}

fn weekly_window(text: &str) -> Result<Window, Why> {
    let at = |text: &str| {
        let (name, clock) = text.split_once(':').ok_or_else(|| Why::new("it has no day"))?;
        let day = (0..).zip(DAYS).find(|(_, day)| *day == name).map(|(day, _)| day);
        let day: u8 = day.ok_or_else(|| Why::new(format!("a day is one of {}", DAYS.join(", "))))?;
        Ok::<_, Why>((day, time(clock)?))
    };
    let (start, end) = text.split_once('-').ok_or_else(|| Why::new("it has no end"))?;
    let ((first, start), (last, end)) = (at(start)?, at(end)?);
    let next = if end > start { first } else { (first + 1) % 7 };
    ensure(last == next, "it is longer than a day")?;
    window(Some(first), start, end)
}

fn time(text: &str) -> Result<u16, Why> {
    let wrong = || Why::new("a time is two digits, `:` and two digits, up to `23:59`");
    let (hours, minutes) = text.split_once(':').ok_or_else(wrong)?;
    let number = |part: &str, limit: u16| {
        let right = part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_digit());
        part.parse().ok().filter(|number: &u16| right && *number < limit).ok_or_else(wrong)
    };
    Ok(number(hours, 24)? * 60 + number(minutes, 60)?)
}

/// Accepts an hour and more: what ElastiCache asks for; RDS is content with half of it.
fn window(day: Option<u8>, start: u16, end: u16) -> Result<Window, Why> {
    let minutes = (end + DAY - start) % DAY;
    ensure(minutes >= 60, "it is shorter than an hour")?;
    Ok(Window { day, start, minutes })
}

text! {
    /// The name of a DynamoDB table.
    TableName {
        format: "table-name",
        noun: "the name of a table",
        rule: "3 to 255 letters, digits, `-`, `_` and `.`",
        example: "fintech-sessions",
        check: table_name,
    }
}

fn table_name(text: &str) -> Result<(), Why> {
    length(text, 3, 255)?;
    characters(text, |character| character.is_ascii_alphanumeric() || "-_.".contains(character))
}

text! {
    /// The name of an attribute in a DynamoDB table.
    AttributeName {
        format: "attribute-name",
        noun: "the name of an attribute",
        rule: "up to 255 letters, digits, `-`, `_` and `.`",
        example: "userId",
        check: attribute_name,
    }
}

fn attribute_name(text: &str) -> Result<(), Why> {
    length(text, 1, 255)?;
    characters(text, |character| character.is_ascii_alphanumeric() || "-_.".contains(character))
}

text! {
    /// The beginning of objects' keys in a bucket: `raw/transactions/`.
    ObjectPrefix {
        format: "object-prefix",
        noun: "a prefix in a bucket",
        rule: "names of letters, digits, `-`, `_` and `.`, each followed by `/`",
        example: "raw/transactions/",
        check: object_prefix,
    }
}

impl ObjectPrefix {
    /// The outermost part: `raw/` of `raw/transactions/`.
    pub fn top(&self) -> &str {
        let text = self.as_str();
        text.find('/').map_or(text, |end| &text[..=end])
    }
}

fn object_prefix(text: &str) -> Result<(), Why> {
    length(text, 2, 512)?;
    characters(text, |character| character.is_ascii_alphanumeric() || "-_./".contains(character))?;
    let folder = text.strip_suffix('/').ok_or_else(|| {
        Why::new("it does not end with `/`, and would take in keys that only begin alike")
            .help(format!("write `\"{text}/\"`"))
    })?;
    ensure(folder.split('/').all(framed), "a name in it does not begin and end with a letter or digit")
}

text! {
    /// What the names of secrets begin with, without the `/` after it.
    SecretPrefix {
        format: "secret-prefix",
        noun: "the beginning of secrets' names",
        rule: "up to 128 letters, digits, `-`, `_`, `.` and `/`",
        example: "fintech",
        check: secret_prefix,
    }
}

fn secret_prefix(text: &str) -> Result<(), Why> {
    length(text, 1, 128)?;
    characters(text, |character| character.is_ascii_alphanumeric() || "-_./".contains(character))?;
    ensure(framed(text) && !text.contains("//"), "it does not begin and end with a letter or digit")
}

known!(
    AttributeName,
    AuroraVersion,
    CacheClass,
    DatabaseClass,
    DatabaseName,
    DatabaseUser,
    ObjectPrefix,
    RedisVersion,
    SecretPrefix,
    TableName
);
