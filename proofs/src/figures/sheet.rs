//! What a bench says beside criterion's times: tables, and goals with the figures that meet or miss them.

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use comfy_table::{CellAlignment, ContentArrangement, presets};
use serde::{Deserialize, Serialize};

use super::number::shown;

/// The directory of the sheets, below that of criterion.
pub(super) const SHEETS: &str = "sheets";

/// The tables and goals of one bench.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sheet {
    /// The name of the bench, as `cargo bench --bench NAME` takes it.
    pub bench: String,
    /// What was compared and under which bounds, in plain sentences.
    pub about: String,
    /// The tables, in the order in which they were added.
    pub tables: Vec<Table>,
    /// The goals, in the order in which they were added.
    pub goals: Vec<Goal>,
}

/// A table of figures, with a name for each row.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Table {
    /// What the table compares, with its load and its bounds.
    pub title: String,
    /// The heads of the columns. The first is that of the names; a unit stands in the head.
    pub columns: Vec<String>,
    /// The rows: a name, and a cell for each further column.
    pub rows: Vec<(String, Vec<Cell>)>,
}

/// A cell of a table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Cell {
    /// A figure, in the unit of its column.
    Number(f64),
    /// A word, such as a verdict.
    Words(String),
    /// Nothing to say: not measured, or without meaning here.
    Nothing,
}

/// What a figure must be at least or at most.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Bound {
    /// The figure may not be below.
    AtLeast(f64),
    /// The figure may not be above.
    AtMost(f64),
}

/// A figure beside its goal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Goal {
    /// What the figure is of, such as "exactly-once, durable, 64 in flight".
    pub of: String,
    /// The unit of figure and bound, such as "messages a second" or "times Stateright's best".
    pub unit: String,
    /// The figure.
    pub figure: f64,
    /// The goal.
    pub bound: Bound,
}

impl Sheet {
    /// An empty sheet.
    pub fn new(bench: &str, about: &str) -> Sheet {
        Sheet { bench: bench.to_owned(), about: about.to_owned(), tables: Vec::new(), goals: Vec::new() }
    }

    /// Adds a table with these heads, the first of which is that of the names.
    pub fn table(&mut self, title: &str, columns: &[&str]) -> &mut Table {
        let columns = columns.iter().map(|&head| head.to_owned()).collect();
        self.tables.push(Table { title: title.to_owned(), columns, rows: Vec::new() });
        self.tables.last_mut().expect("it was pushed")
    }

    /// Adds a goal.
    pub fn goal(&mut self, of: &str, figure: f64, unit: &str, bound: Bound) {
        self.goals.push(Goal { of: of.to_owned(), unit: unit.to_owned(), figure, bound });
    }

    /// The tables and goals as text, no wider than so many columns.
    pub fn text(&self, width: usize) -> String {
        let filled = |text: &str| textwrap::fill(text, textwrap::Options::new(width).subsequent_indent("  "));
        let mut text = String::new();
        for table in &self.tables {
            text += &format!("{}\n{}\n\n", filled(&table.title), table.drawn(width));
        }
        for goal in &self.goals {
            text += &(filled(&goal.to_string()) + "\n");
        }
        text
    }

    /// Writes the sheet where [`super::Gathered`] looks for it, below criterion's directory, in place of an earlier one.
    pub fn write(&self, criterion: &Path) -> io::Result<PathBuf> {
        let directory = criterion.join(SHEETS);
        fs::create_dir_all(&directory)?;
        let path = directory.join(format!("{}.json", self.bench));
        fs::write(&path, serde_json::to_string_pretty(self)? + "\n")?;
        Ok(path)
    }
}

impl Table {
    /// Adds a row.
    ///
    /// # Panics
    ///
    /// If the row has fewer or more cells than the table has columns after that of the names.
    pub fn row(&mut self, name: impl Into<String>, cells: impl IntoIterator<Item = impl Into<Cell>>) -> &mut Self {
        let cells: Vec<Cell> = cells.into_iter().map(Into::into).collect();
        assert_eq!(cells.len() + 1, self.columns.len(), "a cell for each column of {:?}", self.title);
        self.rows.push((name.into(), cells));
        self
    }

