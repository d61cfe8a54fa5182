//! SIGKILL, then a restart. The page cache survives, so this says nothing about syncing.

use delivery_model::vocab;

use super::{Fault, Strike, of_the_broker};
use crate::plan::{At, Load};
use crate::product::Trouble;

/// The fault.
pub struct Kill;

impl Fault for Kill {
    fn name(&self) -> &'static str {
        "kill"
    }

    fn means(&self) -> &'static str {
        "the broker's processes get SIGKILL and are started again"
    }

    fn word(&self) -> vocab::Fault {
        vocab::Fault::BrokerCrash
    }

    fn at(&self, load: Load) -> At {
        of_the_broker(load)
    }

    fn strike(&self, strike: &mut Strike<'_>) -> Result<(), Trouble> {
        strike.broker.kill()
    }

    fn heal(&self, strike: &mut Strike<'_>) -> Result<(), Trouble> {
        strike.broker.start()
    }
}
