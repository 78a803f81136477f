//! Progress: a line per step, and on a terminal a spinner while waiting.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use super::print;
use super::shown::Shown;
use super::visible::visible;

/// The interval of messages without a spinner.
const SILENCE: Duration = Duration::from_secs(15);

/// A receiver of progress.
pub trait Progress: Send {
    /// Reports a step in styles or several lines.
    fn show(&mut self, text: &Shown);

    /// Reports a step that has happened or begins.
    fn step(&mut self, line: &str) {
        self.show(&Shown::text(line));
    }

    /// Reports what is being waited for, until the next step.
    fn waiting(&mut self, what: &str);

    /// Stops the spinner until the next step or wait, for a question.
    fn pause(&mut self);
}

/// Prints progress on stderr.
#[derive(Debug)]
pub struct Terminal {
    spinner: Option<ProgressBar>,
    told: Instant,
}

impl Terminal {
    /// Starts without output.
    pub fn new() -> Self {
        Self { spinner: None, told: Instant::now() }
    }
}

impl Default for Terminal {
    fn default() -> Self {
        Self::new()
    }
}

impl Progress for Terminal {
    fn show(&mut self, text: &Shown) {
        self.told = Instant::now();
        let mut whole = text.clone();
        whole.end_line();
        let print = || print::talk(&whole);
        match &self.spinner {
            Some(spinner) => spinner.suspend(print),
            None => print(),
        }
    }

    fn waiting(&mut self, what: &str) {
        let spinner = self.spinner.get_or_insert_with(spinner);
        let shown = visible(what);
        if spinner.message() != shown {
            spinner.reset_elapsed();
            spinner.set_message(shown.into_owned());
        }
        // A log has no spinner.
        if spinner.is_hidden() && self.told.elapsed() > SILENCE {
            self.step(what);
        }
    }

    fn pause(&mut self) {
        if let Some(spinner) = self.spinner.take() {
            spinner.finish_and_clear();
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.pause();
    }
}

fn spinner() -> ProgressBar {
    let spinner = ProgressBar::new_spinner();
    if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} ({elapsed})") {
        spinner.set_style(style);
    }
    spinner.enable_steady_tick(Duration::from_millis(120));
    spinner
}

/// Prints nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Progress for Silent {
    fn show(&mut self, _: &Shown) {}

    fn waiting(&mut self, _: &str) {}

    fn pause(&mut self) {}
}
