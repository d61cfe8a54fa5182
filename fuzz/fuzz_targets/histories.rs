//! Histories: any bytes are a history or an error, and a history reads the same when it is written again.

#![no_main]

use delivery_model::history::{History, ReadOptions, TruncatedTail};
use delivery_model::semantics::{Question, judge};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    for truncated_tail in [TruncatedTail::Refuse, TruncatedTail::NameAndIgnore] {
        let Ok(history) = History::read(bytes, ReadOptions { truncated_tail }) else { continue };
        judge(&history, Question::default());
        let mut written = Vec::new();
        history.write(&mut written).expect("what was read can be written");
        let again = History::read(&written[..], ReadOptions::default()).expect("what was written can be read");
        assert_eq!(again.events, history.events);
    }
});
