//! A cloud in memory that is as strict as AWS: it refuses what AWS refuses, at the time AWS would.
//!
//! Time is tokio's, paused in tests. Every change passes [`Effects`], which can stop the program at any of them.

mod bench;
mod cloud;
mod effects;
mod facts;
mod kinds;

pub(crate) use bench::{Bench, address, finish, is_clean};
pub(crate) use cloud::{Cloud, Lost, MADE_BY};
pub(crate) use effects::Effects;
pub(crate) use kinds::*;
