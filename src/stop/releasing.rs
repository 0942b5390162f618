//! Whether this thread is in the middle of a stop that releases something.
//!
//! What a stop drops may own a thread. To wait for that would be to wait for the step that is in
//! progress there, which a stop never does, and for ever if the step waits for the stop: because it
//! has asked for it itself, or because what would end it is to be stopped later by the same stop.

use crate::sync::stops;

/// Runs `release` as a part of a stop.
pub(super) fn by_a_stop(release: impl FnOnce()) {
    struct Over(u32);
    impl Drop for Over {
        fn drop(&mut self) {
            stops(|depth| depth.set(self.0));
        }
    }
    let outer = stops(|depth| depth.replace(depth.get() + 1));
    let _over = Over(outer);
    release();
}

/// Whether this thread is about that.
pub(crate) fn is_in_a_stop() -> bool {
    stops(|depth| depth.get() > 0)
}

#[cfg(all(test, not(any(watertight_loom, watertight_shuttle))))]
mod tests {
    use super::*;
    use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

    #[test]
    fn it_is_so_until_the_release_is_over_however_that_ends() {
        assert!(!is_in_a_stop());
        by_a_stop(|| {
            by_a_stop(|| assert!(is_in_a_stop()));
            assert!(is_in_a_stop());
            std::thread::scope(|s| s.spawn(|| assert!(!is_in_a_stop())).join().unwrap());
            let panicking = || by_a_stop(|| resume_unwind(std::boxed::Box::new(())));
            assert!(catch_unwind(AssertUnwindSafe(panicking)).is_err());
            assert!(is_in_a_stop());
        });
        assert!(!is_in_a_stop());
    }
}
