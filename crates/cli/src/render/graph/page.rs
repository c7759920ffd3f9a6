//! The graph as SVG, and as a page around it: one file, no network.

use super::{
    Picture, Status,
    layout::{BOX, Layout, layout},
};
use crate::render::about;
use maud::{DOCTYPE, Markup, PreEscaped, html as markup};
use std::time::Duration;

const STYLE: &str = include_str!("graph.css");
const SCRIPT: &str = include_str!("graph.js");
/// Shorter waits are not worth a number.
const WORTH_NAMING: Duration = Duration::from_secs(60);
/// What fits into a box, and beside a time.
const LETTERS: usize = 32;

/// A picture that stands for itself.
pub(crate) fn svg(picture: &Picture) -> String {
    drawing(picture).into_string()
}

/// A page to walk around in.
pub(crate) fn html(picture: &Picture) -> String {
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
                    span { (picture.nodes.len()) " resources" }
                    input #search type="search" placeholder="find a resource" aria-label="find a resource";
                    span .legend {
                        @for status in Status::ALL { span .chip.(status.word()) { (status.word()) } }
                        span .chip.slow { "slow to make" }
                    }
                    span .help { "drag to move, wheel to zoom, click for what it needs and what needs it" }
                }
                main { (drawing(picture)) }
                aside #details hidden {}
                script { (PreEscaped(SCRIPT)) }
            }
        }
    };
    page.into_string()
}

fn drawing(picture: &Picture) -> Markup {
    let Layout { boxes, lanes, edges, size } = layout(picture);
    let (width, height) = BOX;
    markup! {
        svg xmlns="http://www.w3.org/2000/svg" viewBox={ "0 0 " (size.0) " " (size.1) } width=(size.0) height=(size.1) role="img" aria-label=(picture.title) {
            style { (PreEscaped(STYLE)) }
            rect .ground width=(size.0) height=(size.1) {}
            @for (name, top, height) in &lanes {
                g .lane {
                    rect x="4" y=(top) width=(size.0 - 8.0) height=(height) rx="8" {}
                    text x="16" y=(top + 18.0) { (name) }
                }
            }
            g .edges {
                @for (from, to) in &edges {
                    path data-from=(from) data-to=(to) d=(curve(boxes[*from], boxes[*to])) {}
                }
            }
            @for (index, node) in picture.nodes.iter().enumerate() {
                @let (x, y) = boxes[index];
                @let slow = node.expected >= WORTH_NAMING;
                @let beside = if slow { about(node.expected).len() + 1 } else { 0 };
                g .node.(node.status.word()).slow[slow] data-index=(index) transform={ "translate(" (x) " " (y) ")" } {
                    title { (node.address) "\n" (node.kind) "\n" (node.status.word()) @if slow { ", takes about " (about(node.expected)) } }
                    rect width=(width) height=(height) rx="5" {}
                    text x="8" y="16" { (shortened(node.name(), LETTERS - beside)) }
                    @if slow { text .time x=(width - 6.0) y="16" text-anchor="end" { (about(node.expected)) } }
                }
            }
        }
    }
}

fn shortened(name: &str, letters: usize) -> String {
    if name.chars().count() <= letters {
        return name.to_owned();
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
