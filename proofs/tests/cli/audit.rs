//! `delivery audit` as its users meet it. What it finds out about servers is tested beside the crate `audit`.

use crate::common::{delivery, delivery_in, ended, place};

#[test]
fn an_unknown_product_setting_or_fault_is_refused_with_what_is_known() {
    let place = place(&[]);
    for (arguments, says) in [
        (&["audit", "redsi"][..], "product \"redsi\" is unknown; known are nats, redis, postgres"),
        (&["audit", "redis/never"], "setting \"never\" of redis is unknown; known are default, everysec, always"),
        (&["audit", "--faults", "kill,fire"], "fault \"fire\" is unknown; known are kill, stop, power"),
    ] {
        let refused = delivery_in(place.path(), arguments);
        assert_eq!((refused.code, refused.out.as_str()), (2, ""), "{arguments:?}");
        assert!(refused.err.contains(says), "{}", refused.err);
    }
}

#[test]
fn what_is_not_installed_is_named_with_how_to_install_it_and_is_no_success() {
    let place = place(&[]);
    let mut command = delivery();
    command.args(["audit", "redis", "--faults", "kill"]).env("PATH", place.path()).env("TMPDIR", place.path());
    let told = ended(command.output().expect("it starts"));
    assert!(told.out.contains("left out: product redis: redis-server is not installed"), "{}", told.out);
    assert!(told.out.contains("apt-get install redis-server"), "{}", told.out);
    assert_eq!(told.code, 3);
}
