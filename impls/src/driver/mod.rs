//! Threads and TCP: what owns the sockets, the clocks and the loops. The cores keep the logic.

pub mod faults;
pub mod frame;
pub mod link;
pub mod wire;

use std::io;

use crate::core::report::Report;

/// Who is told what a run's processes do, at the moment it takes effect.
pub trait Observer: Send + Sync {
    /// Takes in one event. The process goes on only when this returns, so whatever a peer could act upon after it was
    /// observed before.
    fn observe(&self, process: &str, report: &Report) -> io::Result<()>;
}
