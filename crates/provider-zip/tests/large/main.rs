//! The largest archive that has to work, in the memory that it may take. A program of its own: its
//! peak of memory is this test's alone.

#[cfg(test)]
mod giant;
#[cfg(test)]
#[path = "../provider/hand.rs"]
#[allow(dead_code, reason = "the tests of small archives use the rest of it")]
mod hand;
#[cfg(test)]
mod sparse;
