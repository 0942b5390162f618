//! Snapshots compared, grouped and printed.

use watertight::audit::{self, Kind, Snapshot};
use watertight::{BoxGen, Capacity, Co, IteratorExt, generator};

use crate::{alone, ours};

fn numbers() -> BoxGen<'static, u32> {
    generator(async |mut co: Co<u32>| co.yield_all(0..).await).boxed()
}

#[test]
fn a_difference_is_what_is_new_what_is_gone_and_what_has_been_yielded() {
    alone(|| {
        let (mut kept, gone) = (numbers(), numbers());
        kept.next();
        let before = ours();
        drop(gone);
        kept.nth(4);
        let new = numbers();
        drop(numbers()); // In neither.
        let since = ours().since(&before);
        let ids =
            |snapshot: &[audit::Entry]| snapshot.iter().map(audit::Entry::id).collect::<Vec<_>>();
        assert_eq!(ids(since.gone()), [before.entries()[1].id()]);
        assert_eq!(ids(since.created()), [ours().entries()[1].id()]);
        let [change] = since.kept() else { panic!("{since}") };
        assert_eq!((change.entry.id(), change.yielded), (before.entries()[0].id(), 5));
        assert_eq!((since.growth(), since.new_by_site().groups().len()), (0, 1));
        assert!(since.elapsed() > std::time::Duration::ZERO);
        let text = since.to_string();
        assert!(text.starts_with("1 new, 1 gone, 1 kept, in "), "{text}");
        for head in ["\n\nnew\n", "\n\ngone\n", "\n\nkept, and has yielded\n"] {
            assert!(text.contains(head), "{text}");
        }
        let none = ours().since(&ours());
        assert!(none.created().is_empty() && none.gone().is_empty() && none.kept().len() == 2);
        assert!(!none.to_string().contains('\n'), "{none}");
        drop(new);
    });
}

#[test]
fn groups_have_counts_and_sums_and_the_largest_comes_first() {
    alone(|| {
        let line = line!() + 1;
        let mut many: Vec<_> = (0..5).map(|_| numbers()).collect();
        many[..3].iter_mut().for_each(|one| _ = one.nth(1));
        let two: Vec<_> = (0..2_usize)
            .map(|n| {
                let mut ahead = (0..).lookahead(Capacity::items(10 * (n + 1)));
                ahead.peek_nth(n);
                ahead
            })
            .collect();
        let by_site = ours().by_site();
        let groups = by_site.groups();
        let kinds: Vec<_> = groups.iter().map(|group| (group.kind, group.count)).collect();
        assert_eq!(kinds, [(Kind::Gen, 5), (Kind::Adopted, 2), (Kind::Lookahead, 2)]);
        let [numbers, _, ahead] = groups else { panic!("{by_site}") };
        assert_eq!((numbers.yielded, numbers.not_started, numbers.finished), (6, 2, 0));
        assert!(numbers.idle.is_some() && numbers.oldest >= numbers.idle.unwrap());
        assert_eq!(ahead.site.line(), line + 4);
        let fill = ahead.buffered.unwrap();
        assert_eq!((fill.now, fill.peak, fill.bound), (3, 2, 30));
        drop((many, two));
    });
}

/// Where each column begins and ends, by the heads and by the cells.
#[track_caller]
fn aligned(table: &str, heads: &[&str]) {
    let mut rows = table.lines();
    let head = rows.next().unwrap();
    assert_eq!(
        head.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).collect::<Vec<_>>(),
        heads
    );
    for row in rows {
        for name in heads {
            let begin = head.find(name).unwrap();
            let end = begin + name.len();
            let at = |i: usize| row.as_bytes().get(i).copied().unwrap_or(b' ');
            // A cell begins where its head begins, or ends where that ends.
            let left = at(begin) != b' ' && (begin == 0 || at(begin - 1) == b' ');
            let right = at(end - 1) != b' ' && at(end) == b' ';
            assert!(left || right, "column {name}\n{table}");
        }
        assert_eq!(row, row.trim_end());
    }
}

#[test]
fn tables_are_aligned() {
    alone(|| {
        let mut kept: Vec<_> = (0..12).map(|_| numbers()).collect();
        kept[7].nth(12_345);
        let mut ahead = (0..).lookahead(Capacity::items(1_000_000));
        ahead.peek_nth(99);
        let heads = ["kind", "site", "age", "yielded", "idle", "buffered", "state"];
        let table = ours().to_string();
        aligned(&table, &heads);
        assert_eq!(table.lines().count(), 15);
        assert!(table.contains("12346") && table.contains("100/100/1000000"), "{table}");
        let heads = [
            "count",
            "kind",
            "site",
            "oldest",
            "yielded",
            "idle",
            "buffered",
            "unstarted",
            "finished",
        ];
        let table = ours().by_site().to_string();
        aligned(&table, &heads);
        assert_eq!(table.lines().count(), 4);
        drop(ours().filter(|_| false).to_string());
        aligned(
            &Snapshot::to_string(&ours().filter(|_| false)),
            &["kind", "site", "age", "yielded", "idle", "buffered", "state"],
        );
    });
}

#[test]
fn snapshots_can_be_filtered() {
    alone(|| {
        let (mut one, two) = (numbers(), numbers());
        one.next();
        let idle = ours().filter(|entry| entry.yielded() == 0);
        assert_eq!(idle.len(), 1);
        assert!(!idle.is_empty() && idle.iter().count() == 1 && (&idle).into_iter().count() == 1);
        drop((one, two));
    });
}

#[cfg(feature = "serde")]
#[test]
fn snapshots_can_be_written_down() {
    alone(|| {
        let line = line!() + 1;
        let mut ahead = (0..).lookahead(Capacity::items(3));
        ahead.peek();
        let written = serde_json::to_value(ours()).unwrap();
        let [adopted, lookahead] = &written.as_array().unwrap()[..] else { panic!("{written}") };
        assert_eq!(adopted["kind"], "adopted");
        assert_eq!(adopted["site"]["line"], line);
        assert_eq!(adopted["site"]["file"], file!());
        assert_eq!((&adopted["yielded"], &adopted["items"]), (&1.into(), &"i32".into()));
        assert!(adopted["buffered"].is_null() && adopted["age"]["secs"].is_u64());
        assert_eq!(lookahead["state"], "suspended");
        let fill = serde_json::json!({ "now": 1, "peak": 1, "bound": 3 });
        assert_eq!(lookahead["buffered"], fill);
        let groups = serde_json::to_value(ours().by_site()).unwrap();
        assert_eq!((groups[0]["count"].as_u64(), groups.as_array().unwrap().len()), (Some(1), 2));
        let since = serde_json::to_value(ours().since(&ours())).unwrap();
        assert_eq!(since["kept"].as_array().unwrap().len(), 2);
    });
}
