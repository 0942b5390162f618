//! The nodes of a scope: its list of generators, and the handles' hold on them.
//!
//! A scope is a list of heap nodes, youngest first: a header ([`Header`]: links, scope, kind, state)
//! and a value (a generator, or the closure of a `defer`). The user holds a
//! [`Scoped`](crate::Scoped), or for an asynchronous generator a
//! [`ScopedStream`](crate::ScopedStream), which is a pointer to the node; the scope holds the list.
//!
//! # Why it is sound
//!
//! 1. *A node's memory* is freed once: by its handle's drop, if the value is released then or was
//!    before, or by the end of the scope, after the last of the scope's values has been released. A
//!    handle that still exists then has been forgotten: it cannot outlive `'scope`, and everything
//!    that could own it, the closure's locals and the scope's values, is gone. So nobody uses it
//!    again.
//! 2. *A node's value* is touched only by its handle, through `&mut Scoped`, while the state is
//!    [`LIVE`], and by whoever takes the node off the live list, who first makes the state another
//!    one or owns the handle. The end of the scope is such a one. It cannot come while a step is in
//!    progress, because it begins when the closure has returned; and what runs inside of it, the
//!    destructors, finds the node that is being released in state [`CLOSING`].
//! 3. *The value outlives nothing it borrows.* It is `'scope`, as is everything that it gives out,
//!    and `'scope` lasts until `scope` returns, because the closure must take any. That is the
//!    rule of `std::thread::scope`: `'scope` and `'env` are invariant, and `Scope` has no
//!    destructor that could look at what is gone.
//! 4. *One thread.* Links and states are plain cells; neither a scope nor a handle can leave its
//!    thread.
//! 5. *References* into a node go to the header, which is only cells and constants, or to the value,
//!    never to both, so that the two can be used at the same time.
//! 6. *Links* always lead to a neighbour that is there. A node is in one list or, while it is being
//!    given up, in none, and it leaves its list before it is freed. The ends of the lists are in the
//!    [`Registry`]; nodes point to them, so it stays where it was when [`Registry::begin`] was
//!    called: `scope` keeps it in a local variable, lends it and never moves it. With `end` all
//!    nodes are gone.

use alloc::boxed::Box;
use core::cell::{Cell, OnceCell, UnsafeCell};
use core::marker::PhantomData;
use core::mem::{ManuallyDrop, forget, needs_drop};
use core::pin::Pin;
use core::ptr::NonNull;

use crate::on_finish::Outcome;
use crate::poll_next::PollNext;
use crate::resume::Resume;
use crate::stop::StopHandle;
use crate::unwind::{FirstPanic, Shield, quietly_if_panicking};

/// Handles can be nested: a body holds a handle, whose body holds a handle. To drop the outermost
/// is to drop them all, each within the one before, and a million would not fit on a stack. From
/// this depth on they are put aside and dropped one after the other.
const NESTED: u32 = 128;

/// Can be pulled.
const LIVE: u8 = 0;
/// Has ended by a panic of its own; its place is still in the list. A bit.
const ENDED: u8 = 1;
/// Is being released at the end of the scope. A bit.
const CLOSING: u8 = 2;
/// Was released at the end of the scope. A bit.
const CLOSED: u8 = 4;
/// Has no handle any more, or never had one. A bit.
const GONE: u8 = 8;

/// A place in a list. A list is a ring of them: the one that is no node's is in the [`List`] and
/// stands for both ends, so that every link leads somewhere and none has to be looked at before it is
/// changed.
struct Links {
    younger: Cell<NonNull<Links>>,
    older: Cell<NonNull<Links>>,
}

/// `repr(C)`: the links come first, so a pointer to the header is one to its place in a list.
#[repr(C)]
struct Header {
    links: Links,
    registry: NonNull<Registry>,
    kind: &'static Kind,
    state: Cell<u8>,
}

/// `repr(C)`: the header comes first, so a pointer to the node is one to its header.
#[repr(C)]
struct Node<G: ?Sized> {
    header: Header,
    value: UnsafeCell<ManuallyDrop<G>>,
}

