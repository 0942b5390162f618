//! CPython: [`Lib/test/test_generators.py`](https://github.com/python/cpython/blob/main/Lib/test/test_generators.py)
//! (PSF licence), its doctests included.
//!
//! Left out, because they say nothing here: names, `copy`, `pickle`, weak references, syntax, signals,
//! the type's attributes; what an `except` around a `yield` sees of the exception that is handled outside
//! (`ExceptionTest`, `GeneratorThrowTest`): nothing is thrown into a body here. What `throw` is used for
//! is done with an argument or a stop, and those cases are here.

use std::cell::{Cell, RefCell};
use std::pin::pin;
use std::rc::Rc;

use watertight::GeneratorState::{Complete, Yielded};
use watertight::{
    Capacity, Co, IteratorExt, LocalBoxGen, LocalBranch, Overflow, RecursiveCo, ScopedGen,
    TeeError, generator, recursive, scope, try_generator,
};

use crate::support::{Ledger, Thing, message};

/// `FinalizationTest.test_refcycle`: one that was sent itself is finalized when the collector runs. In a
/// scope, when that ends.
#[test]
fn a_reference_cycle() {
    type Sent<'scope> = ScopedGen<'scope, u32, Option<Rc<Holder<'scope>>>>;
    struct Holder<'scope>(RefCell<Option<Sent<'scope>>>);
    let ledger = Ledger::new();
    scope(|s| {
        let finalized = ledger.thing("finalized");
        let generator = s.generator(async move |mut co: Co<u32, Option<Rc<Holder<'_>>>>| {
            let _finally = finalized;
            let _itself = co.yield_(0).await;
            co.yield_(1).await;
        });
        let holder = Rc::new(Holder(RefCell::new(None)));
        let mut generator = generator.erase();
        assert!(matches!(generator.resume(None), Ok(Yielded(0))));
        assert!(matches!(generator.resume(Some(holder.clone())), Ok(Yielded(1))));
        *holder.0.borrow_mut() = Some(generator);
        drop(holder);
        assert_eq!(ledger.alive(), 1);
    });
    ledger.assert_settled();
}

/// `test_lambda_generator`, `test_return_tuple`: what was sent last is what it returns, directly and
/// through a delegation.
#[test]
fn what_a_generator_returns() {
    let mut direct = pin!(generator(async |mut co: Co<u32, u32>| co.yield_(1).await));
    assert_eq!(direct.as_mut().resume(0), Ok(Yielded(1)));
    assert_eq!(direct.as_mut().resume(2), Ok(Complete(2)));

    let mut delegated = recursive(async |mut co: RecursiveCo<'_, u32, (u32,)>| {
        co.yield_from(async |mut co| co.yield_(1).await).await
    });
    assert_eq!(delegated.resume((0,)), Ok(Yielded(1)));
    assert_eq!(delegated.resume((2,)), Ok(Complete((2,))));
    assert_eq!(delegated.resume((3,)).unwrap_err().into_argument(), (3,));
}

/// `test_stopiteration_error`, PEP 479: a body that raises `StopIteration`, as an inner `next` does, used
/// to end silently. Here the end of an inner one is a value, and an error an error.
#[test]
fn the_end_of_an_inner_iterator_does_not_end_the_outer_one() {
    let inner_ends = pin!(try_generator(async |mut co: Co<u32>| {
        co.yield_(1).await;
        let none: Option<u32> = std::iter::empty().next();
        co.yield_(none.ok_or("there was nothing")?).await;
        Ok(())
    }));
    assert!(inner_ends.eq([Ok(1), Err("there was nothing")]));
}

/// The tutorial: falling off the end and `return` both end it, and it cannot be resumed.
#[test]
fn falling_off_the_end_and_returning() {
    for returns in [false, true] {
        let mut numbers = pin!(generator(async |mut co: Co<u32>| {
            co.yield_(1).await;
            if returns {
                return;
            }
            co.yield_(2).await;
        }));
        assert_eq!(numbers.next(), Some(1));
        assert_eq!(numbers.next(), (!returns).then_some(2));
        for _ in 0..3 {
            assert_eq!(numbers.next(), None);
        }
    }
}

