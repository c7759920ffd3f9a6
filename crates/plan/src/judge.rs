//! Judges one declared resource: what has to happen to it, and why.

use crate::planner::{DELETED_OUTSIDE, DOES_NOT_EXIST};
use crate::{Action, Difference, FieldChange, TagDifference, differences, tag_differences};
use bedplate_model::{
    Address, Change as Policy, Json, Ownership, Readiness, RecordError, Schema, Seen, Tags, is_known,
};
use bedplate_state::{Resource, Status};
use serde_json::json;

/// What has to happen to one declared resource.
#[derive(Default)]
pub(crate) struct Judged {
    pub(crate) action: Option<Action>,
    pub(crate) reason: String,
    pub(crate) fields: Vec<FieldChange>,
    pub(crate) refusals: Vec<(String, String)>,
    pub(crate) interrupted: bool,
}

/// One that nobody found.
pub(crate) fn absent(schema: &dyn Schema, wanted: &Json, recorded: Option<&Resource>) -> Judged {
    let fields = schema.fields().iter().filter_map(|field| {
        let after = wanted.get(field.name)?.clone();
        Some(FieldChange {
            path: field.name.to_owned(),
            before: Json::Null,
            after,
            forces_replacement: false,
            drift: false,
        })
    });
    let (reason, interrupted) = match recorded {
        None => (DOES_NOT_EXIST, false),
        // With an id, too: reads lag behind creates, so it may exist although it was not seen.
        Some(recorded) if recorded.status == Status::Creating => ("its creation was cut off", true),
        Some(recorded) if recorded.status == Status::Deleting => ("its replacement was cut off", false),
        Some(_) => (DELETED_OUTSIDE, false),
    };
    Judged {
        action: Some(Action::Create),
        reason: reason.to_owned(),
        fields: fields.collect(),
        interrupted,
        ..Judged::default()
    }
}

/// One that was found.
pub(crate) fn judge<'a>(
    schema: &dyn Schema,
    wanted: &Json,
    wanted_tags: &Tags,
    depends_on: impl Iterator<Item = &'a Address>,
    seen: &Seen,
    recorded: Option<&Resource>,
) -> Result<Judged, RecordError> {
    let last = recorded.map(|recorded| &recorded.spec);
    let mut judged = Judged::default();
    let (mut replaced_by, mut effects, mut drifted, mut configured) = (Vec::new(), Vec::new(), false, false);
    for difference in differences(schema, wanted, &seen.spec, last)? {
        let Difference { field, before, after } = difference;
        let verdict = schema.judge(field.name, &seen.spec, wanted)?;
        let policy = verdict.as_ref().map_or(field.change, |verdict| verdict.change);
        let why = verdict.map(|verdict| verdict.reason);
        match policy {
            Policy::Update => effects.extend(why.filter(|why| !effects.contains(why))),
            Policy::Replace => {
                replaced_by.push(why.unwrap_or_else(|| format!("{} cannot be changed in place", field.name)));
            }
            Policy::Refuse => judged.refusals.push((
                why.unwrap_or_else(|| {
                    format!("{} cannot be changed, and a replacement would lose what it holds", field.name)
                }),
                format!("set {} back to {}", field.name, before.as_ref().unwrap_or(&Json::Null)),
            )),
        }
        let drift = last.is_some_and(|last| is_known(&after) && last.get(field.name) == Some(&after));
        if drift {
            drifted = true
        } else {
            configured = true
        }
        judged.fields.extend(paths(field.name, before.unwrap_or(Json::Null), after).map(|(path, before, after)| {
            FieldChange { path, before, after, forces_replacement: policy == Policy::Replace, drift }
        }));
    }
    if schema.tagged()
        && let Some(tags) = &seen.tags
    {
        let last = recorded.map(|recorded| &recorded.tags);
        for TagDifference { key, before, after } in tag_differences(wanted_tags, tags, last.unwrap_or(&Tags::new())) {
            let drift = last.is_some_and(|last| last.get(&key) == after.as_ref());
            if drift {
                drifted = true
            } else {
                configured = true
            }
            let (before, after) = (json!(before), json!(after));
            judged.fields.push(FieldChange {
                path: format!("tags.{key}"),
                before,
                after,
                forces_replacement: false,
                drift,
            });
        }
    }

    let unfinished = recorded.is_some_and(|recorded| recorded.status != Status::Ready);
    let busy = matches!(seen.readiness, Readiness::Busy(_));
    let half_removed =
        recorded.is_some_and(|recorded| recorded.status == Status::Deleting) && schema.ownership() != Ownership::Shared;
    (judged.action, judged.reason) = if let Readiness::Broken(why) = &seen.readiness {
        (Some(Action::Replace), format!("is broken: {why}"))
    } else if half_removed && seen.readiness.is_leaving() {
        (Some(Action::Replace), "its removal was cut off".to_owned())
    } else if !replaced_by.is_empty() {
        (Some(Action::Replace), replaced_by.join("; "))
    } else if recorded.is_none() {
        (Some(Action::Adopt), "exists and is this stack's, but the state does not know it".to_owned())
    } else if half_removed {
        // It was never begun, or AWS refused it. Whatever it holds is still there: what was taken off it is put back.
        (Some(Action::Update), "its removal was cut off, and it is still there: it stays".to_owned())
    } else if !judged.fields.is_empty() {
        let reason = match (configured, drifted) {
            (true, true) => "the configuration changed; also changed outside bedplate",
            (false, true) => "changed outside bedplate",
            _ => "the configuration changed",
        };
        let reason = std::iter::once(reason.to_owned()).chain(effects).collect::<Vec<_>>().join("; ");
        (Some(Action::Update), reason)
    } else if unfinished {
        (Some(Action::Update), "an earlier run was cut off".to_owned())
    } else if busy && seen.outputs.is_none() {
        (Some(Action::Update), "AWS is still working on it".to_owned())
    } else if recorded.is_some_and(|recorded| !recorded.depends_on.iter().eq(depends_on)) {
        // The state has to know: it orders the removals by it.
        (Some(Action::Update), "what it depends on changed".to_owned())
    } else {
        (None, String::new())
    };
    Ok(judged)
}

/// One change per key where both sides are maps, so that a plan shows exactly what changes.
fn paths(name: &str, before: Json, after: Json) -> impl Iterator<Item = (String, Json, Json)> {
    let mut changes = Vec::new();
    match (before, after) {
        (Json::Object(mut before), Json::Object(after)) if !before.is_empty() && is_known(&json!(after)) => {
            for (key, after) in after {
                let before = before.remove(&key).unwrap_or(Json::Null);
                if before != after {
                    changes.push((format!("{name}.{key}"), before, after));
                }
            }
            changes.extend(before.into_iter().map(|(key, before)| (format!("{name}.{key}"), before, Json::Null)));
        }
        (before, after) => changes.push((name.to_owned(), before, after)),
    }
    changes.into_iter()
}
