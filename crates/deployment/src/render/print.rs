//! The only way out: data to stdout, talk to stderr. Whatever passes here shows what it is, see
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
/// It can't be JSON.
pub fn json(value: &impl Serialize) -> serde_json::Result<()> {
    anstream::println!("{}", visible::json(&serde_json::to_string_pretty(value)?));
    Ok(())
}

/// Data for programs that read it line by line.
///
/// # Errors
/// It can't be JSON.
pub fn json_line(value: &impl Serialize) -> serde_json::Result<()> {
    anstream::println!("{}", visible::json(&serde_json::to_string(value)?));
    Ok(())
}

/// A program for a shell, made of our own words alone: of what is in it, line breaks and tabs
/// count.
pub fn script(text: &str) {
    anstream::print!("{text}");
}

/// Data for programs that read XML.
pub fn xml(text: &str) {
    anstream::println!("{}", visible::xml(text));
}

/// Talk, in whole lines.
pub fn talk(shown: &Shown) {
    anstream::eprint!("{shown}");
}

/// A line of talk.
pub fn talk_line(text: &str) {
    anstream::eprintln!("{}", visible::visible(text));
}

/// A question, whose answer is typed behind it.
///
/// # Errors
/// Nobody can be asked.
pub fn question(text: &str) -> std::io::Result<()> {
    let mut stderr = anstream::stderr();
    write!(stderr, "{} ", visible::visible(text))?;
    stderr.flush()
}