/// The tutorial: it returns to the most recent caller.
#[test]
fn it_returns_to_the_most_recent_caller() {
    let creator = || {
        let mut numbers = generator(async |mut co: Co<u32>| co.yield_all(0..5).await).boxed();
        assert_eq!(numbers.next(), Some(0));
        numbers
    };
    assert!(creator().eq([1, 2, 3, 4]));
}

/// PEP 255: a generator cannot be resumed while it is running. Here it cannot even be reached.
#[test]
fn resumed_while_it_is_running() {
    let me: Rc<RefCell<Option<LocalBoxGen<'static, bool>>>> = Rc::default();
    let itself = me.clone();
    let running = generator(async move |mut co: Co<bool>| {
        co.yield_(itself.try_borrow_mut().is_err()).await;
    });
    *me.borrow_mut() = Some(running.boxed_local());
    assert_eq!(me.borrow_mut().as_mut().unwrap().next(), Some(true));
    drop(me.take());
}

/// PEP 255: an exception propagates to the caller, and the generator cannot be resumed.
#[test]
fn a_panic_propagates_and_ends_it() {
    let by = Cell::new(0);
    let mut numbers = pin!(generator(async |mut co: Co<u32>| {
        co.yield_(1_u32.checked_div(by.get()).expect("division by zero")).await;
        co.yield_(42).await;
    }));
    assert!(message(|| numbers.next()).contains("division by zero"));
    by.set(1);
    assert_eq!(numbers.next(), None);
}

/// PEP 255: `finally` clauses run in order, also when an inner block fails.
#[test]
fn blocks_are_left_in_order() {
    let ledger = Ledger::new();
    let things = ledger.clone();
    let numbers = generator(async |mut co: Co<u32>| {
        co.yield_(1).await;
        let inner: Result<(), ()> = async {
            let _inner = things.thing("inner");
            co.yield_(2).await;
            Err(())?;
            co.yield_(3).await;
            Ok(())
        }
        .await;
        assert_eq!((inner, things.deaths()), (Err(()), vec!["inner"]));
        co.yield_(4).await;
        {
            let _finally = things.thing("finally");
            co.yield_(10).await;
        }
        co.yield_(11).await;
    });
    assert!(pin!(numbers).eq([1, 2, 4, 10, 11]));
    assert_eq!(ledger.deaths(), ["inner", "finally"]);
}

struct Tree(char, Option<Box<Tree>>, Option<Box<Tree>>);

fn tree(labels: &[char]) -> Option<Box<Tree>> {
    let middle = labels.len() / 2;
    let label = labels.get(middle)?;
    Some(Box::new(Tree(*label, tree(&labels[..middle]), tree(&labels[middle + 1..]))))
}

async fn in_order<'a>(mut co: RecursiveCo<'a, char>, tree: Option<&'a Tree>) {
    if let Some(Tree(label, left, right)) = tree {
        co.yield_from(|co| in_order(co, left.as_deref())).await;
        co.yield_(*label).await;
        co.yield_from(|co| in_order(co, right.as_deref())).await;
    }
}

/// PEP 255: the walk of a binary tree.
#[test]
fn a_binary_tree() {
    let letters: Vec<char> = ('A'..='Z').collect();
    let tree = tree(&letters);
    assert!(recursive(|co| in_order(co, tree.as_deref())).eq(letters));
}

async fn combinations<'a>(
    mut co: RecursiveCo<'a, Vec<u32>>,
    from: &'a [u32],
    k: usize,
    chosen: Vec<u32>,
) {
    if k == 0 {
        co.yield_(chosen).await;
    } else if let [first, rest @ ..] = from
        && from.len() >= k
    {
        let with = [&chosen[..], &[*first]].concat();
        co.yield_from(|co| combinations(co, rest, k - 1, with)).await;
        co.yield_from(|co| combinations(co, rest, k, chosen)).await;
    }
}

