//! What recursion is taught with: permutations, and queens that do not threaten one another. Bodies
//! have their state by value, and few items for many calls.

pub mod permutations {
    use super::super::{Checksum, Consumer, Kernel};

    const LENGTH: usize = 8;

    /// What is to be arranged.
    pub type Elements = [u8; LENGTH];

    /// How many arrangements there are.
    pub const ITEMS: u64 = 40_320;

    pub const ELEMENTS: Elements = [1, 2, 3, 4, 5, 6, 7, 8];

    macro_rules! permute {
        ($form:ident, $co:ident, $walk:ident, $elements:ident, $fixed:ident) => {
            if $fixed == LENGTH - 1 {
                give!($form, $co, u64::from_le_bytes($elements));
            } else {
                for next in $fixed..LENGTH {
                    let mut elements = $elements;
                    elements.swap($fixed, next);
                    call!($form, $co, $walk(elements, $fixed + 1));
                }
            }
        };
    }
    forms! { permute(elements: Elements, fixed: usize) from |elements: &Elements| (*elements, 0) }

    /// What a call knows: the elements, how many of them are fixed, and what comes in the next place.
    struct Stacked {
        calls: Vec<(Elements, usize, usize)>,
    }

    impl Iterator for Stacked {
        type Item = u64;

        #[inline]
        fn next(&mut self) -> Option<u64> {
            loop {
                let (elements, fixed, next) = self.calls.last_mut()?;
                let (mut elements, fixed) = (*elements, *fixed);
                if fixed == LENGTH - 1 {
                    self.calls.pop();
                    return Some(u64::from_le_bytes(elements));
                }
                if *next == LENGTH {
                    self.calls.pop();
                } else {
                    elements.swap(fixed, *next);
                    *next += 1;
                    self.calls.push((elements, fixed + 1, fixed + 1));
                }
            }
        }
    }

    pub fn contenders() -> Vec<(&'static str, Kernel<Elements>)> {
        let by_hand: Kernel<Elements> =
            |elements| Checksum.consume(Stacked { calls: vec![(*elements, 0, 0)] });
        [("hand_written", by_hand)].into_iter().chain(all()).collect()
    }
}

pub mod queens {
    use super::super::{Checksum, Consumer, Kernel};

    /// A row of squares, a bit for each.
    pub type Row = u32;

    pub const ROW: Row = 0xff;

    /// How many solutions there are.
    pub const ITEMS: u64 = 92;

    /// Where the queens are that have been placed, and what they threaten in the next row.
    #[derive(Clone, Copy)]
    pub struct Board {
        row: Row,
        columns: Row,
        rising: Row,
        falling: Row,
        placed: u64,
    }

    impl Board {
        fn new(row: Row) -> Self {
            Board { row, columns: 0, rising: 0, falling: 0, placed: 0 }
        }

        #[inline]
        fn is_full(&self) -> bool {
            self.columns == self.row
        }

        #[inline]
        fn free(&self) -> Row {
            self.row & !(self.columns | self.rising | self.falling)
        }

        #[inline]
        fn with(&self, queen: Row) -> Self {
            Board {
                row: self.row,
                columns: self.columns | queen,
                rising: (self.rising | queen) << 1,
                falling: (self.falling | queen) >> 1,
                placed: self.placed << 4 | u64::from(queen.trailing_zeros()),
            }
        }
    }

    /// Takes the lowest of the free squares.
    #[inline]
    fn take(free: &mut Row) -> Option<Row> {
        let lowest = *free & free.wrapping_neg();
        *free ^= lowest;
        (lowest != 0).then_some(lowest)
    }

    macro_rules! place {
        ($form:ident, $co:ident, $walk:ident, $board:ident) => {
            if $board.is_full() {
                give!($form, $co, $board.placed);
            } else {
                let mut free = $board.free();
                while let Some(queen) = take(&mut free) {
                    call!($form, $co, $walk($board.with(queen)));
                }
            }
        };
    }
    forms! { place(board: Board) from |row: &Row| (Board::new(*row)) }

    /// A call: the board, and the squares it has yet to try.
    type Call = (Board, Row);

    /// The call that runs, and those that wait for it.
    struct Stacked {
        running: Call,
        waiting: Vec<Call>,
    }

    impl Iterator for Stacked {
        type Item = u64;

        #[inline]
        fn next(&mut self) -> Option<u64> {
            loop {
                let (board, free) = &mut self.running;
                match take(free) {
                    Some(queen) => {
                        let next = board.with(queen);
                        if next.is_full() {
                            return Some(next.placed);
                        }
                        self.waiting.push(self.running);
                        self.running = (next, next.free());
                    }
                    None => self.running = self.waiting.pop()?,
                }
            }
        }
    }

    pub fn contenders() -> Vec<(&'static str, Kernel<Row>)> {
        let by_hand: Kernel<Row> = |row| {
            let board = Board::new(*row);
            let running = (board, board.free());
            Checksum.consume(Stacked { running, waiting: Vec::new() })
        };
        [("hand_written", by_hand)].into_iter().chain(all()).collect()
    }
}
