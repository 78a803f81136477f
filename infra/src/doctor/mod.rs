//! Follows the path of a push from the Git host to the zip, and says at which step it fails and
//! what to do. `facts` asks AWS and the host, `path` draws the conclusions.

mod endpoint;
mod facts;
mod path;

pub use endpoint::Reached;
pub use facts::{AtHost, Facts, facts};
pub use path::{Finding, Verdict, findings};
