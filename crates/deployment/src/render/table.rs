//! Aligned columns for people: separated by two spaces, numbers to the right, without lines that
//! break when copied.

use anstyle::Style;
use unicode_width::UnicodeWidthStr;

use super::shown::Shown;
use super::visible::visible;

/// The alignment of a column's cells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Align {
    /// Text.
    Left,
    /// Numbers.
    Right,
}

/// Rows under headings.
#[derive(Debug, Clone)]
pub struct Table {
    columns: Vec<(String, Align)>,
    rows: Vec<(Style, Vec<String>)>,
}

impl Table {
    /// A table without rows. The headings name the columns.
    pub fn new<const N: usize>(columns: [(&str, Align); N]) -> Self {
        Self { columns: columns.map(|(heading, align)| (heading.to_owned(), align)).to_vec(), rows: Vec::new() }
    }

    /// Whether it has no row.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Adds a row, with one cell per column.
    pub fn row<const N: usize>(&mut self, cells: [String; N]) {
        self.styled(Style::new(), cells);
    }

    /// Adds a row in a style, which adds no information.
    pub fn styled<const N: usize>(&mut self, style: Style, cells: [String; N]) {
        // Made visible first, since the width is that of the shown text.
        self.rows.push((style, cells.map(|cell| visible(&cell).into_owned()).into()));
    }

    /// The table's lines.
    pub fn render(&self) -> Shown {
        let headings: Vec<_> = self.columns.iter().map(|(heading, _)| heading.clone()).collect();
        let widths = self.widths();
        let mut shown = Shown::default();
        shown.add_styled(Style::new().bold(), &self.line(&headings, &widths));
        shown.end_line();
        shown.append(&self.rows());
        shown
    }

    /// The lines without the headings.
    pub fn rows(&self) -> Shown {
        let widths = self.widths();
        let mut shown = Shown::default();
        for (style, cells) in &self.rows {
            shown.add_styled(*style, &self.line(cells, &widths));
            shown.end_line();
        }
        shown
    }

    fn widths(&self) -> Vec<usize> {
        let widest = |column: usize| self.rows.iter().filter_map(|(_, cells)| Some(cells.get(column)?.width())).max();
        let columns = self.columns.iter().enumerate();
        columns.map(|(column, (heading, _))| heading.width().max(widest(column).unwrap_or(0))).collect()
    }

    fn line(&self, cells: &[String], widths: &[usize]) -> String {
        let cells = self.columns.iter().zip(cells).zip(widths);
        let padded: Vec<_> = cells
            .map(|(((_, align), cell), width)| {
                let blanks = " ".repeat(width.saturating_sub(cell.width()));
                match align {
                    Align::Left => format!("{cell}{blanks}"),
                    Align::Right => format!("{blanks}{cell}"),
                }
            })
            .collect();
        padded.join("  ").trim_end().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_without_trailing_blanks() {
        let mut table = Table::new([("Function", Align::Left), ("Size", Align::Right), ("Note", Align::Left)]);
        table.row(["webhook".to_owned(), "9".to_owned(), String::new()]);
        table.row(["bucket-cleaner".to_owned(), "1024".to_owned(), "größer".to_owned()]);
        let plain = table.render().plain();
        insta::assert_snapshot!(plain, @"
        Function        Size  Note
        webhook            9
        bucket-cleaner  1024  größer
        ");
        assert!(plain.lines().all(|line| line == line.trim_end()));
    }

    #[test]
    fn unusual_cells_keep_columns_aligned() {
        let mut table = Table::new([("Branch", Align::Left), ("Bytes", Align::Right), ("Ago", Align::Left)]);
        for branch in ["main", "テスト", "e\u{301}te\u{301}", "a\u{202e}b\u{9b}2J", "two\nrows", "ma\u{200b}in"] {
            table.row([branch.to_owned(), "7".to_owned(), "1 h".to_owned()]);
        }
        let plain = table.render().plain();
        // Without the marks, which a source file should not contain.
        insta::assert_snapshot!(plain.replace('\u{301}', ""), @r"
        Branch              Bytes  Ago
        main                    7  1 h
        テスト                  7  1 h
        ete                     7  1 h
        a\u{202e}b\u{9b}2J      7  1 h
        two\nrows               7  1 h
        ma\u{200b}in            7  1 h
        ");
        let ends: Vec<usize> = plain.lines().skip(1).map(UnicodeWidthStr::width).collect();
        assert!(ends.len() == 6 && ends.iter().all(|end| *end == ends[0]), "{ends:?}");
    }
}
