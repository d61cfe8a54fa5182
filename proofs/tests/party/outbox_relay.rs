//! The outbox with a polling relay of the examples.

use delivery_model::semantics::PropertyId;
use expect_test::expect;

use super::foreign::{is_found, passes};

#[path = "../../examples/outbox_relay/claim.rs"]
mod claim;
#[path = "../../examples/outbox_relay/glue.rs"]
mod glue;
#[path = "../../examples/outbox_relay/outbox.rs"]
mod outbox;

#[test]
fn nothing_is_found_in_a_sound_outbox() {
    passes(&claim::suite(outbox::Bug::None));
}

#[test]
fn a_row_that_is_marked_too_early_is_found() {
    let suite = claim::suite(outbox::Bug::MarkedBeforeConfirmed);
    is_found(
        &suite,
        PropertyId::SubmittedNotLost,
        expect![[r#"
            outbox-relay breaks submitted-not-lost: message 1 was submitted and is lost
            with 1 message:
              publish-lost: the attempt of message 1, first time
                order service                        broker                               inventory service
              1 ● submits order 1                    │                                    │
              2 ├──────────── publish 1 ────────────▶│                                    │
              3 ✗ publish 1 is lost on the way       │                                    │
        "#]],
    );
}
