//! A service that records its own history from the `tracing` events that it emits anyway.
//!
//! A layer turns each event with a `delivery` field into a line of the history: the field has the event's word, `message`
//! the message, `outcome` the outcome. Run it: `cargo run -p delivery-model --example tracing > shop.jsonl`, then
//! `cargo run --release -- judge shop.jsonl`.

use std::sync::{Arc, Mutex};

use delivery_model::history::{At, History};
use delivery_model::vocab::{Event, EventKind, Outcome, SettleOutcome};
use tracing::field::{Field, Visit};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};

/// The layer. Clones share one history.
#[derive(Clone, Default)]
struct Recorder(Arc<Mutex<History>>);

/// The fields of an event that the layer knows.
#[derive(Default)]
struct Fields {
    word: String,
    message: String,
    outcome: String,
}

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "delivery" => self.word = value.to_owned(),
            "message_id" => self.message = value.to_owned(),
            "outcome" => self.outcome = value.to_owned(),
            _ => {}
        }
    }

    fn record_debug(&mut self, _: &Field, _: &dyn std::fmt::Debug) {}
}

impl<S: tracing::Subscriber> Layer<S> for Recorder {
    fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let mut history = self.0.lock().expect("no thread panics while it records");
        let message = history.names.message_id(&fields.message).expect("few messages").0;
        let kind = match (fields.word.as_str(), fields.outcome.as_str()) {
            ("submit", _) => EventKind::submit(message),
            ("outcome", "acked") => EventKind::acked(message),
            ("outcome", _) => EventKind::outcome(message, Outcome::Unknown),
            ("deliver", _) => EventKind::deliver(message),
            ("effect", _) => EventKind::effect(message),
            ("settle", "ok") => EventKind::settle(message, SettleOutcome::Ok),
            ("settle", _) => EventKind::settle(message, SettleOutcome::Unknown),
            ("quiescent", _) => EventKind::Quiescent,
            // Not an event of a delivery.
            _ => return,
        };
        let process = history.names.process_id(event.metadata().target()).expect("few processes");
        // A real recorder takes the time of its clock; a history that is made in one process may count.
        let at = At::Whole(history.events.len() as u64 + 1);
        history.push(at, Event { process, kind });
    }
}

fn main() -> std::io::Result<()> {
    let recorder = Recorder::default();
    let subscriber = tracing_subscriber::registry().with(recorder.clone());
    tracing::subscriber::with_default(subscriber, || {
        for order in ["order-9f1c", "order-b07e"] {
            tracing::info!(target: "shop", delivery = "submit", message_id = order);
            tracing::info!(target: "shop", delivery = "outcome", message_id = order, outcome = "acked");
        }
        // The second order never reaches the stock: it is lost.
        tracing::info!(target: "stock", delivery = "deliver", message_id = "order-9f1c");
        tracing::info!(target: "stock", delivery = "effect", message_id = "order-9f1c");
        tracing::info!(target: "stock", delivery = "settle", message_id = "order-9f1c", outcome = "ok");
        tracing::info!(target: "shop", delivery = "quiescent");
    });
    let history = recorder.0.lock().expect("no thread panics while it records");
    history.write(std::io::stdout().lock())
}
