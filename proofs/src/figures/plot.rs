//! The plots of criterion's groups, as SVG: bars for functions, lines where parameters are numbers.
//!
//! Nothing is told by colour alone: bars have their names beside them, lines have dashes and a mark of their own.

use std::collections::BTreeMap;
use std::fmt::Write;

use delivery_model::story::escaped;

use super::criterion::Estimate;
use super::number::{shown, time};

const WIDTH: f64 = 900.0;
const LEFT: f64 = 290.0;
/// Room for the figure behind the longest bar.
const RIGHT: f64 = 150.0;
const ROW: f64 = 24.0;
/// From this ratio of the longest to the shortest time on, an axis is logarithmic.
const LOG_FROM: f64 = 20.0;
const LINES_HEIGHT: f64 = 260.0;
const DASHES: [&str; 5] = ["none", "8 4", "2 4", "10 3 2 3", "5 2"];

/// The plot of a group.
pub(super) fn plot(group: &[Estimate]) -> String {
    let mut lines: BTreeMap<&str, Vec<(f64, f64)>> = BTreeMap::new();
    let mut are_numbers = true;
    for estimate in group {
        match estimate.parameter.as_deref().and_then(|text| text.parse::<f64>().ok()).filter(|number| *number > 0.0) {
            Some(number) => lines.entry(&estimate.function).or_default().push((number, estimate.each()[1])),
            None => are_numbers = false,
        }
    }
    if are_numbers && lines.values().any(|points| points.len() > 2) { growth(lines) } else { bars(group) }
}

/// An axis from the smallest to the largest value.
struct Axis {
    from: f64,
    to: f64,
    is_log: bool,
}

impl Axis {
    /// For bars, which begin at 0, or a little below the smallest where the axis is logarithmic.
    fn of_bars(smallest: f64, largest: f64) -> Axis {
        let is_log = smallest > 0.0 && largest / smallest >= LOG_FROM;
        Axis { from: if is_log { smallest / 2.0 } else { 0.0 }, to: largest.max(f64::MIN_POSITIVE), is_log }
    }

    fn of_points(values: impl Iterator<Item = f64> + Clone) -> Axis {
        let (from, to) = (values.clone().fold(f64::MAX, f64::min), values.fold(f64::MIN, f64::max));
        let is_log = to / from >= LOG_FROM;
        Axis { from: if is_log { from } else { 0.0 }, to: to.max(from * 1.001), is_log }
    }

    /// Where the value is, from 0 to 1.
    fn share(&self, value: f64) -> f64 {
        let place = |value: f64| if self.is_log { value.max(self.from).ln() } else { value };
        (place(value) - place(self.from)) / (place(self.to) - place(self.from))
    }
}

fn bars(group: &[Estimate]) -> String {
    let smallest = group.iter().map(|it| it.each()[0]).fold(f64::MAX, f64::min);
    let axis = Axis::of_bars(smallest, group.iter().map(|it| it.each()[2]).fold(0.0, f64::max));
    let x = |value: f64| LEFT + axis.share(value) * (WIDTH - LEFT - RIGHT);
    let height = ROW * group.len() as f64 + 22.0;
    let mut drawn = String::new();
    for (row, estimate) in group.iter().enumerate() {
        let [low, middle, high] = estimate.each();
        let top = ROW * row as f64 + 4.0;
        let (centre, name) = (top + 8.0, estimate.name());
        let name = if name.is_empty() { &estimate.group } else { &name };
        let _ = write!(
            drawn,
            "<text x='{:.1}' y='{:.1}' text-anchor='end'>{}</text>\
             <rect class='bar' x='{LEFT}' y='{top:.1}' width='{:.1}' height='16'><title>{}</title></rect>\
             <path class='whisker' d='M{:.1} {centre:.1}H{:.1}M{0:.1} {:.1}v8M{1:.1} {2:.1}v8'/>\
             <text x='{:.1}' y='{:.1}'>{}</text>",
            LEFT - 8.0,
            top + 12.0,
            escaped(name),
            (x(middle) - LEFT).max(1.0),
            escaped(&format!("{name}: {}, from {} to {}", time(middle), time(low), time(high))),
            x(low),
            x(high),
            top + 4.0,
            x(high) + 8.0,
            top + 12.0,
            time(middle),
        );
    }
    let scale = if axis.is_log { "logarithmic scale" } else { "from 0" };
    let _ = write!(drawn, "<text class='soft' x='{LEFT}' y='{:.1}'>{scale}</text>", height - 6.0);
    svg(height, &drawn)
}

