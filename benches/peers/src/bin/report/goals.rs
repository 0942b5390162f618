//! What the crate was meant to reach, as ratios and counts, and whether it has.

use watertight_peers::data::{Data, Ratio};
use watertight_peers::table::short;

use crate::Measured;
use crate::page::ratio;

/// A goal, and what was measured.
pub struct Goal {
    /// What its reason is found by, if it is missed.
    pub key: String,
    pub work: String,
    pub goal: String,
    pub figure: String,
    pub verdict: Verdict,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Verdict {
    Met,
    /// Not by the median, but by some round.
    Noise,
    Missed,
    Unknown,
}

fn at_most(ratio: Ratio, limit: f64) -> Verdict {
    match ratio {
        _ if ratio.median <= limit => Verdict::Met,
        _ if ratio.least <= limit => Verdict::Noise,
        _ => Verdict::Missed,
    }
}

/// Collects goals of one part of the crate.
struct Goals(Vec<Goal>);

impl Goals {
    fn add(&mut self, key: &str, work: &str, goal: String, found: Option<(String, Verdict)>) {
        let (figure, verdict) = found.unwrap_or(("–".into(), Verdict::Unknown));
        let [key, work] = [key, work].map(str::to_owned);
        self.0.push(Goal { key, work, goal, figure, verdict });
    }

    /// One contender takes at most so many times as much as another one, of the same work.
    fn ratio(&mut self, data: &Data, work: &str, ours: &str, theirs: &str, limit: f64) {
        self.ratio_of(data, (work, ours), (work, theirs), limit);
    }

    fn ratio_of(&mut self, data: &Data, ours: (&str, &str), theirs: (&str, &str), limit: f64) {
        let over = over(data, ours, theirs);
        let found = over.map(|over| (ratio(over), at_most(over, limit)));
        let theirs_name =
            if ours.0 == theirs.0 { theirs.1 } else { &*format!("{} in {}", theirs.1, theirs.0) };
        let goal = format!("`{}` at most {limit} × `{theirs_name}`", ours.1);
        self.add(&format!("{}/{}", ours.0, theirs.1), &format!("`{}`", ours.0), goal, found);
    }

    /// `ours` is at least so many times as fast as the fastest of all that `is_rival` names.
    fn faster(
        &mut self,
        data: &Data,
        (work, ours): (&str, &str),
        times: f64,
        rivals: &str,
        is_rival: impl Fn(&str) -> bool,
    ) {
        let slowest = data
            .of("ns")
            .filter(|figure| figure.work == work && is_rival(&figure.contender))
            .filter_map(|figure| {
                Some((&figure.contender, over(data, (work, ours), (work, &figure.contender))?))
            })
            .max_by(|(_, a), (_, b)| a.median.total_cmp(&b.median));
        let found = slowest.map(|(name, over)| {
            let faster =
                Ratio { median: 1.0 / over.median, least: 1.0 / over.most, most: 1.0 / over.least };
            (format!("{} × `{name}`", ratio(faster)), at_most(over, 1.0 / times))
        });
        let goal = if times < 1.0 {
            format!("`{ours}` at most {} × {rivals}", short(1.0 / times))
        } else {
            format!("`{ours}` at least {times} × as fast as {rivals}")
        };
        self.add(&format!("{work}/{rivals}"), &format!("`{work}`"), goal, found);
    }

    /// A difference of so many nanoseconds at the most.
    fn more(&mut self, data: &Data, work: &str, ours: &str, theirs: &str, nanos: f64) {
        let figure = |name| data.get(work, name, "ns").map(|figure| figure.median());
        let found = figure(ours).zip(figure(theirs)).map(|(ours, theirs)| {
            let more = ours - theirs;
            (
                format!("{} ns", short(more)),
                if more <= nanos { Verdict::Met } else { Verdict::Missed },
            )
        });
        let goal = format!("`{ours}` at most {nanos} ns more than `{theirs}`");
        self.add(&format!("{work}/{ours}"), &format!("`{work}`"), goal, found);
    }

