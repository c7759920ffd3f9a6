//! A run as a picture of time: one file, no network.

use super::said;
use crate::{
    render::{about, count},
    run::{Span, Timeline},
};
use bedplate_platform::LAYERS;
use maud::{DOCTYPE, Markup, PreEscaped, html as markup};
use std::time::Duration;

const STYLE: &str = include_str!("report.css");
/// Steps of the time axis that people can read, in seconds.
const STEPS: [f64; 15] =
    [0.1, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 900.0, 1800.0, 3600.0, 7200.0];
/// More labels than this do not fit beside each other on a small screen.
const TICKS: f64 = 8.0;
/// What is named of the way that the run waited for takes at least this part of it.
const WORTH_NAMING: f64 = 0.01;
/// Beyond this part of the time its length stands before the bar, because behind it is no room.
const LATE: f64 = 0.92;

/// The page.
pub(crate) fn html(timeline: &Timeline) -> String {
    let finished = timeline.spans.iter().filter(|span| span.finished).count();
    let failed = timeline.spans.iter().filter(|span| span.failure.is_some()).count();
    let retries: usize = timeline.spans.iter().map(|span| span.retries.len()).sum();
    let title = format!("{} of {}", timeline.command, timeline.stack);
    let page = markup! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width";
                title { (title) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                h1 { (title) }
                p { (timeline.started) ": " strong.(timeline.ending.word().replace(' ', "-")) { (timeline.ending.word()) } " after " (said(timeline.seconds)) }
                dl .figures {
                    (figure("done", finished)) (figure("failed", failed)) (figure("not begun", timeline.untouched)) (figure("retries", retries))
                }
                (failures(timeline))
                (way(timeline))
                (chart(timeline))
                (repeated(timeline))
            }
        }
    };
    page.into_string()
}

fn figure(name: &str, number: usize) -> Markup {
    markup! { div class=[(number == 0).then_some("none")] { dd { (number) } dt { (name) } } }
}

/// What failed and why, in full.
fn failures(timeline: &Timeline) -> Markup {
    let failed = timeline.spans.iter().filter_map(|span| Some((&span.effect.address, span.failure.as_ref()?)));
    let failed: Vec<_> = failed.collect();
    markup! {
        @if !failed.is_empty() {
            h2 { "What failed" }
            dl .failures { @for (address, why) in failed { dt { (address) } dd { (why) } } }
        }
    }
}

/// What the run waited for, one after the other, each as long as its part of the time.
fn way(timeline: &Timeline) -> Markup {
    let whole = timeline.seconds.max(0.001);
    let mut way = timeline.critical();
    way.retain(|span| span.seconds() / whole >= WORTH_NAMING);
    markup! {
        @if !way.is_empty() {
            h2 { "What the run waited for" }
            ol .way {
                @for span in way {
                    li {
                        span .name { (span.effect.address) }
                        span .time { (said(span.seconds())) }
                        span .usual { "usually " (about(Duration::from_secs(span.effect.expected))) }
                        span .part { span .critical style={ "margin-left:" (percent(span.from / whole)) ";width:" (percent(span.seconds() / whole)) } {} }
                    }
                }
            }
        }
    }
}

fn chart(timeline: &Timeline) -> Markup {
    let layer = |span: &Span| span.effect.address.split('/').next().unwrap_or_default().to_owned();
    let mut layers: Vec<String> = timeline.spans.iter().map(layer).collect();
    layers.sort_by_key(|name| (LAYERS.iter().position(|known| known == name).unwrap_or(LAYERS.len()), name.clone()));
    layers.dedup();
    let whole = timeline.seconds.max(0.001);
    let last = STEPS[STEPS.len() - 1];
    let step = STEPS.into_iter().find(|step| whole / step <= TICKS).unwrap_or(last);
    let ticks: Vec<f64> = (0..=((whole / step) as usize)).map(|tick| tick as f64 * step).collect();
    markup! {
        h2 { "When each resource was worked on" }
        p .legend {
            span { i .bar.critical {} "the run waited for it" }
            span { i .bar {} "ran beside" }
            span { i .bar.wait {} "AWS was working" }
            span { i .retry {} "a call was repeated" }
            span { i .bar.failed {} "failed" }
            span { i .bar.open {} "not finished" }
        }
        div .chart {
            div .row.axis {
                span {}
                span .track { @for at in &ticks { span .tick style={ "left:" (percent(at / whole)) } { (axis(*at)) } } }
            }
            div .grid aria-hidden="true" {
                span {}
                span .track { @for at in &ticks { i style={ "left:" (percent(at / whole)) } {} } }
            }
            @for name in &layers {
                h3 { (name) }
                @let mut spans = timeline.spans.iter().filter(|span| layer(span) == *name).collect::<Vec<_>>();
                @let () = spans.sort_by(|a, b| a.from.total_cmp(&b.from));
                @for span in spans { (row(span, whole)) }
            }
        }
    }
}

