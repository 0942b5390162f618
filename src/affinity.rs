//! Whether something may go to other threads, said in its type.

/// It may go to other threads: all that is in it is `Send`.
#[derive(Clone, Copy, Debug)]
pub enum Threads {}

/// It stays on one thread, so what is in it need not be `Send`.
#[derive(Clone, Copy, Debug)]
pub enum OneThread {}
