//! The threads of a scope: what runs by itself and borrows.
//!
//! # Why it is sound
//!
//! 1. *A thread borrows for `'scope`, and has ended before that is over.* It is started in [`start`],
//!    under the lock and only while the book is not closed, and its `JoinHandle` is in the book
//!    before the lock is released. [`Threads::end`] closes the book, then joins every thread that is
//!    in it, whatever panics. `run` calls that before `scope` returns, and nothing of `'scope` is
//!    used after.
//! 2. *A stop handle, which may outlive the scope, does not.* What it finds of a stage is a
//!    [`Releasable`] that lies in the book, too: whatever takes that out drops it, and to drop it is
//!    to wait for a stop that is going on elsewhere, and to refuse every later one.
//!
//! [`start`]: Entry::start

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use std::io;
use std::thread::{Builder, JoinHandle};

use crate::buffer::BufferStats;
use crate::buffer::stage::{Owner, Stage, Stopper, THREAD_NAME, run_on};
use crate::stop::{Releasable, StopHandle};
use crate::sync::{Mutex, MutexGuard, lock};
use crate::unwind::{FirstPanic, Payload};

/// The book of a scope's threads.
#[derive(Default)]
pub(super) struct Threads<'scope>(Mutex<Book<'scope>>);

#[derive(Default)]
struct Book<'scope> {
    /// By number, and so oldest first.
    pages: BTreeMap<u64, Page<'scope>>,
    next: u64,
    /// How many pages there may be before those are looked for whose threads have ended.
    sweep_at: usize,
    /// The panic, that nobody has been told of, of the oldest thread that has been swept out. Which
    /// one that is does not depend on which thread happened to be swept first.
    panic: Option<(u64, Payload)>,
    /// No thread is started any more.
    closed: bool,
}

struct Page<'scope> {
    stage: Arc<dyn Stage + 'scope>,
    stopper: Releasable<Stopper<'scope>>,
    thread: Option<JoinHandle<()>>,
    /// The handle has gone.
    left: bool,
}

impl Page<'_> {
    fn has_ended(&self) -> bool {
        self.left && self.thread.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// Waits for the thread, then gives a panic of its that nobody has been told of.
    fn join(self) -> Option<Payload> {
        if let Some(thread) = self.thread {
            // What a source panics with is caught on the thread.
            let _ = thread.join();
        }
        drop(self.stopper);
        self.stage.take_panic()
    }
}

impl<'scope> Threads<'scope> {
    fn book(&self) -> MutexGuard<'_, Book<'scope>> {
        lock(&self.0)
    }

    /// Enters a stage, whose thread has not been started.
    ///
    /// # Safety
    ///
    /// `end` is called before `'scope` is over, and nothing is entered after that.
    pub(super) unsafe fn enter(
        self: Arc<Self>,
        stage: Arc<dyn Stage + 'scope>,
        group: &StopHandle,
    ) -> Entry<'scope> {
        // SAFETY: it goes into the book, which drops it before `'scope` is over (2 above).
        let stopper = unsafe { Releasable::borrowing(Stopper(stage.clone()), group) };
        let mut book = self.book();
        let ended = book.sweep();
        let number = book.next;
        book.next += 1;
        book.pages.insert(number, Page { stage, stopper, thread: None, left: false });
        drop(book);
        for (number, page) in ended {
            let panic = page.and_then(Page::join);
            self.note(number, panic);
        }
        Entry { threads: self, number }
    }

    /// Keeps the panic of the oldest thread.
    fn note(&self, number: u64, panic: Option<Payload>) {
        let Some(payload) = panic else { return };
        let mut book = self.book();
        let later = match &book.panic {
            Some((kept, _)) if *kept < number => Some(payload),
            _ => book.panic.replace((number, payload)).map(|(_, payload)| payload),
        };
        drop(book);
        if let Some(payload) = later {
            crate::unwind::release(payload);
        }
    }

    /// Tells every thread to end, youngest first, and drops what they have prefetched. Waits for
    /// none of them.
    ///
    /// It needs no memory: if it could fail for want of that, threads would not be waited for.
    pub(super) fn stop(&self) -> FirstPanic {
        let mut panics = FirstPanic::default();
        let mut below = self.book().next;
        loop {
            // A statement of its own, or the lock would be held.
            let youngest = self.book().youngest(below);
            let Some((number, stage)) = youngest else { return panics };
            below = number;
            panics.run(|| stage.stop());
        }
    }

    /// Stops every thread and waits until all of them have ended. Afterwards the book is empty. Of
    /// the panics that nobody has been told of it gives that of the oldest thread.
    pub(super) fn end(&self) -> FirstPanic {
        self.book().closed = true;
        let mut panics = self.stop();
        // Oldest first: that is the one whose panic counts. All of them have been told to end, so
        // the order makes no difference to how long it takes.
        loop {
            // A statement of its own, or the lock would be held.
            let first = self.book().pages.pop_first();
            let Some((number, page)) = first else { break };
            let panic = page.join();
            self.note(number, panic);
        }
        if let Some((_, payload)) = self.book().panic.take() {
            panics.keep(payload);
        }
        panics
    }

    pub(super) fn stats(&self) -> Vec<BufferStats> {
        let book = self.book();
        book.pages.values().filter(|page| !page.left).map(|page| page.stage.stats()).collect()
    }
}

