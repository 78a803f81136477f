//! Lambda: functions, permissions to invoke them, and their event sources.

mod event_source_mapping;
mod function;
mod permission;

pub use event_source_mapping::EventSourceMapping;
pub use function::{Architecture, Code, Function, VpcConfig};
pub use permission::Permission;
