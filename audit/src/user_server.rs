//! A server that the user started: the audit uses a queue of its own on it, and leaves the server itself alone.
//!
//! Each round has a queue with a name that nobody else uses, and removes it at its end. What cannot be removed is told.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::address::Address;
use crate::clock;
use crate::plan::Patience;
use crate::product::{Broken, Broker, Client, Product, Setting};
use crate::trouble::Trouble;

/// The server, and what was made on it.
#[derive(Debug)]
pub struct UserServer {
    address: Address,
    prefix: String,
    rounds: AtomicU64,
    left: Mutex<Vec<String>>,
}

impl UserServer {
    /// The server at this address.
    pub fn new(address: Address) -> UserServer {
        let prefix = format!("delivery_audit_{:x}_{:x}", clock::stamp(), std::process::id());
        UserServer { address, prefix, rounds: AtomicU64::new(0), left: Mutex::default() }
    }

    /// Where it listens.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// The version that it tells, if it tells one. An error if it does not answer.
    pub fn version(
        &self,
        product: &dyn Product,
        setting: &Setting,
        patience: Patience,
    ) -> Result<Option<String>, Trouble> {
        let client = product.client(setting, &self.address, &self.prefix, patience)?;
        Ok(client.version()?)
    }

    /// The queues that could not be removed, each with the reason.
    pub fn left(&self) -> Vec<String> {
        self.left.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The server as the broker of one round, with a queue of its own.
    pub fn broker(
        self: &Arc<Self>,
        product: &dyn Product,
        setting: &Setting,
        patience: Patience,
    ) -> Result<AsFound, Trouble> {
        let round = self.rounds.fetch_add(1, Ordering::SeqCst) + 1;
        let queue = format!("{}_{round}", self.prefix);
        let client = product.client(setting, &self.address, &queue, patience)?;
        Ok(AsFound { server: Arc::clone(self), queue, client })
    }
}

/// The server as the broker of one round. Its end removes the round's queue.
pub struct AsFound {
    server: Arc<UserServer>,
    queue: String,
    client: Arc<dyn Client>,
}

impl AsFound {
    fn not_ours<T>(&self, what: &str) -> Result<T, Trouble> {
        let why = format!("the server at {} is not one that the audit started", self.server.address);
        Err(Trouble::Impossible { what: what.to_owned(), why })
    }
}

impl Broker for AsFound {
    fn start(&mut self) -> Result<(), Trouble> {
        self.client.answers().map_err(|Broken(why)| Trouble::NotUp { why })
    }

    fn kill(&mut self) -> Result<(), Trouble> {
        self.not_ours("a kill")
    }

    fn pause(&mut self) -> Result<(), Trouble> {
        self.not_ours("a stop")
    }

    fn resume(&mut self) -> Result<(), Trouble> {
        self.not_ours("a stop")
    }

    fn lose_power(&mut self) -> Result<(), Trouble> {
        self.not_ours("power loss")
    }

    fn address(&self) -> Option<Address> {
        Some(self.server.address.clone())
    }

    fn queue(&self) -> &str {
        &self.queue
    }

    fn client(&self) -> Arc<dyn Client> {
        Arc::clone(&self.client)
    }
}

impl Drop for AsFound {
    fn drop(&mut self) {
        if let Err(Broken(why)) = self.client.remove() {
            let line = format!("{} at {}: {why}", self.queue, self.server.address);
            self.server.left.lock().unwrap_or_else(PoisonError::into_inner).push(line);
        }
    }
}
