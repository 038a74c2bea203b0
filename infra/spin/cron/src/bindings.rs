//! The world in `wit/`, as Rust, and what exports it.

#![expect(unsafe_code, reason = "wit-bindgen makes it: values cross to and from the host")]

wit_bindgen::generate!({
    path: "wit",
    world: "backplane:cron/cron",
    generate_all,
});

export!(Cron with_types_in self);

use crate::component::Cron;
