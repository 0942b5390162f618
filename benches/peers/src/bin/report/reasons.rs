//! Why something is behind: the only words on the page that a person wrote about a figure.

/// By the section of the page (or `goals`), and the work (or the goal). The first one that fits is
/// taken; a `*` stands for any beginning or end. Instructions are those of Rust 1.95 on x86-64.
const REASONS: &[(&str, &str, &str)] = &[
    (
        "goals",
        "strings/any stable peer",
        "making and freeing the string is most of it, 190 instructions of everybody's; what \
         is left is the difference, 60",
    ),
    (
        "goals",
        "boxed/nightly_gen",
        "58 instructions an item (`BoxGen`: 52), and by hand 25. Behind a call the body's state \
         is in memory, and a yield, which is a future of its own, is part of it: its value and \
         its identity are stored, and looked at again when it is answered, half of the \
         difference. A `gen` block keeps nothing of a yield",
    ),
    (
        "goals",
        "short/nightly_gen",
        "an identity is drawn for each generator, which is what makes a yield in the wrong \
         place a panic and not a memory error",
    ),
    (
        "goals",
        "xorshift/watertight_boxed",
        "the same instructions in both, 12; the difference is noise",
    ),
    (
        "goals",
        "range/watertight_boxed",
        "the same loop of vectors in both; it differs by how it begins and ends",
    ),
    (
        "goals",
        "boxed/watertight",
        "55 instructions and 58, of which the step, 46, is the same in both. On an Intel Xeon it takes \
         9, 10 or 11 cycles, by nothing but the padding before it; that the state is in memory costs \
         nothing there, for with it in a register it takes as long",
    ),
    (
        "goals",
        "short/watertight_boxed",
        "226 instructions and 193, of which `malloc` and `free` are 129. The node is entered \
         into the scope's list and counted, 12; taken out and counted, 7; and because the scope \
         knows where it lies, the body's state is stored in each step, 14: the compiler leaves \
         that out in a box, which nobody else can look into",
    ),
    (
        "goals",
        "xorshift/watertight_stoppable",
        "the flag is looked at before each step, five instructions",
    ),
    (
        "goals",
        "xorshift/watertight_releasable",
        "two read-modify-writes of a shared word for each step; nothing cheaper was sound",
    ),
    (
        "goals",
        "ready_tokio/*",
        "awaited, the state of a stream is in its task's memory, and a yield is stored there \
         and looked at again by the next poll: 48 instructions, where `unfold` takes 31 and \
         async-stream 45",
    ),
    ("goals", "ready/*", "the same loop in both; the difference is noise"),
    (
        "goals",
        "tree_*",
        "185 instructions a node: each body is polled once, and once more after each child and \
         each yield, through the jump of its `async fn`, although in one loop, and a child is \
         entered and left. `hand_frames`, a loop over frames of a few words, takes 71; \
         `hand_written`, which keeps no more than the nodes whose left side has been entered, 20",
    ),
    (
        "goals",
        "u64_cap_1_one_core/*",
        "with one place a hand-over is two switches of context, and kanal, which holds two \
         values, needs one",
    ),
    (
        "goals",
        "u64_cap_*",
        "24 instructions to put an item in and 29 to take it out, where `rtrb` has 23 and 20: the \
         consumer says that it is busy, and both sides look for a stop, which may come from anywhere and \
         then drops what is in the ring. Besides, threads that never sleep need not wake one another",
    ),
    ("goals", "array_cap_*", "as with numbers; and each item is copied in and out"),
    (
        "goals",
        "string_cap_*",
        "what one thread allocates another one frees; the allocator decides, and how far \
         apart the threads run",
    ),
    ("goals", "xorshift/*", "the same instructions in both, 12; the difference is noise"),
    (
        "goals",
        "range/*",
        "the same loop of vectors in both, 1.8 instructions an item; the difference is noise",
    ),
    (
        "goals",
        "nested/*",
        "38 instructions, and by hand 32, all on registers. An item is five jumps and not three: the \
         compiler puts what follows a yield at the top of the inner loop, and goes there and back. What \
         a jump takes depends on where the loop lies: on an Intel Xeon, by nothing but the padding \
         before it, 7.6 to 11.7 cycles an item, and by hand 5.4 to 8.6. With what is only jumped to on a \
         line of its own it is 7.8 and 7.1; on an AMD EPYC it takes as long as by hand",
    ),
    (
        "goals",
        "strings/*",
        "the same instructions in both to one in a hundred; the allocator decides",
    ),
    (
        "generators",
        "boxed",
        "see the goals: behind a call each yield is stored and looked at again",
    ),
    (
        "generators",
        "short_boxed",
        "a `Box<dyn Iterator>` of a boxed generator is two allocations, 491 instructions; \
         `BoxGen` is one, 327",
    ),
    (
        "generators",
        "sieve",
        "each step of each stage is a call that is not inlined, as in `boxed`; `BoxGen` is \
         one call and not two",
    ),
    (
        "generators",
        "fallible",
        "29 instructions (`try_generator`: 27) and by hand 22. An error is an item after which the \
         generator is over, so the loop keeps and asks for each item whether it is; by hand the bytes \
         that are left say so. Most of the time is the same for all: the processor cannot know how \
         long a number will be. By hand that is 14 cycles of 18",
    ),
    (
        "generators",
        "lexer",
        "69 instructions, and by hand 88: fewer; what they take depends on where the loop lies, as in \
         `nested`",
    ),
    (
        "generators",
        "csv",
        "reading the line is nearly all of it, 650 to 760 instructions for anybody; probably it is what the compiler inlines there that decides",
    ),
    ("generators", "nested", "see the goals"),
    ("generators", "*", "as many instructions as by hand to one in ten; the difference is noise"),
    ("nightly", "boxed", "see the goals"),
    ("nightly", "short*", "see the goals, and `generators`"),
    ("nightly", "*", "as in `generators`"),
    (
        "recursion",
        "right_list_*",
        "the call is the last thing a body does: by hand there is nothing to keep, and a \
         plain call on a coroutine's stack becomes a jump",
    ),
    (
        "recursion",
        "chain_*",
        "by hand and in a coroutine an item at the bottom is yielded by the same loop, which \
         is inlined; here the topmost body is polled through a pointer",
    ),
    (
        "recursion",
        "*",
        "see the goals: a body is put on the stack, and polled again after each child; by hand \
         an iterator keeps only what it needs, and a coroutine calls on its own stack, which \
         costs a page for each and cannot be ended without unwinding",
    ),
    ("streams", "*_tokio", "see the goals: awaited, a yield is stored and looked at again"),
    (
        "streams",
        "nested*",
        "an inner stream's item passes through the outer body, one step more for each level",
    ),
    (
        "streams",
        "*",
        "by hand there is a state and a branch; a yield is a step more where it is not \
         inlined",
    ),
    (
        "handover",
        "*",
        "see the goals: what never sleeps is faster while both threads run, and takes both \
         cores; on one core a side has first to let the other one run",
    ),
    (
        "branches",
        "*",
        "each pull takes the turn and gives it back, so that no user code runs while anything is \
         borrowed or locked, and each lane has a bound, may be closed, stopped or behind, and counts \
         what it loses: 107 instructions an item on one thread, most of them in the pull, and \
         with three locks for two items 158, where a queue that grows, and no more than that, takes 31",
    ),
    ("bridges", "*_cap_1", ONE_PLACE),
    ("bridges", "*_cap_1_one_core", ONE_PLACE),
    ("bridges", "*_cap_1_two_cores", ONE_PLACE),
    (
        "bridges",
        "tasks_of_one_thread*",
        "each hand-over has the barriers that two threads need; where there is only one, a lock \
         that nobody else wants takes less",
    ),
    (
        "bridges",
        "tasks_of_two_workers*",
        "it is decided by whether the runtime keeps both tasks on one worker, and differs from \
         round to round; there it is as for tasks of one thread",
    ),
    (
        "bridges",
        "*",
        "most of it is falling asleep and being woken, by the runtime's own means, which depends \
         on how far apart the two run and differs from round to round",
    ),
];

const ONE_PLACE: &str = "with one place an item is a switch to the producer and one back; the others \
                         hold one item more, in the producer's hand, and kanal takes it from there \
                         without a switch";

/// What stands where nobody has written one.
pub const UNEXPLAINED: &str = "(nobody has explained this yet)";

pub fn reason(section: &str, work: &str) -> &'static str {
    let fits = |pattern: &str| match pattern.split_once('*') {
        Some((beginning, end)) => work.starts_with(beginning) && work.ends_with(end),
        None => work == pattern,
    };
    let found = REASONS.iter().find(|(of, pattern, _)| *of == section && fits(pattern));
    found.map_or(UNEXPLAINED, |(_, _, reason)| reason)
}

#[cfg(test)]
mod tests {
    use super::{UNEXPLAINED, reason};

    #[test]
    fn the_first_that_fits_is_taken() {
        assert!(reason("goals", "strings/any stable peer").contains("freeing the string"));
        assert!(reason("streams", "waits_8_tokio").contains("awaited"));
        assert!(reason("streams", "waits_8").contains("by hand"));
        assert_eq!(reason("goals", "what nobody asked for"), UNEXPLAINED);
    }
}
