//! Which cores the two threads run on, and what the machine says they have used.

use std::env;
use std::time::Duration;

use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;
use nix::unistd::Pid;

/// Where a producer and a consumer run.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    pub name: &'static str,
    producer: usize,
    consumer: usize,
}

/// The calling thread is pinned; dropping this sets it free.
pub struct Pinned(CpuSet);

const THIS_THREAD: Pid = Pid::from_raw(0);

fn allowed() -> CpuSet {
    sched_getaffinity(THIS_THREAD).expect("a thread may ask where it runs")
}

fn pin(core: usize) {
    let mut set = CpuSet::new();
    set.set(core).expect("the core's number is too high for a set of cores");
    sched_setaffinity(THIS_THREAD, &set).expect("this process may not run on that core");
}

impl Place {
    /// Two cores, if there are two, and one. They are the first two of those that this process may
    /// use, or what the variable `PEERS_CORES` says, as in `PEERS_CORES=2,4`.
    pub fn all() -> Vec<Place> {
        let cores: Vec<usize> = match env::var("PEERS_CORES") {
            Ok(list) => list
                .split(',')
                .map(|core| core.trim().parse().expect("PEERS_CORES is a list of numbers: 2,4"))
                .collect(),
            Err(_) => {
                let allowed = allowed();
                (0..CpuSet::count()).filter(|&core| allowed.is_set(core) == Ok(true)).collect()
            }
        };
        let one = Place { name: "one_core", producer: cores[0], consumer: cores[0] };
        let Some(&other) = cores.get(1) else {
            eprintln!("SKIPPED: two cores are asked for, and this process has one");
            return vec![one];
        };
        vec![Place { name: "two_cores", producer: other, consumer: cores[0] }, one]
    }

    /// Has the calling thread on the producer's core, and so every thread that it starts, until it
    /// calls [`Place::consume`].
    pub fn produce(&self) -> Pinned {
        let before = Pinned(allowed());
        pin(self.producer);
        before
    }

    /// Moves the calling thread to the consumer's core.
    pub fn consume(&self) {
        pin(self.consumer);
    }
}

impl Drop for Pinned {
    fn drop(&mut self) {
        sched_setaffinity(THIS_THREAD, &self.0).expect("a thread may go back to where it was");
    }
}

/// What all threads of the process have used together.
#[derive(Clone, Copy, Debug)]
pub struct Usage {
    /// In user code and in the kernel.
    pub cpu: Duration,
    /// Switches of a thread that had nothing to do.
    pub sleeps: u64,
    /// Switches of a thread that could have gone on; one that yields is among them.
    pub preemptions: u64,
}

impl Usage {
    /// Exact only when no other thread is running.
    pub fn so_far() -> Usage {
        let usage = getrusage(UsageWho::RUSAGE_SELF).expect("a process may ask what it used");
        let micros = (usage.user_time() + usage.system_time()).num_microseconds();
        let count = |n: std::ffi::c_long| u64::try_from(n).expect("a count is not negative");
        Usage {
            cpu: Duration::from_micros(u64::try_from(micros).expect("time is not negative")),
            sleeps: count(usage.voluntary_context_switches()),
            preemptions: count(usage.involuntary_context_switches()),
        }
    }

    pub fn since(self, before: Usage) -> Usage {
        Usage {
            cpu: self.cpu - before.cpu,
            sleeps: self.sleeps - before.sleeps,
            preemptions: self.preemptions - before.preemptions,
        }
    }
}
