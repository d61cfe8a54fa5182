//! SIGSTOP for longer than clients wait, then SIGCONT: answers come late, and leases run out.

use delivery_model::vocab;

use super::{Fault, Strike, of_the_broker};
use crate::plan::{At, Load};
use crate::product::Trouble;

/// The fault.
pub struct Stop;

impl Fault for Stop {
    fn name(&self) -> &'static str {
        "stop"
    }

    fn means(&self) -> &'static str {
        "the broker's processes get SIGSTOP, and SIGCONT when clients have given up waiting"
    }

    fn word(&self) -> vocab::Fault {
        vocab::Fault::LeaseExpiry
    }

    fn at(&self, load: Load) -> At {
        of_the_broker(load)
    }

    fn strike(&self, strike: &mut Strike<'_>) -> Result<(), Trouble> {
        strike.broker.pause()
    }

    fn heal(&self, strike: &mut Strike<'_>) -> Result<(), Trouble> {
        strike.wait_out_the_clients();
        strike.broker.resume()
    }
}
