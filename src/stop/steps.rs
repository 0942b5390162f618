//! Which steps this thread is in the middle of, so that none is waited for that cannot go on.
//!
//! A thread's steps are a list, innermost first, of entries on its stack. Nothing of it is shared. So
//! a step costs plain stores, and where nothing in it could look, the compiler leaves most of them
//! out. A note of the thread in what all threads see would have to be written at each step, and would
//! keep the generator's state in memory.
//!
//! # Why it is sound
//!
//! What can be found in the list is alive. An entry is a local variable of [`during`], which never
//! changes it, and before it goes, also by unwinding, one of two things is done. If it is the first of
//! the list, the list becomes the rest of it, in which it is not, since an entry is put in only once.
//! If it is not, because stacks have been switched and steps do not end in the reverse order of their
//! beginning, the list becomes empty: a step may then go on and not be noticed. So nothing stays in
//! the list that goes, and nothing comes into it but what begins. No other thread has this list. (A
//! stack that is moved to another thread in the middle of a call breaks everything that is local to a
//! thread; who moves one has had to say `unsafe`, and this is among the reasons.)

use core::ptr;

use crate::sync::innermost;

/// One step in progress.
struct Step {
    /// Whose it is: an address, never followed.
    of: *const (),
    /// The list when it began.
    outer: *const Step,
}

/// Takes a step off the list when it goes.
struct Over<'a>(&'a Step);

impl Drop for Over<'_> {
    #[inline(always)]
    fn drop(&mut self) {
        innermost(|list| {
            // No call for the rare case: this is in the loop that pulls, and what is called could
            // touch the generator's state, which would then be kept in memory.
            let first = ptr::eq(list.get().cast(), self.0);
            list.set(if first { self.0.outer.cast() } else { ptr::null() });
        });
    }
}

/// Runs `step` as a step of `of`.
#[inline(always)]
pub(super) fn during<S, T>(of: &S, step: impl FnOnce() -> T) -> T {
    // The step is not run within `innermost`: that would not be inlined.
    let outer = innermost(|list| list.get().cast());
    let entry = Step { of: ptr::from_ref(of).cast(), outer };
    innermost(|list| list.set(ptr::from_ref(&entry).cast()));
    let _over = Over(&entry);
    step()
}

/// Whether this thread is in the middle of a step of `of`.
pub(super) fn inside<S>(of: &S) -> bool {
    let mut list: *const Step = innermost(|list| list.get().cast());
    // SAFETY: found in the list, so it is alive, and nobody changes it (see above). It is a `Step`,
    // because nobody else has the list.
    while let Some(step) = unsafe { list.as_ref() } {
        if ptr::eq(step.of, ptr::from_ref(of).cast()) {
            return true;
        }
        list = step.outer;
    }
    false
}

#[cfg(all(test, not(watertight_loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_step_is_noticed_from_within_and_only_then() {
        let (outer, inner) = (1, 2);
        assert!(!inside(&outer));
        during(&outer, || {
            assert!(inside(&outer) && !inside(&inner));
            during(&inner, || assert!(inside(&outer) && inside(&inner)));
            assert!(inside(&outer) && !inside(&inner));
            std::thread::scope(|s| s.spawn(|| assert!(!inside(&outer))).join().unwrap());
        });
        assert!(!inside(&outer));
    }

    /// As on stacks that are switched: the outer step ends first.
    #[test]
    fn what_ends_out_of_order_leaves_nothing_behind() {
        let put = |of: &i32| {
            let outer = innermost(|list| list.get().cast());
            let entry = std::boxed::Box::new(Step { of: ptr::from_ref(of).cast(), outer });
            innermost(|list| list.set(ptr::from_ref(&*entry).cast()));
            entry
        };
        let (one, two, three) = (1, 2, 3);
        let first = put(&one);
        let second = put(&two);
        // What has gone would still be there to be found.
        drop(Over(&first));
        assert!(!inside(&one));
        let third = put(&three);
        drop(Over(&second));
        assert!(!inside(&one) && !inside(&two));
        drop(Over(&third));
        assert!(!inside(&one) && !inside(&two) && !inside(&three));
        assert!(innermost(|list| list.get().is_null()));
    }
}
