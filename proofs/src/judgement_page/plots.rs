//! The plots of a judgement's page, as SVG.

use std::collections::BTreeMap;
use std::fmt::Write;

use delivery_model::history::{At, History};
use delivery_model::pipeline::Level;
use delivery_model::semantics::{Judgement, PropertyId};
use delivery_model::story::Duration;
use delivery_model::vocab::{EventKind, MessageId};

use delivery_model::numbers::{count, grouped};

const WIDTH: f64 = 900.0;
const HEIGHT: f64 = 220.0;
const LEFT: f64 = 90.0;
const BOTTOM: f64 = 30.0;
/// The most points of a plot. More are thinned out evenly; the slowest are always kept.
const POINTS_MAX: usize = 2_000;
const BUCKETS: usize = 60;

/// A span for a label: with a unit where the record says which, else as the number that it is.
fn span(history: &History, span: f64) -> String {
    match history.events.first().map(|first| first.at) {
        Some(At::Instant(_)) => Duration(span.max(0.0) as u64).to_string(),
        _ => format!("{span:.0}"),
    }
}

/// How long each message took from its submit to its first arrival at the level, over the time of its submit.
pub(super) fn latency(history: &History, level: Level) -> String {
    let mut submitted: BTreeMap<MessageId, f64> = BTreeMap::new();
    let mut points: Vec<(f64, f64)> = Vec::new();
    for recorded in &history.events {
        let at = recorded.at.as_f64();
        match (recorded.event.kind, level) {
            (EventKind::Submit { message, .. }, _) => drop(submitted.entry(message).or_insert(at)),
            (EventKind::Effect { message, .. }, Level::Effect)
            | (EventKind::Deliver { message, .. }, Level::Delivery) => {
                points.extend(submitted.remove(&message).map(|from| (from, at - from)));
            }
            _ => {}
        }
    }
    let Some(slowest) = points.iter().map(|(_, took)| *took).reduce(f64::max) else {
        return "<p>No message arrived whose submit is on record.</p>\n".to_owned();
    };
    let mut sorted: Vec<f64> = points.iter().map(|(_, took)| *took).collect();
    sorted.sort_by(f64::total_cmp);
    let quantile = |share: f64| sorted[((sorted.len() - 1) as f64 * share).round() as usize];
    let [half, most, slow] = [0.5, 0.9, 0.99].map(quantile);
    let told = format!(
        "<p>{}: half within {}, 90 % within {}, 99 % within {}, the slowest {}.</p>\n",
        count(points.len() as u64, "message"),
        span(history, half),
        span(history, most),
        span(history, slow),
        span(history, slowest)
    );
    let every = points.len().div_ceil(POINTS_MAX).max(1);
    let keeps = |(place, (_, took)): &(usize, &(f64, f64))| place.is_multiple_of(every) || *took >= slow;
    let plot = Plot::new(history, slowest, "submit to arrival");
    let dots =
        points.iter().enumerate().filter(keeps).map(|(_, &(at, took))| {
            format!("<circle class='dot' cx='{:.1}' cy='{:.1}' r='2'/>", plot.x(at), plot.y(took))
        });
    told + &plot.draw(history, dots.collect())
}

