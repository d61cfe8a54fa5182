//! Lines of parts of a history, joined by their numbers, and what is carried of a line of which only the place matters.

use std::collections::VecDeque;
use std::io::{self, BufRead, Read};

use super::LINE_LIMIT;
use super::line::{Line, Object, Text};
use super::scan::scan;
use crate::numbers::grouped;
use crate::vocab::Outcome;

/// The mark of a line of which only the place matters, after its number.
pub const PLACE: &str = "@";

/// The line of an event that says where its message was stored, cut down to that: the message and the place alone, and a
/// whole line. None if the line says no place.
pub fn placed(text: &[u8]) -> Option<(String, String)> {
    let text = std::str::from_utf8(text).ok()?;
    let line = match scan(text) {
        Some(line) => line,
        None => serde_json::from_str::<Object<'_>>(text).ok()?.0,
    };
    let event = line.event.as_ref().map(|Text(event)| &**event);
    let outcome = line.outcome.as_ref().map(|Text(outcome)| &**outcome);
    let is_stored = event == Some("deliver") || event == Some("outcome") && outcome == Some(Outcome::Acked.word());
    if !is_stored || line.position.is_none() {
        return None;
    }
    let text = |text: &'static str| Some(Text(text.into()));
    let Line { at, process, message, topic, partition, position, .. } = line;
    let (event, outcome) = (text("outcome"), text(Outcome::Acked.word()));
    let place = Line { message, topic, partition, position, ..Line::default() };
    let alone = serde_json::to_string(&place).ok()?;
    let line = Line { at, process, event, outcome, ..place };
    Some((alone, serde_json::to_string(&line).ok()?))
}

/// The next line with its line end; none at the end of the input. A line of more bytes than the limit is an error.
pub fn read_line(input: &mut impl BufRead, limit: usize) -> io::Result<Option<Vec<u8>>> {
    let mut line = Vec::new();
    input.take(limit as u64 + 1).read_until(b'\n', &mut line)?;
    if line.len() > limit {
        let problem = format!("found a line of more than {} bytes", grouped(limit as u64));
        return Err(io::Error::new(io::ErrorKind::InvalidData, problem));
    }
    Ok(Some(line).filter(|line| !line.is_empty()))
}

/// The numbered lines of several parts as one input, by their numbers. A line that several parts have comes once.
pub struct Joined<R> {
    parts: Vec<Part<R>>,
    /// The lines that are ready to be read, as bytes.
    ready: Vec<u8>,
    at: usize,
    /// The numbers of the lines of which only the place matters, in order.
    pub places: VecDeque<u32>,
}

struct Part<R> {
    input: R,
    /// The next line with its end, and its number. None at the end.
    next: Option<(u32, bool, Vec<u8>)>,
}

impl<R: BufRead> Part<R> {
    fn advance(&mut self) -> io::Result<()> {
        self.next = None;
        // A line's number and tab stand before its text.
        let Some(mut line) = read_line(&mut self.input, LINE_LIMIT + 16)? else { return Ok(()) };
        let tab = line.iter().position(|&byte| byte == b'\t');
        let number = tab.and_then(|tab| std::str::from_utf8(&line[..tab]).ok());
        let (number, is_place) =
            match number.map(|number| number.strip_suffix(PLACE).map_or((number, false), |it| (it, true))) {
                Some((number, is_place)) => (number.parse::<u32>().ok(), is_place),
                None => (None, false),
            };
        let Some((number, tab)) = number.zip(tab) else {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "found a line without its number and a tab"));
        };
        if line.last() != Some(&b'\n') {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the last line is cut off"));
        }
        line.drain(..=tab);
        self.next = Some((number, is_place, line));
        Ok(())
    }
}

impl<R: BufRead> Joined<R> {
    /// Joins these inputs, each with its lines in order. `first`: the first line of the whole, without its number.
    pub fn new(inputs: Vec<R>, first: &str) -> io::Result<Self> {
        let mut parts: Vec<Part<R>> = inputs.into_iter().map(|input| Part { input, next: None }).collect();
        parts.iter_mut().try_for_each(Part::advance)?;
        let ready = format!("1\t{first}\n").into_bytes();
        Ok(Joined { parts, ready, at: 0, places: VecDeque::new() })
    }

    fn fill(&mut self) -> io::Result<()> {
        self.ready.clear();
        self.at = 0;
        while self.ready.len() < 1 << 16 {
            let lowest = self.parts.iter().filter_map(|part| part.next.as_ref().map(|next| next.0)).min();
            let Some(number) = lowest else { return Ok(()) };
            let mut is_new = true;
            for part in &mut self.parts {
                if let Some((its, is_place, line)) = &part.next
                    && *its == number
                {
                    if is_new {
                        self.ready.extend_from_slice(format!("{number}\t").as_bytes());
                        self.ready.extend_from_slice(line);
                        self.places.extend(is_place.then_some(number));
                        is_new = false;
                    }
                    part.advance()?;
                }
            }
        }
        Ok(())
    }
}

impl<R: BufRead> Read for Joined<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.fill_buf()?.read(buffer).inspect(|bytes| self.at += bytes)
    }
}

impl<R: BufRead> BufRead for Joined<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.at == self.ready.len() {
            self.fill()?;
        }
        Ok(&self.ready[self.at..])
    }

    fn consume(&mut self, bytes: usize) {
        self.at += bytes;
    }
}
