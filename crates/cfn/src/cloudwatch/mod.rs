//! CloudWatch: alarms on what services measure of themselves.

mod alarm;

pub use alarm::{Alarm, Dimension, Metric, MissingData, Statistic};
