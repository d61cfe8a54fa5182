//! The sends and polls that an operation of the Kafka workload is made of.

use std::collections::HashSet;

use clojure_reader::edn::Edn;

use super::operation::{Operation, text};

/// One send, or one value that a poll brought.
pub enum Micro<'o, 'e> {
    Send(Send<'o, 'e>),
    Poll(Polled<'o, 'e>),
}

/// `[:send KEY VALUE]`, or, when it is done, `[:send KEY [OFFSET VALUE]]`.
pub struct Send<'o, 'e> {
    pub key: &'o Edn<'e>,
    pub value: &'o Edn<'e>,
    pub offset: Option<u64>,
}

/// One `[OFFSET VALUE]` of `[:poll {KEY [[OFFSET VALUE] ..]}]`.
pub struct Polled<'o, 'e> {
    pub key: &'o Edn<'e>,
    pub offset: Option<u64>,
    pub value: &'o Edn<'e>,
}

/// What an operation sent and what its polls brought, in order.
pub fn micros<'o, 'e>(operation: &'o Operation<'e>) -> impl Iterator<Item = Micro<'o, 'e>> {
    let is_done = !operation.is_invocation();
    elements(&operation.value).iter().flat_map(move |micro| match elements(micro) {
        [Edn::Key(f), key, value] if f == "send" => {
            let (offset, value) = match (is_done, elements(value)) {
                (true, [offset, value]) => (offset_of(offset), value),
                _ => (None, value),
            };
            vec![Micro::Send(Send { key, value, offset })]
        }
        [Edn::Key(f), Edn::Map(logs)] if f == "poll" => logs
            .iter()
            .flat_map(|(key, pairs)| {
                elements(pairs).iter().filter_map(move |pair| match elements(pair) {
                    [offset, value] => Some(Micro::Poll(Polled { key, offset: offset_of(offset), value })),
                    _ => None,
                })
            })
            .collect(),
        _ => Vec::new(),
    })
}

/// The names in a vector, list or set of keys.
pub fn names_of(keys: &Edn<'_>) -> HashSet<String> {
    match keys {
        Edn::Set(keys) => keys.iter().map(text).collect(),
        keys => elements(keys).iter().map(text).collect(),
    }
}

fn elements<'o, 'e>(value: &'o Edn<'e>) -> &'o [Edn<'e>] {
    match value {
        Edn::Vector(elements) | Edn::List(elements) => elements,
        _ => &[],
    }
}

fn offset_of(offset: &Edn<'_>) -> Option<u64> {
    match offset {
        Edn::Int(offset) => u64::try_from(*offset).ok(),
        _ => None,
    }
}
