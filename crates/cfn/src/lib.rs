//! CloudFormation as Rust types: a stack is built by adding resources, each addition gives a typed
//! [`Handle`], and references are methods on handles. So a reference can't dangle, name an
//! attribute that the type lacks, or use a queue's ARN for a bucket's: errors that other tools find
//! at deploy time don't compile here.
//!
//! ```
//! use cfn::{Stack, iam::{Action, Evidence, Grant, Role}, s3::Bucket};
//!
//! let mut stack = Stack::new("A bucket and who may write to it");
//! let bucket = stack.add("Output", Bucket::encrypted());
//! let mut role = Role::for_function();
//! let stores = Grant::because("stores it", Evidence::Scenario("it_is_stored"), &[Action::S3PutObject]);
//! bucket.grant(&mut role, "artifacts/*", stores);
//! let role = stack.add("WriterRole", role);
//! stack.output("WriterRoleArn", "Who writes", role.arn());
//! let template = stack.template()?;
//! assert!(template.text().contains(r#""Fn::Sub": "${Output.Arn}/artifacts/*""#));
//! assert_eq!(template.rights()[0].reason, "stores it");
//! # Ok::<(), cfn::TemplateError>(())
//! ```
//!
//! An added role is sealed; a grant after that doesn't compile:
//!
//! ```compile_fail,E0308
//! # use cfn::{Stack, iam::{Action, Evidence, Grant, Role}, s3::Bucket};
//! # let mut stack = Stack::new("");
//! # let bucket = stack.add("Output", Bucket::encrypted());
//! let mut role = stack.add("Role", Role::for_function());
//! let stores = Grant::because("stores it", Evidence::Scenario("it_is_stored"), &[Action::S3PutObject]);
//! bucket.grant(&mut role, "*", stores); // expected `&mut Role`, found `&mut Handle<Role>`
//! ```
//!
//! Nor does a right without a reason and evidence:
//!
//! ```compile_fail,E0308
//! # use cfn::{Stack, iam::{Action, Role}, s3::Bucket};
//! # let mut stack = Stack::new("");
//! # let bucket = stack.add("Output", Bucket::encrypted());
//! # let mut role = Role::for_function();
//! bucket.grant(&mut role, "*", [Action::S3PutObject]); // expected `Grant`, found `[Action; 1]`
//! ```
//!
//! Nor does the ARN of another type:
//!
//! ```compile_fail,E0308
//! # use cfn::{Stack, Value, s3::Bucket, sqs::Queue};
//! # use aws_names::Arn;
//! # let mut stack = Stack::new("");
//! let queue = stack.add("Queue", Queue::fifo("jobs.fifo".into()));
//! let bucket: Value<Arn<Bucket>> = queue.arn(); // expected `Value<Arn<Bucket>>`, found `Value<Arn<Queue>>`
//! ```
//!
//! Nor an attribute that the type lacks:
//!
//! ```compile_fail,E0599
//! # use cfn::{Stack, s3::Bucket};
//! # let mut stack = Stack::new("");
//! stack.add("Output", Bucket::encrypted()).url();
//! ```
//!
//! Nor a reference to a resource that was never added, since only adding makes a handle:
//!
//! ```compile_fail,E0451
//! # use cfn::{Handle, s3::Bucket};
//! # use std::marker::PhantomData;
//! let bucket: Handle<Bucket> = Handle { id: "Typo".to_owned(), of: PhantomData }; // the fields are private
//! ```
//!
//! Nor an unknown action, or a wildcard:
//!
//! ```compile_fail,E0308
//! # use cfn::iam::{Evidence, Grant};
//! Grant::because("stores it", Evidence::Scenario("it_is_stored"), &["s3:*"]); // expected `Action`, found `&str`
//! ```

mod accepted;
pub mod apigateway;
pub mod certificatemanager;
pub mod cloudformation;
pub mod cloudwatch;
mod condition;
mod declared;
pub mod ec2;
mod evaluate;
pub mod events;
pub mod iam;
mod interface;
pub mod kms;
pub mod lambda;
pub mod logs;
mod longest;
pub mod order;
mod parameter;
mod parse;
pub mod pseudo;
pub mod quota;
mod reference;
pub mod registry;
pub mod s3;
pub mod secretsmanager;
pub mod sns;
pub mod sqs;
mod stack;
mod sub;
mod template;
pub mod texts;
mod value;
pub mod wafv2;
mod yaml;

pub use accepted::Accepted;
pub use condition::Condition;
pub use declared::{Constraint, Declared};
pub use evaluate::{EvaluateError, broken_rules, evaluate};
pub use interface::Group;
pub use parameter::{Parameter, ParameterHandle};
pub use parse::ParseError;
pub use stack::{Attributes, Handle, Optional, Resource, Stack};
pub use sub::{Part, sub};
pub use template::{Template, TemplateError};
pub use value::Value;
