//! A cursor over a document's tree: a value with its location, and a table whose keys were checked.

use std::ops::RangeInclusive;

use super::{Location, Mistake, Node, Value};
use crate::numbers::{grouped, whole_number};
use crate::words::{Word, closest};

/// A value of the tree, with its location.
#[derive(Clone, Debug)]
pub(crate) struct Cursor<'a> {
    node: &'a Node,
    place: Location,
}

/// A table all of whose keys are known.
pub(crate) struct Fields<'a> {
    fields: Vec<(&'a str, Cursor<'a>)>,
    place: Location,
}

/// The words of a type as a list, for errors.
pub(crate) fn words_of<W: Word>(words: &[W]) -> String {
    words.iter().map(|value| format!("\"{}\"", value.word())).collect::<Vec<_>>().join(", ")
}

impl<'a> Cursor<'a> {
    /// A cursor on the whole document. `line` is its line in its file, for a document that has no lines of its own.
    pub fn root(node: &'a Node, line: Option<u32>) -> Cursor<'a> {
        Cursor { node, place: Location { line, key: String::new() } }
    }

    /// The location of the value.
    pub fn place(&self) -> &Location {
        &self.place
    }

    /// The value.
    pub fn value(&self) -> &'a Value {
        &self.node.value
    }

    /// The error for a value that may not stand here.
    pub fn unfit(&self, allowed: impl Into<String>) -> Mistake {
        Mistake::Unfit { place: self.place.clone(), found: self.node.value.to_string(), allowed: allowed.into() }
    }

    /// The value as a table that has no other keys than these.
    pub fn table(&self, keys: &[&str]) -> Result<Fields<'a>, Mistake> {
        let Value::Table(entries) = &self.node.value else {
            return Err(self.unfit(format!("a table with the keys {}", keys.join(", "))));
        };
        let mut fields: Vec<(&str, Cursor<'_>)> = Vec::with_capacity(entries.len());
        for (key, line, node) in entries {
            let place = self.place.child(*line, key);
            if !keys.contains(&key.as_str()) {
                let hint = closest(key, keys.iter().copied()).map(|meant| format!("did you mean `{meant}`?"));
                return Err(Mistake::UnknownKey { place, hint, allowed: keys.join(", ") });
            }
            fields.push((key, Cursor { node, place }));
        }
        Ok(Fields { fields, place: self.place.clone() })
    }

    /// The entries of a table whose keys are names that the document gives.
    pub fn entries(&self, allowed: &str) -> Result<Vec<(&'a str, Cursor<'a>)>, Mistake> {
        let Value::Table(entries) = &self.node.value else {
            return Err(self.unfit(allowed));
        };
        let entry = |(key, line, node): &'a (String, Option<u32>, Node)| {
            (key.as_str(), Cursor { node, place: self.place.child(*line, key) })
        };
        Ok(entries.iter().map(entry).collect())
    }

    /// One value of a table; its other keys are not checked.
    pub fn peek(&self, key: &str, allowed: &str) -> Result<Cursor<'a>, Mistake> {
        let Value::Table(entries) = &self.node.value else {
            return Err(self.unfit("a table"));
        };
        match entries.iter().find(|(known, ..)| known == key) {
            Some((_, line, node)) => Ok(Cursor { node, place: self.place.child(*line, key) }),
            None => Err(Mistake::Missing { place: self.place.child(None, key), allowed: allowed.to_owned() }),
        }
    }

    /// Checks the format and the version of the document, before anything else is read.
    pub fn check_format(&self, format: &str, version: u32) -> Result<(), Mistake> {
        let (format_allowed, version_allowed) = (format!("{format:?}"), version.to_string());
        let field = self.peek("format", &format_allowed)?;
        if field.text(&format_allowed)? != format {
            return Err(field.unfit(format_allowed));
        }
        let field = self.peek("version", &version_allowed)?;
        field.number(version..=version).map(drop).map_err(|_| field.unfit(version_allowed))
    }

    /// The items of a list that has at most `limit` of them.
    pub fn list(&self, limit: usize, of: &str) -> Result<Vec<Cursor<'a>>, Mistake> {
        match &self.node.value {
            Value::List(items) if items.len() <= limit => {
                let item = |(index, node): (usize, &'a Node)| Cursor { node, place: self.place.item(node.line, index) };
                Ok(items.iter().enumerate().map(item).collect())
            }
            Value::List(items) => Err(Mistake::Unfit {
                place: self.place.clone(),
                found: format!("a list of {}", grouped(items.len() as u64)),
                allowed: format!("a list of at most {} {of}", grouped(limit as u64)),
            }),
            _ => Err(self.unfit(format!("a list of {of}"))),
        }
    }

    /// The value as a text.
    pub fn text(&self, allowed: &str) -> Result<&'a str, Mistake> {
        match &self.node.value {
            Value::Text(text) => Ok(text),
            _ => Err(self.unfit(allowed)),
        }
    }

    /// The value as a whole number within this range.
    pub fn number<N: TryFrom<i128> + Into<i128> + Copy>(&self, range: RangeInclusive<N>) -> Result<N, Mistake> {
        let (low, high): (i128, i128) = ((*range.start()).into(), (*range.end()).into());
        match self.node.value {
            Value::Integer(number) if (low..=high).contains(&number) => N::try_from(number).ok(),
            _ => None,
        }
        .ok_or_else(|| self.unfit(whole_number(low, high)))
    }

    /// The value as `true` or `false`.
    pub fn bool(&self) -> Result<bool, Mistake> {
        match self.node.value {
            Value::Bool(value) => Ok(value),
            _ => Err(self.unfit("true, false")),
        }
    }

    /// The value as one of a type's words.
    pub fn word<W: Word>(&self) -> Result<W, Mistake> {
        match &self.node.value {
            Value::Text(text) => W::from_word(text).ok_or_else(|| self.unknown_word(text, words_of(W::ALL), W::ALL)),
            _ => Err(self.unfit(words_of(W::ALL))),
        }
    }

    /// The error for a word that is none of these.
    fn unknown_word<W: Word>(&self, text: &str, allowed: String, words: &[W]) -> Mistake {
        let meant = closest(text, words.iter().map(|word| word.word()));
        let guess = meant.map_or_else(String::new, |meant| format!(" (did you mean {meant:?}?)"));
        Mistake::Unfit { place: self.place.clone(), found: format!("{}{guess}", self.node.value), allowed }
    }
}

impl<'a> Fields<'a> {
    /// The fields that are present, in the order of the text.
    pub fn iter(&self) -> impl Iterator<Item = (&'a str, &Cursor<'a>)> {
        self.fields.iter().map(|(key, field)| (*key, field))
    }

    /// The field with this key, if it is present.
    pub fn optional(&self, key: &str) -> Option<&Cursor<'a>> {
        self.iter().find_map(|(known, field)| (known == key).then_some(field))
    }

    /// The field with this key, which must be present.
    pub fn required(&self, key: &str, allowed: &str) -> Result<&Cursor<'a>, Mistake> {
        let missing = || Mistake::Missing { place: self.place.child(None, key), allowed: allowed.to_owned() };
        self.optional(key).ok_or_else(missing)
    }
}
