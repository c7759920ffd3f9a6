//! The engine on a fake cloud: does it reach what is declared, whatever happens on the way?

#[path = "../fake/mod.rs"]
mod fake;

mod config;
mod contained;
mod crash;
mod leftovers;
mod properties;
mod recover;
mod recovery;
mod walking;
