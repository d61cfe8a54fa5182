//! The story as lines for a terminal: three lifelines, one row a step.

use super::{Lane, Row};

/// The use of colour in a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ink {
    /// Colour by escape codes, for a terminal.
    Colour,
    /// Plain text, for files and pipes.
    Plain,
}

impl Ink {
    /// The text in an ANSI style, if colour is used.
    pub fn paint(self, style: &str, text: &str) -> String {
        match self {
            Ink::Colour => format!("\x1b[{style}m{text}\x1b[0m"),
            Ink::Plain => text.to_owned(),
        }
    }

    /// The text as a fault or violation.
    pub fn bad(self, text: &str) -> String {
        self.paint("31", text)
    }

    /// The text as something that holds.
    pub fn good(self, text: &str) -> String {
        self.paint("32", text)
    }

    /// The text as something that is not known.
    pub fn unsure(self, text: &str) -> String {
        self.paint("33", text)
    }

    /// The text as a title.
    pub fn strong(self, text: &str) -> String {
        self.paint("1", text)
    }
}

/// The column of each lifeline, after the row's number.
const COLUMNS: [usize; 3] = [2, 38, 74];
const NUMBER: usize = 4;

/// The story as text: a line with the parties' names, then one line a row.
pub fn text(rows: &[Row], ink: Ink) -> String {
    let lines = rows.iter().enumerate().map(|(number, row)| numbered(number, row, ink));
    std::iter::once(titles(ink)).chain(lines).map(|line| line + "\n").collect()
}

/// The story of a run that does not end. The rows from `cycle` on are repeated; if there are none, nothing more
/// happens.
pub fn endless_text(rows: &[Row], cycle: usize, ink: Ink) -> String {
    let (stem, repeated) = rows.split_at(cycle);
    let mut out = text(stem, ink);
    if repeated.is_empty() {
        out += &format!("{}\n", ink.bad("end: nothing more happens"));
    } else {
        out += &format!("{}\n", ink.bad("loop: for ever from here on"));
    }
    for (number, row) in repeated.iter().enumerate() {
        out += &format!("{}\n", numbered(cycle + number, row, ink));
    }
    out
}

fn titles(ink: Ink) -> String {
    let mut out = format!("{:NUMBER$}", "");
    let mut column = 0;
    for lane in Lane::ALL {
        let at = COLUMNS[lane as usize];
        out += &format!("{:1$}", "", at - column);
        out += &ink.strong(lane.title());
        column = at + lane.title().len();
    }
    out
}

fn numbered(number: usize, row: &Row, ink: Ink) -> String {
    format!("{:>3} {}", number + 1, line(row, ink))
}

fn line(row: &Row, ink: Ink) -> String {
    let (drawn, start, end) = if row.from == row.to { local(row) } else { arrow(row) };
    let mut line: Vec<char> = vec![' '; COLUMNS[2] + 1];
    for column in COLUMNS {
        line[column] = '│';
    }
    let before: String = line[..start].iter().collect();
    let after: String = line.get(end..).map(|rest| rest.iter().collect()).unwrap_or_default();
    let drawn = if row.fault { ink.bad(&drawn) } else { drawn };
    format!("{before}{drawn}{after}").trim_end().to_owned()
}

/// A row of what a party does by itself: text beside its lifeline.
fn local(row: &Row) -> (String, usize, usize) {
    let start = COLUMNS[row.from as usize];
    let drawn = format!("{} {}", if row.fault { '✗' } else { '●' }, row.text);
    let end = start + drawn.chars().count();
    (drawn, start, end)
}

/// A row of what a party sends: an arrow to the other lifeline, with its text on it.
fn arrow(row: &Row) -> (String, usize, usize) {
    let (from, to) = (COLUMNS[row.from as usize], COLUMNS[row.to as usize]);
    let (start, end) = (from.min(to), from.max(to));
    let words = format!(" {} ", row.text);
    let room = (end - start - 1).saturating_sub(words.chars().count() + 1);
    let (left, right) = ("─".repeat(room / 2), "─".repeat(room - room / 2));
    let drawn = match from < to {
        true => format!("├{left}{words}{right}▶│"),
        false => format!("│◀{left}{words}{right}┤"),
    };
    (drawn, start, end + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    #[test]
    fn arrows_reach_from_lifeline_to_lifeline_and_faults_are_marked() {
        let row = |from, to, text: &str, fault| Row { from, to, text: text.to_owned(), fault };
        let rows = [
            row(Lane::OrderService, Lane::OrderService, "submits order 1", false),
            row(Lane::OrderService, Lane::Broker, "publish 1", false),
            row(Lane::Broker, Lane::Broker, "crashes and restarts", true),
            row(Lane::Broker, Lane::OrderService, "ack 1", false),
            row(Lane::InventoryService, Lane::InventoryService, "receives 1", false),
        ];
        // The first line has no indentation, so that the others' is compared.
        expect![[r#"
            story:
                  order service                       broker                              inventory service
              1   ● submits order 1                   │                                   │
              2   ├─────────── publish 1 ────────────▶│                                   │
              3   │                                   ✗ crashes and restarts              │
              4   │◀───────────── ack 1 ──────────────┤                                   │
              5   │                                   │                                   ● receives 1
        "#]]
        .assert_eq(&format!("story:\n{}", text(&rows, Ink::Plain)));
    }
}
