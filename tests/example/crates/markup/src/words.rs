//! Words of a text, and counting anything.

use std::cmp::Reverse;
use std::collections::BTreeMap;

/// How often each key was seen. Generic, so that words, headings and links can be counted alike.
#[derive(Debug, Clone, Default)]
pub struct Counter<K: Ord> {
    counts: BTreeMap<K, u32>,
}

impl<K: Ord + Clone> Counter<K> {
    /// The `n` most frequent keys; equal counts in the order of the keys.
    pub fn top(&self, n: usize) -> Vec<(K, u32)> {
        let mut all: Vec<(K, u32)> = self.counts.iter().map(|(key, count)| (key.clone(), *count)).collect();
        all.sort_by_key(|(_, count)| Reverse(*count));
        all.truncate(n);
        all
    }
}

impl<K: Ord> Extend<K> for Counter<K> {
    fn extend<I: IntoIterator<Item = K>>(&mut self, keys: I) {
        for key in keys {
            *self.counts.entry(key).or_default() += 1;
        }
    }
}

/// The words of `text` in lower case, those of three letters and fewer left out.
pub fn words(text: &str) -> impl Iterator<Item = String> + '_ {
    text.split(|it: char| !it.is_alphanumeric())
        .filter(|word| word.chars().count() > 3)
        .map(str::to_lowercase)
}
