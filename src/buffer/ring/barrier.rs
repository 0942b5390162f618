//! A barrier of which one side costs nothing.
//!
//! Two threads that each write one thing and then read what the other writes, and of which at least
//! one must see the other's, need a full barrier between their write and their read. Where one of
//! the two comes by for every item and the other one rarely, the rare one can pay for both: on
//! Linux the system call `membarrier` makes every running thread of the process pass a full barrier
//! at some point of its instruction stream. What that thread wrote before that point is seen by the
//! caller afterwards; what it reads after that point is what the caller had written before. The
//! frequent side is then left with keeping the compiler from changing the order.
//!
//! Elsewhere, if the kernel refuses, and in the model checker, both sides are ordinary fences, which
//! is right in the same places and costs the frequent side some nanoseconds.
//! `RUSTFLAGS="--cfg watertight_fences"` has it so everywhere.

use core::sync::atomic::compiler_fence;

use crate::sync::Ordering;

/// Which kind of barrier the two sides have agreed on: it is chosen when a buffer is made.
#[derive(Clone, Copy)]
pub(in super::super) struct Barrier {
    asymmetric: bool,
}

impl Barrier {
    pub(in super::super) fn choose() -> Self {
        Barrier { asymmetric: system::available() }
    }

    /// For a buffer between tasks. These do not spin before they wait, so that the rare side is not
    /// rare where there are only few places: it comes once in a buffer.
    #[cfg(feature = "stream")]
    pub(in super::super) fn for_tasks(capacity: usize) -> Self {
        const FEW: usize = 64;
        if capacity <= FEW { Barrier { asymmetric: false } } else { Barrier::choose() }
    }

    /// For the side that comes often.
    #[inline(always)]
    pub(super) fn light(self) {
        if self.asymmetric {
            compiler_fence(Ordering::SeqCst);
        } else {
            system::fence();
        }
    }

    /// For the side that comes rarely.
    pub(super) fn heavy(self) {
        if self.asymmetric {
            // The caller's own accesses must not be moved over the call by the compiler, either.
            compiler_fence(Ordering::SeqCst);
            system::barrier();
            compiler_fence(Ordering::SeqCst);
        } else {
            system::fence();
        }
    }
}

#[cfg(all(
    target_os = "linux",
    any(target_arch = "x86_64", target_arch = "aarch64", target_arch = "riscv64"),
    not(any(watertight_loom, watertight_shuttle, miri, watertight_fences))
))]
mod system {
    use core::ffi::c_long;
    use std::sync::OnceLock;

    #[cfg(target_arch = "x86_64")]
    const MEMBARRIER: c_long = 324;
    #[cfg(not(target_arch = "x86_64"))]
    const MEMBARRIER: c_long = 283;

    const PRIVATE_EXPEDITED: c_long = 1 << 3;
    const REGISTER_PRIVATE_EXPEDITED: c_long = 1 << 4;

    unsafe extern "C" {
        fn syscall(number: c_long, ...) -> c_long;
    }

    fn membarrier(command: c_long) -> bool {
        let (flags, cpu): (c_long, c_long) = (0, 0);
        // SAFETY: the C library, which std links, has `syscall` with this signature; `membarrier`
        // takes these three numbers, and reads and writes no memory of the caller's.
        unsafe { syscall(MEMBARRIER, command, flags, cpu) == 0 }
    }

    pub(super) fn available() -> bool {
        static REGISTERED: OnceLock<bool> = OnceLock::new();
        *REGISTERED.get_or_init(|| membarrier(REGISTER_PRIVATE_EXPEDITED))
    }

    /// What a symmetric barrier is. Not among the instructions of the asymmetric one.
    #[cold]
    #[inline(never)]
    pub(super) fn fence() {
        crate::sync::fence(crate::sync::Ordering::SeqCst);
    }

    pub(super) fn barrier() {
        // It was available when the buffer was made. Should the process have lost its registration,
        // as a child of a fork may, it registers again: without a barrier a thread could be left
        // asleep.
        if !membarrier(PRIVATE_EXPEDITED) {
            let registered = membarrier(REGISTER_PRIVATE_EXPEDITED);
            assert!(registered && membarrier(PRIVATE_EXPEDITED), "membarrier is gone");
        }
    }
}

#[cfg(not(all(
    target_os = "linux",
    any(target_arch = "x86_64", target_arch = "aarch64", target_arch = "riscv64"),
    not(any(watertight_loom, watertight_shuttle, miri, watertight_fences))
)))]
mod system {
    pub(super) fn available() -> bool {
        false
    }

    #[inline(always)]
    pub(super) fn fence() {
        crate::sync::fence(crate::sync::Ordering::SeqCst);
    }

    pub(super) fn barrier() {
        unreachable!("an asymmetric barrier is not available here");
    }
}
