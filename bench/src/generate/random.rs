//! Random numbers that are the same on every machine and forever. The generators of `rand` may
//! change with its version. This one can't.

/// [SplitMix64](https://prng.di.unimi.it/splitmix64.c).
pub(crate) struct Random(u64);

impl Random {
    /// The generator for this key: seed, file, block, and so on.
    pub(crate) fn of(place: &[u64]) -> Self {
        let mut random = Self(0);
        for part in place {
            random.0 = random.next() ^ part;
        }
        random
    }

    /// The next number.
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `end`.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.next() % end.max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_sequence() {
        let mut random = Random(1_234_567);
        let numbers = [random.next(), random.next(), random.next()];
        assert_eq!(numbers, [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]);
    }
}