    fn drawn(&self, width: usize) -> String {
        let mut drawn = comfy_table::Table::new();
        drawn.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
        drawn.set_width(u16::try_from(width).unwrap_or(u16::MAX));
        drawn.set_header(&self.columns);
        for (name, cells) in &self.rows {
            drawn.add_row(std::iter::once(name.clone()).chain(cells.iter().map(Cell::to_string)));
        }
        for (place, column) in drawn.column_iter_mut().enumerate() {
            column.set_padding((0, 2));
            if place > 0 && self.is_of_numbers(place) {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        drawn.lines().map(|line| line.trim_end().to_owned()).collect::<Vec<_>>().join("\n")
    }

    /// Whether this column, counted from that of the names, has numbers and no words.
    pub(super) fn is_of_numbers(&self, column: usize) -> bool {
        self.rows.iter().all(|(_, cells)| !matches!(cells[column - 1], Cell::Words(_)))
    }
}

impl fmt::Display for Cell {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Cell::Number(number) => out.write_str(&shown(*number)),
            Cell::Words(words) => out.write_str(words),
            Cell::Nothing => Ok(()),
        }
    }
}

impl From<f64> for Cell {
    fn from(number: f64) -> Cell {
        if number.is_finite() { Cell::Number(number) } else { Cell::Nothing }
    }
}

impl From<&str> for Cell {
    fn from(words: &str) -> Cell {
        Cell::Words(words.to_owned())
    }
}

impl From<String> for Cell {
    fn from(words: String) -> Cell {
        Cell::Words(words)
    }
}

impl<T: Into<Cell>> From<Option<T>> for Cell {
    fn from(cell: Option<T>) -> Cell {
        cell.map_or(Cell::Nothing, Into::into)
    }
}

impl Goal {
    /// Whether the figure is within its bound. A figure that is no number is not.
    pub fn is_met(&self) -> bool {
        match self.bound {
            Bound::AtLeast(least) => self.figure >= least,
            Bound::AtMost(most) => self.figure <= most,
        }
    }

    /// "met" or "missed".
    pub fn word(&self) -> &'static str {
        if self.is_met() { "met" } else { "missed" }
    }

    /// The figure as documents show it, without its unit.
    pub(super) fn shown(&self) -> String {
        shown(self.figure)
    }
}

impl fmt::Display for Bound {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Bound::AtLeast(least) => write!(out, "at least {}", shown(*least)),
            Bound::AtMost(most) => write!(out, "at most {}", shown(*most)),
        }
    }
}

impl fmt::Display for Goal {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Goal { of, unit, bound, .. } = self;
        write!(out, "{}: {of}: {} {unit}, goal {bound}", self.word(), self.shown())
    }
}

#[cfg(test)]
mod tests {
    use super::{Bound, Cell, Sheet};

    fn sheet() -> Sheet {
        let mut sheet = Sheet::new("dedup", "Memories.");
        let table = sheet.table("in order", &["memory", "ns an operation", "verdict"]);
        table.row("bit window", [Cell::from(1.25), "holds".into()]).row("none", [Cell::Nothing, "violated".into()]);
        sheet.goal("bit window", 1.5, "times a load", Bound::AtMost(1.5));
        sheet.goal("tree", f64::NAN, "times", Bound::AtLeast(5.0));
        sheet
    }

    #[test]
    fn a_sheet_is_read_as_it_was_written() {
        let directory = tempfile::tempdir().expect("a directory");
        let mut sheet = sheet();
        sheet.goals.pop(); // JSON has no figure that is no number
        let path = sheet.write(directory.path()).expect("it is written");
        let text = std::fs::read_to_string(path).expect("it is there");
        assert_eq!(serde_json::from_str::<Sheet>(&text).expect("it is one"), sheet);
    }

    #[test]
    fn numbers_line_up_at_the_right_and_a_goal_says_whether_it_is_met() {
        expect_test::expect![[r#"
            in order
            memory      ns an operation  verdict
            bit window             1.25  holds
            none                         violated

            met: bit window: 1.50 times a load, goal at most 1.50
            missed: tree: - times, goal at least 5
        "#]]
        .assert_eq(&sheet().text(80));
    }

    #[test]
    fn no_line_is_wider_than_asked_for() {
        let mut sheet = sheet();
        sheet.tables[0]
            .row("a name of many words that does not fit into a line ".repeat(3), [Cell::Nothing, Cell::Nothing]);
        sheet.goal(&"of what ".repeat(20), 1.0, "times", Bound::AtMost(2.0));
        let text = sheet.text(60);
        assert!(text.lines().all(|line| line.chars().count() <= 60), "{text}");
    }

    #[test]
    #[should_panic = "a cell for each column of"]
    fn a_row_that_does_not_fit_its_table_is_an_error() {
        Sheet::new("x", "").table("t", &["a", "b"]).row("name", [1.0, 2.0]);
    }
}
