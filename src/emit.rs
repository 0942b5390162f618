//! [`Emitter`]: how several sub-futures of one body yield.
//!
//! A [`Co`] is for one future at a time, and works only with the body's own context. An emitter is
//! shared by `&` and does not look at the context at all: it is a bounded queue inside the body,
//! with its own list of who waits for a place, from which [`Emitter::forward`], which *is* polled
//! with the body's context, yields one value in each step.
//!
//! Wakers are the user's code, and so are the destructors of values. None of them is run while the
//! queue is locked.

use alloc::collections::VecDeque;
use core::fmt;
use core::future::Future;
use core::mem;
use core::pin::Pin;
use core::task::{Context, Poll, Waker, ready};

use pin_project_lite::pin_project;

use crate::buffer::Capacity;
use crate::co::Co;
use crate::handoff::{Key, SendingAll, polled_after_completion};

#[cfg(feature = "std")]
use crate::sync::{Mutex, lock};

/// Without `std` there is no lock, so an emitter stays on its thread.
#[cfg(not(feature = "std"))]
use core::cell::RefCell as Mutex;
#[cfg(not(feature = "std"))]
fn lock<T>(cell: &Mutex<T>) -> core::cell::RefMut<'_, T> {
    cell.borrow_mut()
}

impl<Y> Co<Y> {
    /// Lets several sub-futures of the body, which run concurrently, yield: they share the
    /// [`Emitter`] by `&`. At most `capacity` values are between them and whoever takes the items.
    ///
    /// The `Co` is free again when the emitter has gone.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use futures_util::stream::{FuturesUnordered, StreamExt};
    /// use tokio::time::sleep;
    /// use watertight::{Capacity, Co, async_generator};
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() {
    /// let replies = async_generator(async |mut co: Co<String>| {
    ///     let out = co.emitter(Capacity::items(8));
    ///     let ping = async |host: &str, delay| {
    ///         for n in 1..=2 {
    ///             sleep(Duration::from_millis(delay)).await;
    ///             out.emit(format!("{host} {n}")).await;
    ///         }
    ///     };
    ///     let pings: FuturesUnordered<_> =
    ///         [("near", 10), ("far", 25)].map(|(host, delay)| ping(host, delay)).into_iter().collect();
    ///     out.forward(pings.collect::<()>()).await; // Until all have ended and all is delivered.
    ///     drop(out);
    ///     co.yield_("done".to_owned()).await;
    /// });
    /// let replies: Vec<String> = replies.collect().await;
    /// assert_eq!(replies, ["near 1", "near 2", "far 1", "far 2", "done"]);
    /// # }
    /// ```
    pub fn emitter(&mut self, capacity: Capacity) -> Emitter<'_, Y> {
        Emitter {
            capacity: capacity.get(),
            state: Mutex::new(State {
                key: self.key(),
                queue: VecDeque::new(),
                reserved: 0,
                waiting: VecDeque::new(),
                tickets: 0,
                driver: None,
            }),
        }
    }
}

/// What sub-futures of a body yield through; made by [`Co::emitter`].
///
/// They share it by `&`, call [`emit`](Emitter::emit), and are run by [`forward`](Emitter::forward),
/// which yields what they emit. It works in `join!`, in `FuturesUnordered`, and behind any other
/// combinator, because it keeps the wakers that it is given and looks for nothing in them.
///
/// - *Bounded:* values that have been emitted and not yet delivered, and places that have been
///   reserved for some, are never more than the capacity. Who finds no place waits, first come
///   first served. The memory is that of so many values, and of a waker for each who waits.
/// - *In order:* values are delivered in the order in which their `emit`s completed, so those of one
///   sub-future in the order in which it emitted them.
/// - *Without loss:* what has been emitted is delivered before `forward` is over, also if the work
///   ends with an error. What is in the queue when the body panics or is dropped, or when no
///   `forward` comes for it, is dropped with the emitter.
///
/// It is `Send` and `Sync` if `Y` is `Send`, and so is a body that holds it (without the `std`
/// feature there is no lock, and it stays on its thread). It borrows the `Co`, so it cannot be given
/// to a spawned task; [`AsyncGen`](crate::AsyncGen) says what to do there.
///
/// A value's way through it costs two moves and two or three locks that nobody else holds more than
/// a yield. Where there is one sub-future, yield.
///
/// # Examples
///
/// ```
/// use std::pin::pin;
/// use futures_util::future::join;
/// use watertight::{Capacity, Co, async_generator};
///
/// # smol::block_on(async {
/// let mut numbers = pin!(async_generator(async |mut co: Co<u32>| {
///     let out = co.emitter(Capacity::items(1));
///     out.forward(join(out.emit(1), out.emit(2))).await;
/// }));
/// assert_eq!(numbers.next().await, Some(1));
/// assert_eq!(numbers.next().await, Some(2));
/// assert_eq!(numbers.next().await, None);
/// # });
/// ```
pub struct Emitter<'co, Y> {
    capacity: usize,
    state: Mutex<State<'co, Y>>,
}

