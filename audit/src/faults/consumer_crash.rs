//! A crash of the consumer: what is not in its files is gone, and a new incarnation connects.

use delivery_model::vocab;

use super::{Fault, Strike};
use crate::plan::{At, Load, Party};
use crate::product::Trouble;

/// The fault.
pub struct ConsumerCrash;

impl Fault for ConsumerCrash {
    fn name(&self) -> &'static str {
        "consumer-crash"
    }

    fn means(&self) -> &'static str {
        "the consumer forgets all but its inbox, between an effect and its settle"
    }

    fn word(&self) -> vocab::Fault {
        vocab::Fault::ConsumerCrash
    }

    fn at(&self, _load: Load) -> At {
        At::Effected
    }

    fn strikes_the_server(&self) -> bool {
        false
    }

    fn strike(&self, strike: &mut Strike<'_>) -> Result<(), Trouble> {
        strike.crash(Party::Consumer);
        Ok(())
    }
}
