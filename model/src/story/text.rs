//! The story as lines for a terminal: three lifelines, one row a step.

use textwrap::core::display_width;

use super::{Lane, Row, Story};

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

/// The column of the first lifeline, after the row's number.
const NUMBER: usize = 4;
/// The columns between two lifelines.
const GAPS: std::ops::RangeInclusive<usize> = 12..=40;
/// The columns of the last lane that are kept where the gaps can shrink: "● reserves stock for 1".
const LAST_LANE: usize = 22;
/// The narrowest width: what is asked to be narrower is as wide as this.
pub const WIDTH_MIN: usize = 40;

impl Story {
    /// The story as text: a line with the parties' names, then the rows with their numbers, then what never comes. No line is
    /// wider than `width` columns, or than [`WIDTH_MIN`]: lifelines come closer, and what is longer than its lane goes on
    /// below.
    pub fn text(&self, ink: Ink, width: usize) -> String {
        let lanes = Lanes::within(width);
        let (stem, repeated) = self.rows.split_at(self.endless.unwrap_or(self.rows.len()));
        let mut out = lanes.titles(ink) + &lanes.rows(0, stem, ink);
        if self.endless.is_some() {
            let loops = if repeated.is_empty() { "end: nothing more happens" } else { "loop: for ever from here on" };
            out += &format!("{}\n{}", ink.bad(loops), lanes.rows(stem.len(), repeated, ink));
        }
        self.never.iter().for_each(|never| out += &never_text(never, ink, lanes.width));
        out
    }
}

/// The last lines of a story that lacks something.
pub(super) fn never_text(never: &str, ink: Ink, width: usize) -> String {
    let options = textwrap::Options::new(width).initial_indent("✗ ").subsequent_indent("  ");
    textwrap::wrap(never, options).iter().map(|line| format!("{}\n", ink.bad(line))).collect()
}

/// Where the lifelines stand.
#[derive(Clone, Copy)]
struct Lanes {
    gap: usize,
    width: usize,
}

impl Lanes {
    fn within(width: usize) -> Self {
        let width = width.max(WIDTH_MIN);
        let gap = (width - NUMBER - LAST_LANE) / (Lane::ALL.len() - 1);
        Lanes { gap: gap.clamp(*GAPS.start(), *GAPS.end()), width }
    }

    fn column(self, lane: Lane) -> usize {
        self.gap * lane as usize
    }

    /// The columns from a lifeline up to the blank before the next one, or to the end of the line.
    fn room(self, lane: Lane) -> usize {
        let is_last = Some(&lane) == Lane::ALL.last();
        if is_last { self.width - NUMBER - self.column(lane) } else { self.gap - 1 }
    }

    fn titles(self, ink: Ink) -> String {
        let titles = Lane::ALL.map(|lane| textwrap::wrap(lane.title(), self.room(lane)));
        let lines = titles.iter().map(Vec::len).max().unwrap_or_default();
        let line = |number: usize| {
            let mut line = " ".repeat(NUMBER);
            let mut column = 0;
            for (lane, title) in Lane::ALL.into_iter().zip(&titles) {
                let Some(title) = title.get(number) else { continue };
                line += &" ".repeat(self.column(lane) - column);
                line += &ink.strong(title);
                column = self.column(lane) + display_width(title);
            }
            line + "\n"
        };
        (0..lines).map(line).collect()
    }

    /// The rows' lines. `before` rows stand above them.
    fn rows(self, before: usize, rows: &[Row], ink: Ink) -> String {
        let numbered = |(at, row): (usize, &Row)| {
            let lines = if row.from == row.to { self.local(row) } else { self.arrow(row) };
            let number = std::iter::once(format!("{:>3} ", before + at + 1));
            let numbers = number.chain(std::iter::repeat(" ".repeat(NUMBER)));
            let told = numbers.zip(lines).map(|(number, drawn)| format!("{number}{}\n", self.line(drawn, row, ink)));
            told.collect::<String>()
        };
        rows.iter().enumerate().map(numbered).collect()
    }