struct State<'co, Y> {
    key: &'co mut Key<Y, ()>,
    queue: VecDeque<Y>,
    /// Places that belong to somebody who has not filled them yet. With the queue never more than
    /// the capacity.
    reserved: usize,
    /// Who waits for a place, by ticket: the first come first. Empty if there is a free one.
    waiting: VecDeque<(u64, Waker)>,
    tickets: u64,
    /// Who is to be woken by a value that comes when `forward` has gone to sleep.
    driver: Option<Waker>,
}

impl<Y> State<'_, Y> {
    fn has_place(&self, capacity: usize) -> bool {
        self.queue.len() + self.reserved < capacity
    }

    /// Gives a place that has become free to the first of those who wait: who is to be woken then.
    fn pass_on(&mut self) -> Option<Waker> {
        let (_, waker) = self.waiting.pop_front()?;
        self.reserved += 1;
        Some(waker)
    }

    /// Puts a value into a place that is its own. Gives back who is to be woken then.
    fn fill(&mut self, value: Y, capacity: usize) -> Option<Waker> {
        if self.queue.len() == self.queue.capacity() {
            // Twice as many as before, but no more than there may be.
            let room = self.queue.len().max(4).min(capacity - self.queue.len());
            self.queue.reserve_exact(room);
        }
        self.queue.push_back(value);
        self.driver.take()
    }

    fn position(&self, ticket: u64) -> Option<usize> {
        self.waiting.binary_search_by_key(&ticket, |&(ticket, _)| ticket).ok()
    }
}

fn wake(waker: Option<Waker>) {
    if let Some(waker) = waker {
        waker.wake();
    }
}

impl<'co, Y> Emitter<'co, Y> {
    /// Has `value` yielded, in its turn. Resolves when it has a place in the queue, which is at once
    /// unless the queue is full.
    ///
    /// Nothing happens until the returned future is awaited. Unless [`forward`](Emitter::forward)
    /// runs, nothing leaves the queue, and who waits for a place waits on.
    ///
    /// # Cancel safety
    ///
    /// Dropped before it resolves, the future drops the value, which then will not be delivered.
    /// Where that must not happen, have a place first: [`reserve`](Emitter::reserve).
    ///
    /// # Examples
    ///
    /// ```
    /// use std::pin::pin;
    /// use futures_util::future::join;
    /// use watertight::{Capacity, Co, async_generator};
    ///
    /// # smol::block_on(async {
    /// let mut words = pin!(async_generator(async |mut co: Co<&str>| {
    ///     let out = co.emitter(Capacity::items(1));
    ///     let (hello, world) = (out.emit("hello"), out.emit("world")); // Nothing has happened yet.
    ///     out.forward(join(world, hello)).await;
    /// }));
    /// assert_eq!(words.next().await, Some("world")); // It was polled first.
    /// assert_eq!(words.next().await, Some("hello"));
    /// # });
    /// ```
    #[inline]
    pub fn emit(&self, value: Y) -> Emit<'_, 'co, Y> {
        Emit { place: self.reserve(), value: Some(value) }
    }

    /// Waits for a place in the queue, for a value that need not exist yet.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future gives the place, or the turn, to the next one. No value is concerned.
    ///
    /// # Examples
    ///
    /// In a `select!` nothing is taken from the channel before there is a place for it:
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// use std::pin::pin;
    /// use watertight::{Capacity, Co, async_generator};
    ///
    /// let (sender, mut receiver) = tokio::sync::mpsc::channel(10);
    /// let mut items = pin!(async_generator(async |mut co: Co<u32>| {
    ///     let out = co.emitter(Capacity::items(1));
    ///     out.forward(async {
    ///         loop {
    ///             let place = out.reserve().await;
    ///             let Some(item) = receiver.recv().await else { break };
    ///             place.emit(item);
    ///         }
    ///     })
    ///     .await;
    /// }));
    /// sender.send(7).await.unwrap();
    /// drop(sender);
    /// assert_eq!(items.next().await, Some(7));
    /// assert_eq!(items.next().await, None);
    /// # }
    /// ```
    #[inline]
    pub fn reserve(&self) -> Reserve<'_, 'co, Y> {
        Reserve { emitter: self, turn: Turn::New }
    }