/// Of `k` out of four, in order.
#[test]
fn all_combinations() {
    let counts: Vec<usize> = (0..=5)
        .map(|k| recursive(|co| combinations(co, &[1, 2, 3, 4], k, vec![])).count())
        .collect();
    assert_eq!(counts, [1, 4, 6, 4, 1, 0]);
    let pairs = recursive(|co| combinations(co, &[1, 2, 3, 4], 2, vec![]));
    assert!(pairs.eq([[1, 2], [1, 3], [1, 4], [2, 3], [2, 4], [3, 4]].map(Vec::from)));
}

/// The sieve that is built up as it goes, one generator around the other; then all of it goes.
#[test]
fn a_sieve_of_generators() {
    fn sieve(ledger: Ledger, mut numbers: LocalBoxGen<'static, u32>) -> LocalBoxGen<'static, u32> {
        generator(async move |mut co: Co<u32>| {
            let _held = ledger.thing("sieve");
            let prime = numbers.next().expect("they do not end");
            co.yield_(prime).await;
            let rest = generator(async move |mut co: Co<u32>| {
                co.yield_all(numbers.filter(|n| n % prime != 0)).await;
            });
            co.yield_all(sieve(ledger.clone(), rest.boxed_local())).await;
        })
        .boxed_local()
    }
    let ledger = Ledger::new();
    let numbers = generator(async |mut co: Co<u32>| co.yield_all(2..).await);
    let mut primes = sieve(ledger.clone(), numbers.boxed_local());
    let first: Vec<u32> = primes.by_ref().take(20).collect();
    assert_eq!(first[..8], [2, 3, 5, 7, 11, 13, 17, 19]);
    assert_eq!((first[19], ledger.alive()), (71, 20));
    drop(primes);
    ledger.assert_settled();
}

/// The numbers 2^i 3^j 5^k, by a source that reads its own `tee`: each branch gets what has been yielded,
/// while the next is being made.
#[test]
fn running_after_its_own_tail() {
    type Tail = LocalBranch<'static, u64>;
    let tails: Rc<RefCell<Vec<Tail>>> = Rc::default();
    let own = tails.clone();
    let mut heads: Vec<Option<u64>> = vec![];
    let mut begun = false;
    let source = std::iter::from_fn(move || {
        if !std::mem::replace(&mut begun, true) {
            return Some(1);
        }
        let mut tails = own.borrow_mut();
        heads.resize(3, None);
        for ((head, tail), by) in heads.iter_mut().zip(tails.iter_mut()).zip([2, 3, 5]) {
            // What has been yielded is there. More would have to come from this very call.
            head.get_or_insert_with(|| by * tail.try_next().expect("it has been yielded").unwrap());
        }
        assert!(
            tails
                .iter_mut()
                .all(|tail| tail.backlog() > 0 || tail.try_next() == Err(TeeError::Reentrant))
        );
        let least = heads.iter().flatten().min().copied();
        heads.iter_mut().for_each(|head| *head = head.filter(|n| Some(*n) != least));
        least
    });
    let mut branches = source.tee_local(4, Capacity::items(64), Overflow::Error);
    let results = branches.pop().unwrap();
    *tails.borrow_mut() = branches;
    let first: Vec<u64> = results.take(30).collect();
    assert_eq!(first[..15], [1, 2, 3, 4, 5, 6, 8, 9, 10, 12, 15, 16, 18, 20, 24]);
    assert_eq!(first[15..], [25, 27, 30, 32, 36, 40, 45, 48, 50, 54, 60, 64, 72, 75, 80]);
    tails.borrow_mut().clear(); // The source goes with its last branch.
    assert_eq!(Rc::strong_count(&tails), 1);
}

/// Conjoined generators: the eight queens, all 92 solutions, and a stop in the middle of one.
#[test]
fn eight_queens() {
    async fn place(mut co: RecursiveCo<'_, Vec<i32>>, ledger: Ledger, queens: Vec<i32>) {
        let _held = ledger.thing("row");
        let row = queens.len() as i32;
        if row == 8 {
            co.yield_(queens).await;
            return;
        }
        for column in 0..8 {
            let free =
                (0..).zip(&queens).all(|(r, c)| *c != column && (row - r) != (column - c).abs());
            if free {
                let next = [&queens[..], &[column]].concat();
                co.yield_from(|co| place(co, ledger.clone(), next)).await;
            }
        }
    }
    let ledger = Ledger::new();
    let mut solutions = recursive(|co| place(co, ledger.clone(), vec![]));
    assert_eq!(solutions.next(), Some(vec![0, 4, 7, 5, 2, 6, 1, 3]));
    assert_eq!(ledger.alive(), 9, "one for each row, and the root");
    assert_eq!(solutions.by_ref().take(10).count(), 10);
    assert!(solutions.close());
    ledger.assert_settled();
    assert_eq!(recursive(|co| place(co, ledger.clone(), vec![])).count(), 92);
}

/// `send`: into one that has started, and into a new one, which is a `TypeError` there. Here the first
/// argument can be asked for.
#[test]
fn sending() {
    let mut sums = pin!(generator(async |mut co: Co<u32, u32>| {
        let mut count = co.argument().await.unwrap_or(0);
        while count < 200 {
            count += co.yield_(count).await;
        }
    }));
    for (sent, sum) in [(0, 0), (10, 10), (10, 20), (10, 30)] {
        assert_eq!(sums.as_mut().resume(sent), Ok(Yielded(sum)));
    }
    assert_eq!(sums.as_mut().resume(170), Ok(Complete(())));
    assert_eq!(sums.as_mut().resume(1).unwrap_err().into_argument(), 1);
}

/// `throw`: caught inside, it goes on; not caught, it ends it; on a closed one it comes back. Here what is
/// thrown is an argument, and so what the body does about it is written in it.
#[test]
fn throwing() {
    type Sent = Result<u32, &'static str>;
    let body = async |mut co: Co<&'static str, Sent>| -> Result<(), &'static str> {
        let mut said = "ready";
        loop {
            said = match co.yield_(said).await {
                Ok(_) => "a value",
                Err("value error") => "caught",
                Err(other) => return Err(other),
            };
        }
    };
    let mut catches = pin!(generator(body));
    assert_eq!(catches.as_mut().resume(Ok(0)), Ok(Yielded("ready")));
    assert_eq!(catches.as_mut().resume(Err("value error")), Ok(Yielded("caught")));
    assert_eq!(catches.as_mut().resume(Ok(1)), Ok(Yielded("a value")));
    assert_eq!(catches.as_mut().resume(Err("type error")), Ok(Complete(Err("type error"))));
    let back = catches.as_mut().resume(Err("value error")).unwrap_err();
    assert_eq!(back.into_argument(), Err("value error"));
}

fn exits(ledger: &Ledger) -> LocalBoxGen<'static, u32> {
    let exiting = ledger.thing("exiting");
    generator(async move |mut co: Co<u32>| {
        let _finally = exiting;
        co.yield_(0).await;
    })
    .boxed_local()
}

