//! Marks for a program that counts instructions: what lies between two of them is counted. The script
//! `instructions` tells callgrind their names.

use std::hint::black_box;

/// The counting begins.
#[inline(never)]
pub fn begin() {
    black_box("begin");
}

/// It ends. (Not the same instructions as `begin`, or a compiler would make one function of the two.)
#[inline(never)]
pub fn end() {
    black_box(0_u64);
}
