//! Deliveries from outside, through the door that everybody takes.
#![cfg(test)]

mod attacks;
#[path = "../../src/sender.rs"]
#[allow(dead_code, reason = "the tests of the crate's own files use the rest of it")]
mod sender;

use forge::{Delivery, Endpoint, Event, MinimumSignature, Refusal};
