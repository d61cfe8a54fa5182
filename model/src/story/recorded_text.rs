//! The story of a recorded history as lines for a terminal: a lifeline for each process.

use textwrap::core::display_width;

use super::marks::marked;
use super::recorded::{RecordedRow, RecordedStory};
use super::text::{Ink, WIDTH_MIN, never_text};

/// The most columns between two lifelines.
const GAP_MAX: usize = 32;
/// The fewest columns between two lifelines. Where there is less room, each row names its process instead.
const GAP_MIN: usize = 10;
/// The columns that the last lane should have.
const LAST_LANE: usize = 24;

impl RecordedStory {
    /// The story as text. No line is wider than `width` columns, or than [`WIDTH_MIN`].
    pub fn text(&self, ink: Ink, width: usize) -> String {
        let width = width.max(WIDTH_MIN);
        let page = Page { story: self, ink, width, margin: self.margin(), gap: self.gap(width) };
        let mut out = page.titles();
        for row in &self.rows {
            page.row(row, &mut out);
        }
        if self.left_out > 0 {
            out += &format!("... and {} more steps\n", self.left_out);
        }
        if let Some(never) = &self.never {
            out += &never_text(never, ink, width);
        }
        out
    }

    /// What the margin says of a row: its line and its time.
    fn labels(&self, row: &RecordedRow) -> [String; 2] {
        [row.line.to_string(), self.time(row)]
    }

    fn margin(&self) -> [usize; 2] {
        let widths = self.rows.iter().map(|row| self.labels(row).map(|label| display_width(&label)));
        widths.fold([4, 2], |widest, row| [widest[0].max(row[0]), widest[1].max(row[1])])
    }

    /// The columns between two lifelines; none if there is too little room for lifelines.
    fn gap(&self, width: usize) -> Option<usize> {
        let [line, at] = self.margin();
        let between = self.lanes.len().saturating_sub(1);
        let room = width.saturating_sub(line + at + 3 + LAST_LANE);
        let widest = self.lanes.iter().map(|lane| display_width(lane) + 2).max().unwrap_or(GAP_MIN);
        match room.checked_div(between) {
            None => Some(0),
            Some(gap) if gap >= GAP_MIN.max(widest) => Some(gap.min(GAP_MAX)),
            Some(_) => None,
        }
    }
}

struct Page<'a> {
    story: &'a RecordedStory,
    ink: Ink,
    width: usize,
    margin: [usize; 2],
    gap: Option<usize>,
}

impl Page<'_> {
    fn labelled(&self, [line, at]: [&str; 2]) -> String {
        let [line_width, at_width] = self.margin;
        let pad = |text: &str, width: usize| " ".repeat(width.saturating_sub(display_width(text)));
        format!("{}{line} {}{at}  ", pad(line, line_width), pad(at, at_width))
    }

    fn titles(&self) -> String {
        let mut line = self.labelled(["line", "at"]);
        let Some(gap) = self.gap else { return format!("{}\n", self.ink.strong(line.trim_end())) };
        let start = display_width(&line);
        for (place, lane) in self.story.lanes.iter().enumerate() {
            line += &" ".repeat((start + place * gap).saturating_sub(display_width(&line)));
            line += lane;
        }
        format!("{}\n", self.ink.strong(&line))
    }

    fn row(&self, row: &RecordedRow, out: &mut String) {
        let [line, at] = self.story.labels(row);
        let labels = [self.labelled([&line, &at]), self.labelled(["", ""])];
        let indent = display_width(&labels[1]);
        let mark = if row.fault || row.breaks.is_some() { "✗" } else { "●" };
        let whose = match self.gap {
            Some(_) => String::new(),
            None => format!("{}: ", self.story.lanes[row.lane]),
        };
        let told = format!("{mark} {whose}{}", marked(&row.text, row.breaks.as_ref()));
        let column = self.gap.map_or(0, |gap| gap * row.lane);
        let room = self.width.saturating_sub(indent + column).max(8);
        let lines = textwrap::wrap(&told, textwrap::Options::new(room).subsequent_indent("  "));
        for (number, told) in lines.iter().enumerate() {
            let lifelines = self.lifelines(column, display_width(told));
            let told = if mark == "✗" { self.ink.bad(told) } else { told.to_string() };
            let drawn = format!("{}{}{told}{}", labels[number.min(1)], lifelines.0, lifelines.1);
            out.push_str(drawn.trim_end());
            out.push('\n');
        }
        if let Some(attributes) = &row.attributes {
            let room = self.width.saturating_sub(indent + column + 2).max(8);
            for told in textwrap::wrap(attributes, textwrap::Options::new(room)).iter().take(2) {
                let lifelines = self.lifelines(column, display_width(told) + 2);
                out.push_str(format!("{}{}  {told}{}", labels[1], lifelines.0, lifelines.1).trim_end());
                out.push('\n');
            }
        }
    }

    /// The lifelines before and after what is drawn from a column on.
    fn lifelines(&self, column: usize, drawn: usize) -> (String, String) {
        let Some(gap) = self.gap else { return (String::new(), String::new()) };
        let is_line = |at: usize| if gap == 0 { at == 0 } else { at.is_multiple_of(gap) };
        let end = gap * (self.story.lanes.len() - 1) + 1;
        let part = |range: std::ops::Range<usize>| range.map(|at| if is_line(at) { '│' } else { ' ' }).collect();
        (part(0..column), part(column + drawn..end.max(column + drawn)))
    }
}
