//! A broker that is a server process on this machine.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::address::Address;
use crate::clock;
use crate::place::Place;
use crate::plan::Patience;
use crate::process::{Launch, Process};
use crate::product::{Broker, Client, Product, QUEUE, Setting};
use crate::trouble::Trouble;

/// The longest time that a server may take until it accepts clients. RabbitMQ is the slowest.
pub const UP_MAX: Duration = Duration::from_secs(40);

/// So much of a server's log is told when it does not come up, in bytes.
const LOG_TOLD: usize = 600;

/// A server process with its data.
pub struct Server {
    launch: Launch,
    place: Place,
    address: Address,
    client: Arc<dyn Client>,
    process: Option<Process>,
}

impl Server {
    /// A server of this product that is not started yet, and is to listen at this port of the loopback address. Its clients
    /// go by the setting.
    pub fn of(
        product: &dyn Product,
        setting: &Setting,
        launch: Launch,
        place: Place,
        port: u16,
        patience: Patience,
    ) -> Result<Box<dyn Broker>, Trouble> {
        let address = Address::local(product.scheme(), port);
        let client = product.client(setting, &address, QUEUE, patience)?;
        Ok(Box::new(Server::new(launch, place, address, client)?))
    }

    /// A server that is not started yet, and is to listen at this address, where the client reaches it. Its data is made.
    pub fn new(launch: Launch, place: Place, address: Address, client: Arc<dyn Client>) -> Result<Server, Trouble> {
        if let Some(own) = &place.own {
            own.sync()?;
        }
        Ok(Server { launch, place, address, client, process: None })
    }

    fn log(&self) -> PathBuf {
        self.place.logs.join("server.log")
    }

    fn end_of_log(&self) -> String {
        let log = fs::read(self.log()).unwrap_or_default();
        String::from_utf8_lossy(&log[log.len().saturating_sub(LOG_TOLD)..]).trim().to_owned()
    }
}

impl Broker for Server {
    fn start(&mut self) -> Result<(), Trouble> {
        let process = self.process.insert(Process::start(&self.launch, &self.log(), &self.place.notes)?);
        let mut last = String::new();
        let is_up = clock::until(UP_MAX, || {
            if let Some(status) = process.ended() {
                last = format!("it ended with {status}");
                return true;
            }
            self.client.answers().map_err(|broken| last = broken.to_string()).is_ok()
        });
        if is_up && process.ended().is_none() {
            return Ok(());
        }
        Err(Trouble::NotUp { why: format!("{last}; the end of its log: {}", self.end_of_log()) })
    }

    fn kill(&mut self) -> Result<(), Trouble> {
        if let Some(process) = self.process.take() {
            process.kill();
        }
        Ok(())
    }

    fn pause(&mut self) -> Result<(), Trouble> {
        if let Some(process) = &self.process {
            process.pause();
        }
        Ok(())
    }

    fn resume(&mut self) -> Result<(), Trouble> {
        if let Some(process) = &self.process {
            process.resume();
        }
        Ok(())
    }

    fn lose_power(&mut self) -> Result<(), Trouble> {
        let Some(own) = self.place.own.clone() else {
            let why = "the broker's data is not on a file system of its own".to_owned();
            return Err(Trouble::Impossible { what: "power loss".to_owned(), why });
        };
        self.pause()?;
        own.cut()?;
        self.kill()?;
        own.come_back()
    }

    fn address(&self) -> Option<Address> {
        Some(self.address.clone())
    }

    fn client(&self) -> Arc<dyn Client> {
        Arc::clone(&self.client)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(process) = self.process.take() {
            process.end(self.launch.farewell);
        }
    }
}