    /// The lifelines, with what is drawn over them from a column on.
    fn line(self, (start, drawn): (usize, String), row: &Row, ink: Ink) -> String {
        let mut line = vec![' '; self.column(Lane::ALL[Lane::ALL.len() - 1]) + 1];
        Lane::ALL.into_iter().for_each(|lane| line[self.column(lane)] = '│');
        let before: String = line[..start].iter().collect();
        let after: String = line.iter().skip(start + display_width(&drawn)).collect();
        let drawn = if row.is_bad() { ink.bad(&drawn) } else { drawn };
        format!("{before}{drawn}{after}").trim_end().to_owned()
    }

    /// The lines of what a party does by itself: text beside its lifeline.
    fn local(self, row: &Row) -> Vec<(usize, String)> {
        let first = if row.is_bad() { "✗ " } else { "● " };
        let options = textwrap::Options::new(self.room(row.from)).initial_indent(first).subsequent_indent("│ ");
        let whole = textwrap::wrap(&row.told(), &options).iter().map(|line| line.to_string()).collect::<Vec<_>>();
        let at = |line| (self.column(row.from), line);
        if whole.len() == 1 {
            return whole.into_iter().map(at).collect();
        }
        let text = textwrap::wrap(&row.text, options);
        let mut lines: Vec<(usize, String)> = text.into_iter().map(|line| at(line.into_owned())).collect();
        lines.extend(self.mark(row, row.from));
        lines
    }

    /// The lines of what a row breaks, below the row and beside the lifeline of this lane.
    fn mark(self, row: &Row, lane: Lane) -> Vec<(usize, String)> {
        let Some(mark) = &row.breaks else { return Vec::new() };
        let options = textwrap::Options::new(self.room(lane)).initial_indent("│ ◀ ").subsequent_indent("│   ");
        textwrap::wrap(mark, options).into_iter().map(|line| (self.column(lane), line.into_owned())).collect()
    }

    /// The lines of what a party sends: an arrow to the other lifeline with its text on it, or with the end of a text
    /// that is longer.
    fn arrow(self, row: &Row) -> Vec<(usize, String)> {
        let (from, to) = (self.column(row.from), self.column(row.to));
        let start = from.min(to);
        // Between the lifelines: the arrow's head, and a blank on each side of the text.
        let between = from.abs_diff(to) - 1;
        let words = textwrap::wrap(&row.text, between - 3);
        let last = words.len() - 1;
        let line = |(at, words): (usize, &std::borrow::Cow<'_, str>)| {
            let room = between - 3 - display_width(words);
            let of = |line: &str, columns: usize| line.repeat(columns);
            let (left, right) = (room / 2, room - room / 2);
            let drawn = match (at == last, from < to) {
                (false, _) => format!("│ {}{words}{} │", of(" ", left), of(" ", right + 1)),
                (true, true) => format!("├{} {words} {}▶│", of("─", left), of("─", right)),
                (true, false) => format!("│◀{} {words} {}┤", of("─", left), of("─", right)),
            };
            (start, drawn)
        };
        let mut lines: Vec<(usize, String)> = words.iter().enumerate().map(line).collect();
        lines.extend(self.mark(row, if from < to { row.from } else { row.to }));
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};

    fn check(width: usize, expected: Expect) {
        let row = |from, to, text: &str, fault| Row { fault, ..Row::new(from, to, text) };
        let delivers = || row(Lane::Broker, Lane::InventoryService, "deliver 10 (position 10)", false);
        let reserves = || row(Lane::InventoryService, Lane::InventoryService, "reserves stock for 10", false);
        let rows = [
            row(Lane::OrderService, Lane::OrderService, "submits order 1", false),
            row(Lane::OrderService, Lane::Broker, "publish 1", false),
            row(Lane::Broker, Lane::Broker, "crashes, loses the last record of its log, and restarts", true),
            row(Lane::Broker, Lane::OrderService, "ack 1", false),
            delivers(),
            reserves(),
            Row { breaks: Some("2nd effect".to_owned()), ..reserves() },
            Row { breaks: Some("breaks lease-exclusive".to_owned()), ..delivers() },
        ];
        let never = vec!["message 2 is never delivered".to_owned()];
        let told = Story { rows: rows.into(), endless: None, never }.text(Ink::Plain, width);
        assert!(told.lines().all(|line| display_width(line) <= width.max(WIDTH_MIN)), "{told}");
        // The first line has no indentation, so that the others' is compared.
        expected.assert_eq(&format!("story:\n{told}"));
    }

