//! Recovery: whatever a crash leaves in a file, what is recovered is a prefix of it and stays so, and records and ledger
//! entries that are understood are those that were written.

#![no_main]

use delivery_impls::core::ledger::Entry;
use delivery_impls::inventory::Order;
use delivery_impls::data::record::Record;
use delivery_impls::store::frame::{recover, write};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(recovered) = recover(bytes) {
        let mut again = Vec::new();
        recovered.records.iter().for_each(|record| write(&mut again, record));
        assert_eq!(again, bytes[..recovered.intact_bytes]);
    }
    if let Ok(record) = Record::decode(bytes) {
        assert_eq!(record.encode(), bytes);
    }
    if let Ok(order) = Order::decode(bytes) {
        assert_eq!(&order.encode()[..], bytes);
    }
    if let Ok(entries) = Entry::decode_all(bytes) {
        let mut again = Vec::new();
        Entry::encode_all(&entries, &mut again);
        assert_eq!(Entry::decode_all(&again), Ok(entries));
    }
});