fn row(span: &Span, whole: f64) -> Markup {
    let Span { effect, from, to, finished, failure, waits, retries, critical } = span;
    let name = effect.address.split_once('/').map_or(&*effect.address, |(_, rest)| rest);
    let class = match (failure, *critical, *finished) {
        (Some(_), ..) => "failed",
        (_, _, false) => "open",
        (_, true, _) => "critical",
        _ => "plain",
    };
    let mut title = format!("{}\n{} {}, {}", effect.address, effect.action, effect.kind, said(to - from));
    for (at, word) in waits {
        title.push_str(&format!("\n{} {word}", said(*at)));
    }
    for (at, why) in retries {
        title.push_str(&format!("\n{} again: {why}", said(*at)));
    }
    title.extend(failure.iter().flat_map(|failure| ["\n", failure]));
    let at = |from: f64, to: f64| format!("left:{};width:{}", percent(from / whole), percent((to - from) / whole));
    let (late, beside) = match to / whole > LATE {
        true => (true, format!("right:{}", percent(1.0 - from / whole))),
        false => (false, format!("left:{}", percent(to / whole))),
    };
    markup! {
        div .row data-address=(effect.address) title=(title) {
            span .name { (name) }
            span .track {
                i .bar.(class) style=(at(*from, *to)) {}
                @if let Some((since, _)) = waits.first() { i .wait style=(at(*since, *to)) {} }
                @for (when, _) in retries { i .retry style={ "left:" (percent(when / whole)) } {} }
                span .time.late[late] style=(beside) { (said(to - from)) }
            }
        }
    }
}

/// Which calls were repeated, when and why.
fn repeated(timeline: &Timeline) -> Markup {
    let mut all: Vec<(f64, &str, &str)> = Vec::new();
    for Span { effect, retries, .. } in &timeline.spans {
        all.extend(retries.iter().map(|(at, why)| (*at, &*effect.address, &**why)));
    }
    all.sort_by(|a, b| a.0.total_cmp(&b.0));
    markup! {
        @if !all.is_empty() {
            details {
                summary { (count(all.len(), "repeated call")) }
                table {
                    @for (at, address, why) in all { tr { td .time { (said(at)) } td { (address) } td { (why) } } }
                }
            }
        }
    }
}

/// A part of a whole as CSS has it, short.
fn percent(part: f64) -> String {
    format!("{:.2}%", part.clamp(0.0, 1.0) * 100.0)
}

/// A time on the axis: `0`, `30 s`, `12:30`.
fn axis(at: f64) -> String {
    match at {
        0.0 => "0".to_owned(),
        at if at < 60.0 => format!("{at} s"),
        at => format!("{}:{:02}", at as u64 / 60, at as u64 % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::sample;

    #[test]
    fn the_page_shows_the_critical_way_waits_retries_and_failures() {
        let page = html(&Timeline::new(&sample()).unwrap());
        for part in ["class=\"bar critical\"", "class=\"wait\"", "class=\"retry\"", "class=\"bar failed\""] {
            assert!(page.contains(part), "{part}: {page}");
        }
        let way = page.split("<ol class=\"way\">").nth(1).and_then(|rest| rest.split("</ol>").next()).unwrap();
        assert!(way.contains("cluster/cluster") && way.contains("usually 9 min"), "{way}");
        assert!(!way.contains("sessions/table"), "the run did not wait for it: {way}");
        assert!(page.contains("<dt>cluster/node-group</dt><dd>no room</dd>"), "{page}");
        assert!(page.contains("eks:DescribeCluster: ThrottlingException"), "{page}");
        for address in ["network/vpc", "cluster/cluster", "sessions/table", "cluster/node-group"] {
            assert_eq!(page.matches(&format!("data-address=\"{address}\"")).count(), 1, "{address}");
        }
    }
}
