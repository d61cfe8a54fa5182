//! The judge of a history that is too large for memory: it is read twice.
//!
//! The first reading keeps a few bytes a message, and finds which messages break what. The second reading keeps the events
//! about those that are told, for their lines and their stories.
//!
//! Transactions need what comes later, so a history that has any is read as a whole.

use std::io::{self, BufRead};
use std::sync::mpsc;
use std::thread;

use super::{Judge, Judgement, Question};
use crate::history::{History, HistoryError, Names, ReadOptions, Reader, Recorded};

/// The number of events that go to the judge's thread at once.
const BATCH: usize = 1 << 12;

/// Judges a history in two readings. `open` opens it for each, at its beginning. With two threads, one reads and one judges.
///
/// Returns the events about the messages that are told, with the events that are about no message, and the judgement. A
/// history with transactions comes back whole.
pub fn judge_streamed<R: BufRead>(
    mut open: impl FnMut() -> io::Result<R>,
    options: ReadOptions,
    question: Question,
    threads: Threads,
) -> Result<(History, Judgement), HistoryError> {
    let mut open = || open().map_err(|source| HistoryError::Unreadable { line: 1, source });
    let Some((reader, judge)) = read_once(open()?, options, question, threads)? else {
        let history = History::read(open()?, options)?;
        let judgement = super::judge(&history, question);
        return Ok((history, judgement));
    };
    let truncated = reader.truncated();
    let mut judgement = judge.finish(reader.names(), truncated);
    let (header, names, _) = reader.finish();
    if judgement.told().is_empty() {
        // No line is told, so none is read again.
        let end = judgement.last;
        return Ok((History { header, names, truncated, end, ..History::default() }, judgement));
    }
    let excerpt = History::excerpt(Reader::again(open()?, options, names, judgement.told())?, judgement.last)?;
    judgement.tell(&excerpt.events);
    Ok((excerpt, judgement))
}

/// Reads and judges to the end, and concludes nothing; none if the history has transactions.
pub(super) fn read_once<R: BufRead>(
    input: R,
    options: ReadOptions,
    question: Question,
    threads: Threads,
) -> Result<Option<(Reader<R>, Judge)>, HistoryError> {
    let reader = Reader::brief(input, options)?;
    let judge = Judge::new(reader.header(), question);
    // A horizon and topics need the reader's names while events are judged.
    let is_apart = threads == Threads::Two && question.horizon.is_none() && reader.header().groups.is_empty();
    if is_apart { on_two_threads(reader, judge) } else { on_one_thread(reader, judge) }
}

/// How many threads judge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Threads {
    /// One.
    One,
    /// Two: one reads, and one judges.
    Two,
}

impl Judge {
    /// Takes in the events of a history, up to its end or to the first line of a transaction.
    pub fn read<R: BufRead>(&mut self, reader: &mut Reader<R>) -> Result<(), HistoryError> {
        while !reader.has_transactions()
            && let Some(recorded) = reader.next()
        {
            self.observe(&recorded?, Some(reader.extra()), reader.names());
            if self.has_forgotten() {
                reader.forget(|message| self.remembers(message), &self.told());
            }
        }
        Ok(())
    }
}

/// Reads and judges; none if the history has transactions.
fn on_one_thread<R: BufRead>(
    mut reader: Reader<R>,
    mut judge: Judge,
) -> Result<Option<(Reader<R>, Judge)>, HistoryError> {
    judge.read(&mut reader)?;
    Ok((!reader.has_transactions()).then_some((reader, judge)))
}

/// The same, judged on a thread of its own.
fn on_two_threads<R: BufRead>(
    mut reader: Reader<R>,
    mut judge: Judge,
) -> Result<Option<(Reader<R>, Judge)>, HistoryError> {
    thread::scope(|scope| {
        // Few batches wait, so that what was read and not judged is bounded. Batches are used again.
        let (full, batches) = mpsc::sync_channel::<Vec<Recorded>>(2);
        let (used, empty) = mpsc::channel::<Vec<Recorded>>();
        let judging = scope.spawn(move || {
            let names = Names::default();
            for mut batch in batches {
                batch.iter().for_each(|recorded| judge.observe(recorded, None, &names));
                batch.clear();
                // The reader may be through.
                let _ = used.send(batch);
            }
            judge
        });
        let mut batch = Vec::with_capacity(BATCH);
        while let Some(recorded) = reader.next() {
            batch.push(recorded?);
            if reader.has_transactions() {
                return Ok(None);
            }
            if batch.len() == BATCH {
                let next = empty.try_recv().unwrap_or_else(|_| Vec::with_capacity(BATCH));
                full.send(std::mem::replace(&mut batch, next)).expect("the judge takes all batches");
            }
        }
        if reader.has_transactions() {
            // The line may be another share's.
            return Ok(None);
        }
        full.send(batch).expect("the judge takes all batches");
        drop(full);
        let judge = judging.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        Ok(Some((reader, judge)))
    })
}
