//! What one would write with `std` alone: a mutex around a queue, and a consumer that takes all of
//! it at once.

use std::collections::VecDeque;
use std::mem;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use crate::contender::{self, Gone, Pair};

pub struct MutexSwap;

struct Shared<T> {
    state: Mutex<State<T>>,
    room: Condvar,
    items: Condvar,
}

struct State<T> {
    queue: VecDeque<T>,
    // Waking costs a system call even if nobody waits.
    producer_waits: bool,
    consumer_waits: bool,
    // One of the ends is gone.
    over: bool,
}

impl<T> Shared<T> {
    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn end(&self) {
        self.lock().over = true;
        self.room.notify_one();
        self.items.notify_one();
    }
}

pub struct Producer<T> {
    shared: Arc<Shared<T>>,
    capacity: usize,
}

pub struct Consumer<T> {
    shared: Arc<Shared<T>>,
    taken: VecDeque<T>,
}

impl Pair for MutexSwap {
    const NAME: &'static str = "mutex_swap";
    type Producer<T: Send + 'static> = Producer<T>;
    type Consumer<T: Send + 'static> = Consumer<T>;

    fn pair<T: Send + 'static>(capacity: usize) -> (Self::Producer<T>, Self::Consumer<T>) {
        let shared = Arc::new(Shared {
            state: Mutex::new(State {
                queue: VecDeque::with_capacity(capacity),
                producer_waits: false,
                consumer_waits: false,
                over: false,
            }),
            room: Condvar::new(),
            items: Condvar::new(),
        });
        (
            Producer { shared: Arc::clone(&shared), capacity },
            Consumer { shared, taken: VecDeque::with_capacity(capacity) },
        )
    }
}

impl<T: Send + 'static> contender::Producer<T> for Producer<T> {
    #[inline]
    fn push(&mut self, value: T) -> Result<(), Gone> {
        let mut state = self.shared.lock();
        while state.queue.len() == self.capacity && !state.over {
            state.producer_waits = true;
            state = self.shared.room.wait(state).unwrap_or_else(PoisonError::into_inner);
            state.producer_waits = false;
        }
        if state.over {
            return Err(Gone);
        }
        state.queue.push_back(value);
        let wake = mem::take(&mut state.consumer_waits);
        drop(state);
        if wake {
            self.shared.items.notify_one();
        }
        Ok(())
    }
}

impl<T> contender::Consumer for Consumer<T> {
    type Item = T;

    #[inline]
    fn pop(&mut self) -> Option<T> {
        if self.taken.is_empty() {
            let mut state = self.shared.lock();
            while state.queue.is_empty() && !state.over {
                state.consumer_waits = true;
                state = self.shared.items.wait(state).unwrap_or_else(PoisonError::into_inner);
                state.consumer_waits = false;
            }
            mem::swap(&mut state.queue, &mut self.taken);
            let wake = mem::take(&mut state.producer_waits);
            drop(state);
            if wake {
                self.shared.room.notify_one();
            }
        }
        self.taken.pop_front()
    }
}

impl<T> Drop for Producer<T> {
    fn drop(&mut self) {
        self.shared.end();
    }
}

impl<T> Drop for Consumer<T> {
    fn drop(&mut self) {
        self.shared.end();
    }
}
