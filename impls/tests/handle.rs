//! The delivery handle without its races: what counts as handled, however the clones go.
//!
//! Loom explores the races (`proofs/loom`).

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

use delivery_impls::shared::handle::{AlreadySettled, Handle};

type Held = Handle<u32, Box<dyn Fn(u32)>>;

/// What is called not handled when these do what they do with the handle of delivery 7.
fn check(hold: impl FnOnce(Held), expected: &[u32]) {
    let told = Rc::new(RefCell::new(Vec::new()));
    let tells = Rc::clone(&told);
    hold(Handle::new(7, Box::new(move |delivery| tells.borrow_mut().push(delivery))));
    assert_eq!(*told.borrow(), expected);
}

#[test]
fn a_delivery_is_not_handled_when_its_last_clone_goes_unsettled() {
    check(drop, &[7]);
    check(
        |handle| {
            let clones = [handle.clone(), handle.clone()];
            drop(handle);
            clones.into_iter().for_each(drop);
        },
        &[7],
    );
    check(std::mem::forget, &[]);
}

#[test]
fn a_delivery_that_one_clone_settled_is_handled() {
    check(
        |handle| {
            let clone = handle.clone();
            assert_eq!(clone.settle(), Ok(()));
            assert_eq!(handle.settle(), Err(AlreadySettled));
            assert_eq!(clone.delivery(), 7);
        },
        &[],
    );
}

#[test]
fn a_handler_that_panics_has_not_handled_its_delivery() {
    let panics = |handle: Held| {
        let unwound = catch_unwind(AssertUnwindSafe(move || {
            let _held = handle;
            std::panic::resume_unwind(Box::new("a handler fails"));
        }));
        assert!(unwound.is_err());
    };
    check(panics, &[7]);
}
