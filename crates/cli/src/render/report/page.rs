//! A run as a picture of time: one file, no network.

use super::said;
use crate::run::{Span, Timeline};
use bedplate_platform::LAYERS;
use maud::{DOCTYPE, Markup, PreEscaped, html as markup};

const STYLE: &str = include_str!("report.css");
/// The height of a line, and where the bars begin.
const ROW: f64 = 20.0;
const LEFT: f64 = 330.0;
const WIDTH: f64 = 1100.0;
const HEAD: f64 = 30.0;
/// Steps of the time axis that people can read, in seconds.
const STEPS: [f64; 14] = [0.1, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 900.0, 1800.0, 3600.0];

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
                dl {
                    (figure("done", finished)) (figure("failed", failed)) (figure("not begun", timeline.untouched)) (figure("retries", retries))
                }
                @if let Some(time) = super::where_time_went(timeline) { p { (time) } }
                p .legend {
                    span .key.critical {} "the run waited for it"
                    span .key.bar {} "ran beside"
                    span .key.wait {} "AWS was working"
                    span .key.retry {} "a call was repeated"
                    span .key.failed {} "failed"
                }
                (chart(timeline))
            }
        }
    };
    page.into_string()
}

fn figure(name: &str, number: usize) -> Markup {
    markup! { div { dd { (number) } dt { (name) } } }
}

fn chart(timeline: &Timeline) -> Markup {
    let layer = |span: &Span| span.effect.address.split('/').next().unwrap_or_default().to_owned();
    let mut layers: Vec<String> = timeline.spans.iter().map(layer).collect();
    layers.sort_by_key(|name| (LAYERS.iter().position(|known| known == name).unwrap_or(LAYERS.len()), name.clone()));
    layers.dedup();
    let mut rows: Vec<Row<'_>> = Vec::new();
    for name in &layers {
        rows.push(Row::Heading(name));
        let mut spans: Vec<&Span> = timeline.spans.iter().filter(|span| layer(span) == *name).collect();
        spans.sort_by(|a, b| a.from.total_cmp(&b.from));
        rows.extend(spans.into_iter().map(Row::Span));
    }
    let whole = timeline.seconds.max(0.001);
    let x = |at: f64| LEFT + WIDTH * (at / whole);
    let step = STEPS.into_iter().find(|step| whole / step <= 12.0).unwrap_or(7200.0);
    let ticks = (0..=((whole / step) as usize)).map(|tick| tick as f64 * step);
    let height = HEAD + ROW * rows.len() as f64 + 10.0;
    markup! {
        svg xmlns="http://www.w3.org/2000/svg" viewBox={ "0 0 " (LEFT + WIDTH + 60.0) " " (height) } role="img" aria-label="when each resource was worked on" {
            @for at in ticks {
                line .grid x1=(x(at)) x2=(x(at)) y1=(HEAD - 8.0) y2=(height) {}
                text .tick x=(x(at)) y=(HEAD - 12.0) text-anchor="middle" { (axis(at)) }
            }
            @for (number, row) in rows.iter().enumerate() {
                @let y = HEAD + ROW * number as f64;
                @match row {
                    Row::Heading(name) => text .layer x="0" y=(y + 14.0) { (name) },
                    Row::Span(span) => (bar(span, y, &x)),
                }
            }
        }
    }
}

enum Row<'a> {
    Heading(&'a str),
    Span(&'a Span),
}

fn bar(span: &Span, y: f64, x: &dyn Fn(f64) -> f64) -> Markup {
    let Span { effect, from, to, finished, failure, waits, retries, critical } = span;
    let name = effect.address.split_once('/').map_or(&*effect.address, |(_, rest)| rest);
    let class = match (failure, *critical, *finished) {
        (Some(_), ..) => "failed",
        (_, true, _) => "critical",
        (_, _, true) => "bar",
        _ => "open",
    };
    let width = |from: f64, to: f64| (x(to) - x(from)).max(1.5);
    markup! {
        g {
            title {
                (effect.address) "\n" (effect.action) " " (effect.kind) ", " (said(to - from)) "\n"
                @for (at, word) in waits { (said(*at)) " " (word) "\n" }
                @for (at, why) in retries { (said(*at)) " again: " (why) "\n" }
                @if let Some(failure) = failure { (failure) }
            }
            rect .row x="0" y=(y) width=(LEFT + WIDTH + 60.0) height=(ROW) {}
            text x="12" y=(y + 14.0) { (name) }
            rect .(class) x=(x(*from)) y=(y + 4.0) width=(width(*from, *to)) height=(ROW - 8.0) rx="2" {}
            @if let Some((since, _)) = waits.first() {
                rect .wait x=(x(*since)) y=(y + ROW - 7.0) width=(width(*since, *to)) height="3" {}
            }
            @for (at, _) in retries { circle .retry cx=(x(*at)) cy=(y + ROW / 2.0) r="3" {} }
            text .tick x=(x(*to) + 5.0) y=(y + 14.0) { (said(to - from)) }
        }
    }
}

/// A time on the axis: `0`, `30 s`, `12:30`.
fn axis(at: f64) -> String {
    match at {
        0.0 => "0".to_owned(),
        at if at < 60.0 => format!("{at} s"),
        at => format!("{}:{:02}", at as u64 / 60, at as u64 % 60),
    }
}
