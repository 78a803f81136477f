//! Pushes that are small and stand for much memory. A program of its own: the limit of its memory
//! is that of the function.

#[cfg(test)]
#[path = "../git_archive/repository.rs"]
#[allow(dead_code, reason = "the tests that compare with git use the rest of it")]
mod repository;
#[cfg(test)]
mod small_pushes;