/// What the end of a scope does with a node without knowing its type. There is no step in here:
/// a second caller would keep a body from being inlined in the first.
struct Kind {
    /// Drops the value, or runs it if it is a deferred closure.
    release: unsafe fn(NonNull<Header>),
    free: unsafe fn(NonNull<Header>),
    is_generator: bool,
}

impl<G> Node<G> {
    const GENERATOR: &'static Kind = &Kind {
        // SAFETY: called once, with a node of this type whose value is there (2 above).
        release: |node| unsafe { ManuallyDrop::drop(&mut *value::<G>(node.cast()).as_ptr()) },
        free: Self::free,
        is_generator: true,
    };

    unsafe fn free(node: NonNull<Header>) {
        // SAFETY: nodes are made by `Box` in `Registry::insert`; the caller owns this one's memory,
        // and its type is this (1 above). The value, which is no longer there, is a `ManuallyDrop`.
        drop(unsafe { Box::from_raw(node.cast::<Node<G>>().as_ptr()) });
    }
}

impl<F: FnOnce()> Node<F> {
    const DEFERRED: &'static Kind = &Kind {
        // SAFETY: called once, with a node of this type whose value is there (2 above).
        release: |node| unsafe { ManuallyDrop::take(&mut *value::<F>(node.cast()).as_ptr())() },
        free: Self::free,
        is_generator: false,
    };
}

/// Where the value of a node is.
///
/// # Safety
///
/// The node's memory is there.
#[inline(always)]
unsafe fn value<G: ?Sized>(node: NonNull<Node<G>>) -> NonNull<ManuallyDrop<G>> {
    // SAFETY: the caller's promise.
    let value = unsafe { &raw const (*node.as_ptr()).value };
    // SAFETY: it points into a node and so is not null.
    unsafe { NonNull::new_unchecked(UnsafeCell::raw_get(value)) }
}

/// Nodes, youngest first. It must not move after [`begin`](List::begin).
struct List(Links);

impl List {
    const fn new() -> Self {
        // Nobody follows these: `begin` comes first.
        let nowhere = NonNull::dangling();
        List(Links { younger: Cell::new(nowhere), older: Cell::new(nowhere) })
    }

    /// Makes it an empty list, where it lies now.
    fn begin(&self) {
        self.0.younger.set(self.ends());
        self.0.older.set(self.ends());
    }

    #[inline(always)]
    fn ends(&self) -> NonNull<Links> {
        NonNull::from(&self.0)
    }

    /// The youngest.
    #[inline(always)]
    fn first(&self) -> Option<NonNull<Header>> {
        let first = self.0.older.get();
        (first != self.ends()).then(|| first.cast())
    }
}

/// Takes a node out of the list that it is in.
///
/// # Safety
///
/// It is in one, and that list and every node of it are there.
#[inline(always)]
unsafe fn unlink(header: &Header) {
    let (younger, older) = (header.links.younger.get(), header.links.older.get());
    // SAFETY: its neighbours, of which each is a node or the list's ends; the caller says that they
    // are there (6 above).
    unsafe {
        younger.as_ref().older.set(older);
        older.as_ref().younger.set(younger);
    }
}

/// Puts a node, which is in no list, at the beginning of one.
///
/// # Safety
///
/// The list has begun and every node of it is there, and they and `node` will be until it is unlinked.
#[inline(always)]
unsafe fn link(list: &List, node: NonNull<Header>) {
    let older = list.0.older.replace(node.cast());
    // SAFETY: the caller says that it is there.
    let links = unsafe { &node.as_ref().links };
    links.younger.set(list.ends());
    links.older.set(older);
    // SAFETY: the first node of the list until now, or the list's ends (6 above).
    unsafe { older.as_ref() }.younger.set(node.cast());
}

/// What a scope knows of its generators.
pub(super) struct Registry {
    /// The nodes whose values are there, youngest first.
    live: List,
    /// Those that the end of the scope has released, or is releasing.
    closed: List,
    /// Those whose handles were dropped too deep inside the drop of another.
    aside: List,
    /// How many handles are being dropped, each inside the one before.
    nested: Cell<u32>,
    created: Cell<usize>,
    ended: [Cell<usize>; 4],
    /// Made when it is first asked for.
    stop: OnceCell<StopHandle>,
}

