//! Memory that is given back in the opposite order in which it is taken.
//!
//! An arena is a list of chunks. One is in use: memory is taken at its free end, by moving a pointer.
//! When it is full the next one is used, which is there already or is allocated then, twice as large
//! as the one before. A chunk that has been left empty stays for the next time, so what goes up and
//! down at the same height allocates nothing. All chunks are freed together.
//!
//! What is taken never moves.

use alloc::alloc::{alloc, dealloc, handle_alloc_error};
use core::alloc::Layout;
use core::cell::Cell;
use core::ptr::{self, NonNull};

/// What every place is aligned to, and a multiple of which every size is.
const ALIGN: usize = 8;

/// The first chunk: some ten small frames.
const FIRST: usize = 1024;

/// The largest one, unless something larger has to go in: more would not make it any faster, and up
/// to so much lies idle.
const LARGEST: usize = 1 << 20;

/// The beginning of a chunk.
struct Chunk {
    size: usize,
    previous: Cell<*mut Chunk>,
    next: Cell<*mut Chunk>,
    /// Where its free end was when the next one came into use.
    left_at: Cell<*mut u8>,
}

pub(super) struct Arena {
    /// The chunk in use.
    chunk: Cell<NonNull<Chunk>>,
    /// Its free end: between the two is nobody's memory.
    free: Cell<*mut u8>,
    end: Cell<*mut u8>,
}

/// Memory that has been taken. Dropping this gives it back.
pub(super) struct Place<'a> {
    arena: &'a Arena,
    start: *mut u8,
    /// Whether it is the first one in its chunk.
    first: bool,
}

impl Place<'_> {
    /// Keeps the memory: where it is, and whether it is the first place in its chunk.
    #[inline(always)]
    pub(super) fn keep(self) -> bool {
        let first = self.first;
        core::mem::forget(self);
        first
    }

    /// Aligned and large enough for what it was taken for, and not initialised.
    #[inline(always)]
    pub(super) fn start(&self) -> NonNull<u8> {
        // SAFETY: it lies in a chunk, and no chunk is at address 0.
        unsafe { NonNull::new_unchecked(self.start) }
    }
}

impl Drop for Place<'_> {
    #[inline(always)]
    fn drop(&mut self) {
        // SAFETY: taken from this arena, and what was taken after it has been given back: whoever
        // has this, and not yet kept it, has taken nothing else that he did not give back.
        unsafe { self.arena.give_back(self.start, self.first) };
    }
}

/// The size of a `T` as a place.
const fn rounded<T>() -> usize {
    (size_of::<T>() + ALIGN - 1) & !(ALIGN - 1)
}

impl Arena {
    /// An arena whose first place holds what `owner` makes of it, which is where the arena itself is
    /// to be: an arena that lies in its own memory needs one allocation instead of two.
    ///
    /// # Aborts
    ///
    /// If there is no memory, as `Box::new` does.
    pub(super) fn within<T>(owner: impl FnOnce(Arena) -> T) -> NonNull<T> {
        const {
            assert!(align_of::<T>() <= ALIGN && size_of::<Chunk>() + rounded::<T>() <= FIRST / 2);
        }
        let chunk = Chunk::allocate(FIRST);
        // SAFETY: the chunk has `FIRST` bytes, of which `Chunk` and `T` take up to half (asserted
        // above); it is aligned for both, and what is behind its beginning is nobody's yet.
        unsafe {
            let place = chunk.as_ptr().add(1).cast::<u8>();
            let arena = Arena {
                chunk: Cell::new(chunk),
                free: Cell::new(place.add(rounded::<T>())),
                end: Cell::new(chunk.as_ptr().cast::<u8>().add(FIRST)),
            };
            let place = place.cast::<T>();
            place.write(owner(arena));
            NonNull::new_unchecked(place)
        }
    }

