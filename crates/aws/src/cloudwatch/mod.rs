//! CloudWatch: what is shown and what raises an alarm.

mod alarm;
mod dashboard;

pub use alarm::{Alarm, AlarmOutputs, AlarmSpec};
pub use dashboard::{Dashboard, DashboardOutputs, DashboardSpec};
