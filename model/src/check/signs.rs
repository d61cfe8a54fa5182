//! Flags that say which checks a state may decide: what its steps break, which faults have struck, and whether nothing more
//! can happen.

use crate::semantics::{Finite as _, PropertySet};
use crate::vocab::Fault;

/// No move is enabled.
pub(super) const REST: u64 = 1 << 63;
/// The signs of broken properties.
const PROPERTIES: u64 = (1 << PropertySet::CAPACITY) - 1;

const _: () = assert!(PropertySet::CAPACITY + Fault::ALL.len() < u64::BITS as usize);

/// These properties are broken, or a step breaks them.
pub(super) fn of_properties(properties: PropertySet) -> u64 {
    properties.to_bits()
}

/// The properties whose signs are among these.
pub(super) fn properties(signs: u64) -> PropertySet {
    PropertySet::from_bits(signs & PROPERTIES)
}

/// The fault has struck.
pub(super) fn of_fault(fault: Fault) -> u64 {
    1 << (PropertySet::CAPACITY + fault as usize)
}
