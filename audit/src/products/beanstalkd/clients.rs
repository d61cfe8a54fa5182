//! The clients: a producer that uses the tube, and a consumer that watches it.

use std::sync::atomic::AtomicBool;
use std::time::Duration;

use super::connection::Connection;
use crate::address::Address;
use crate::clock::{Deadline, GLANCE, pass};
use crate::plan::Patience;
use crate::product::{Broken, Client, Delivery, Published, Publisher, Receiver, Settled, body, message};

/// The same for every job, as for most users.
const PRIORITY: u32 = 0;

/// How clients reach the broker.
pub struct Reach {
    /// Where it listens.
    pub address: Address,
    /// The name of the tube.
    pub tube: String,
    /// How long they wait for answers, and how long a job may run.
    pub patience: Patience,
}

impl Reach {
    fn connect(&self) -> Result<Connection, Broken> {
        Connection::open(&self.address, self.patience.answer)
    }

    fn consuming(&self) -> Result<Consuming, Broken> {
        let mut connection = self.connect()?;
        expect(&connection.ask(&format!("watch {}", self.tube))?, "WATCHING")?;
        expect(&connection.ask("ignore default")?, "WATCHING")?;
        Ok(Consuming { connection, at_work: None })
    }
}

/// An answer that says that the broker understood, and what follows the first word.
fn expect(answer: &str, word: &str) -> Result<String, Broken> {
    let rest = answer.strip_prefix(word).filter(|rest| rest.is_empty() || rest.starts_with(' '));
    rest.map(|rest| rest.trim_start().to_owned()).ok_or_else(|| Broken(format!("{answer}, instead of {word}")))
}

/// Numbers of a tube or a job by name. None: there is none.
fn numbers(connection: &mut Connection, command: &str) -> Result<Option<Vec<(String, u64)>>, Broken> {
    let answer = connection.ask(command)?;
    if answer == "NOT_FOUND" {
        return Ok(None);
    }
    let count = expect(&answer, "OK")?.parse::<usize>().map_err(Broken::by)?;
    let yaml = String::from_utf8(connection.bytes(count)?).map_err(Broken::by)?;
    let pairs = yaml.lines().filter_map(|line| line.split_once(": "));
    Ok(Some(pairs.filter_map(|(name, value)| Some((name.to_owned(), value.parse().ok()?))).collect()))
}

/// The sum of these numbers; every one must be there.
fn sum(numbers: &[(String, u64)], names: &[&str]) -> Result<u64, Broken> {
    let find = |name: &&str| {
        let found = numbers.iter().find(|(it, _)| it == name).map(|&(_, number)| number);
        found.ok_or_else(|| Broken(format!("the statistics lack {name}")))
    };
    names.iter().map(find).sum()
}

impl Client for Reach {
    fn version(&self) -> Result<Option<String>, Broken> {
        let mut connection = self.connect()?;
        let count = expect(&connection.ask("stats")?, "OK")?.parse::<usize>().map_err(Broken::by)?;
        let yaml = String::from_utf8(connection.bytes(count)?).map_err(Broken::by)?;
        let told = yaml.lines().find_map(|line| line.strip_prefix("version: "));
        Ok(told.map(|version| version.trim_matches('"').to_owned()))
    }

    /// A tube without jobs that nobody uses is gone.
    fn remove(&self) -> Result<(), Broken> {
        let mut consuming = self.consuming()?;
        while consuming.receive(Duration::ZERO)?.is_some() {
            if let Settled::Unknown(why) = consuming.settle() {
                return Err(Broken(why));
            }
        }
        Ok(())
    }

    /// A tube needs no making.
    fn declare(&self) -> Result<(), Broken> {
        self.has_queue().map(drop)
    }

    fn has_queue(&self) -> Result<bool, Broken> {
        expect(&self.connect()?.ask(&format!("use {}", self.tube))?, "USING").map(|_| true)
    }

