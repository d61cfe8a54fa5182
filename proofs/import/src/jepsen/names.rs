//! The names of a Kafka workload's messages: `KEY/VALUE`, or both as EDN where two pairs would look the same.

use std::collections::HashMap;
use std::sync::Arc;

use clojure_reader::edn::Edn;

use super::operation::text;
use crate::build::bounded;
use crate::row::Name;

/// The names that were given, with the pair of each.
#[derive(Default)]
pub struct Messages(HashMap<Arc<str>, (String, String)>);

impl Messages {
    /// The name of the message with this key and value. The same calls in the same order give the same names.
    pub fn message(&mut self, key: &Edn<'_>, value: &Edn<'_>) -> Name {
        let (key_text, value_text) = (text(key), text(value));
        let name: Arc<str> = format!("{}/{}", bounded(&key_text), bounded(&value_text)).into();
        if bounded(&name).len() < name.len() {
            return Name::Text(bounded(&name).into());
        }
        let pair = (key.to_string(), value.to_string());
        match self.0.get(&name) {
            Some(known) if *known != pair => Name::Text(format!("{} {}", pair.0, pair.1).into()),
            Some(_) => Name::Text(name),
            None => {
                self.0.insert(Arc::clone(&name), pair);
                Name::Text(name)
            }
        }
    }
}
