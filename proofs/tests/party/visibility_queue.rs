//! The queue with visibility time-outs of the examples.

use delivery_model::semantics::PropertyId;
use expect_test::expect;

use super::foreign::{is_found, passes};

#[path = "../../examples/visibility_queue/claim.rs"]
mod claim;
#[path = "../../examples/visibility_queue/glue.rs"]
mod glue;
#[path = "../../examples/visibility_queue/queue.rs"]
mod queue;

#[test]
fn nothing_is_found_in_a_sound_queue() {
    passes(&claim::suite(queue::Bug::None));
}

#[test]
fn a_visibility_time_out_that_begins_too_early_is_found() {
    let suite = claim::suite(queue::Bug::HiddenFromSend);
    is_found(
        &suite,
        PropertyId::LeaseExclusive,
        expect![[r#"
            visibility-queue breaks lease-exclusive: message 1: at most one live lease a position
            with 1 message:
              delivery-lost: the hand-off of message 1, first time
                order service                        broker                               inventory service
              1 ● submits order 1                    │                                    │
              2 ├──────────── publish 1 ────────────▶│                                    │
              3 │                                    ● takes in publish 1                 │
              4 │◀────────────── ack 1 ──────────────┤                                    │
              5 │                                    ├───────── deliver 1 (0-1) ─────────▶│
              6 │                                    ✗ the hand-off of 1 is lost          │
              7 ● learns: acked 1                    │                                    │
              8 │                                    ● time passes: 20s since the         │
                │                                    │ beginning                          │
              9 │                                    ├───────── deliver 1 (0-2) ─────────▶│
             10 │                                    ├── deliver 1 (0-3) to consumer 2 ──▶│
             11 │                                    │                                    ● consumer 2 receives
                │                                    │                                    │ 1
             12 │                                    │                                    ● consumer 2 makes the
                │                                    │                                    │ effect of 1
             13 │                                    │◀───────── settle 1 (0-3) ──────────┤
             14 │                                    │                                    ● receives 1
             15 │                                    │                                    ● makes the effect of
                │                                    │                                    │ 1
             16 │                                    │◀───────── settle 1 (0-2) ──────────┤
             17 │                                    ● records as settled: 1 (0-3)        │
             18 │                                    ● refuses the settle of 1 (0-2)      │
        "#]],
    );
}

#[test]
fn an_old_receipt_that_deletes_is_found() {
    let suite = claim::suite(queue::Bug::OldReceiptDeletes);
    is_found(
        &suite,
        PropertyId::StaleSettleRefused,
        expect![[r#"
            visibility-queue breaks stale-settle-refused: message 1: only the current delivery settles
            with 1 message:
              lease-expiry after the settle of message 1, first time
                order service                        broker                               inventory service
              1 ● submits order 1                    │                                    │
              2 ├──────────── publish 1 ────────────▶│                                    │
              3 │                                    ● takes in publish 1                 │
              4 │◀────────────── ack 1 ──────────────┤                                    │
              5 │                                    ├── deliver 1 (0-1) to consumer 2 ──▶│
              6 ● learns: acked 1                    │                                    │
              7 │                                    │                                    ● consumer 2 receives
                │                                    │                                    │ 1
              8 │                                    │                                    ● consumer 2 makes the
                │                                    │                                    │ effect of 1
              9 │                                    │◀───────── settle 1 (0-1) ──────────┤
             10 │                                    ✗ the lease of 1 ends, and its       │
                │                                    │ holder stands still                │
             11 │                                    ├───────── deliver 1 (0-2) ─────────▶│
             12 │                                    │                                    ● consumer 2 goes on
             13 │                                    │                                    ● receives 1
             14 │                                    │                                    ● makes the effect of
                │                                    │                                    │ 1
             15 │                                    ● records as settled: 1 (0-1)        │
             16 │                                    │◀───────── settle 1 (0-2) ──────────┤
             17 │                                    ● refuses the settle of 1 (0-2)      │
        "#]],
    );
}
