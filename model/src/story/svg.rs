//! The story as an SVG sequence diagram.

use std::fmt::Write;

use super::markup::{escaped, width_drawn};
use super::{Lane, Row, Story};

const COLUMNS: [u32; 3] = [120, 400, 680];
const WIDTH: u32 = 1000;
const HEAD: u32 = 44;
const ROW: u32 = 28;

/// The style of the diagram. It is scoped to it, because an inline style applies to the whole page.
///
/// A page may give it colours of its own, by the variables; each has the colour for a light page beside it.
const STYLE: &str = ".story text{font:13px system-ui,sans-serif;fill:var(--story-ink,#24292f)}\
.story .title{font-weight:600}.story .paper{fill:var(--story-paper,#fff)}.story .life{stroke:var(--story-life,#b6bcc4)}\
.story text.step{fill:var(--story-soft,#57606a)}.story .arrow{stroke:var(--story-arrow,#0969da);stroke-width:1.5}\
.story .head{fill:var(--story-arrow,#0969da)}.story text.fault{fill:var(--story-fault,#cf222e)}\
.story .loop{fill:none;stroke:var(--story-fault,#cf222e);stroke-dasharray:6 4}\
.story text.again,.story text.broken{fill:var(--story-fault,#cf222e);font-weight:600}";

impl Story {
    /// The story as a self-contained `<svg>` element. Rows that are repeated for ever stand in a frame.
    pub fn svg(&self) -> String {
        let below = HEAD + ROW * self.rows.len() as u32;
        let height = below + ROW * self.never.len() as u32 + 16;
        let width = self.rows.iter().map(columns_used).chain([WIDTH]).max().unwrap_or(WIDTH);
        let mut out = format!(
            "<svg xmlns='http://www.w3.org/2000/svg' class='story' viewBox='0 0 {width} {height}' width='{width}' height='{height}' \
             role='img' aria-label='sequence diagram'><style>{STYLE}</style><defs><marker id='head' viewBox='0 0 8 8' \
             refX='8' refY='4' markerWidth='8' markerHeight='8' orient='auto'><path class='head' d='M0 0L8 4L0 8z'/>\
             </marker></defs><rect width='{width}' height='{height}' class='paper'/>"
        );
        for lane in Lane::ALL {
            let (x, title, end) = (COLUMNS[lane as usize], lane.title(), below + 8);
            let _ = write!(out, "<line class='life' x1='{x}' y1='30' x2='{x}' y2='{end}'/>");
            let _ = write!(out, "<text class='title' x='{x}' y='20' text-anchor='middle'>{title}</text>");
        }
        for (number, row) in self.rows.iter().enumerate() {
            draw(&mut out, row, number, HEAD + ROW * number as u32 + ROW / 2);
        }
        if let Some(from) = self.endless.filter(|from| *from < self.rows.len()) {
            let (y, height) = (HEAD + ROW * from as u32, ROW * (self.rows.len() - from) as u32);
            let (inner, x, baseline) = (width - 8, width - 12, y + 18);
            let _ = write!(out, "<rect class='loop' x='4' y='{y}' width='{inner}' height='{height}'/>");
            let _ = write!(out, "<text class='again' x='{x}' y='{baseline}' text-anchor='end'>loop: for ever</text>");
        }
        for (number, never) in (0..).zip(&self.never) {
            let (x, baseline) = (COLUMNS[0] - 4, below + ROW * number + ROW / 2 + 8);
            let _ = write!(out, "<text class='broken' x='{x}' y='{baseline}'>✗ {}</text>", escaped(never));
        }
        out + "</svg>"
    }
}

/// The width that a row needs.
fn columns_used(row: &Row) -> u32 {
    let text = width_drawn(&row.told()) as u32;
    let start = COLUMNS[row.from as usize];
    if row.from == row.to { start + text + 24 } else { start.midpoint(COLUMNS[row.to as usize]) + text / 2 + 8 }
}

fn draw(out: &mut String, row: &Row, number: usize, y: u32) {
    let (from, to) = (COLUMNS[row.from as usize], COLUMNS[row.to as usize]);
    let text = escaped(&row.told());
    let broken = row.breaks.is_some();
    let baseline = y + 4;
    let _ = write!(out, "<text class='step' x='8' y='{baseline}'>{}</text>", number + 1);
    if from == to {
        let (class, mark) = match (broken, row.fault) {
            (true, _) => ("broken", "✗"),
            (false, true) => ("fault", "✗"),
            (false, false) => ("own", "●"),
        };
        let x = from - 4;
        let _ = write!(out, "<text class='{class}' x='{x}' y='{baseline}'>{mark} {text}</text>");
    } else {
        let (middle, above, class) = ((from + to) / 2, y - 4, if broken { "broken" } else { "sent" });
        let _ = write!(
            out,
            "<line class='arrow' x1='{from}' y1='{y}' x2='{to}' y2='{y}' marker-end='url(#head)'/>\
             <text class='{class}' x='{middle}' y='{above}' text-anchor='middle'>{text}</text>"
        );
    }
}
