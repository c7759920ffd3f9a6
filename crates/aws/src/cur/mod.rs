//! Cost and usage reports.

mod report_definition;

pub use report_definition::{ReportDefinition, ReportDefinitionOutputs, ReportDefinitionSpec};
