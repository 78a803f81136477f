//! Lambda: functions, who may invoke them, and what feeds them.

mod event_source_mapping;
mod function;
mod permission;

pub use event_source_mapping::EventSourceMapping;
pub use function::{Architecture, Code, Function, VpcConfig};
pub use permission::Permission;