/// The times over the parameter, a line for each function.
fn growth(lines: BTreeMap<&str, Vec<(f64, f64)>>) -> String {
    let across = Axis::of_points(lines.values().flatten().map(|point| point.0));
    let up = Axis::of_points(lines.values().flatten().map(|point| point.1));
    let (left, floor) = (90.0, LINES_HEIGHT - 26.0);
    let x = |value: f64| left + across.share(value) * (WIDTH - left - 300.0);
    let y = |value: f64| floor - up.share(value) * (floor - 14.0);
    let mut drawn = format!("<path class='axis' d='M{left} 8V{floor}H{}'/>", WIDTH - 290.0);
    let mut ends: Vec<(f64, String)> = Vec::new();
    for (place, (name, mut points)) in lines.into_iter().enumerate() {
        points.sort_by(|a, b| a.0.total_cmp(&b.0));
        let path: Vec<String> = points.iter().map(|&(at, value)| format!("{:.1} {:.1}", x(at), y(value))).collect();
        let dashes = DASHES[place % DASHES.len()];
        let _ = write!(drawn, "<path class='line' stroke-dasharray='{dashes}' d='M{}'/>", path.join("L"));
        for &(at, value) in &points {
            let told = escaped(&format!("{name}, {}: {}", shown(at), time(value)));
            let _ = write!(drawn, "<g><title>{told}</title>{}</g>", mark(place, x(at), y(value)));
        }
        let &(_, last) = points.last().expect("a line has points");
        ends.push((
            y(last),
            format!(
                "{}<text x='{:.1}' y='Y'>{}</text>",
                mark(place, WIDTH - 278.0, -4.0),
                WIDTH - 266.0,
                escaped(name)
            ),
        ));
    }
    // The names stand at the ends of their lines, in that order, and no nearer to each other than a line of text.
    ends.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut below = 0.0_f64;
    for (wanted, name) in ends {
        below = (wanted + 4.0).max(below + 17.0);
        let _ = write!(drawn, "<g transform='translate(0 {below:.1})'>{}</g>", name.replace("'Y'", "'0'"));
    }
    let _ = write!(
        drawn,
        "<text x='{0}' y='18' text-anchor='end'>{1}</text><text x='{0}' y='{2}' text-anchor='end'>{3}</text>\
         <text x='{left}' y='{4}'>{5}</text><text x='{6}' y='{4}' text-anchor='end'>{7}</text>",
        left - 8.0,
        time(up.to),
        floor,
        if up.from == 0.0 { "0".to_owned() } else { time(up.from) },
        LINES_HEIGHT - 8.0,
        shown(across.from),
        WIDTH - 300.0,
        shown(across.to),
    );
    svg(LINES_HEIGHT.max(below + 12.0), &drawn)
}

/// A mark that tells a line from the others without its colour.
fn mark(place: usize, x: f64, y: f64) -> String {
    match place % 4 {
        0 => format!("<circle class='mark' cx='{x:.1}' cy='{y:.1}' r='4'/>"),
        1 => format!("<rect class='mark open' x='{:.1}' y='{:.1}' width='8' height='8'/>", x - 4.0, y - 4.0),
        2 => format!("<path class='mark' d='M{x:.1} {:.1}l5 9h-10z'/>", y - 5.0),
        _ => format!("<path class='mark open' d='M{:.1} {:.1}l9 9m0 -9l-9 9'/>", x - 4.5, y - 4.5),
    }
}

fn svg(height: f64, drawn: &str) -> String {
    format!(
        "<div class=\"scroll\"><svg class='plot' viewBox='0 0 {WIDTH} {height:.0}' width='{WIDTH}' height='{height:.0}' \
         role='img'>{drawn}</svg></div>\n"
    )
}