    /// A count that is at most so much.
    fn count(&mut self, key: &str, what: &str, goal: &str, count: Option<f64>, limit: f64) {
        let found = count.map(|count| {
            (count.to_string(), if count <= limit { Verdict::Met } else { Verdict::Missed })
        });
        self.add(key, what, goal.into(), found);
    }
}

fn over(data: &Data, ours: (&str, &str), theirs: (&str, &str)) -> Option<Ratio> {
    Some(data.get(ours.0, ours.1, "ns")?.over(data.get(theirs.0, theirs.1, "ns")?))
}

fn is_peer(name: &str) -> bool {
    !name.starts_with("watertight") && !matches!(name, "hand_written" | "nightly_gen")
}

pub fn goals(measured: &Measured) -> Vec<Goal> {
    let mut goals = Goals(Vec::new());
    generators(&mut goals, measured);
    recursion(&mut goals, measured);
    streams(&mut goals, measured);
    handover(&mut goals, measured);
    bridges(&mut goals, measured);
    memory(&mut goals, measured);
    goals.0
}

fn generators(goals: &mut Goals, measured: &Measured) {
    let (stable, nightly) = (&measured.generators, &measured.generators_nightly);
    for work in ["xorshift", "range", "nested", "strings"] {
        goals.ratio(stable, work, "watertight", "hand_written", 1.05);
        goals.ratio(nightly, work, "watertight", "nightly_gen", 1.0);
        goals.faster(stable, (work, "watertight"), 1.4, "any stable peer", is_peer);
    }
    goals.ratio(nightly, "boxed", "watertight", "nightly_gen", 1.2);
    goals.ratio(nightly, "short", "watertight", "nightly_gen", 1.5);
    let allocations = measured.memory.get("generators", "watertight", "allocations");
    let allocations = allocations.map(|figure| figure.median());
    goals.count("short/allocations", "`short`", "no allocation", allocations, 0.0);
    goals.ratio(stable, "xorshift", "watertight_scoped", "watertight_boxed", 1.05);
    goals.ratio(stable, "range", "watertight_scoped", "watertight_boxed", 1.05);
    goals.ratio(stable, "boxed", "watertight_erased", "watertight", 1.1);
    goals.ratio(stable, "short", "watertight_in_scope", "watertight_boxed", 1.2);
    goals.more(stable, "xorshift", "watertight_stoppable", "watertight", 0.5);
    goals.more(stable, "xorshift", "watertight_releasable", "watertight_boxed", 11.0);
}

fn recursion(goals: &mut Goals, measured: &Measured) {
    let data = &measured.recursion;
    goals.ratio_of(data, ("chain_10000", "watertight"), ("chain_10", "watertight"), 1.5);
    for work in ["tree_1024", "tree_1048576"] {
        goals.ratio(data, work, "watertight", "hand_frames", 2.0);
        goals.ratio(data, work, "watertight", "hand_written", 2.0);
    }
    goals.faster(data, ("chain_20", "watertight"), 4.0, "any stackless peer", |name| {
        matches!(name, "genawaiter" | "genawaiter_nested")
    });
    let data = &measured.recursion_nightly;
    goals.faster(data, ("chain_20", "watertight"), 4.0, "nested `gen` blocks", |name| {
        name == "nightly_gen"
    });
}

fn streams(goals: &mut Goals, measured: &Measured) {
    let data = &measured.streams;
    for work in ["ready", "ready_tokio"] {
        goals.ratio(data, work, "watertight", "unfold", 1.1);
        let rivals = "async-stream, asynk-strim, async-fn-stream";
        goals.faster(data, (work, "watertight"), 1.0, rivals, |name| {
            matches!(name, "async_stream" | "asynk_strim" | "async_fn_stream")
        });
    }
}

/// Who gives its core away while it waits.
fn parks(name: &str) -> bool {
    !name.starts_with("watertight") && !matches!(name, "rtrb_yield" | "kanal")
}

fn handover(goals: &mut Goals, measured: &Measured) {
    let data = &measured.handover;
    let ours = "watertight_prefetch";
    for work in ["u64_cap_16", "u64_cap_256", "u64_cap_4096", "array_cap_256"] {
        let work = format!("{work}_two_cores");
        goals.faster(data, (&work, ours), 2.0, "any that sleeps", parks);
        goals.faster(data, (&work, ours), 1.0 / 1.1, "any", |name| !name.starts_with("watertight"));
    }
    let other = |name: &str| !name.starts_with("watertight");
    goals.faster(data, ("u64_cap_1_two_cores", ours), 1.0, "any", other);
    goals.faster(data, ("u64_cap_1_one_core", ours), 1.0 / 1.5, "any", other);
    goals.faster(data, ("string_cap_4096_two_cores", ours), 1.0 / 1.1, "any", other);
    for place in ["one_core", "two_cores"] {
        let work = format!("delay_1_{place}");
        let figure = |name| data.get(&work, name, "µs").map(|figure| figure.median());
        let found = figure(ours).zip(figure("rtrb_park")).map(|(ours, park)| {
            let verdict = if ours <= 2.0 * park { Verdict::Met } else { Verdict::Missed };
            (format!("{} µs, {} µs", short(ours), short(park)), verdict)
        });
        let goal = "delay of a slow producer's item at most 2 × a plain park (`rtrb_park`)";
        goals.add(&work, &format!("`{work}`"), goal.into(), found);
    }
    for capacity in [16, 256, 4096] {
        let work = format!("overlap_cap_{capacity}");
        let share = data.get(&work, ours, "%").map(|figure| figure.median());
        let found = share.map(|share| {
            (format!("{share:.1} %"), if share >= 90.0 { Verdict::Met } else { Verdict::Missed })
        });
        let goal = "with 2 µs of work on each side at least 90 % of perfect overlap";
        goals.add(&work, &format!("`{work}`"), goal.into(), found);
    }
}

fn bridges(goals: &mut Goals, measured: &Measured) {
    for work in ["thread_to_task", "task_to_thread"] {
        for place in ["two_cores", "one_core"] {
            let work = format!("{work}_cap_16_{place}");
            goals.ratio(&measured.bridges, &work, "watertight", "tokio", 1.0);
        }
    }
    for work in ["tasks_of_one_thread_cap_16", "tasks_of_two_workers_cap_256"] {
        goals.ratio(&measured.bridges, work, "watertight", "tokio", 1.0);
    }
}

fn memory(goals: &mut Goals, measured: &Measured) {
    let promise =
        |what| measured.memory.get("promises", what, "count").map(|figure| figure.median());
    goals.count(
        "pinned",
        "a generator",
        "at most 24 bytes over its body",
        promise("over its body"),
        24.0,
    );
    let goal = match promise("many items") {
        Some(items) => format!("the heap's peak does not grow over {items} items, bytes"),
        None => "the heap's peak does not grow with the items".into(),
    };
    goals.count("flat", "a generator", &goal, promise("grown by many items"), 0.0);
    let goal = match promise("generators in a scope") {
        Some(crowd) => format!("{crowd} live ones: at most 48 bytes each over their own state"),
        None => "live ones: at most 48 bytes each over their own state".into(),
    };
    goals.count("crowd", "a scope", &goal, promise("over its state in a scope"), 48.0);
}

#[cfg(test)]
mod tests {
    use super::{Goals, Verdict, is_peer};
    use watertight_peers::data::Data;

