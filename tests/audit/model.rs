//! Random programs against a reference: after each operation what is alive is what should be. Healthy
//! ones raise no alarm, and of the others exactly what was forgotten is named.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::thread;

use proptest::prelude::*;
use watertight::audit::{self, Entry, Kind};
use watertight::{
    BoxGen, Branch, Capacity, Co, Lookahead, Overflow, Prefetch, Recursive, RecursiveCo, Scope,
    ScopedGen, generator, recursive, scope,
};

use crate::ours;
use crate::support::forget;

#[derive(Clone, Copy, Debug)]
enum Make {
    Gen,
    Recursive,
    Prefetch,
    Tee,
    Lookahead,
    InScope,
    PrefetchInScope,
}

#[derive(Clone, Debug)]
enum Op {
    /// So many items, and then perhaps a panic.
    Make(Make, u32, bool),
    Pull(usize),
    Drop(usize),
    /// Drops it on another thread, if it can go there.
    Away(usize),
    Forget(usize),
    Scope(Vec<Op>),
}

fn op(healthy: bool) -> impl Strategy<Value = Op> {
    let make = prop_oneof![
        3 => Just(Make::Gen),
        2 => Just(Make::Recursive),
        2 => Just(Make::Prefetch),
        2 => Just(Make::Tee),
        2 => Just(Make::Lookahead),
        3 => Just(Make::InScope),
        2 => Just(Make::PrefetchInScope),
    ];
    let forgets = u32::from(!healthy);
    let leaf = prop_oneof![
        4 => (make, 0..4_u32, proptest::bool::weighted(0.2)).prop_map(|(m, n, p)| Op::Make(m, n, p)),
        8 => (0..8_usize).prop_map(Op::Pull),
        2 => (0..8_usize).prop_map(Op::Drop),
        1 => (0..8_usize).prop_map(Op::Away),
        forgets => (0..8_usize).prop_map(Op::Forget),
    ];
    leaf.prop_recursive(2, 32, 10, |op| proptest::collection::vec(op, 0..10).prop_map(Op::Scope))
}

