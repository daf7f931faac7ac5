//! A quick hasher, for words that nobody chooses to collide.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasherDefault, Hasher};

/// A multiplying hasher: keys are already well mixed integers.
#[derive(Debug, Default, Clone, Copy)]
pub struct Mix(u64);

impl Hasher for Mix {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks();
        for word in words {
            self.write_u64(u64::from_le_bytes(*word));
        }
        let tail = rest
            .iter()
            .fold(0, |tail, byte| tail << 8 | u64::from(*byte));
        self.write_u64(tail | (rest.len() as u64) << 56);
    }

    fn write_u8(&mut self, value: u8) {
        // After the bytes of a text comes one that says that it ends; its length has said so already.
        self.0 ^= u64::from(value);
    }

    fn write_u64(&mut self, value: u64) {
        self.0 = (self.0 ^ value).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        self.0 ^= self.0 >> 29;
    }
}

impl Mix {
    /// The hash of some letters.
    pub(crate) fn of(letters: &str) -> u64 {
        let mut mix = Self::default();
        mix.write(letters.as_bytes());
        mix.finish()
    }
}

/// Values by name.
pub(crate) type Names<V> = HashMap<String, V, BuildHasherDefault<Mix>>;
/// A set of words.
pub(crate) type Set = HashSet<String, BuildHasherDefault<Mix>>;
