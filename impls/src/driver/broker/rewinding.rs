//! The broker's part in a rewind: it disconnects the consumer, which ends all leases, and resets the group.

use delivery_model::vocab::Position;

use super::super::run::Interrupt;
use super::super::wire::FromBroker;
use super::connections::Reason;
use super::{Incarnation, failed};
use crate::core::broker::RewindError;
use crate::core::steps::Steps;

impl<S: Steps> Incarnation<'_, S> {
    /// Resets the group, for a peer that has not subscribed. A connected consumer is disconnected first, and comes back to the
    /// reset group.
    pub(super) fn rewind(&mut self, connection: u64, to: Position) -> Result<(), Interrupt> {
        self.send_away(&Reason::Rewound { to });
        match self.core.rewind(to) {
            Ok(_) => self.say(connection, &FromBroker::Rewound),
            Err(RewindError::NotInLog { start, end, .. }) => {
                self.say(connection, &FromBroker::NotInLog { start, end });
            }
            Err(RewindError::Store(why)) if why.is_definite() => self.cut_off(connection, &Reason::NoRoom(why)),
            Err(RewindError::Store(why)) => return Err(failed(why).into()),
        }
        Ok(())
    }
}