impl Registry {
    pub(super) const fn new(stop: OnceCell<StopHandle>) -> Self {
        Registry {
            stop,
            live: List::new(),
            closed: List::new(),
            aside: List::new(),
            nested: Cell::new(0),
            created: Cell::new(0),
            ended: [const { Cell::new(0) }; 4],
        }
    }

    /// Has the lists begin, where they lie now. Comes before anything else.
    pub(super) fn begin(&self) {
        for list in [&self.live, &self.closed, &self.aside] {
            list.begin();
        }
    }

    /// Enters a generator.
    ///
    /// # Safety
    ///
    /// This has not moved since `begin` was called, and `end` is called before anything ends that the
    /// generator borrows, and before this moves.
    #[inline(always)]
    pub(super) unsafe fn adopt<'scope, G: 'scope>(&'scope self, generator: G) -> Entry<'scope, G> {
        let node = self.insert(generator, Node::<G>::GENERATOR, LIVE);
        self.created.set(self.created.get() + 1);
        Entry { node: Some(node), scope: PhantomData }
    }

    /// Enters a closure, to be called at the end.
    ///
    /// # Safety
    ///
    /// As for `adopt`.
    #[inline(always)]
    pub(super) unsafe fn defer<F: FnOnce()>(&self, f: F) {
        self.insert(f, Node::<F>::DEFERRED, LIVE | GONE);
    }

    #[inline(always)]
    fn insert<G>(&self, value: G, kind: &'static Kind, state: u8) -> NonNull<Node<G>> {
        // First the memory: if there is none, the value is still one that is dropped. Then the place in
        // the list, and last what is written there: a step that comes next knows what it finds, for in
        // between nothing has been written that might have been the node. (Nobody sees a node that is
        // in the list and empty: nothing else runs here, and nothing panics.)
        let place = Box::into_raw(Box::<Node<G>>::new_uninit());
        // SAFETY: a box is not null.
        let node = unsafe { NonNull::new_unchecked(place.cast::<Node<G>>()) };
        let older = self.live.0.older.replace(node.cast());
        // SAFETY: the first node of the list until now, or the list's ends (6 above).
        unsafe { older.as_ref() }.younger.set(node.cast());
        let header = Header {
            links: Links { younger: Cell::new(self.live.ends()), older: Cell::new(older) },
            registry: NonNull::from(self),
            kind,
            state: Cell::new(state),
        };
        // SAFETY: it has just been allocated for such a node, and nobody has looked into it.
        unsafe { node.write(Node { header, value: UnsafeCell::new(ManuallyDrop::new(value)) }) };
        node
    }

    pub(super) fn stop(&self) -> &StopHandle {
        self.stop.get_or_init(StopHandle::new)
    }

    /// Tells the handle, if there is one, that the scope is over.
    pub(super) fn end_group(&self, outcome: Outcome) {
        if let Some(stop) = self.stop.get() {
            stop.end_group(outcome);
        }
    }

    /// How many were made, and how many have ended in which way.
    pub(super) fn counts(&self) -> (usize, [usize; 4]) {
        (self.created.get(), self.ended.each_ref().map(Cell::get))
    }

    #[inline(always)]
    fn count(&self, outcome: Outcome) {
        let count = &self.ended[outcome as usize];
        count.set(count.get() + 1);
    }

    /// Releases everything, youngest first, then frees it. Afterwards nothing is left.
    pub(super) fn end(&self) -> FirstPanic {
        let mut panics = FirstPanic::default();
        // Taken anew each time: a destructor may pull, drop and create others, which come next.
        while let Some(node) = self.live.first() {
            // SAFETY: it is in the list (1 above), and so are its neighbours.
            let header = unsafe { node.as_ref() };
            // SAFETY: as above; and what moves to `closed` is freed only when it leaves that.
            unsafe {
                unlink(header);
                link(&self.closed, node);
            }
            if header.state.get() & ENDED == 0 && header.kind.is_generator {
                self.count(Outcome::Dropped);
            }
            header.state.set(header.state.get() | CLOSING);
            // SAFETY: it was live, so the value is there; as `CLOSING` nobody else touches it (2).
            panics.run(|| unsafe { (header.kind.release)(node) });
            header.state.set(header.state.get() | CLOSED);
            if header.state.get() & GONE != 0 {
                // SAFETY: in `closed`, since the handle leaves that to us; nobody else has it.
                unsafe {
                    unlink(header);
                    (header.kind.free)(node);
                }
            }
        }
        // No user code from here on. Whoever still has a handle has forgotten it (1 above).
        while let Some(node) = self.closed.first() {
            // SAFETY: in the list, so it has not been freed; it is unlinked before it is.
            unsafe {
                unlink(node.as_ref());
                (node.as_ref().kind.free)(node);
            }
        }
        panics
    }

    /// Drops what was put aside, one after the other; what that puts aside, too.
    #[cold]
    fn drop_aside(&self) -> FirstPanic {
        let mut panics = FirstPanic::default();
        while let Some(node) = self.aside.first() {
            // SAFETY: in the list, so it has not been freed, and nobody else has it: its handle put
            // it there when it was dropped. Its value is still there.
            unsafe {
                let header = node.as_ref();
                unlink(header);
                panics.run(|| (header.kind.release)(node));
                (header.kind.free)(node);
            }
        }
        panics
    }
}

/// Frees a node's memory when it goes.
struct Memory<G: ?Sized>(NonNull<Node<G>>);

impl<G: ?Sized> Drop for Memory<G> {
    #[inline(always)]
    fn drop(&mut self) {
        // SAFETY: whoever made this owns the memory (1 above), which came from a `Box` of the same
        // type, sized or not; the value is a `ManuallyDrop`.
        drop(unsafe { Box::from_raw(self.0.as_ptr()) });
    }
}

/// So many handles are being dropped again when this goes.
struct Nesting<'r>(&'r Registry, u32);

