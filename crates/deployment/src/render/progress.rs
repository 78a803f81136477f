//! What is going on, told while it goes on: a line per step, and on a terminal a moving line while
//! nothing happens.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use super::print;
use super::shown::Shown;
use super::visible::visible;

/// How long nothing is said where nothing can move.
const SILENCE: Duration = Duration::from_secs(15);

/// Who is told of the steps.
pub trait Progress: Send {
    /// Something has happened, or begins, and takes a style or several lines to tell.
    fn show(&mut self, text: &Shown);

    /// Something has happened, or begins.
    fn step(&mut self, line: &str) {
        self.show(&Shown::text(line));
    }

    /// What is being waited for, until the next step.
    fn waiting(&mut self, what: &str);

    /// A question comes: nothing may move until the next step or wait.
    fn pause(&mut self);
}

/// Tells the person at the terminal, on stderr.
#[derive(Debug)]
pub struct Terminal {
    spinner: Option<ProgressBar>,
    told: Instant,
}

impl Terminal {
    /// Nothing is told yet.
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
        // A log shows nothing that moves.
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

/// Tells nobody.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Progress for Silent {
    fn show(&mut self, _: &Shown) {}

    fn waiting(&mut self, _: &str) {}

    fn pause(&mut self) {}
}
