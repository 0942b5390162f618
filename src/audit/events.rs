//! What the audit notes, as events of the crate `tracing`: with the feature of that name. Never under
//! a lock: a subscriber is the user's.

use super::live::Live;

/// What has happened to an entry.
#[derive(Clone, Copy)]
#[cfg_attr(not(feature = "tracing"), allow(dead_code, reason = "nobody is told"))]
pub(super) enum Event {
    Created,
    Finished,
    Dropped,
}

#[cfg(not(feature = "tracing"))]
#[inline(always)]
pub(super) fn tell(_: Event, _: &Live) {}

/// Generators, of which there may be millions, at the level TRACE, all else at DEBUG.
#[cfg(feature = "tracing")]
pub(super) fn tell(event: Event, live: &Live) {
    use core::cell::Cell;

    use crate::unwind::quietly;

    std::thread_local! {
        /// A subscriber that makes generators of its own is not told of them: that would never end.
        static TELLING: Cell<bool> = const { Cell::new(false) };
    }

    struct Told;
    impl Drop for Told {
        fn drop(&mut self) {
            TELLING.set(false);
        }
    }

    macro_rules! tell {
        ($level:ident, $message:literal) => {
            tracing::event!(
                target: "watertight::audit",
                tracing::Level::$level,
                id = live.id,
                kind = live.kind().name(),
                file = live.site.file(),
                line = live.site.line(),
                column = live.site.column(),
                items = live.items,
                yielded = live.yielded(),
                $message
            )
        };
    }

    if TELLING.replace(true) {
        return;
    }
    let _told = Told;
    // It may be in a destructor, and by a panic, that something is dropped.
    quietly(|| match (live.kind().is_generator(), event) {
        (true, Event::Created) => tell!(TRACE, "created"),
        (true, Event::Finished) => tell!(TRACE, "finished"),
        (true, Event::Dropped) => tell!(TRACE, "dropped"),
        (false, Event::Created) => tell!(DEBUG, "created"),
        (false, Event::Finished) => tell!(DEBUG, "finished"),
        (false, Event::Dropped) => tell!(DEBUG, "dropped"),
    });
}
