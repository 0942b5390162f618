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

/// The beginning of a chunk. What comes behind it is aligned.
#[repr(align(8))] // `ALIGN`
struct Chunk {
    size: usize,
    previous: Cell<*mut Chunk>,
    next: Cell<*mut Chunk>,
    /// What it was like when the next one came into use.
    left: Cell<Left>,
}

#[derive(Clone, Copy)]
struct Left {
    first: *mut u8,
    free: *mut u8,
}

pub(super) struct Arena {
    /// The chunk in use.
    chunk: Cell<NonNull<Chunk>>,
    /// Its first place, which is given back together with the chunk.
    first: Cell<*mut u8>,
    /// Its free end: between the two is nobody's memory.
    free: Cell<*mut u8>,
    end: Cell<*mut u8>,
}

/// A place that has been found and is not taken. Dropping it goes back to the chunk it was asked for in.
pub(super) struct Place<'a, T> {
    arena: &'a Arena,
    start: NonNull<T>,
}

impl<T> Place<'_, T> {
    /// Not initialised.
    #[inline(always)]
    pub(super) fn start(&self) -> NonNull<T> {
        self.start
    }

    /// Takes it.
    #[inline(always)]
    pub(super) fn take(self) {
        self.arena.free.set(self.start.as_ptr().cast::<u8>().wrapping_add(rounded::<T>()));
        core::mem::forget(self);
    }
}

impl<T> Drop for Place<'_, T> {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: there is nothing after it: whoever has it has given back what he has taken since.
        unsafe { self.arena.give_back(self.start.cast()) };
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
            assert!(align_of::<Chunk>() == ALIGN && size_of::<Chunk>() % ALIGN == 0);
            assert!(align_of::<T>() <= ALIGN && size_of::<Chunk>() + rounded::<T>() <= FIRST / 2);
        }
        let chunk = Chunk::allocate(FIRST);
        // SAFETY: the chunk has `FIRST` bytes, of which `Chunk` and `T` take up to half (asserted
        // above); it is aligned for both, and what is behind its beginning is nobody's yet.
        unsafe {
            let place = chunk.as_ptr().add(1).cast::<u8>();
            let arena = Arena {
                chunk: Cell::new(chunk),
                first: Cell::new(place),
                free: Cell::new(place.add(rounded::<T>())),
                end: Cell::new(chunk.as_ptr().cast::<u8>().add(FIRST)),
            };
            let place = place.cast::<T>();
            place.write(owner(arena));
            NonNull::new_unchecked(place)
        }
    }

    /// Where the next `T` goes, aligned and with room for it. Until it is taken the next call finds the
    /// same. Constant time, but where it allocates.
    ///
    /// # Aborts
    ///
    /// If there is no memory, as `Box::new` does.
    #[inline(always)]
    pub(super) fn find<T>(&self) -> Place<'_, T> {
        let mut start = self.free.get();
        if align_of::<T>() > ALIGN {
            start = start.wrapping_add(start.align_offset(align_of::<T>()));
            if start > self.end.get() {
                return Place { arena: self, start: self.find_in_next(Layout::new::<T>()).cast() };
            }
        }
        // Both are in one chunk, in this order.
        if self.end.get().addr() - start.addr() < rounded::<T>() {
            return Place { arena: self, start: self.find_in_next(Layout::new::<T>()).cast() };
        }
        // SAFETY: it is in a chunk, and no chunk is at address 0.
        Place { arena: self, start: unsafe { NonNull::new_unchecked(start) }.cast() }
    }

    #[cold]
    #[inline(never)]
    fn find_in_next(&self, layout: Layout) -> NonNull<u8> {
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
        this.left.set(Left { first: self.first.get(), free: self.free.get() });
        // SAFETY: the chunk has at least `needed` bytes, which are enough for its beginning, for
        // what aligning moves the start by, and for `layout`.
        unsafe {
            let begin = next.as_ptr().cast::<u8>();
            let start = begin.add(size_of::<Chunk>());
            let start = start.add(start.align_offset(layout.align()));
            self.use_chunk(next, start, start);
            NonNull::new_unchecked(start)
        }
    }

    fn use_chunk(&self, chunk: NonNull<Chunk>, first: *mut u8, free: *mut u8) {
        self.chunk.set(chunk);
        self.first.set(first);
        self.free.set(free);
        // SAFETY: as in `find_in_next`.
        self.end.set(chunk.as_ptr().cast::<u8>().wrapping_add(unsafe { chunk.as_ref() }.size));
    }

    /// Gives a place back.
    ///
    /// # Safety
    ///
    /// It was taken, and has not been given back, and all that were taken after it have been.
    #[inline(always)]
    pub(super) unsafe fn give_back(&self, place: NonNull<u8>) {
        if place.as_ptr() == self.first.get() {
            self.leave();
        } else {
            self.free.set(place.as_ptr());
        }
    }

    /// Goes back to the chunk before, which there is: the first place of the first chunk is the
    /// owner's.
    #[cold]
    #[inline(never)]
    fn leave(&self) {
        // SAFETY: as in `find_in_next`.
        unsafe {
            let Some(previous) = NonNull::new(self.chunk.get().as_ref().previous.get()) else {
                unreachable!("the first chunk is never left")
            };
            let left = previous.as_ref().left.get();
            self.use_chunk(previous, left.first, left.free);
        }
    }

    /// How many bytes the chunks have.
    pub(super) fn allocated(&self) -> usize {
        let mut sum = 0;
        let mut chunk = self.first();
        // SAFETY: as in `find_in_next`.
        while let Some(this) = unsafe { chunk.as_ref() } {
            sum += this.size;
            chunk = this.next.get();
        }
        sum
    }

    fn first(&self) -> *mut Chunk {
        let mut chunk = self.chunk.get();
        // SAFETY: as in `find_in_next`.
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
        match Layout::from_size_align(size, align_of::<Chunk>()) {
            Ok(layout) => layout,
            Err(_) => unreachable!("larger than what can be allocated"),
        }
    }

    /// A chunk of `size` bytes, which is at least that of its beginning, alone.
    fn allocate(size: usize) -> NonNull<Chunk> {
        let Ok(layout) = Layout::from_size_align(size, align_of::<Chunk>()) else {
            handle_alloc_error(Layout::new::<Chunk>());
        };
        // SAFETY: not of size 0.
        let Some(chunk) = NonNull::new(unsafe { alloc(layout) }.cast::<Chunk>()) else {
            handle_alloc_error(layout);
        };
        let alone = || Cell::new(ptr::null_mut());
        let left = Cell::new(Left { first: ptr::null_mut(), free: ptr::null_mut() });
        let begin = Chunk { size, previous: alone(), next: alone(), left };
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
