//! The limit of the disk: appends to a plain file with a sync after each, or after each group, and nothing else.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::time::Duration;

use crate::time;

/// The time to append this many frames to a new file in this directory, and to sync after every `group` of them.
///
/// # Panics
/// If the disk fails, or the file does not have every frame in the end.
pub fn floor(directory: &Path, frame: &[u8], records: u64, group: u64) -> Duration {
    let path = directory.join("floor");
    let took = time(|| append(&path, frame, records, group));
    let length = path.metadata().expect("a file").len();
    assert_eq!(length, records * frame.len() as u64);
    took
}

fn append(path: &Path, frame: &[u8], records: u64, group: u64) {
    let mut file = File::create(path).expect("writable");
    for number in 1..=records {
        file.write_all(frame).expect("room");
        if number % group == 0 {
            file.sync_data().expect("a sound disk");
        }
    }
}
