//! The graph as SVG, and as a page around it: one file, no network.

use super::{
    Picture, Status,
    layout::{BOX, Layout, layout},
};
use crate::render::{about, count};
use maud::{DOCTYPE, Markup, PreEscaped, html as markup};
use std::time::Duration;

const STYLE: &str = include_str!("graph.css");
const SCRIPT: &str = include_str!("graph.js");
/// Shorter waits are not worth a number.
const WORTH_NAMING: Duration = Duration::from_secs(60);
/// What fits into a box, and beside a time.
const LETTERS: usize = 31;
/// What is left of the first part of a name that is too long, so that the rest tells it from others.
const BEGINNING: usize = 4;

/// A picture that stands for itself.
pub(crate) fn svg(picture: &Picture) -> String {
    drawing(picture, &layout(picture)).into_string()
}

/// A page to walk around in.
pub(crate) fn html(picture: &Picture) -> String {
    let layout = layout(picture);
    let whole = whole(picture, &layout);
    let page = markup! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width";
                title { (picture.title) }
                style { (PreEscaped(include_str!("page.css"))) }
            }
            body {
                header {
                    h1 { (picture.title) }
                    span { (count(picture.nodes.len(), "resource")) }
                    span .find {
                        input #search type="search" placeholder="find a resource" aria-label="find a resource";
                        output #found for="search" {}
                    }
                    nav aria-label="zoom" {
                        button #closer title="closer" { "+" }
                        button #farther title="farther" { "−" }
                        button #whole title="all of it" { "all" }
                    }
                    span .legend {
                        @for status in Status::ALL { span .chip.(status.word()) { (status.word()) } }
                        @if whole >= WORTH_NAMING { span .chip.way { "longest way, about " (about(whole)) } }
                    }
                    span .help { "Drag to move, wheel to zoom. Click shows what it needs and what needs it, Escape goes back." }
                }
                main { (drawing(picture, &layout)) }
                aside #details aria-live="polite" hidden {}
                script { (PreEscaped(SCRIPT)) }
            }
        }
    };
    page.into_string()
}

/// How long the longest way takes.
fn whole(picture: &Picture, layout: &Layout) -> Duration {
    layout.way.iter().map(|&index| picture.nodes[index].expected).sum()
}

fn drawing(picture: &Picture, layout: &Layout) -> Markup {
    let Layout { boxes, lanes, edges, way, size } = layout;
    let (width, height) = BOX;
    // Where everything is there at once, no way is the longest.
    let long = whole(picture, layout) >= WORTH_NAMING;
    let on_way = |index: usize| long && way.contains(&index);
    let along = |edge: &(usize, usize)| long && way.windows(2).any(|pair| (pair[0], pair[1]) == *edge);
    markup! {
        svg xmlns="http://www.w3.org/2000/svg" viewBox={ "0 0 " (size.0) " " (size.1) } width=(size.0) height=(size.1) role="img" aria-label=(picture.title) {
            style { (PreEscaped(STYLE)) }
            rect .ground width=(size.0) height=(size.1) {}
            @for (name, top, height) in lanes {
                g .lane {
                    rect x="4" y=(top) width=(size.0 - 8.0) height=(height) rx="8" {}
                    text x="16" y=(top + 18.0) { (name) }
                }
            }
            g .edges {
                // What matters most lies on top.
                @for edge in edges.iter().filter(|edge| !along(edge)).chain(edges.iter().filter(|edge| along(edge))) {
                    path class=[along(edge).then_some("way")] data-from=(edge.0) data-to=(edge.1) d=(curve(boxes[edge.0], boxes[edge.1])) {}
                }
            }
            @for (index, node) in picture.nodes.iter().enumerate() {
                @let (x, y) = boxes[index];
                @let slow = node.expected >= WORTH_NAMING;
                @let beside = if slow { about(node.expected).len() + 1 } else { 0 };
                g .node.(node.status.word()).way[on_way(index)] data-index=(index) transform={ "translate(" (x) " " (y) ")" } {
                    title { (node.address) "\n" (node.kind) "\n" (node.status.word()) @if slow { ", takes about " (about(node.expected)) } }
                    rect width=(width) height=(height) rx="5" {}
                    text x="8" y="16" { (shortened(node.name(), LETTERS - beside)) }
                    @if slow { text .time x=(width - 7.0) y="16" text-anchor="end" { (about(node.expected)) } }
                }
            }
        }
    }
}

/// At most so many letters: first the beginning goes, `serv…/rds`, which many have in common.
fn shortened(name: &str, letters: usize) -> String {
    if name.chars().count() <= letters {
        return name.to_owned();
    }
    let name = match name.split_once('/') {
        Some((first, rest)) if first.chars().count() > BEGINNING + 1 => {
            let room = letters.saturating_sub(rest.chars().count() + 2).max(BEGINNING);
            format!("{}…/{rest}", first.chars().take(room).collect::<String>())
        }
        _ => name.to_owned(),
    };
    if name.chars().count() <= letters {
        return name;
    }
    name.chars().take(letters - 1).chain(['…']).collect()
}

/// From the right side of one box to the left side of another.
fn curve(from: (f64, f64), to: (f64, f64)) -> String {
    let (x1, y1) = (from.0 + BOX.0, from.1 + BOX.1 / 2.0);
    let (x2, y2) = (to.0, to.1 + BOX.1 / 2.0);
    let bend = ((x2 - x1).abs() / 2.0).clamp(20.0, 120.0);
    format!("M{x1} {y1}C{} {y1} {} {y2} {x2} {y2}", x1 + bend, x2 - bend)
}

#[cfg(test)]
mod tests {
    use super::shortened;

    #[test]
    fn a_name_that_is_too_long_keeps_what_tells_it_from_others() {
        assert_eq!(shortened("service-linked-role/rds", 31), "service-linked-role/rds");
        assert_eq!(shortened("service-linked-role/elasticloadbalancing", 31), "service-l…/elasticloadbalancing");
        let long = shortened("service-linked-role/dynamodb.application-autoscaling", 31);
        assert_eq!(long, "serv…/dynamodb.application-aut…");
        assert_eq!(shortened("rule/load-balancer-https-from-0.0.0.0-0", 31), "rule/load-balancer-https-from-…");
    }
}
