//! A consumer on threads of its own: a dispatcher, and workers that share a database.

use std::collections::BTreeSet;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};

use delivery_model::presets;
use delivery_model::semantics::PropertyId;
use delivery_proofs::party::shipped::{self, ShippedBroker, ShippedProducer};
use delivery_proofs::party::threaded::{Said, Threaded, Told};
use delivery_proofs::party::{Bounds, Claim, Delivery, FromConsumer, Settle, Suite, ToConsumer};

/// The orders that were handled, in a database that outlives every process.
type Handled = Arc<Mutex<BTreeSet<u64>>>;
type Pool = Threaded<ToConsumer, FromConsumer, Handled>;

const WORKERS: usize = 2;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Bug {
    None,
    /// The handler does not look whether it has seen the order.
    NeverLooks,
}

/// Handles one order in one transaction: whether it was new.
fn handle(handled: &Handled, order: u64, bug: Bug) -> bool {
    handled.lock().expect("no worker panics").insert(order) || bug == Bug::NeverLooks
}

fn work(work: &Receiver<Delivery>, done: &Sender<(Delivery, bool)>, handled: &Handled, bug: Bug) {
    for delivery in work {
        let is_new = handle(handled, delivery.message, bug);
        done.send((delivery, is_new)).expect("the dispatcher waits for it");
    }
}

/// The dispatcher: hands deliveries to workers in turn, and says what they did.
fn dispatch(told: Receiver<Told<ToConsumer>>, said: Sender<Said<FromConsumer>>, handled: Handled, bug: Bug) -> Handled {
    let (finished, done) = channel();
    let (workers, threads): (Vec<_>, Vec<_>) = (0..WORKERS)
        .map(|_| {
            let ((sends, takes), finished, handled) = (channel(), finished.clone(), Arc::clone(&handled));
            (sends, std::thread::spawn(move || work(&takes, &finished, &handled, bug)))
        })
        .unzip();
    let say = |it| said.send(it).expect("the suite listens");
    say(Said::Idle { wakes: None });
    for (turn, told) in told.iter().enumerate() {
        if let Told::Input(_, ToConsumer::Deliver(delivery)) = told {
            workers[turn % WORKERS].send(delivery).expect("the workers run");
            let (delivery, is_new) = done.recv().expect("a worker answers");
            let Delivery { tag, message, payload, .. } = delivery;
            if is_new {
                say(Said::Output(FromConsumer::Effect { message, payload }));
            }
            say(Said::Output(FromConsumer::Settle(Settle::new(tag))));
        }
        say(Said::Idle { wakes: None });
    }
    drop(workers);
    threads.into_iter().for_each(|thread| thread.join().expect("no worker panics"));
    handled
}

fn suite(bug: Bug) -> Suite<ShippedProducer, ShippedBroker, Pool> {
    let pipeline = presets::named("exactly-once").expect("the preset exists");
    let open = move |_, handled| Threaded::spawn(move |told, said| dispatch(told, said, handled, bug));
    Suite::new(Claim::of(&pipeline), shipped::producer(&pipeline), shipped::broker(&pipeline), open)
}

#[test]
fn nothing_is_found_in_a_sound_pool() {
    let passed = suite(Bug::None).check(Bounds::default()).unwrap_or_else(|found| panic!("{found}"));
    assert_eq!(passed.rested, passed.bounds.schedules);
}

#[test]
fn a_pool_that_never_looks_is_found() {
    let found = suite(Bug::NeverLooks).check(Bounds::default()).expect_err("the bug is found");
    assert_eq!(found.property, PropertyId::NoDuplicateEffect);
    assert_eq!((found.schedule.messages, found.schedule.faults.len()), (1, 1), "{found}");
}

#[test]
fn the_same_schedule_gives_the_same_history() {
    let suite = suite(Bug::NeverLooks);
    let found = suite.check(Bounds::default()).expect_err("the bug is found");
    assert_eq!(suite.run(&found.schedule), suite.run(&found.schedule));
}
