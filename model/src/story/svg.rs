//! The story as an SVG sequence diagram.

use std::fmt::Write;

use super::markup::escaped;
use super::{Lane, Row};

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
.story text.again{fill:var(--story-fault,#cf222e);font-weight:600}";

/// The rows as a self-contained `<svg>` element.
pub fn svg(rows: &[Row]) -> String {
    svg_endless(rows, rows.len())
}

/// The rows of a run without end. Those from `cycle` on, which are repeated, stand in a frame.
pub fn svg_endless(rows: &[Row], cycle: usize) -> String {
    let height = HEAD + ROW * rows.len() as u32 + 16;
    let mut out = format!(
        "<svg xmlns='http://www.w3.org/2000/svg' class='story' viewBox='0 0 {WIDTH} {height}' width='{WIDTH}' height='{height}' \
         role='img' aria-label='sequence diagram'><style>{STYLE}</style><defs><marker id='head' viewBox='0 0 8 8' \
         refX='8' refY='4' markerWidth='8' markerHeight='8' orient='auto'><path class='head' d='M0 0L8 4L0 8z'/>\
         </marker></defs><rect width='{WIDTH}' height='{height}' class='paper'/>"
    );
    for lane in Lane::ALL {
        let x = COLUMNS[lane as usize];
        element(&mut out, &format!("<line class='life' x1='{x}' y1='30' x2='{x}' y2='{height}'/>"));
        element(&mut out, &format!("<text class='title' x='{x}' y='20' text-anchor='middle'>{}</text>", lane.title()));
    }
    for (number, row) in rows.iter().enumerate() {
        draw(&mut out, row, number, HEAD + ROW * number as u32 + ROW / 2);
    }
    if cycle < rows.len() {
        let (y, height) = (HEAD + ROW * cycle as u32, ROW * (rows.len() - cycle) as u32);
        let (width, x, baseline) = (WIDTH - 8, WIDTH - 12, y + 18);
        element(&mut out, &format!("<rect class='loop' x='4' y='{y}' width='{width}' height='{height}'/>"));
        element(
            &mut out,
            &format!("<text class='again' x='{x}' y='{baseline}' text-anchor='end'>loop: for ever</text>"),
        );
    }
    out + "</svg>"
}

fn element(out: &mut String, element: &str) {
    out.push_str(element);
}

fn draw(out: &mut String, row: &Row, number: usize, y: u32) {
    let (from, to) = (COLUMNS[row.from as usize], COLUMNS[row.to as usize]);
    let text = escaped(&row.text);
    let baseline = y + 4;
    let _ = write!(out, "<text class='step' x='8' y='{baseline}'>{}</text>", number + 1);
    if from == to {
        let (class, mark) = if row.fault { ("fault", "✗") } else { ("own", "●") };
        let x = from - 4;
        let _ = write!(out, "<text class='{class}' x='{x}' y='{baseline}'>{mark} {text}</text>");
    } else {
        let (middle, above) = ((from + to) / 2, y - 4);
        let _ = write!(
            out,
            "<line class='arrow' x1='{from}' y1='{y}' x2='{to}' y2='{y}' marker-end='url(#head)'/>\
             <text x='{middle}' y='{above}' text-anchor='middle'>{text}</text>"
        );
    }
}
