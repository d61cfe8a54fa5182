//! Schedules: any text is a schedule or an error, and a schedule reads the same when it is written again.

#![no_main]

use delivery_model::schedule::Schedule;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Ok(schedule) = Schedule::from_json(text) {
        assert_eq!(Schedule::from_json(&schedule.to_json()).as_ref(), Ok(&schedule));
    }
});