    /// Runs `work` and yields what is emitted, until `work` has ended and all has been delivered;
    /// then it has the output of `work`.
    ///
    /// It has to be awaited as a yield has: in the body itself, or where the context is passed on.
    /// What is in the queue is delivered first, one value for each item that is asked for, and
    /// `work` is polled only when nothing is left there: so it runs as lazily as the body, but for
    /// what the capacity lets it run ahead.
    ///
    /// # Cancel safety
    ///
    /// If it is dropped before it resolves, `work` is dropped with it, and what has been emitted
    /// waits in the queue for another `forward`.
    ///
    /// # Panics
    ///
    /// When `work` does; when it is polled anywhere but in the body whose `Co` this is of, or after
    /// it has completed.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::pin::pin;
    /// use watertight::{Capacity, Co, async_generator};
    ///
    /// # smol::block_on(async {
    /// let mut numbers = pin!(async_generator(async |mut co: Co<usize>| {
    ///     let out = co.emitter(Capacity::items(4));
    ///     let work = async {
    ///         out.emit(1).await;
    ///         out.emit(2).await;
    ///         "done"
    ///     };
    ///     let output = out.forward(work).await; // When all has been delivered.
    ///     drop(out);
    ///     co.yield_(output.len()).await;
    /// }));
    /// assert_eq!(numbers.next().await, Some(1));
    /// assert_eq!(numbers.next().await, Some(2));
    /// assert_eq!(numbers.next().await, Some(4));
    /// # });
    /// ```
    pub fn forward<F: Future>(&self, work: F) -> Forward<'_, 'co, Y, F> {
        Forward { emitter: self, work: Work::Running { work } }
    }

    /// How many values have been emitted and not yet delivered.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::pin::pin;
    /// use watertight::{Capacity, Co, async_generator};
    ///
    /// # smol::block_on(async {
    /// let mut numbers = pin!(async_generator(async |mut co: Co<u32>| {
    ///     let out = co.emitter(Capacity::items(2));
    ///     out.emit(1).await;
    ///     out.emit(2).await;
    ///     assert_eq!(out.queued(), 2);
    ///     out.forward(async {}).await;
    ///     assert_eq!(out.queued(), 0);
    /// }));
    /// assert_eq!(numbers.next().await, Some(1));
    /// # });
    /// ```
    pub fn queued(&self) -> usize {
        lock(&self.state).queue.len()
    }

    /// Gives the step in progress the first value. Pending if the step has one then; ready if there
    /// is none to give.
    fn hand_out(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut guard = lock(&self.state);
        let state = &mut *guard;
        let queued = state.queue.len();
        let poll = SendingAll::new(state.key).poll(cx, || state.queue.pop_front());
        let next = if state.queue.len() < queued { state.pass_on() } else { None };
        // Who forwards is awake, and polls everything itself.
        let awake = state.driver.take();
        drop(guard);
        drop(awake);
        wake(next);
        poll
    }

    /// Goes to sleep until a value comes. Not if there is one.
    fn sleep(&self, cx: &mut Context<'_>) -> bool {
        let waker = cx.waker().clone();
        let mut guard = lock(&self.state);
        let asleep = guard.queue.is_empty();
        let other = if asleep { guard.driver.replace(waker) } else { Some(waker) };
        drop(guard);
        drop(other);
        asleep
    }

    /// A place that was reserved will not be filled.
    fn give_back(&self) {
        let mut guard = lock(&self.state);
        guard.reserved -= 1;
        let next = guard.pass_on();
        drop(guard);
        wake(next);
    }
}

impl<Y> fmt::Debug for Emitter<'_, Y> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Emitter")
            .field("capacity", &self.capacity)
            .field("queued", &self.queued())
            .finish_non_exhaustive()
    }
}

/// Who has not got a place yet.
#[derive(Clone, Copy)]
enum Turn {
    New,
    /// It has this ticket. If that is no longer among those who wait, its place has been reserved.
    Waits(u64),
    Over,
}

