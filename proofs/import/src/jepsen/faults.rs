//! What the nemesis of a Jepsen test did. Kills and crashes are faults of a history; the rest is counted.

use delivery_model::vocab::Fault;

use super::operation::{Operation, Phase};
use crate::report::ImportReport;
use crate::row::{Row, What};

/// The nemesis: what it is at. Both the beginning and the end of what it does are `:info`.
#[derive(Default)]
pub struct Nemesis {
    began: Option<String>,
}

impl Nemesis {
    /// The fault that an operation of the nemesis, or a `:crash` of a client, is.
    pub fn row(&mut self, operation: &Operation<'_>, report: &mut ImportReport) -> Option<Row> {
        let row = |what| Some(Row::new(operation.at(), operation.process_name(), what));
        let f = &*operation.f;
        if operation.process.parse::<u64>().is_ok() {
            return match (f, operation.phase) {
                ("crash", Phase::Invoke) => None,
                ("crash", _) => row(What::Fault(Fault::ConsumerCrash)),
                (f, _) => {
                    report.dropped.count(&format!("operations {f}"));
                    None
                }
            };
        }
        if self.began.take().is_none_or(|began| began != f) {
            self.began = Some(f.to_owned());
            return None;
        }
        match f {
            "kill" => row(What::Fault(Fault::BrokerCrash)),
            f => {
                report.dropped.count(&format!("{f} by the nemesis"));
                None
            }
        }
    }
}