enum Held<'scope> {
    Gen(BoxGen<'static, u32>),
    Recursive(Recursive<'static, u32>),
    Prefetch(Prefetch<'static, u32>),
    PrefetchInScope(Prefetch<'scope, u32>),
    Branch(Branch<'static, u32>),
    Lookahead(Lookahead<BoxGen<'static, u32>>),
    InScope(ScopedGen<'scope, u32>),
}

/// Of these there are exactly as many as handles.
const CERTAIN: [Kind; 4] = [Kind::Prefetch, Kind::Branch, Kind::Lookahead, Kind::Scope];

impl Held<'_> {
    fn pull(&mut self) -> Option<u32> {
        match self {
            Held::Gen(held) => held.next(),
            Held::Recursive(held) => held.next(),
            Held::Prefetch(held) => held.next(),
            Held::PrefetchInScope(held) => held.next(),
            Held::Branch(held) => held.next(),
            Held::Lookahead(held) => {
                held.peek_nth(1);
                held.next()
            }
            Held::InScope(held) => held.next(),
        }
    }

    /// Drops it on another thread, if it can go there.
    fn drop_away(self) {
        thread::scope(|s| {
            match self {
                Held::Gen(held) => _ = s.spawn(move || drop(held)).join(),
                Held::Prefetch(held) => _ = s.spawn(move || drop(held)).join(),
                Held::PrefetchInScope(held) => _ = s.spawn(move || drop(held)).join(),
                Held::Branch(held) => _ = s.spawn(move || drop(held)).join(),
                Held::Lookahead(held) => _ = s.spawn(move || drop(held)).join(),
                Held::Recursive(_) | Held::InScope(_) => drop(self),
            };
        });
    }

    /// What there is of it for sure, as long as the handle is. What has finished may be there or not.
    fn kind(&self) -> Option<Kind> {
        Some(match self {
            Held::Prefetch(_) | Held::PrefetchInScope(_) => Kind::Prefetch,
            Held::Branch(_) => Kind::Branch,
            Held::Lookahead(_) => Kind::Lookahead,
            Held::Gen(_) | Held::Recursive(_) | Held::InScope(_) => return None,
        })
    }
}

fn make<'scope>(
    s: &'scope Scope<'scope, '_>,
    make: Make,
    items: u32,
    panics: bool,
) -> Vec<Held<'scope>> {
    let capacity = Capacity::items(3);
    let source = || {
        generator(async move |mut co: Co<u32>| {
            co.yield_all(0..items).await;
            if panics {
                resume_unwind(Box::new("as it should")); // Without a message.
            }
        })
    };
    vec![match make {
        Make::Gen => Held::Gen(source().boxed()),
        Make::Recursive => {
            let body = async move |mut co: RecursiveCo<u32>| co.yield_all(0..items).await;
            Held::Recursive(recursive(body))
        }
        Make::Prefetch => Held::Prefetch(source().prefetch(capacity)),
        Make::Tee => {
            let branches = source().tee(2, capacity, Overflow::DropNewest);
            return branches.into_iter().map(Held::Branch).collect();
        }
        Make::Lookahead => Held::Lookahead(source().boxed().lookahead(capacity)),
        Make::InScope => Held::InScope(s.adopt_generator(source()).erase()),
        Make::PrefetchInScope => Held::PrefetchInScope(s.prefetch_generator(capacity, source())),
    }]
}

/// How many of each kind there must be.
#[derive(Default)]
struct Expected {
    living: BTreeMap<Kind, usize>,
    forgotten: BTreeMap<Kind, usize>,
    /// Something outside a scope has been forgotten.
    careless: bool,
}

impl Expected {
    #[track_caller]
    fn check(&self) {
        let mut found = BTreeMap::new();
        let ours = ours();
        for kind in ours.iter().map(Entry::kind).filter(|kind| CERTAIN.contains(kind)) {
            *found.entry(kind).or_default() += 1;
        }
        let mut expected = self.living.clone();
        expected.retain(|_, count| *count > 0);
        assert_eq!(found, expected, "{ours}");
    }

    fn change(&mut self, held: &Held<'_>, by: isize) {
        if let Some(kind) = held.kind() {
            self.changed(kind, by);
        }
    }

    fn changed(&mut self, kind: Kind, by: isize) {
        let count = self.living.entry(kind).or_default();
        *count = count.checked_add_signed(by).unwrap();
    }
}

fn quietly(f: impl FnOnce()) {
    let _ = catch_unwind(AssertUnwindSafe(f));
}

fn run(ops: &[Op], expected: &mut Expected) {
    expected.changed(Kind::Scope, 1);
    quietly(|| {
        scope(|s| {
            let mut held: Vec<Held<'_>> = Vec::new();
            expected.check();
            for op in ops {
                match op {
                    Op::Make(kind, items, panics) => {
                        let made = make(s, *kind, *items, *panics);
                        made.iter().for_each(|held| expected.change(held, 1));
                        held.extend(made);
                    }
                    Op::Pull(i) if !held.is_empty() => {
                        let i = i % held.len();
                        quietly(|| _ = held[i].pull());
                    }
                    Op::Drop(i) if !held.is_empty() => {
                        let gone = held.swap_remove(i % held.len());
                        expected.change(&gone, -1);
                        quietly(|| drop(gone));
                    }
                    Op::Away(i) if !held.is_empty() => {
                        let gone = held.swap_remove(i % held.len());
                        expected.change(&gone, -1);
                        quietly(|| gone.drop_away());
                    }
                    Op::Forget(i) if !held.is_empty() => {
                        let gone = held.swap_remove(i % held.len());
                        if let Some(kind) = gone.kind() {
                            *expected.forgotten.entry(kind).or_default() += 1;
                        }
                        expected.careless |= !matches!(gone, Held::InScope(_));
                        forget(gone);
                    }
                    Op::Scope(ops) => run(ops, expected),
                    _ => {}
                }
                expected.check();
            }
            for gone in held {
                expected.change(&gone, -1);
                quietly(|| drop(gone));
            }
        });
    });
    expected.changed(Kind::Scope, -1);
    expected.check();
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_healthy_programs_raise_no_alarm(
        ops in proptest::collection::vec(op(true), 0..30),
    ) {
        audit::assert_no_leaks(|| run(&ops, &mut Expected::default()));
    }

    #[test]
    fn of_careless_programs_what_was_forgotten_is_named(
        ops in proptest::collection::vec(op(false), 0..30),
    ) {
        let (expected, left) = audit::leaks(|| {
            let mut expected = Expected::default();
            run(&ops, &mut expected);
            expected
        });
        let mut found = BTreeMap::new();
        for kind in left.iter().map(Entry::kind).filter(|kind| CERTAIN.contains(kind)) {
            *found.entry(kind).or_default() += 1;
        }
        prop_assert_eq!(found, expected.forgotten, "{}", left);
        prop_assert!(expected.careless || left.is_empty(), "{}", left);
    }
}
