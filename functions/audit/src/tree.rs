//! The Merkle tree over a log (RFC 9162, section 2.1): its root at any size, and the proofs that an
//! entry is in it and that one size goes on from another. Pure.
//!
//! Whoever makes a proof names ranges of leaves, each of which is in the end a few subtrees that
//! are whole, and those are looked up. Whoever checks one needs nothing but the proof.

#[cfg(test)]
mod tests;

use std::ops::Range;

use sha2::{Digest, Sha256};

/// A SHA-256.
pub type Hash = [u8; 32];

/// What starts an inner node, so that none can pass for a leaf (RFC 9162, section 2.1.1).
const NODE: [u8; 1] = [1];

/// A subtree that is whole: it has 2^`level` leaves, and is the one with this number among all of
/// that size, from 0.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Subtree {
    /// Its height: 0 is a leaf.
    pub level: u32,
    /// Which one.
    pub number: u64,
}

impl Subtree {
    /// Its leaves.
    pub fn range(&self) -> Range<u64> {
        (self.number << self.level)..((self.number + 1) << self.level)
    }
}

/// The hash over two subtrees.
pub fn node(left: &Hash, right: &Hash) -> Hash {
    Sha256::new().chain_update(NODE).chain_update(left).chain_update(right).finalize().into()
}

/// The root of a tree without leaves.
pub fn empty() -> Hash {
    Sha256::digest([]).into()
}

/// The largest power of two that is less than `size`, which is at least 2.
fn split(size: u64) -> u64 {
    1 << (63 - (size - 1).leading_zeros())
}

/// The whole subtrees of a range, from the left. It begins where one as large as it would.
pub fn parts(range: Range<u64>) -> Vec<Subtree> {
    let (mut all, mut at) = (Vec::new(), range.start);
    while at < range.end {
        let fits = 63 - (range.end - at).leading_zeros();
        let level = if at == 0 { fits } else { fits.min(at.trailing_zeros()) };
        all.push(Subtree { level, number: at >> level });
        at += 1 << level;
    }
    all
}

/// The hash of a range whose [`parts`] have these hashes. `None` when there are none.
pub fn joined(hashes: &[Hash]) -> Option<Hash> {
    let mut from_right = hashes.iter().rev();
    let last = *from_right.next()?;
    Some(from_right.fold(last, |right, left| node(left, &right)))
}

/// The ranges whose hashes prove that the leaf with this number, from 0, is in the tree of this
/// size: the nearest first (RFC 9162, section 2.1.3.1). `None` when it is not.
pub fn inclusion(leaf: u64, size: u64) -> Option<Vec<Range<u64>>> {
    if leaf >= size {
        return None;
    }
    let (mut all, mut within) = (Vec::new(), 0..size);
    while within.end - within.start > 1 {
        let middle = within.start + split(within.end - within.start);
        if leaf < middle {
            all.push(middle..within.end);
            within.end = middle;
        } else {
            all.push(within.start..middle);
            within.start = middle;
        }
    }
    all.reverse();
    Some(all)
}

/// The ranges whose hashes prove that the tree of size `to` goes on from that of size `from`
/// (RFC 9162, section 2.1.4.1). `None` when `from` is none or larger.
pub fn consistency(from: u64, to: u64) -> Option<Vec<Range<u64>>> {
    if from == 0 || from > to {
        return None;
    }
    let (mut all, mut within, mut is_known) = (Vec::new(), 0..to, true);
    while from != within.end {
        let middle = within.start + split(within.end - within.start);
        if from <= middle {
            all.push(middle..within.end);
            within.end = middle;
        } else {
            all.push(within.start..middle);
            within.start = middle;
            is_known = false;
        }
    }
    // The root of the smaller tree is known to whoever asks, if it is a subtree of the larger one.
    if !is_known {
        all.push(within);
    }
    all.reverse();
    Some(all)
}

/// Whether the leaf is in the tree of this size and root (RFC 9162, section 2.1.3.2).
pub fn includes(leaf: &Hash, number: u64, size: u64, proof: &[Hash], root: &Hash) -> bool {
    if number >= size {
        return false;
    }
    let (mut at, mut last, mut hash) = (number, size - 1, *leaf);
    for it in proof {
        if last == 0 {
            return false;
        }
        if at & 1 == 1 || at == last {
            hash = node(it, &hash);
            while at & 1 == 0 && at != 0 {
                (at, last) = (at >> 1, last >> 1);
            }
        } else {
            hash = node(&hash, it);
        }
        (at, last) = (at >> 1, last >> 1);
    }
    last == 0 && hash == *root
}

/// Whether the tree of size `to` goes on from that of size `from`, by their roots (RFC 9162,
/// section 2.1.4.2).
pub fn goes_on(from: u64, root: &Hash, to: u64, larger: &Hash, proof: &[Hash]) -> bool {
    if from == 0 || from > to {
        return false;
    }
    if from == to {
        return proof.is_empty() && root == larger;
    }
    let known = from.is_power_of_two().then_some(root);
    let mut rest = known.into_iter().chain(proof);
    let Some(first) = rest.next() else { return false };
    let (mut at, mut last) = (from - 1, to - 1);
    while at & 1 == 1 {
        (at, last) = (at >> 1, last >> 1);
    }
    let (mut before, mut after) = (*first, *first);
    for it in rest {
        if last == 0 {
            return false;
        }
        if at & 1 == 1 || at == last {
            (before, after) = (node(it, &before), node(it, &after));
            while at & 1 == 0 && at != 0 {
                (at, last) = (at >> 1, last >> 1);
            }
        } else {
            after = node(&after, it);
        }
        (at, last) = (at >> 1, last >> 1);
    }
    last == 0 && before == *root && after == *larger
}

/// The right edge of a tree that grows: the hashes of its whole subtrees, from the left. By it the
/// root of a log of any length is computed in little memory, one leaf after the other.
#[derive(Clone, Debug, Default)]
pub struct Edge {
    size: u64,
    hashes: Vec<Hash>,
}

impl Edge {
    /// The edge of a tree with so many leaves, whose whole subtrees have these hashes. `None` when
    /// there are not as many of them.
    pub fn of(size: u64, hashes: Vec<Hash>) -> Option<Self> {
        let expected = usize::try_from(size.count_ones()).ok()?;
        (hashes.len() == expected).then_some(Self { size, hashes })
    }

    /// How many leaves there are.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// One more leaf.
    pub fn push(&mut self, leaf: Hash) {
        let mut hash = leaf;
        let mut below = self.size;
        while below & 1 == 1 {
            let Some(left) = self.hashes.pop() else { break };
            hash = node(&left, &hash);
            below >>= 1;
        }
        self.hashes.push(hash);
        self.size += 1;
    }

    /// The root.
    pub fn root(&self) -> Hash {
        joined(&self.hashes).unwrap_or_else(empty)
    }
}
