//! DynamoDB.

mod table;

pub use table::{AttributeKind, CapacityRange, KeyAttribute, Table, TableOutputs, TableSpec};