/// The future of [`Emitter::reserve`].
///
/// # Examples
///
/// ```
/// use std::pin::pin;
/// use watertight::{Capacity, Co, async_generator};
///
/// # smol::block_on(async {
/// let mut numbers = pin!(async_generator(async |mut co: Co<u32>| {
///     let out = co.emitter(Capacity::items(1));
///     out.forward(async { out.reserve().await.emit(1) }).await;
/// }));
/// assert_eq!(numbers.next().await, Some(1));
/// # });
/// ```
#[must_use = "futures do nothing unless they are awaited"]
pub struct Reserve<'e, 'co, Y> {
    emitter: &'e Emitter<'co, Y>,
    turn: Turn,
}

impl<'e, 'co, Y> Reserve<'e, 'co, Y> {
    fn poll_place(&mut self, cx: &mut Context<'_>) -> Poll<Place<'e, 'co, Y>> {
        let emitter = self.emitter;
        let mut waker = None;
        loop {
            let mut guard = lock(&emitter.state);
            let state = &mut *guard;
            match self.turn {
                Turn::New if state.has_place(emitter.capacity) => state.reserved += 1,
                Turn::New => {
                    // Cloning is user code: without the lock, and then there may be a place.
                    let Some(waker) = waker.take() else {
                        drop(guard);
                        waker = Some(cx.waker().clone());
                        continue;
                    };
                    let ticket = state.tickets;
                    state.tickets += 1;
                    state.waiting.push_back((ticket, waker));
                    self.turn = Turn::Waits(ticket);
                    return Poll::Pending;
                }
                Turn::Waits(ticket) => {
                    if let Some(at) = state.position(ticket) {
                        if state.waiting[at].1.will_wake(cx.waker()) {
                            return Poll::Pending;
                        }
                        let Some(waker) = waker.take() else {
                            drop(guard);
                            waker = Some(cx.waker().clone());
                            continue;
                        };
                        let other = mem::replace(&mut state.waiting[at].1, waker);
                        drop(guard);
                        drop(other);
                        return Poll::Pending;
                    }
                }
                Turn::Over => {
                    drop(guard);
                    polled_after_completion();
                }
            }
            self.turn = Turn::Over;
            drop(guard);
            return Poll::Ready(Place { emitter });
        }
    }
}

impl<'e, 'co, Y> Future for Reserve<'e, 'co, Y> {
    type Output = Place<'e, 'co, Y>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Place<'e, 'co, Y>> {
        self.poll_place(cx)
    }
}

impl<Y> Drop for Reserve<'_, '_, Y> {
    fn drop(&mut self) {
        let Turn::Waits(ticket) = self.turn else { return };
        let mut guard = lock(&self.emitter.state);
        if let Some(at) = guard.position(ticket) {
            let left = guard.waiting.remove(at);
            drop(guard);
            drop(left);
        } else {
            // A place has been reserved for it, of which it has not heard.
            drop(guard);
            self.emitter.give_back();
        }
    }
}

impl<Y> fmt::Debug for Reserve<'_, '_, Y> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reserve").finish_non_exhaustive()
    }
}

/// A place in an [`Emitter`]'s queue that nobody else can have. Dropping it gives it back.
///
/// # Examples
///
/// ```
/// use std::pin::pin;
/// use watertight::{Capacity, Co, async_generator};
///
/// # smol::block_on(async {
/// let mut numbers = pin!(async_generator(async |mut co: Co<u32>| {
///     let out = co.emitter(Capacity::items(1));
///     out.forward(async {
///         drop(out.reserve().await); // Given back: otherwise the next would wait for ever.
///         out.reserve().await.emit(1);
///     })
///     .await;
/// }));
/// assert_eq!(numbers.next().await, Some(1));
/// # });
/// ```
#[must_use = "a place that is not used is given back at once"]
pub struct Place<'e, 'co, Y> {
    emitter: &'e Emitter<'co, Y>,
}

impl<Y> Place<'_, '_, Y> {
    /// Has `value` yielded, in its turn. There is a place, so nothing has to be awaited.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::pin::pin;
    /// use watertight::{Capacity, Co, async_generator};
    ///
    /// # smol::block_on(async {
    /// let mut numbers = pin!(async_generator(async |mut co: Co<u32>| {
    ///     let out = co.emitter(Capacity::items(1));
    ///     let place = out.reserve().await;
    ///     place.emit(1); // At once: the place was there.
    ///     out.forward(async {}).await;
    /// }));
    /// assert_eq!(numbers.next().await, Some(1));
    /// # });
    /// ```
    pub fn emit(self, value: Y) {
        let emitter = self.emitter;
        mem::forget(self); // Its place is the value's from here on.
        let mut guard = lock(&emitter.state);
        guard.reserved -= 1;
        let driver = guard.fill(value, emitter.capacity);
        drop(guard);
        wake(driver);
    }
}