    /// Takes memory for a `T`. Constant time, but where it allocates.
    ///
    /// # Aborts
    ///
    /// If there is no memory, as `Box::new` does.
    #[inline(always)]
    pub(super) fn take<T>(&self) -> Place<'_> {
        let mut start = self.free.get();
        if align_of::<T>() > ALIGN {
            start = start.wrapping_add(start.align_offset(align_of::<T>()));
        }
        // Both lie in one chunk, or `start` has been moved past its end.
        match self.end.get().addr().checked_sub(start.addr()) {
            Some(room) if room >= rounded::<T>() => {
                self.free.set(start.wrapping_add(rounded::<T>()));
                Place { arena: self, start, first: false }
            }
            _ => self.take_in_next(Layout::new::<T>()),
        }
    }

    #[cold]
    #[inline(never)]
    fn take_in_next(&self, layout: Layout) -> Place<'_> {
        let chunk = self.chunk.get();
        // SAFETY: chunks live as long as the arena, and what is changed in them are cells.
        let this = unsafe { chunk.as_ref() };
        let slack = layout.align().saturating_sub(ALIGN);
        let needed = layout
            .size()
            .checked_next_multiple_of(ALIGN)
            .and_then(|size| size.checked_add(size_of::<Chunk>() + slack))
            .unwrap_or_else(|| handle_alloc_error(layout));
        let mut next = NonNull::new(this.next.get());
        // SAFETY: as above.
        if next.is_none_or(|next| unsafe { next.as_ref() }.size < needed) {
            let size = (2 * this.size).min(LARGEST).max(needed);
            next = Some(Chunk::insert(chunk, size));
        }
        let Some(next) = next else { unreachable!("one has just been inserted") };
        this.left_at.set(self.free.get());
        // SAFETY: the chunk has at least `needed` bytes, which are enough for its beginning, for
        // what aligning moves the start by, and for `layout`.
        unsafe {
            let begin = next.as_ptr().cast::<u8>();
            let start = begin.add(size_of::<Chunk>());
            let start = start.add(start.align_offset(layout.align()));
            self.chunk.set(next);
            self.free.set(start.add(layout.size().next_multiple_of(ALIGN)));
            self.end.set(begin.add(next.as_ref().size));
            Place { arena: self, start, first: true }
        }
    }

    /// Gives memory back.
    ///
    /// # Safety
    ///
    /// `start` and `first` are of a place that was kept and has not been given back, and all that
    /// was taken after it has been.
    #[inline(always)]
    pub(super) unsafe fn give_back(&self, start: *mut u8, first: bool) {
        if first {
            self.leave();
        } else {
            self.free.set(start);
        }
    }

    /// Goes back to the chunk before, which there is: the first place of the first chunk is the
    /// owner's.
    #[cold]
    #[inline(never)]
    fn leave(&self) {
        // SAFETY: as in `take_in_next`.
        unsafe {
            let previous = self.chunk.get().as_ref().previous.get();
            let Some(previous) = NonNull::new(previous) else {
                unreachable!("the first chunk is never left")
            };
            self.chunk.set(previous);
            self.free.set(previous.as_ref().left_at.get());
            self.end.set(previous.as_ptr().cast::<u8>().add(previous.as_ref().size));
        }
    }

    /// How many bytes the chunks have.
    pub(super) fn allocated(&self) -> usize {
        let mut sum = 0;
        let mut chunk = self.first();
        // SAFETY: as in `take_in_next`.
        while let Some(this) = unsafe { chunk.as_ref() } {
            sum += this.size;
            chunk = this.next.get();
        }
        sum
    }

    fn first(&self) -> *mut Chunk {
        let mut chunk = self.chunk.get();
        // SAFETY: as in `take_in_next`.
        while let Some(previous) = NonNull::new(unsafe { chunk.as_ref() }.previous.get()) {
            chunk = previous;
        }
        chunk.as_ptr()
    }

    /// Frees all memory, that of the arena itself and of its owner included.
    ///
    /// # Safety
    ///
    /// The arena lies where [`Arena::within`] has put it. Nothing in its memory is used any more.
    pub(super) unsafe fn free(this: NonNull<Self>) {
        // SAFETY: it is there until the loop begins, which does not use it.
        let mut chunk = unsafe { this.as_ref() }.first();
        while !chunk.is_null() {
            // SAFETY: every chunk of the list was made by `allocate`, with this layout, and is freed
            // once: what leads to it is read before.
            unsafe {
                let (next, size) = ((*chunk).next.get(), (*chunk).size);
                dealloc(chunk.cast(), Chunk::layout(size));
                chunk = next;
            }
        }
    }
}

impl Chunk {
    fn layout(size: usize) -> Layout {
        match Layout::from_size_align(size, align_of::<Chunk>().max(ALIGN)) {
            Ok(layout) => layout,
            Err(_) => unreachable!("larger than what can be allocated"),
        }
    }

    /// A chunk of `size` bytes, which is at least that of its beginning, alone.
    fn allocate(size: usize) -> NonNull<Chunk> {
        let Ok(layout) = Layout::from_size_align(size, align_of::<Chunk>().max(ALIGN)) else {
            handle_alloc_error(Layout::new::<Chunk>());
        };
        // SAFETY: not of size 0.
        let Some(chunk) = NonNull::new(unsafe { alloc(layout) }.cast::<Chunk>()) else {
            handle_alloc_error(layout);
        };
        let alone = || Cell::new(ptr::null_mut());
        let begin =
            Chunk { size, previous: alone(), next: alone(), left_at: Cell::new(ptr::null_mut()) };
        // SAFETY: new, aligned, and large enough.
        unsafe { chunk.write(begin) };
        chunk
    }

    /// Allocates a chunk behind `this`. What came there before comes after it: the new one is the
    /// larger one, and the next to be used.
    fn insert(this: NonNull<Chunk>, size: usize) -> NonNull<Chunk> {
        let chunk = Chunk::allocate(size);
        // SAFETY: all three, if there are three, are in the list, or about to be, and are alive.
        unsafe {
            let next = this.as_ref().next.replace(chunk.as_ptr());
            chunk.as_ref().previous.set(this.as_ptr());
            chunk.as_ref().next.set(next);
            if let Some(next) = next.as_ref() {
                next.previous.set(chunk.as_ptr());
            }
        }
        chunk
    }
}
