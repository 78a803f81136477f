//! One struct, two sides: why a misspelt variable doesn't compile.

/// Who holds a struct that crosses the border, and with it what a field holds.
pub trait Side {
    /// What a field that means a `T` holds on this side.
    type Of<T>;
}

/// The side of a running function: a field holds its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Runtime {}

impl Side for Runtime {
    type Of<T> = T;
}
