//! Power loss, then a restart: every byte that was not synced is gone. No torn writes, and no part of a write survives.

use std::path::Path;

use delivery_model::vocab;

use super::{Fault, Strike, of_the_broker};
use crate::disk;
use crate::plan::{At, Load};
use crate::product::Trouble;

/// The fault.
pub struct Power;

impl Fault for Power {
    fn name(&self) -> &'static str {
        "power"
    }

    fn means(&self) -> &'static str {
        "the machine loses power: the broker and all bytes that it did not sync are gone"
    }

    fn word(&self) -> vocab::Fault {
        vocab::Fault::BrokerCrash
    }

    fn at(&self, load: Load) -> At {
        of_the_broker(load)
    }

    fn possible(&self, directory: &Path) -> Result<(), Trouble> {
        disk::power_can_be_lost(directory)
    }

    fn needs_own_file_system(&self) -> bool {
        true
    }

    fn strike(&self, strike: &mut Strike<'_>) -> Result<(), Trouble> {
        strike.broker.lose_power()
    }

    fn heal(&self, strike: &mut Strike<'_>) -> Result<(), Trouble> {
        strike.broker.start()
    }
}