/// `close`: of one that has started, again, of a new one, of one that has ended.
#[test]
fn closing() {
    let ledger = Ledger::new();
    let mut started = exits(&ledger);
    started.next();
    assert!(started.close());
    assert_eq!(ledger.deaths(), ["exiting"]);
    assert!(!started.close());

    assert!(exits(&ledger).close());
    let mut ended = exits(&ledger);
    assert_eq!(ended.by_ref().count(), 1);
    assert!(!ended.close());
    ledger.assert_settled();
}

/// `del g` runs the `finally`, there by the reference count.
#[test]
fn finalization() {
    let ledger = Ledger::new();
    let mut dropped = exits(&ledger);
    dropped.next();
    drop(dropped);
    assert_eq!(ledger.deaths(), ["exiting"]);
}

/// "generator ignored GeneratorExit": a body that catches the exit and yields. Here nothing of a body
/// runs in a close but destructors, and a yield in one of them is refused.
#[test]
fn ignoring_the_exit() {
    struct YieldsAtExit {
        co: Option<Co<&'static str>>,
        _held: Thing,
    }
    impl Drop for YieldsAtExit {
        fn drop(&mut self) {
            let mut co = self.co.take().unwrap();
            let mut yielding = pin!(co.yield_("foo!"));
            let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
            assert!(message(|| yielding.as_mut().poll(&mut cx)).contains("outside the body"));
        }
    }
    let ledger = Ledger::new();
    for closes in [true, false] {
        let held = ledger.thing("held");
        let mut ill_behaved = generator(async move |co: Co<&'static str>| {
            let mut local = YieldsAtExit { co: Some(co), _held: held };
            local.co.as_mut().unwrap().yield_("bar").await;
        })
        .boxed_local();
        assert_eq!(ill_behaved.next(), Some("bar"));
        if closes {
            assert!(ill_behaved.close());
            assert!(!ill_behaved.close());
        }
        drop(ill_behaved);
    }
    ledger.assert_settled();
}

