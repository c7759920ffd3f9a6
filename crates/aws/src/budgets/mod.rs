//! Budgets.

mod budget;

pub use budget::{Budget, BudgetNotification, BudgetOutputs, BudgetSpec};
