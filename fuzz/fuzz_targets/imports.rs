//! Imports: any bytes are a history or an error in every format, and what comes of them can be judged and written.

#![no_main]

use delivery_import::{Format, Input, Options, import, recognise};
use delivery_model::history::{History, ReadOptions};
use delivery_model::semantics::{Question, judge};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    recognise(bytes);
    for &format in Format::ALL {
        let options = Options { quiescent: true, ..Options::default() };
        let Ok(imported) = import(format, &[Input::new("fuzz", bytes)], &options) else { continue };
        judge(&imported.history, Question::default());
        let mut written = Vec::new();
        imported.history.write(&mut written).expect("what was imported can be written");
        History::read(&written[..], ReadOptions::default()).expect("what was written can be read");
    }
});