    fn waiting(&self) -> Result<u64, Broken> {
        // A tube that nobody uses and that has no jobs is none.
        let tube = numbers(&mut self.connect()?, &format!("stats-tube {}", self.tube))?;
        let states = ["current-jobs-ready", "current-jobs-reserved", "current-jobs-delayed", "current-jobs-buried"];
        tube.map_or(Ok(0), |tube| sum(&tube, &states))
    }

    fn publisher(&self) -> Result<Box<dyn Publisher>, Broken> {
        let mut connection = self.connect()?;
        expect(&connection.ask(&format!("use {}", self.tube))?, "USING")?;
        // Whole seconds, and 0 would mean 1.
        let lease = self.patience.lease;
        let seconds = lease.as_secs() + u64::from(lease.subsec_nanos() > 0);
        Ok(Box::new(Producing { connection, seconds }))
    }

    fn receiver(&self) -> Result<Box<dyn Receiver>, Broken> {
        Ok(Box::new(self.consuming()?))
    }
}

struct Producing {
    connection: Connection,
    /// The time to run.
    seconds: u64,
}

impl Publisher for Producing {
    fn publish(&mut self, message: u64) -> Published {
        let body = body(message);
        let put = format!("put {PRIORITY} 0 {} {}\r\n{body}", self.seconds, body.len());
        match self.connection.ask(&put) {
            Ok(answer) => match expect(&answer, "INSERTED").map(|job| job.parse().ok()) {
                Ok(job) => Published::Acked(job),
                // It is stored, but where no consumer gets it.
                Err(_) if answer.starts_with("BURIED") => Published::Unknown(answer),
                Err(_) => Published::Refused(answer),
            },
            Err(Broken(why)) => Published::Unknown(why),
        }
    }
}

struct Consuming {
    connection: Connection,
    /// The number of the job at work.
    at_work: Option<u64>,
}

impl Receiver for Consuming {
    fn receive(&mut self, wait: Duration) -> Result<Option<Delivery>, Broken> {
        let end = Deadline::after(wait);
        let answer = loop {
            // The broker would wait, too, but for whole seconds only.
            let answer = self.connection.ask("reserve-with-timeout 0")?;
            if answer != "TIMED_OUT" {
                break answer;
            }
            if end.has_passed() {
                return Ok(None);
            }
            pass(GLANCE.min(end.left()) / 10, &AtomicBool::new(false));
        };
        let reserved = expect(&answer, "RESERVED")?;
        let (job, count) = reserved.split_once(' ').ok_or_else(|| Broken(answer.clone()))?;
        let job: u64 = job.parse().map_err(Broken::by)?;
        let body = self.connection.bytes(count.parse().map_err(Broken::by)?)?;
        let numbers = numbers(&mut self.connection, &format!("stats-job {job}"))?;
        let reserves = numbers.map_or(Ok(0), |numbers| sum(&numbers, &["reserves"]))?;
        self.at_work = Some(job);
        Ok(Some(Delivery { message: message(&body)?, position: Some(job), marked: reserves > 1 }))
    }

    fn settle(&mut self) -> Settled {
        let Some(job) = self.at_work.take() else { return Settled::Refused("nothing is at work".to_owned()) };
        match self.connection.ask(&format!("delete {job}")) {
            Ok(answer) if answer == "DELETED" => Settled::Confirmed,
            Ok(answer) => Settled::Refused(answer),
            Err(Broken(why)) => Settled::Unknown(why),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_expected_by_its_whole_first_word() {
        assert_eq!(expect("INSERTED 7", "INSERTED"), Ok("7".to_owned()));
        assert_eq!(expect("DELETED", "DELETED"), Ok(String::new()));
        for answer in ["INSERTEDX 7", "OUT_OF_MEMORY", ""] {
            assert!(expect(answer, "INSERTED").is_err(), "{answer}");
        }
    }

    #[test]
    fn a_number_that_is_not_there_is_an_error() {
        let numbers = [("ready".to_owned(), 2), ("reserved".to_owned(), 1)];
        assert_eq!(sum(&numbers, &["ready", "reserved"]), Ok(3));
        assert!(sum(&numbers, &["ready", "delayed"]).is_err());
    }
}
