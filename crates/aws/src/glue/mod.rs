//! Glue: the catalogue of tables.

mod database;

pub use database::{Database, DatabaseOutputs, DatabaseSpec};