impl Drop for Nesting<'_> {
    #[inline(always)]
    fn drop(&mut self) {
        self.0.nested.set(self.1);
    }
}

/// A handle's hold on its node: what [`Scoped`](crate::Scoped) is made of.
pub(super) struct Entry<'scope, G: ?Sized> {
    // `None` once the generator has finished and its memory is given back.
    node: Option<NonNull<Node<G>>>,
    // Invariant: a handle is of one scope.
    scope: PhantomData<fn(&'scope ()) -> &'scope ()>,
}

/// The header of a node.
///
/// # Safety
///
/// The node's memory is there for `'n`.
#[inline(always)]
unsafe fn header<'n, G: ?Sized>(node: NonNull<Node<G>>) -> &'n Header {
    // SAFETY: the caller's promise; only shared references to a header exist (5 above).
    unsafe { &(*node.as_ptr()).header }
}

/// Releases the generator of a handle that is given up, and frees its node.
///
/// # Safety
///
/// The node is of this registry and live, perhaps `ENDED`, and the caller has its handle and will not
/// use it again.
#[inline(always)]
unsafe fn give_up<G: ?Sized>(registry: &Registry, node: NonNull<Node<G>>) {
    // SAFETY: the caller has its handle, so it is there until it is freed below (1 above); and as a
    // live node it is in a list whose nodes are there.
    unsafe { unlink(header(node)) };
    let memory = Memory(node);
    if !needs_drop::<G>() {
        return;
    }
    let nested = registry.nested.get();
    if nested >= NESTED - 1 {
        forget(memory);
        // SAFETY: the value is there, and both have been given up, as above.
        return unsafe { give_up_deep(registry, node) };
    }
    registry.nested.set(nested + 1);
    let _nesting = Nesting(registry, nested);
    // SAFETY: the value is there, since the node was live, and with the handle and its place in the
    // list given up nobody else can reach it (2 above).
    quietly_if_panicking(|| unsafe { ManuallyDrop::drop(&mut *value(node).as_ptr()) });
}