impl<Y> Drop for Place<'_, '_, Y> {
    fn drop(&mut self) {
        self.emitter.give_back();
    }
}

impl<Y> fmt::Debug for Place<'_, '_, Y> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Place").finish_non_exhaustive()
    }
}

/// The future of [`Emitter::emit`].
///
/// # Panics
///
/// When it is polled after it has completed.
///
/// # Examples
///
/// ```
/// use std::pin::pin;
/// use watertight::{Capacity, Co, async_generator};
///
/// # smol::block_on(async {
/// let mut numbers = pin!(async_generator(async |mut co: Co<u32>| {
///     let out = co.emitter(Capacity::items(4));
///     out.emit(1).await; // There is a place, so it has it at once,
///     assert_eq!(out.queued(), 1);
///     out.forward(async {}).await; // and this delivers it.
/// }));
/// assert_eq!(numbers.next().await, Some(1));
/// # });
/// ```
#[must_use = "nothing is emitted unless this is awaited"]
pub struct Emit<'e, 'co, Y> {
    place: Reserve<'e, 'co, Y>,
    value: Option<Y>,
}

// The value is moved out, never pinned.
impl<Y> Unpin for Emit<'_, '_, Y> {}

impl<Y> Future for Emit<'_, '_, Y> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        let emitter = this.place.emitter;
        if let Turn::New = this.place.turn {
            // Mostly there is a place, and then one look at the queue is enough.
            let mut guard = lock(&emitter.state);
            if guard.has_place(emitter.capacity) {
                if let Some(value) = this.value.take() {
                    this.place.turn = Turn::Over;
                    let driver = guard.fill(value, emitter.capacity);
                    drop(guard);
                    wake(driver);
                    return Poll::Ready(());
                }
            }
        }
        let place = ready!(this.place.poll_place(cx));
        match this.value.take() {
            Some(value) => place.emit(value),
            None => polled_after_completion(),
        }
        Poll::Ready(())
    }
}

impl<Y> fmt::Debug for Emit<'_, '_, Y> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Emit").finish_non_exhaustive()
    }
}

pin_project! {
    /// The future of [`Emitter::forward`].
    ///
    /// # Examples
    ///
    /// ```
    /// use std::pin::pin;
    /// use watertight::{Capacity, Co, async_generator};
    ///
    /// # smol::block_on(async {
    /// let mut numbers = pin!(async_generator(async |mut co: Co<u32>| {
    ///     let out = co.emitter(Capacity::items(1));
    ///     let work = async {
    ///         out.emit(1).await;
    ///         "done"
    ///     };
    ///     assert_eq!(out.forward(work).await, "done"); // What the work ends with.
    /// }));
    /// assert_eq!(numbers.next().await, Some(1));
    /// assert_eq!(numbers.next().await, None);
    /// # });
    /// ```
    #[must_use = "nothing runs and nothing is yielded unless this is awaited"]
    pub struct Forward<'e, 'co, Y, F>
    where
        F: Future,
    {
        emitter: &'e Emitter<'co, Y>,
        #[pin]
        work: Work<F, F::Output>,
    }
}

pin_project! {
    #[project = WorkProj]
    enum Work<F, T> {
        Running { #[pin] work: F },
        // It has ended, and what it emitted is being delivered. `None`: that is over, too.
        Ended { output: Option<T> },
    }
}

impl<Y, F: Future> Future for Forward<'_, '_, Y, F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let mut this = self.project();
        ready!(this.emitter.hand_out(cx));
        if let WorkProj::Running { work } = this.work.as_mut().project() {
            if let Poll::Ready(output) = work.poll(cx) {
                this.work.set(Work::Ended { output: Some(output) });
            }
        }
        loop {
            ready!(this.emitter.hand_out(cx));
            match this.work.as_mut().project() {
                WorkProj::Running { .. } => {
                    if this.emitter.sleep(cx) {
                        return Poll::Pending;
                    }
                }
                WorkProj::Ended { output } => match output.take() {
                    Some(output) => return Poll::Ready(output),
                    None => polled_after_completion(),
                },
            }
        }
    }
}

impl<Y, F: Future> fmt::Debug for Forward<'_, '_, Y, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Forward").finish_non_exhaustive()
    }
}
