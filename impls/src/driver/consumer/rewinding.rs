//! Going back: the group is reset to an earlier position, and everything from there on is delivered again.
//!
//! The request comes over a connection of its own, before the consumer subscribes. The broker disconnects a consumer that is
//! connected, since no lease may be live meanwhile. The history records the rewind first: from then on settled positions may
//! be delivered again. The broker's answer is durable. A consumer that keeps its own positions rewinds them after it. After a
//! kill in between, the rewind is asked for again, which changes nothing more.

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
        link.send_now(&ToBroker::Rewind(to).encode());
        let answer = loop {
            match said.recv_timeout(run.patience(None)) {
                Err(RecvTimeoutError::Timeout) if !run.is_leaving() => {}
                // The broker says nothing else over this connection.
                answer => break answer.ok().and_then(|said| said.into_iter().next()),
            }
        };
        match answer {
            Some(FromBroker::Rewound) => return wind_back(run, to).map(|()| true),
            Some(FromBroker::NotInLog { start, end }) => return Err(DriverError::NotInLog { to, start, end }),
            Some(FromBroker::Denied) => return Err(DriverError::Denied { role: NAME.into() }),
            Some(FromBroker::Unfit(reason)) => return Err(DriverError::Unfit { role: NAME.into(), reason }),
            // The connection is gone, or the broker is confused: once more, unless it is time to leave.
            Some(_) | None => link.cut(),
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
