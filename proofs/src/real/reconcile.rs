//! Reconciliation of a history with the stores: events that a killed run did not record are written, and in the end
//! both must agree.
//!
//! An outbox row is durable before its submit is recorded; so is an effect, and a dead letter. A kill may fall
//! between the two. Then no party acted on it yet, and its event is written when the run is resumed. The opposite is
//! an error: an effect that is in the history must be in the stock.

use std::collections::BTreeSet;
use std::path::Path;

use delivery_impls::core::delivery::GROUP;
use delivery_impls::core::ledger::{Entry, Ledger};
use delivery_impls::core::log::Log;
use delivery_impls::core::report::Report;
use delivery_impls::data::record::ProducerId;
use delivery_impls::driver::Observer;
use delivery_impls::driver::broker;
use delivery_impls::driver::consumer;
use delivery_impls::driver::producer;
use delivery_impls::driver::run::{DriverError, Stores};
use delivery_impls::store::embedded::EmbeddedInventory;
use delivery_impls::store::file::{FileJournal, Room};
use delivery_impls::store::outbox::FileOutbox;
use delivery_impls::store::{OutboxRow, OutboxStore, RecoverError, StoreError};
use delivery_model::pipeline::Pipeline;
use delivery_model::vocab::{EventKind, MessageId, Position};

use super::record::Recorder;
use super::{Options, RealError, order};

/// Writes the events that the stores of all three parties show and the history lacks. Returns their number.
pub(super) fn reconcile(
    stores: &Stores,
    pipeline: &Pipeline,
    options: &Options,
    recorder: &Recorder,
) -> Result<u64, RealError> {
    let producers = (0..options.producers).map(|id| reconcile_submits(stores, ProducerId(id), recorder));
    let submits = producers.sum::<Result<u64, _>>()?;
    Ok(submits + reconcile_dead_letters(stores, pipeline, recorder)? + reconcile_effects(stores, recorder)?)
}

/// Writes the submits of outbox rows that the history lacks. Returns their number.
pub(super) fn reconcile_submits(stores: &Stores, id: ProducerId, recorder: &Recorder) -> Result<u64, RealError> {
    let submitted = recorder.submitted();
    let missing = rows(&stores.outbox(id))?.into_iter().filter(|row| !submitted.contains(&row.message));
    record_all(
        recorder,
        &producer::name(id),
        missing.map(|row| Report::with(EventKind::Submit { message: row.message, payload: None }, &row.payload)),
    )
}

/// Writes the effects that the stock shows and the history lacks, and checks that both then agree. Returns their
/// number.
pub(super) fn reconcile_effects(stores: &Stores, recorder: &Recorder) -> Result<u64, RealError> {
    let missing = effects(stores, recorder)?.into_iter().flat_map(|(message, inventory, history)| {
        let kind = EventKind::Effect { message, group: GROUP, payload: None };
        (history..inventory.floor() as u64).map(move |_| Report::with(kind, &order(message).encode()))
    });
    let reconciled = record_all(recorder, consumer::NAME, missing)?;
    compare(stores, recorder)?;
    Ok(reconciled)
}

/// Writes the dead letters that the ledger shows and the history lacks. Returns their number.
pub(super) fn reconcile_dead_letters(
    stores: &Stores,
    pipeline: &Pipeline,
    recorder: &Recorder,
) -> Result<u64, RealError> {
    let entries = opened(&stores.ledger(), Ledger::open)?.map_or(Vec::new(), |(_, entries)| entries);
    let dead = entries.into_iter().filter_map(|entry| match entry {
        Entry::DeadLettered(position) => Some(position),
        _ => None,
    });
    let mut dead = dead.peekable();
    if dead.peek().is_none() {
        return Ok(0);
    }
    let Some(log) = opened(&stores.log(), |journal| Log::open(&pipeline.broker, journal))? else {
        return Ok(0);
    };
    let message = |position: Position| log.at(position).expect("a dead letter is never dropped").message;
    let (messages, recorded) = (dead.map(message).collect::<BTreeSet<MessageId>>(), recorder.dead_lettered());
    let kind = |message: &MessageId| EventKind::DeadLetter { message: *message, group: GROUP };
    record_all(recorder, broker::NAME, messages.difference(&recorded).map(|message| Report::of(kind(message))))
}

