//! What happened to pushes, according to the logs. Each function has its own log, so one push is in
//! two or three of them. They are read together, put in plain words and grouped by delivery, or
//! searched for one push.

pub(crate) mod events;
mod line;
mod search;
mod story;

pub use events::{Extent, Groups, Reader};
pub use line::{Kind, Level, Line};
pub use search::{Condition, Found, Record, Search};
pub use story::{Filter, Story, json};
