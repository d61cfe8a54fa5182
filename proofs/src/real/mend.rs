//! History against stores: what a killed run had no time to record, and whether the two agree in the end.
//!
//! A row of an outbox is durable before its submit is told, and an effect before it is told; a kill may fall between.
//! Then the store knows of something that nobody acted upon, and its event is written now. The other way round there is
//! no excuse: an effect that is told and not in the stock is an error.

use std::path::Path;

use delivery_impls::core::record::ProducerId;
use delivery_impls::core::report::Report;
use delivery_impls::driver::Observer;
use delivery_impls::driver::broker;
use delivery_impls::driver::consumer;
use delivery_impls::driver::producer;
use delivery_impls::driver::run::{DriverError, Stores};
use delivery_impls::store::embedded::{EmbeddedInventory, EmbeddedJournal, EmbeddedOutbox};
use delivery_impls::store::{Journal, OutboxRow, OutboxStore, RecoverError, StoreError};
use delivery_model::vocab::{EventKind, GroupId, MessageId};

use super::record::Recorder;
use super::{Options, RealError, order};

/// Writes what the stores know and the history does not. Gives how many events that took.
pub(super) fn mend(stores: &Stores, options: &Options, recorder: &Recorder) -> Result<u64, RealError> {
    let mut mended = 0;
    let mut tell = |process: &str, report: Report| {
        mended += 1;
        recorder.observe(process, &report).map_err(|why| RealError::Driver(DriverError::Observe(why)))
    };
    let submitted = recorder.submitted();
    for id in (0..options.producers).map(ProducerId) {
        for row in rows(&stores.outbox(id))? {
            if !submitted.contains(&row.message) {
                let kind = EventKind::Submit { message: row.message, payload: None };
                tell(&producer::name(id), Report::with(kind, &row.payload))?;
            }
        }
    }
    for (message, inventory, history) in effects(stores, recorder)? {
        for _ in history..inventory.floor() as u64 {
            let kind = EventKind::Effect { message, group: GroupId(0), payload: None };
            tell(consumer::NAME, Report::with(kind, &order(message).encode()))?;
        }
    }
    compare(stores, recorder)?;
    Ok(mended)
}

/// Whether stock and history agree about every message.
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

/// Every message that took effect by either witness, and how often by each. The stock may tell of a part of an effect,
/// which there is not.
fn effects(stores: &Stores, recorder: &Recorder) -> Result<Vec<(MessageId, f64, u64)>, RealError> {
    let path = stores.inventory();
    let mut told = recorder.effects();
    let open = EmbeddedInventory::open(&path).and_then(|inventory| inventory.stocks());
    let stocks = open.map_err(|why| unreadable(&path, why))?;
    let mut effects: Vec<_> = stocks
        .into_iter()
        .map(|(sku, left)| {
            let message = MessageId(sku.0.into());
            let times = -left as f64 / f64::from(order(message).quantity);
            (message, times, told.remove(&message).unwrap_or(0))
        })
        .collect();
    effects.extend(told.into_iter().map(|(message, times)| (message, 0.0, times)));
    effects.sort_by_key(|(message, ..)| *message);
    Ok(effects)
}

fn rows(path: &Path) -> Result<Vec<OutboxRow>, RealError> {
    let mut outbox = EmbeddedOutbox::open(path).map_err(|why| unreadable(path, why))?;
    Ok(outbox.recover().map_err(|why| RealError::Store { path: path.to_owned(), why })?.rows)
}

/// A history that is to begin cannot be of stores that hold messages; and every outbox must be gone on with.
pub(super) fn check_same_run(stores: &Stores, options: &Options) -> Result<(), RealError> {
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
    if !begins || !path.exists() {
        return Ok(());
    }
    let log = EmbeddedJournal::open(&path).map_err(|why| unreadable(&path, why))?.recover();
    match log.map_err(|why| RealError::Store { path: path.clone(), why })?.len() {
        0 => Ok(()),
        records => Err(RealError::OtherRun {
            found: format!("{}'s log holds {records} records", broker::NAME),
            expected: format!("none, as the history {} is to begin", options.record.display()),
            path,
        }),
    }
}

fn unreadable(path: &Path, why: StoreError) -> RealError {
    RealError::Store { path: path.to_owned(), why: RecoverError::Store(why) }
}