/// When messages were repeated, and when those that are lost were last heard of, with the faults.
pub(super) fn over_time(history: &History, judgement: &Judgement) -> String {
    let (Some(first), Some(last)) = (history.events.first(), history.events.last()) else { return String::new() };
    let (from, to) = (first.at.as_f64(), last.at.as_f64().max(first.at.as_f64() + 1.0));
    let bucket = |at: f64| (((at - from) / (to - from) * BUCKETS as f64) as usize).min(BUCKETS - 1);
    let mut counts = [[0_u32; 2]; BUCKETS];
    for violation in &judgement.violations {
        let kind = match violation.property {
            PropertyId::NoDuplicateDelivery | PropertyId::NoDuplicateEffect => 0,
            PropertyId::AckedNotLost | PropertyId::SubmittedNotLost => 1,
            _ => continue,
        };
        let line = violation.line.or_else(|| violation.lines.last().copied());
        if let Some(recorded) = line.and_then(|line| history.on_line(line)) {
            counts[bucket(recorded.at.as_f64())][kind] += 1;
        }
    }
    let most = counts.iter().map(|[repeats, losses]| repeats + losses).max().unwrap_or(0).max(1);
    let plot = Plot::new(history, f64::from(most), "messages");
    let mut drawn = String::new();
    let wide = (WIDTH - LEFT) / BUCKETS as f64;
    for (place, &[repeats, losses]) in counts.iter().enumerate() {
        let x = LEFT + wide * place as f64;
        let mut base = 0;
        for (class, count, what) in [("repeat", repeats, "repeated"), ("loss", losses, "lost, last heard of")] {
            if count > 0 {
                let (top, bottom) = (plot.y(f64::from(base + count)), plot.y(f64::from(base)));
                let _ = write!(
                    drawn,
                    "<rect class='{class}' x='{x:.1}' y='{top:.1}' width='{:.1}' height='{:.1}'>\
                     <title>{count} {what} here</title></rect>",
                    wide - 1.0,
                    bottom - top
                );
            }
            base += count;
        }
    }
    for recorded in &history.events {
        if let EventKind::Fault { fault } = recorded.event.kind {
            let x = plot.x(recorded.at.as_f64());
            let _ = write!(
                drawn,
                "<line class='strike' x1='{x:.1}' x2='{x:.1}' y1='4' y2='{:.1}'><title>{fault}, line {}</title></line>",
                HEIGHT - BOTTOM,
                recorded.line
            );
        }
    }
    let legend = "<p class=\"legend\"><span class=\"key repeat\"></span> repeated <span class=\"key loss\"></span> lost, \
                  at the last step on record <span class=\"key strike\"></span> fault</p>\n";
    let told = judgement.violations.len() as u64;
    let all: u64 = judgement.findings.iter().map(|finding| finding.breaches).sum();
    let part = if told < all {
        format!("<p>Shown: the first {told} of {} breaches.</p>\n", grouped(all))
    } else {
        String::new()
    };
    format!("{legend}{part}{}", plot.draw(history, drawn))
}

/// The frame of a plot over the time of a history.
struct Plot {
    from: f64,
    to: f64,
    top: f64,
    what: &'static str,
}

impl Plot {
    fn new(history: &History, top: f64, what: &'static str) -> Self {
        let from = history.events.first().map_or(0.0, |first| first.at.as_f64());
        let to = history.events.last().map_or(1.0, |last| last.at.as_f64()).max(from + 1.0);
        Plot { from, to, top: if top > 0.0 { top } else { 1.0 }, what }
    }

    fn x(&self, at: f64) -> f64 {
        LEFT + (at - self.from) / (self.to - self.from) * (WIDTH - LEFT)
    }

    fn y(&self, value: f64) -> f64 {
        let height = HEIGHT - BOTTOM - 10.0;
        10.0 + height - value / self.top * height
    }

    fn draw(&self, history: &History, drawn: String) -> String {
        let floor = HEIGHT - BOTTOM;
        let counts = self.what == "messages";
        let top = if counts { format!("{:.0}", self.top) } else { span(history, self.top) };
        let end = history.events.last().map_or_else(String::new, |last| last.at.to_string());
        let start = history.events.first().map_or_else(String::new, |first| first.at.to_string());
        format!(
            "<div class=\"scroll\"><svg class='plot' viewBox='0 0 {WIDTH} {HEIGHT}' width='{WIDTH}' height='{HEIGHT}' \
             role='img' aria-label='{what} over time'>\
             <line class='axis' x1='{LEFT}' x2='{WIDTH}' y1='{floor}' y2='{floor}'/>\
             <line class='axis' x1='{LEFT}' x2='{LEFT}' y1='6' y2='{floor}'/>\
             <text x='{label}' y='16' text-anchor='end'>{top}</text><text x='{label}' y='{floor}' text-anchor='end'>0</text>\
             <text x='{LEFT}' y='{foot}'>{start}</text><text x='{WIDTH}' y='{foot}' text-anchor='end'>{end}</text>\
             {drawn}</svg></div>\n",
            what = self.what,
            label = LEFT - 6.0,
            foot = HEIGHT - 10.0,
        )
    }
}
