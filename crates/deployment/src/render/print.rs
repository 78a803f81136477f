//! The only output: data to stdout, messages to stderr. Hidden characters are made visible, see
//! [`super::visible`].

use std::io::Write;

use serde::Serialize;

use super::shown::Shown;
use super::visible;

/// Data for people.
pub fn data(shown: &Shown) {
    anstream::print!("{shown}");
}

/// A line of data, such as a path.
pub fn line(text: &str) {
    anstream::println!("{}", visible::visible(text));
}

/// Data for programs.
///
/// # Errors
/// It can't be written as JSON.
pub fn json(value: &impl Serialize) -> serde_json::Result<()> {
    anstream::println!("{}", visible::json(&serde_json::to_string_pretty(value)?));
    Ok(())
}

/// Data for programs that read it line by line.
///
/// # Errors
/// It can't be written as JSON.
pub fn json_line(value: &impl Serialize) -> serde_json::Result<()> {
    anstream::println!("{}", visible::json(&serde_json::to_string(value)?));
    Ok(())
}

/// A shell script of our own, in which line breaks and tabs are kept.
pub fn script(text: &str) {
    anstream::print!("{text}");
}

/// Data for programs that read XML.
pub fn xml(text: &str) {
    anstream::println!("{}", visible::xml(text));
}

/// Messages, in whole lines.
pub fn talk(shown: &Shown) {
    anstream::eprint!("{shown}");
}

/// A line of a message.
pub fn talk_line(text: &str) {
    anstream::eprintln!("{}", visible::visible(text));
}

/// A question, with the cursor after it.
///
/// # Errors
/// The terminal can't be written to.
pub fn question(text: &str) -> std::io::Result<()> {
    let mut stderr = anstream::stderr();
    write!(stderr, "{} ", visible::visible(text))?;
    stderr.flush()
}
