//! What is going on, told while it goes on: a line per step, and on a terminal a moving line while nothing happens.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

/// Who is told of the steps. Texts may hold ANSI styles; print them through `anstream`.
pub trait Progress: Send {
    /// Something has happened, or begins.
    fn step(&mut self, line: &str);

    /// What is being waited for, until the next step.
    fn waiting(&mut self, what: &str);

    /// A question comes: nothing may move until the next step or wait.
    fn pause(&mut self);
}

/// Tells the person at the terminal, on stderr.
#[derive(Debug)]
pub struct Terminal {
    spinner: ProgressBar,
}

impl Terminal {
    /// Nothing is told yet.
    pub fn new() -> Self {
        Self { spinner: spinner() }
    }
}

fn spinner() -> ProgressBar {
    let spinner = ProgressBar::new_spinner();
    if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} ({elapsed})") {
        spinner.set_style(style);
    }
    spinner
}

impl Default for Terminal {
    fn default() -> Self {
        Self::new()
    }
}

impl Progress for Terminal {
    fn step(&mut self, line: &str) {
        self.spinner.suspend(|| anstream::eprintln!("{line}"));
    }

    fn waiting(&mut self, what: &str) {
        if self.spinner.message() != what {
            self.spinner.reset_elapsed();
            self.spinner.set_message(what.to_owned());
            self.spinner.enable_steady_tick(Duration::from_millis(120));
        }
    }

    fn pause(&mut self) {
        self.spinner.disable_steady_tick();
        self.spinner.finish_and_clear();
        self.spinner = spinner();
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.spinner.finish_and_clear();
    }
}

/// Tells nobody.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Progress for Silent {
    fn step(&mut self, _: &str) {}

    fn waiting(&mut self, _: &str) {}

    fn pause(&mut self) {}
}