impl<'scope> Book<'scope> {
    /// The youngest stage below this number.
    fn youngest(&self, below: u64) -> Option<(u64, Arc<dyn Stage + 'scope>)> {
        let (number, page) = self.pages.range(..below).next_back()?;
        Some((*number, page.stage.clone()))
    }

    /// Takes those out whose threads have ended. Not each time, so that it costs each stage only a
    /// constant on the average.
    fn sweep(&mut self) -> Vec<(u64, Option<Page<'scope>>)> {
        if self.pages.len() < self.sweep_at {
            return Vec::new();
        }
        // First the memory: if there is none, all are still in the book.
        let ended = self.pages.iter().filter(|(_, page)| page.has_ended());
        let mut ended: Vec<_> = ended.map(|(number, _)| (*number, None)).collect();
        for (number, page) in &mut ended {
            *page = self.pages.remove(number);
        }
        self.sweep_at = (2 * self.pages.len()).max(16);
        ended
    }
}

/// A handle's entry in the book.
pub(super) struct Entry<'scope> {
    threads: Arc<Threads<'scope>>,
    number: u64,
}

impl Entry<'_> {
    /// The handle no longer needs its thread. What has never been started goes at once.
    fn leave_page(&self) {
        let mut book = self.threads.book();
        let Some(page) = book.pages.get_mut(&self.number) else { return };
        page.left = true;
        let idle = page.thread.is_none();
        let page = idle.then(|| book.pages.remove(&self.number));
        drop(book); // What drops the page may wait for a stop.
        drop(page);
    }
}

impl Owner for Entry<'_> {
    fn start(&mut self) -> io::Result<()> {
        let stage = self.threads.book().pages.get(&self.number).map(|page| page.stage.clone());
        let Some(stage) = stage else { return Ok(()) };
        let thread = stage.thread(); // Not under the lock.
        let mut book = self.threads.book();
        if book.closed {
            return Ok(()); // It has been stopped, or will be.
        }
        let Some(page) = book.pages.get_mut(&self.number) else { return Ok(()) };
        let builder = Builder::new().name(String::from(THREAD_NAME));
        // SAFETY: what the thread borrows is `'scope`, and it is joined before that is over: its
        // handle goes into the book under the lock, and the book is not closed (1 above).
        let thread = unsafe { builder.spawn_unchecked(move || run_on(thread, stage))? };
        page.thread = Some(thread);
        Ok(())
    }

    fn ended(&mut self) {
        // As long as there is a handle the scope can say how full its buffer has been.
    }

    fn leave(&mut self) -> Option<Payload> {
        // A panic of the thread is for the scope's end: it may come later than this.
        self.leave_page();
        None
    }

    fn let_go(&mut self) {
        self.leave_page();
    }
}
