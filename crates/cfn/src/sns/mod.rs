//! SNS: topics, who may publish to them, and who is told.

mod subscription;
mod topic;
mod topic_policy;

pub use subscription::Subscription;
pub use topic::Topic;
pub use topic_policy::TopicPolicy;