    #[test]
    fn arrows_reach_from_lifeline_to_lifeline_and_faults_are_marked() {
        check(
            120,
            expect![[r#"
                story:
                    order service                           broker                                  inventory service
                  1 ● submits order 1                       │                                       │
                  2 ├───────────── publish 1 ──────────────▶│                                       │
                  3 │                                       ✗ crashes, loses the last record of its │
                    │                                       │ log, and restarts                     │
                  4 │◀─────────────── ack 1 ────────────────┤                                       │
                  5 │                                       ├────── deliver 10 (position 10) ──────▶│
                  6 │                                       │                                       ● reserves stock for 10
                  7 │                                       │                                       ✗ reserves stock for 10 ◀ 2nd effect
                  8 │                                       ├────── deliver 10 (position 10) ──────▶│
                    │                                       │ ◀ breaks lease-exclusive              │
                ✗ message 2 is never delivered
            "#]],
        );
    }

    #[test]
    fn lifelines_come_closer_on_80_columns() {
        check(
            80,
            expect![[r#"
                story:
                    order service              broker                     inventory service
                  1 ● submits order 1          │                          │
                  2 ├─────── publish 1 ───────▶│                          │
                  3 │                          ✗ crashes, loses the last  │
                    │                          │ record of its log, and   │
                    │                          │ restarts                 │
                  4 │◀───────── ack 1 ─────────┤                          │
                  5 │                          │  deliver 10 (position    │
                    │                          ├────────── 10) ──────────▶│
                  6 │                          │                          ● reserves stock for
                    │                          │                          │ 10
                  7 │                          │                          ✗ reserves stock for
                    │                          │                          │ 10
                    │                          │                          │ ◀ 2nd effect
                  8 │                          │  deliver 10 (position    │
                    │                          ├────────── 10) ──────────▶│
                    │                          │ ◀ breaks lease-exclusive │
                ✗ message 2 is never delivered
            "#]],
        );
    }

    #[test]
    fn a_longer_text_goes_on_below_where_columns_are_few() {
        check(
            10,
            expect![[r#"
                story:
                    order       broker      inventory
                    service                 service
                  1 ● submits   │           │
                    │ order 1   │           │
                  2 │ publish   │           │
                    ├─── 1 ────▶│           │
                  3 │           ✗ crashes,  │
                    │           │ loses the │
                    │           │ last      │
                    │           │ record of │
                    │           │ its log,  │
                    │           │ and       │
                    │           │ restarts  │
                  4 │◀─ ack 1 ──┤           │
                  5 │           │ deliver   │
                    │           │    10     │
                    │           │ (positio  │
                    │           ├─ n 10) ──▶│
                  6 │           │           ● reserves
                    │           │           │ stock for
                    │           │           │ 10
                  7 │           │           ✗ reserves
                    │           │           │ stock for
                    │           │           │ 10
                    │           │           │ ◀ 2nd
                    │           │           │   effect
                  8 │           │ deliver   │
                    │           │    10     │
                    │           │ (positio  │
                    │           ├─ n 10) ──▶│
                    │           │ ◀ breaks  │
                    │           │   lease-  │
                    │           │   exclusi │
                    │           │   ve      │
                ✗ message 2 is never delivered
            "#]],
        );
    }

    #[test]
    fn a_story_at_any_width_is_no_wider() {
        for width in WIDTH_MIN..=130 {
            let lanes = Lanes::within(width);
            for lane in Lane::ALL {
                assert!(NUMBER + lanes.column(lane) + lanes.room(lane) <= width, "{lane:?} at {width}");
            }
        }
    }
}
