//! Small pushes that need much memory. A separate program, which runs with the memory limit of the
//! function.

#[cfg(test)]
#[path = "../git_archive/repository.rs"]
#[allow(dead_code, reason = "the tests that compare with git use the rest of it")]
mod repository;
#[cfg(test)]
mod small_pushes;
