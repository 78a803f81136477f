//! What became of pushes, as the logs tell it: each function writes its own, so that one push is in
//! two or three of them. Here they are read together, said in plain words and ordered by delivery.

mod events;
mod line;
mod story;

pub use events::{Extent, Groups, Reader};
pub use line::{Kind, Level, Line};
pub use story::{Filter, Story, json};
