//! The story of a recorded history as an SVG diagram: a lifeline for each process.

use std::fmt::Write;

use super::marks::marked;
use super::markup::{escaped, width_drawn};
use super::recorded::RecordedStory;

const LANE: usize = 230;
const HEAD: usize = 44;
const ROW: usize = 26;

impl RecordedStory {
    /// The story as a self-contained `<svg>` element. Its colours are classes (`life`, `title`, `label`, `own`, `fault`)
    /// for the style of the page: see [`RECORDED_STYLE`].
    pub fn svg(&self) -> String {
        let margin = self.margin_drawn();
        let width = self.width_drawn(margin);
        let below = HEAD + ROW * self.rows.len();
        let height = below + ROW * usize::from(self.never.is_some()) + 16;
        let mut out = format!(
            "<svg xmlns='http://www.w3.org/2000/svg' class='recorded' viewBox='0 0 {width} {height}' width='{width}' \
             height='{height}' role='img' aria-label='{}'>",
            escaped(&self.title)
        );
        let x = |lane: usize| lane_at(margin, lane);
        for (place, lane) in self.lanes.iter().enumerate() {
            let (x, name) = (x(place), escaped(lane));
            let _ = write!(out, "<line class='life' x1='{x}' y1='30' x2='{x}' y2='{below}'/>");
            let _ = write!(out, "<text class='title' x='{x}' y='20' text-anchor='middle'>{name}</text>");
        }
        for (place, row) in self.rows.iter().enumerate() {
            let y = HEAD + ROW * place + ROW / 2;
            let time = self.time(row);
            let (class, mark) = if row.fault || row.breaks.is_some() { ("fault", "✗") } else { ("own", "●") };
            let text = escaped(&marked(&row.text, row.breaks.as_ref()));
            let _ = write!(out, "<g><title>line {}, at {}", row.line, row.at);
            if let Some(attributes) = &row.attributes {
                let _ = write!(out, "\n{}", escaped(attributes));
            }
            let _ = write!(out, "</title><text class='label' x='4' y='{y}'>{}</text>", row.line);
            let _ = write!(out, "<text class='label' x='{}' y='{y}' text-anchor='end'>{time}</text>", margin - 12);
            let _ = write!(out, "<text class='{class}' x='{}' y='{y}'>{mark} {text}</text></g>", x(row.lane) - 4);
        }
        if let Some(never) = &self.never {
            let y = below + ROW / 2;
            let _ = write!(out, "<text class='fault' x='8' y='{y}'>✗ {}</text>", escaped(never));
        }
        out + "</svg>"
    }

    /// The room for lines and times, left of the first lane.
    fn margin_drawn(&self) -> usize {
        let labels = self.rows.iter().map(|row| width_drawn(&row.line.to_string()) + width_drawn(&self.time(row)));
        // The title of the first lane stands to both sides of it.
        let title = self.lanes.first().map_or(0, |lane| width_drawn(lane) / 2);
        (labels.max().unwrap_or_default() + 36).max(title)
    }

    fn width_drawn(&self, margin: usize) -> usize {
        let titles = self.lanes.iter().enumerate().map(|(place, lane)| (place, width_drawn(lane) / 2));
        let texts = self.rows.iter().map(|row| (row.lane, width_drawn(&marked(&row.text, row.breaks.as_ref())) + 20));
        let ends = titles.chain(texts).map(|(lane, width)| lane_at(margin, lane) + width);
        ends.chain(self.never.iter().map(|never| width_drawn(never) + 28)).max().unwrap_or_default() + 12
    }
}

/// Where a lane's line stands.
fn lane_at(margin: usize, lane: usize) -> usize {
    margin + LANE * lane + 8
}

/// The style of the diagrams, in the colours of the page: `--text`, `--faint`, `--line`, `--bad`.
pub const RECORDED_STYLE: &str = ".recorded text{font:13px system-ui,sans-serif;fill:var(--text)}\
.recorded .title{font-weight:600}.recorded .life{stroke:var(--line)}.recorded .label{fill:var(--faint)}\
.recorded .fault{fill:var(--bad);font-weight:600}";
