//! CloudWatch: metrics of services, and alarms on them.

mod alarm;

pub use alarm::{Alarm, Dimension, Metric, MissingData, Statistic};
