//! Walks of binary trees in order: balanced ones, and ones that are lists.

use super::{Checksum, Consumer, Kernel};

#[derive(Default)]
pub struct Tree {
    left: Option<Box<Tree>>,
    value: u64,
    right: Option<Box<Tree>>,
}

/// To which side a tree leans that is a list.
#[derive(Clone, Copy, Debug)]
pub enum Side {
    Left,
    Right,
}

impl Tree {
    /// A tree of so many nodes, at least one, as flat as can be. Nodes are allocated the way
    /// recursion builds them, children first.
    pub fn balanced(nodes: u64) -> Tree {
        fn build(from: u64, to: u64) -> Option<Box<Tree>> {
            (from < to).then(|| {
                let value = u64::midpoint(from, to);
                let left = build(from, value);
                let right = build(value + 1, to);
                Box::new(Tree { left, value, right })
            })
        }
        *build(0, nodes).expect("a tree has a root")
    }

    /// A tree with one node, at least, on each of so many levels. The deepest node is the first item
    /// if it leans to the left, and the last if it leans to the right.
    pub fn list(side: Side, nodes: u64) -> Tree {
        let mut tree = Tree::default();
        for value in 1..nodes {
            let below = Some(Box::new(tree));
            tree = match side {
                Side::Left => Tree { left: below, value, right: None },
                Side::Right => Tree { left: None, value, right: below },
            };
        }
        tree
    }
}

/// Without recursion, which a deep tree would not survive.
impl Drop for Tree {
    fn drop(&mut self) {
        let mut nodes = Vec::new();
        nodes.extend(self.left.take());
        nodes.extend(self.right.take());
        while let Some(mut node) = nodes.pop() {
            nodes.extend(node.left.take());
            nodes.extend(node.right.take());
        }
    }
}

macro_rules! in_order {
    ($form:ident, $co:ident, $walk:ident, $node:ident) => {
        if let Some(left) = &$node.left {
            call!($form, $co, $walk(left));
        }
        give!($form, $co, $node.value);
        if let Some(right) = &$node.right {
            call!($form, $co, $walk(right));
        }
    };
}
forms! { in_order(node: &'a Tree) from |tree: &Tree| (tree) }

/// The nodes whose left subtree has been entered and that have not been given themselves. A node is
/// not there any more while its right subtree is walked.
struct Spines<'a> {
    nodes: Vec<&'a Tree>,
}

impl<'a> Spines<'a> {
    fn new(tree: &'a Tree) -> Self {
        let mut spines = Spines { nodes: Vec::new() };
        spines.push(Some(tree));
        spines
    }

    #[inline]
    fn push(&mut self, mut node: Option<&'a Tree>) {
        while let Some(tree) = node {
            self.nodes.push(tree);
            node = tree.left.as_deref();
        }
    }
}

impl Iterator for Spines<'_> {
    type Item = u64;

    #[inline]
    fn next(&mut self) -> Option<u64> {
        let node = self.nodes.pop()?;
        self.push(node.right.as_deref());
        Some(node.value)
    }
}

/// How far a call has come.
enum State {
    Start,
    LeftDone,
    Given,
    RightDone,
}

/// The stack of the recursive function, call by call. Each stays until it has returned.
struct Calls<'a> {
    frames: Vec<(&'a Tree, State)>,
}

impl Iterator for Calls<'_> {
    type Item = u64;

    #[inline]
    fn next(&mut self) -> Option<u64> {
        while let Some((node, state)) = self.frames.last_mut() {
            let node = *node;
            match state {
                State::Start => {
                    *state = State::LeftDone;
                    if let Some(left) = &node.left {
                        self.frames.push((left, State::Start));
                    }
                }
                State::LeftDone => {
                    *state = State::Given;
                    return Some(node.value);
                }
                State::Given => {
                    *state = State::RightDone;
                    if let Some(right) = &node.right {
                        self.frames.push((right, State::Start));
                    }
                }
                State::RightDone => _ = self.frames.pop(),
            }
        }
        None
    }
}

/// What one would write without generators.
pub fn hand_written<C: Consumer>(consumer: C, tree: &Tree) -> C::Output {
    consumer.consume(Spines::new(tree))
}

/// What the compiler would make of the recursive function.
pub fn hand_frames<C: Consumer>(consumer: C, tree: &Tree) -> C::Output {
    consumer.consume(Calls { frames: vec![(tree, State::Start)] })
}

pub fn contenders() -> Vec<(&'static str, Kernel<Tree>)> {
    let by_hand: [(_, Kernel<Tree>); 2] = [
        ("hand_written", |tree| hand_written(Checksum, tree)),
        ("hand_frames", |tree| hand_frames(Checksum, tree)),
    ];
    by_hand.into_iter().chain(all()).collect()
}

#[cfg(test)]
mod tests {
    use super::{Side, Tree, hand_frames, hand_written};
    use crate::recursion::Consumer;

    struct Collect;

    impl Consumer for Collect {
        type Output = Vec<u64>;

        fn consume(self, items: impl Iterator<Item = u64>) -> Vec<u64> {
            items.collect()
        }
    }

    #[test]
    fn a_balanced_tree_is_flat_and_in_order() {
        fn height(tree: &Tree) -> u32 {
            let below = [&tree.left, &tree.right].map(|side| side.as_deref().map_or(0, height));
            1 + below[0].max(below[1])
        }
        for nodes in [1, 2, 1023, 1024] {
            let tree = Tree::balanced(nodes);
            let expected: Vec<_> = (0..nodes).collect();
            assert_eq!(hand_written(Collect, &tree), expected);
            assert_eq!(hand_frames(Collect, &tree), expected);
            assert_eq!(height(&tree), nodes.ilog2() + 1);
        }
    }

    #[test]
    fn the_deepest_node_of_a_list_is_the_first_or_the_last() {
        let [left, right] = [Side::Left, Side::Right].map(|side| Tree::list(side, 1_000_000));
        assert!(hand_written(Collect, &left).into_iter().eq(0..1_000_000));
        assert!(hand_written(Collect, &right).into_iter().eq((0..1_000_000).rev()));
    }
}
