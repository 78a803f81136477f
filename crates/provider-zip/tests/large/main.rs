//! The largest supported archive within its memory limit. A separate program, so that the peak
//! memory is this test's alone.

#[cfg(test)]
mod giant;
#[cfg(test)]
#[path = "../provider/hand.rs"]
#[allow(dead_code, reason = "the tests of small archives use the rest of it")]
mod hand;
#[cfg(test)]
mod sparse;