/// Errors that are raised while it is closed go to who closes it; those of a `del` are only reported.
#[test]
fn errors_while_it_is_closed() {
    let ledger = Ledger::new();
    for closes in [true, false] {
        let (bomb, sibling) = (ledger.bomb("fie!"), ledger.thing("sibling"));
        let mut raises = generator(async move |mut co: Co<u32>| {
            let (_sibling, _bomb) = (sibling, bomb);
            co.yield_(0).await;
        })
        .boxed_local();
        raises.next();
        let text = if closes { message(|| raises.close()) } else { message(move || drop(raises)) };
        assert!(text.contains("`fie!`"), "{text}");
    }
    ledger.assert_settled();
}

/// The order of evaluation around yields: `d[(yield "a")] = d[(yield "b")] = 27`.
#[test]
fn yields_inside_an_expression() {
    let data = RefCell::new([1, 2]);
    let mut generator = pin!(generator(async |mut co: Co<&str, usize>| {
        let value = 27;
        let a = co.yield_("a").await;
        data.borrow_mut()[a] = value;
        let b = co.yield_("b").await;
        data.borrow_mut()[b] = value;
    }));
    assert_eq!(generator.as_mut().resume(9), Ok(Yielded("a")));
    assert_eq!(*data.borrow(), [1, 2]);
    assert_eq!(generator.as_mut().resume(0), Ok(Yielded("b")));
    assert_eq!(*data.borrow(), [27, 2]);
    assert_eq!(generator.as_mut().resume(1), Ok(Complete(())));
    assert_eq!(*data.borrow(), [27, 27]);
}

/// The leak tests: a tee whose item is its own branch, and a generator that yields itself. There the
/// collector takes them; here such a cycle is not a generator's, and is broken by closing the tee.
#[test]
fn a_tee_whose_item_is_its_own_branch() {
    #[derive(Clone)]
    struct Item {
        branch: Rc<RefCell<Option<LocalBranch<'static, Item>>>>,
        _held: Thing,
    }
    let ledger = Ledger::new();
    let held = ledger.thing("item");
    let place: Rc<RefCell<Option<LocalBranch<'static, Item>>>> = Rc::default();
    let item = Item { branch: place.clone(), _held: held };
    let mut branches =
        std::iter::repeat(item).tee_local(2, Capacity::items(2), Overflow::DropOldest);
    *place.borrow_mut() = branches.pop();
    let mut head = branches.pop().unwrap();
    let first = head.next().unwrap();
    assert!(first.branch.borrow().is_some());
    assert!(head.close_all());
    drop((first, head, place.take()));
    ledger.assert_settled();
}
