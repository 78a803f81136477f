//! Aligned columns, for people: two blanks between, numbers to the right, no lines that break when copied.

use anstyle::Style;

/// On which side a column's cells stand.
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

    /// Adds a row, one cell a column.
    pub fn row<const N: usize>(&mut self, cells: [String; N]) {
        self.styled(Style::new(), cells);
    }

    /// Adds a row in a style, which says nothing that the cells don't say.
    pub fn styled<const N: usize>(&mut self, style: Style, cells: [String; N]) {
        self.rows.push((style, cells.into()));
    }

    /// The lines of the table, each ending in a line feed, styles as ANSI sequences.
    pub fn render(&self) -> String {
        let headings: Vec<_> = self.columns.iter().map(|(heading, _)| heading.clone()).collect();
        let bold = Style::new().bold();
        let lines = std::iter::once((bold, &headings)).chain(self.rows.iter().map(|(style, cells)| (*style, cells)));
        let widths: Vec<usize> = (0..self.columns.len())
            .map(|column| lines.clone().map(|(_, cells)| width(cells, column)).max().unwrap_or(0))
            .collect();
        let styled = lines.map(|(style, cells)| format!("{style}{}{style:#}\n", self.line(cells, &widths)));
        styled.collect::<Vec<_>>().concat()
    }

    fn line(&self, cells: &[String], widths: &[usize]) -> String {
        let cells = self.columns.iter().zip(cells).zip(widths);
        let padded: Vec<_> = cells
            .map(|(((_, align), cell), &width)| match align {
                Align::Left => format!("{cell:width$}"),
                Align::Right => format!("{cell:>width$}"),
            })
            .collect();
        padded.join("  ").trim_end().to_owned()
    }
}

fn width(cells: &[String], column: usize) -> usize {
    cells.get(column).map_or(0, |cell| cell.chars().count())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_without_trailing_blanks() {
        let mut table = Table::new([("Function", Align::Left), ("Size", Align::Right), ("Note", Align::Left)]);
        table.row(["webhook".to_owned(), "9".to_owned(), String::new()]);
        table.row(["bucket-cleaner".to_owned(), "1024".to_owned(), "größer".to_owned()]);
        let plain = anstream::adapter::strip_str(&table.render()).to_string();
        insta::assert_snapshot!(plain, @"
        Function        Size  Note
        webhook            9
        bucket-cleaner  1024  größer
        ");
        assert!(plain.lines().all(|line| line == line.trim_end()));
    }
}
