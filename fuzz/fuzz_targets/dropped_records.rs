//! The snapshot that a log begins with: whatever stands there is refused, or is a past that reads back as itself and may be
//! asked and added to.

#![no_main]

use delivery_impls::core::dropped_records::DroppedRecords;
use delivery_impls::data::record::{Identity, ProducerId, Record, Session};
use delivery_model::pipeline::{Broker, Dedup};
use delivery_model::vocab::{Epoch, MessageId};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let [dedup, dedup_window, bytes @ ..] = bytes else { return };
    let dedup = [Dedup::None, Dedup::MessageId, Dedup::Sequence][usize::from(dedup % 3)];
    let settings = Broker { dedup, dedup_window: u32::from(dedup_window % 4), ..Broker::default() };
    // What the frame around a part says is not what is looked for here.
    let mut records = vec![[&[2, 1], bytes].concat()];
    if let Ok(mut past) = DroppedRecords::decode(&settings, &mut records) {
        if !past.encode().is_empty() {
            assert_eq!(DroppedRecords::decode(&settings, &mut past.encode()).as_ref(), Ok(&past));
        }
        let identity = Identity::Sequence { session: Session::default(), number: 1 };
        let (producer, epoch, payload) = (ProducerId(0), Epoch(0), [].into());
        past.holds(identity);
        past.take_in(&Record { message: MessageId(1), identity, producer, epoch, payload }, true);
        assert_eq!(DroppedRecords::decode(&settings, &mut past.encode()).as_ref(), Ok(&past));
    }
});