/// [`give_up`] where the values that are being dropped are nested deep: at the deepest that is let
/// in, which afterwards drops what was put aside, and below, where the node is.
///
/// # Safety
///
/// The value is there, the node is in no list, and the caller has its handle and will not use it
/// again.
#[cold]
#[inline(never)]
unsafe fn give_up_deep<G: ?Sized>(registry: &Registry, node: NonNull<Node<G>>) {
    let nested = registry.nested.get();
    if nested == NESTED {
        // SAFETY: it is in no list; `drop_aside` unlinks it before it frees it.
        return unsafe { link(&registry.aside, node.cast()) };
    }
    let _memory = Memory(node);
    registry.nested.set(nested + 1);
    let nesting = Nesting(registry, nested);
    let mut panics = FirstPanic::default();
    // SAFETY: as in `give_up`.
    panics.run(|| unsafe { ManuallyDrop::drop(&mut *value(node).as_ptr()) });
    panics.join(registry.drop_aside());
    drop(nesting);
    panics.resume();
}

/// Counts and gives up a node.
///
/// # Safety
///
/// As for [`give_up`].
#[inline(always)]
unsafe fn end<G: ?Sized>(node: NonNull<Node<G>>, outcome: Outcome) {
    // SAFETY: the caller has its handle, so the node is there, and the scope, too.
    let registry = unsafe { header(node).registry.as_ref() };
    registry.count(outcome);
    // SAFETY: the caller's promise.
    unsafe { give_up(registry, node) };
}

/// [`end`], out of the way of a step. It is given the node and not the handle: one that was lent to a
/// call would have to lie in memory.
///
/// # Safety
///
/// As for [`give_up`].
#[cold]
#[inline(never)]
unsafe fn finish<G: ?Sized>(node: NonNull<Node<G>>, outcome: Outcome) {
    // SAFETY: the caller's promise.
    unsafe { end(node, outcome) };
}

/// Gives a node up that is not simply live.
///
/// # Safety
///
/// The caller has its handle and will not use it again.
#[cold]
#[inline(never)]
unsafe fn leave<G: ?Sized>(node: NonNull<Node<G>>) {
    // SAFETY: the caller has its handle, so it is there until it is freed below (1 above).
    let header = unsafe { header(node) };
    if header.state.get() & CLOSED != 0 {
        // SAFETY: released at the end of the scope and not freed, since it is `GONE` only now:
        // it is in the list of these. The memory is ours (1 above).
        unsafe {
            unlink(header);
            drop(Memory(node));
        }
    } else if header.state.get() & CLOSING != 0 {
        header.state.set(header.state.get() | GONE); // Who releases it will free it.
    } else {
        // SAFETY: live, and the caller gives the handle up. The scope is there for as long as its
        // handles can be used.
        unsafe { give_up(header.registry.as_ref(), node) };
    }
}

impl<G: ?Sized> Drop for Entry<'_, G> {
    #[inline]
    fn drop(&mut self) {
        if let Some(node) = self.node {
            if self.is_live() {
                // SAFETY: live, and the handle is going.
                unsafe { end(node, Outcome::Dropped) };
            } else {
                // SAFETY: the handle is going.
                unsafe { leave(node) };
            }
        }
    }
}

/// Notes the end of a generator if the step that it guards panics.
struct Running<'n>(&'n Header);

impl Drop for Running<'_> {
    #[cold]
    fn drop(&mut self) {
        // The generator has released what it held; the node goes with the next call, or the handle.
        self.0.state.set(self.0.state.get() | ENDED);
        // SAFETY: the scope is there for as long as its handles can be used.
        unsafe { self.0.registry.as_ref() }.count(Outcome::Panicked);
    }
}

