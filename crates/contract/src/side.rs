//! One struct for the template and the functions, so that a misspelled variable doesn't compile.

/// Who holds a shared struct, which determines what its fields hold.
pub trait Side {
    /// What a field of logical type `T` holds on this side.
    type Of<T>;
}

/// The running function: a field holds its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Runtime {}

impl Side for Runtime {
    type Of<T> = T;
}
