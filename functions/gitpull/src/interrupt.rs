//! A thread that works for a future, and stops when nobody waits for that any more: a thread can't be dropped.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

/// Says to whoever has its flag that it's enough, once it is dropped.
#[derive(Debug, Default)]
pub(crate) struct InterruptOnDrop(Arc<AtomicBool>);

impl InterruptOnDrop {
    /// For the thread.
    pub(crate) fn flag(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.0)
    }
}

impl Drop for InterruptOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
