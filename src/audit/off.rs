//! The audit without the feature `audit`: records that are nothing, with methods that do nothing.

mod kind;

pub(crate) use kind::Kind;

/// What a generator or a buffer tells of itself. See `record.rs` for what is told.
#[derive(Clone, Copy)]
#[allow(dead_code, reason = "some kinds need `std`")]
pub(crate) struct Record;

/// A step that has begun.
pub(crate) struct Step;

/// What others tell of a buffer.
#[derive(Clone, Copy)]
#[allow(dead_code, reason = "buffers between threads need `std`")]
pub(crate) struct Meter;

/// A line of the program.
#[allow(dead_code, reason = "threads need `std`")]
pub(crate) struct Spot;

#[allow(dead_code, reason = "threads need `std`")]
impl Spot {
    #[inline(always)]
    pub(crate) fn here() -> Self {
        Spot
    }
}

/// What a thread tells of itself. Not `Copy`: it is to be dropped where it is.
#[allow(dead_code, reason = "threads need `std`")]
pub(crate) struct OnThread;

#[allow(dead_code, reason = "some kinds need `std`")]
#[allow(clippy::extra_unused_type_parameters, reason = "the other one wants their names")]
impl Record {
    #[inline(always)]
    pub(crate) const fn of<I: ?Sized, B: ?Sized>(_: Kind) -> Self {
        Record
    }

    #[inline(always)]
    pub(crate) const fn buffer<I: ?Sized>(_: Kind, _bound: usize) -> Self {
        Record
    }

    #[inline(always)]
    pub(crate) const fn plain<I: ?Sized>(_: Kind) -> Self {
        Record
    }

    #[inline(always)]
    pub(crate) fn begin(&self) -> Step {
        Step
    }

    #[inline(always)]
    pub(crate) fn ask(&self) -> Step {
        Step
    }

    #[inline(always)]
    pub(crate) fn finish_quietly(&self) {}

    #[inline(always)]
    pub(crate) fn finish(&self) {}

    #[inline(always)]
    pub(crate) fn run(&self) {}

    #[inline(always)]
    pub(crate) fn rekind(&self, _: Kind) {}

    #[inline(always)]
    pub(crate) fn level(&self, _now: usize) {}

    #[inline(always)]
    pub(crate) fn meter(&self) -> Meter {
        Meter
    }
}

#[allow(dead_code, reason = "some kinds need `std`")]
impl Step {
    #[inline(always)]
    pub(crate) fn yielded(self) {}

    #[inline(always)]
    pub(crate) fn waits(self) {}

    #[inline(always)]
    pub(crate) fn finished(self) {}
}

#[allow(dead_code, reason = "buffers between threads need `std`")]
impl Meter {
    #[inline(always)]
    pub(crate) fn pushed(&self) {}

    #[inline(always)]
    pub(crate) fn peak(&self, _peak: impl FnOnce() -> usize) {}

    #[inline(always)]
    pub(crate) fn level(&self, _now: usize) {}

    #[inline(always)]
    pub(crate) fn stopped(&self) {}

    #[inline(always)]
    pub(crate) fn thread(&self) -> OnThread {
        OnThread
    }
}

#[allow(dead_code, reason = "threads need `std`")]
impl OnThread {
    #[inline(always)]
    pub(crate) fn shared(_: Spot, _name: &'static str) -> Self {
        OnThread
    }

    #[inline(always)]
    pub(crate) fn enter(&self) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn g11_without_the_audit_records_take_no_room_and_have_no_destructor() {
        assert_eq!((size_of::<Record>(), size_of::<Step>()), (0, 0));
        assert_eq!((size_of::<Meter>(), size_of::<OnThread>(), size_of::<Spot>()), (0, 0, 0));
        assert_eq!(align_of::<Record>(), 1);
        assert!(!core::mem::needs_drop::<(Record, Step, Meter, OnThread)>());
    }
}