fn record_all(recorder: &Recorder, process: &str, reports: impl Iterator<Item = Report>) -> Result<u64, RealError> {
    let mut recorded = 0;
    for report in reports {
        recorder.observe(process, &report).map_err(DriverError::Observe)?;
        recorded += 1;
    }
    Ok(recorded)
}

/// The contents of a journal; none if there is no file.
fn opened<T>(path: &Path, open: impl FnOnce(FileJournal) -> Result<T, RecoverError>) -> Result<Option<T>, RealError> {
    if !path.exists() {
        return Ok(None);
    }
    let journal = FileJournal::open(path, Room::default()).map_err(|why| unreadable(path, why))?;
    open(journal).map(Some).map_err(|why| RealError::Store { path: path.to_owned(), why })
}

/// Checks that stock and history agree about every message.
pub(super) fn compare(stores: &Stores, recorder: &Recorder) -> Result<(), RealError> {
    let mut differing = effects(stores, recorder)?;
    differing.retain(|(_, inventory, history)| *inventory != *history as f64);
    match differing.first() {
        None => Ok(()),
        Some(&(message, inventory, history)) => {
            Err(RealError::Disagreement { message, inventory, history, messages: differing.len() })
        }
    }
}

/// Every message that took effect by either witness, with the number of effects by each. The stock's number may be
/// fractional, which is then an error.
fn effects(stores: &Stores, recorder: &Recorder) -> Result<Vec<(MessageId, f64, u64)>, RealError> {
    let path = stores.inventory();
    let mut recorded = recorder.effects();
    let open = EmbeddedInventory::open(&path).and_then(|inventory| inventory.stocks());
    let stocks = open.map_err(|why| unreadable(&path, why))?;
    let mut effects: Vec<_> = stocks
        .into_iter()
        .map(|(sku, left)| {
            let message = MessageId(sku.0.into());
            let times = -left as f64 / f64::from(order(message).quantity);
            (message, times, recorded.remove(&message).unwrap_or(0))
        })
        .collect();
    effects.extend(recorded.into_iter().map(|(message, times)| (message, 0.0, times)));
    effects.sort_by_key(|(message, ..)| *message);
    Ok(effects)
}

fn rows(path: &Path) -> Result<Vec<OutboxRow>, RealError> {
    let mut outbox = FileOutbox::open(path).map_err(|why| unreadable(path, why))?;
    Ok(outbox.recover().map_err(|why| RealError::Store { path: path.to_owned(), why })?.rows)
}

/// Checks that a new history has stores without messages, and that a resumed run has a producer for every outbox.
pub(super) fn check_same_run(stores: &Stores, pipeline: &Pipeline, options: &Options) -> Result<(), RealError> {
    let more = stores.outbox(ProducerId(options.producers));
    if more.exists() {
        return Err(RealError::OtherRun {
            found: "the run had more producers".into(),
            expected: format!("{} as asked for now", options.producers),
            path: more,
        });
    }
    let path = stores.log();
    let begins = !options.record.metadata().is_ok_and(|file| file.len() > 0);
    if !begins {
        return Ok(());
    }
    match opened(&path, |journal| Log::open(&pipeline.broker, journal))?.map_or(0, |log| log.end().0) {
        0 => Ok(()),
        records => Err(RealError::OtherRun {
            found: format!("{}'s log has had {records} records", broker::NAME),
            expected: format!("none, as the history {} is new", options.record.display()),
            path,
        }),
    }
}

fn unreadable(path: &Path, why: StoreError) -> RealError {
    RealError::Store { path: path.to_owned(), why: RecoverError::Store(why) }
}
