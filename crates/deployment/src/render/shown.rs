//! Text for people: our own styles and line breaks around texts without hidden characters.
//! Everything for the terminal goes through this type, so untrusted text can't add a style, a line
//! break or a writing direction.

use std::fmt::{self, Write};

use anstyle::Style;

use super::visible;

/// A text for people, with styles as ANSI sequences; print it by [`super::print`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Shown(String);

impl Shown {
    /// A text on one line.
    pub fn text(text: &str) -> Self {
        let mut shown = Self::default();
        shown.add(text);
        shown
    }

    /// A text of several lines, whose parts were made [`visible::visible`] or are ours.
    pub fn lines(text: &str) -> Self {
        Self(visible::lines(text).into_owned())
    }

    /// Adds text to the line.
    pub fn add(&mut self, text: &str) {
        self.0.push_str(&visible::visible(text));
    }

    /// Adds text in a style, which adds no information.
    pub fn add_styled(&mut self, style: Style, text: &str) {
        let _ = write!(self.0, "{style}");
        self.add(text);
        let _ = write!(self.0, "{style:#}");
    }

    /// Ends the line.
    pub fn end_line(&mut self) {
        self.0.push('\n');
    }

    /// Adds a text of this type.
    pub fn append(&mut self, other: &Self) {
        self.0.push_str(&other.0);
    }

    /// Whether there is nothing to show.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The text without styles.
    pub fn plain(&self) -> String {
        anstream::adapter::strip_str(&self.0).to_string()
    }
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use anstyle::AnsiColor;

    use super::*;

    #[test]
    fn only_renderer_adds_breaks_and_styles() {
        let mut shown = Shown::text("a\nb");
        shown.end_line();
        shown.add_styled(AnsiColor::Red.on_default(), "red\u{1b}[32m");
        shown.append(&Shown::lines("\u{1b}c\nd"));
        assert_eq!(shown.to_string(), "a\\nb\n\u{1b}[31mred\\u{1b}[32m\u{1b}[0m\\u{1b}c\nd");
        assert_eq!(shown.plain(), "a\\nb\nred\\u{1b}[32m\\u{1b}c\nd");
    }
}