    fn data() -> Data {
        let mut data = Data::new();
        data.add("work", "watertight", "ns", vec![1.0, 2.0]);
        data.add("work", "hand_written", "ns", vec![1.0, 1.0]);
        data.add("work", "slow", "ns", vec![9.0, 8.0]);
        data.add("work", "fast", "ns", vec![3.0, 3.0]);
        data
    }

    #[test]
    fn a_goal_is_met_by_the_median_and_near_by_a_round() {
        let data = data();
        let mut goals = Goals(Vec::new());
        for limit in [1.5, 1.4, 0.9] {
            goals.ratio(&data, "work", "watertight", "hand_written", limit);
        }
        goals.ratio(&data, "work", "watertight", "nobody", 2.0);
        let verdicts: Vec<_> = goals.0.iter().map(|goal| goal.verdict).collect();
        assert_eq!(verdicts, [Verdict::Met, Verdict::Noise, Verdict::Missed, Verdict::Unknown]);
    }

    #[test]
    fn the_fastest_rival_decides() {
        let data = data();
        let mut goals = Goals(Vec::new());
        goals.faster(&data, ("work", "watertight"), 2.0, "any", is_peer);
        goals.faster(&data, ("work", "watertight"), 2.1, "any", is_peer);
        goals.faster(&data, ("work", "watertight"), 4.0, "any", is_peer);
        let verdicts: Vec<_> = goals.0.iter().map(|goal| goal.verdict).collect();
        assert_eq!(verdicts, [Verdict::Met, Verdict::Noise, Verdict::Missed]);
        assert!(goals.0[0].figure.contains("`fast`"), "{}", goals.0[0].figure);
    }
}
