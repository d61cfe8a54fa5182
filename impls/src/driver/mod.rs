//! Threads and TCP: what owns the sockets, the clocks and the loops. The cores keep the logic.

pub mod frame;
pub mod link;