impl<'scope, G: ?Sized> Entry<'scope, G> {
    /// Runs a step, unless the generator is over. `step` also says whether it has ended it; then the
    /// node goes as well.
    ///
    /// # Errors
    ///
    /// The argument, if the generator is over.
    #[inline(always)]
    pub(super) fn step<A, T>(
        &mut self,
        argument: A,
        step: impl FnOnce(Pin<&mut G>, A) -> (T, Option<Outcome>),
    ) -> Result<T, A> {
        let Some(node) = self.node else { return Err(argument) };
        // SAFETY: the handle has the node, and is borrowed for the whole step (1 above).
        let header = unsafe { header(node) };
        if header.state.get() != LIVE {
            self.node = None;
            // SAFETY: the handle no longer has the node.
            unsafe { leave(node) };
            return Err(argument);
        }
        let running = Running(header);
        // SAFETY: live, so the value is there, and `&mut self` makes us the only one who touches it
        // (2 above). It stays where it is until it is dropped.
        let generator = unsafe { Pin::new_unchecked(&mut **value(node).as_ptr()) };
        let (result, ended) = step(generator, argument);
        forget(running);
        let Some(outcome) = ended else { return Ok(result) };
        let result = Shield::new(result);
        self.node = None;
        // SAFETY: the step that has just ended was of a live node, and the handle no longer has it.
        unsafe { finish(node, outcome) };
        Ok(result.into_inner())
    }

    /// Has `close` finish the generator, unless it is over, and gives up the node.
    pub(super) fn close(&mut self, close: impl FnOnce(Pin<&mut G>) -> bool) -> bool {
        /// Frees the node, even if `close` panics.
        struct Closing<G: ?Sized>(NonNull<Node<G>>);
        impl<G: ?Sized> Drop for Closing<G> {
            fn drop(&mut self) {
                // SAFETY: live, and nobody has its handle any more.
                unsafe { end(self.0, Outcome::Stopped) };
            }
        }
        let Some(node) = self.node.take() else { return false };
        // SAFETY: the handle had the node, so it is there (1 above).
        if unsafe { header(node) }.state.get() != LIVE {
            // SAFETY: the handle no longer has the node.
            unsafe { leave(node) };
            return false;
        }
        let closing = Closing(node);
        // SAFETY: as in `step`; that the handle no longer has the node makes us the only one.
        close(unsafe { Pin::new_unchecked(&mut **value(closing.0).as_ptr()) })
    }

    #[inline(always)]
    fn is_live(&self) -> bool {
        // SAFETY: the handle has the node, so it is there (1 above).
        self.node.is_some_and(|node| unsafe { header(node) }.state.get() == LIVE)
    }

    /// The generator, if it can still be pulled.
    pub(super) fn generator(&self) -> Option<&G> {
        let node = self.node.filter(|_| self.is_live())?;
        // SAFETY: live, so the value is there, and `&self` keeps it from being changed.
        Some(unsafe { &**value(node).as_ptr() })
    }
}

impl<'scope, G: 'scope> Entry<'scope, G> {
    /// The same node, its type hidden.
    ///
    /// # Safety
    ///
    /// `hide` gives the pointer that it is given, and only its type is another one.
    unsafe fn hide<H: ?Sized>(
        mut self,
        hide: impl FnOnce(*mut Node<G>) -> *mut Node<H>,
    ) -> Entry<'scope, H> {
        // SAFETY: it was not null, and the caller says that it is the same.
        let hide = |node: NonNull<_>| unsafe { NonNull::new_unchecked(hide(node.as_ptr())) };
        Entry { node: self.node.take().map(hide), scope: PhantomData }
    }

    /// The same generator, its body hidden.
    pub(super) fn erase(
        self,
    ) -> Entry<
        'scope,
        dyn Resume<Argument = G::Argument, Yield = G::Yield, Return = G::Return> + 'scope,
    >
    where
        G: Resume,
    {
        // SAFETY: a coercion.
        unsafe { self.hide(|node| node as _) }
    }

    /// The same asynchronous generator, its body hidden.
    pub(super) fn erase_stream(self) -> Entry<'scope, dyn PollNext<Item = G::Item> + 'scope>
    where
        G: PollNext,
    {
        // SAFETY: a coercion.
        unsafe { self.hide(|node| node as _) }
    }
}
