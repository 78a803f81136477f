//! Mutations of inputs: deterministic by number, so that failures can be reproduced.

/// Pseudorandom numbers, by [SplitMix64](https://prng.di.unimi.it/splitmix64.c).
#[derive(Debug, Clone)]
pub struct Mutator(u64);

/// Bytes and texts that matter to parsers.
const TOKENS: [&[u8]; 24] = [
    b"\0",
    b"\xff",
    b"\xff\xff\xff\xff",
    b"\x80",
    b"\x7f",
    b"..",
    b"/",
    b"\\",
    b".git",
    b"\"",
    b"{",
    b"}",
    b"[",
    b"]",
    b":",
    b",",
    b"null",
    b"-1",
    b"1e999",
    b"\\u0000",
    b"refs/heads/",
    b"PK\x03\x04",
    b"\n",
    b"\xf0\x9f\x92\xa9",
];

impl Mutator {
    /// The generator with this number.
    pub fn new(number: u64) -> Self {
        Self(number)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`, or zero if `end` is zero.
    pub fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(end.max(1)).unwrap()).unwrap()
    }

    /// A mutation of `input`, perhaps with a piece of `other`.
    pub fn mutate(&mut self, input: &[u8], other: &[u8]) -> Vec<u8> {
        let mut bytes = input.to_vec();
        for _ in 0..=self.below(4) {
            self.change(&mut bytes, other);
        }
        bytes
    }

    fn change(&mut self, bytes: &mut Vec<u8>, other: &[u8]) {
        let at = self.below(bytes.len());
        let end = (at + 1 + self.below(16)).min(bytes.len());
        let piece = match self.below(7) {
            0 => vec![bytes.get(at).copied().unwrap_or_default() ^ 1 << self.below(8)],
            1 => vec![u8::try_from(self.below(256)).unwrap()],
            2 => TOKENS[self.below(TOKENS.len())].to_vec(),
            3 => Vec::new(),
            4 => bytes.get(at..end).unwrap_or_default().repeat(2),
            5 => bytes.get(at..end).unwrap_or_default().repeat(1 + self.below(40)),
            _ => {
                let from = self.below(other.len());
                other[from..(from + self.below(64)).min(other.len())].to_vec()
            }
        };
        let replaced = if self.below(2) == 0 { at..at } else { at..end.max(at) };
        drop(bytes.splice(replaced, piece));
    }
}
