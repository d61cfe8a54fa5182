//! Going back: the group is reset to an earlier position, and everything from there on is delivered again.
//!
//! It is asked for over a connection of its own, before the consumer subscribes: nobody may hold anything meanwhile, so the
//! broker sends a consumer away that is there. The history hears of it first, because from then on what was settled may come
//! again. The broker's word is durable; a consumer that keeps its own positions winds them back after that. Whoever is
//! killed in between asks again: going back twice is going back once.

use std::net::SocketAddr;
use std::sync::mpsc::RecvTimeoutError;

use delivery_model::pipeline::Settles;
use delivery_model::vocab::{EventKind, PartitionId, Position};

use super::super::run::{Calls, DriverError, Run};
use super::super::wire::{FromBroker, ToBroker};
use super::{NAME, dial, failed};
use crate::core::delivery::GROUP;
use crate::core::report::Report;
use crate::store::EffectStore;
use crate::store::embedded::EmbeddedInventory;

/// Resets the group to this position. False if the run was asked to leave before the broker had answered.
pub fn rewind<S>(run: &Run<S>, broker: SocketAddr, to: Position) -> Result<bool, DriverError> {
    run.tell(NAME, &Report::of(EventKind::Rewind { group: GROUP, partition: PartitionId::default(), position: to }))?;
    let mut calls = Calls::default();
    while let Some((link, said)) = dial(run, broker, &mut calls)? {
        link.send(ToBroker::Rewind(to).encode());
        let answer = loop {
            match said.recv_timeout(run.patience(None)) {
                Err(RecvTimeoutError::Timeout) if !run.is_leaving() => {}
                answer => break answer,
            }
        };
        match answer {
            Ok(FromBroker::Rewound) => return wind_back(run, to).map(|()| true),
            Ok(FromBroker::NotInLog { start, end }) => return Err(DriverError::NotInLog { to, start, end }),
            Ok(FromBroker::Denied) => return Err(DriverError::Denied { role: NAME.into() }),
            Ok(FromBroker::Unfit(reason)) => return Err(DriverError::Unfit { role: NAME.into(), reason }),
            // The connection is gone, or the broker is confused: once more, unless it is time to leave.
            Ok(_) | Err(_) => link.cut(),
        }
    }
    Ok(false)
}

/// The positions that the consumer keeps itself go back too.
fn wind_back<S>(run: &Run<S>, to: Position) -> Result<(), DriverError> {
    if run.pipeline.consumer.settles != Settles::WithEffect {
        return Ok(());
    }
    let store = EmbeddedInventory::open(&run.stores.inventory());
    store.and_then(|mut store| store.rewind(to)).map_err(failed)
}
