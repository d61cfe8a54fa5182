//! A crash of the producer: what is not in its files is gone, and a new incarnation connects.

use delivery_model::vocab;

use super::{Fault, Strike};
use crate::plan::{At, Load, Party};
use crate::product::Trouble;

/// The fault.
pub struct ProducerCrash;

impl Fault for ProducerCrash {
    fn name(&self) -> &'static str {
        "producer-crash"
    }

    fn means(&self) -> &'static str {
        "the producer forgets all but its outbox, between an ack and its note of it"
    }

    fn word(&self) -> vocab::Fault {
        vocab::Fault::ProducerCrash
    }

    fn at(&self, _load: Load) -> At {
        At::Acked
    }

    fn strikes_the_server(&self) -> bool {
        false
    }

    fn strike(&self, strike: &mut Strike<'_>) -> Result<(), Trouble> {
        strike.crash(Party::Producer);
        Ok(())
    }
}
