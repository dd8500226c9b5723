//! The search index: which words stand for which page.

use std::collections::BTreeMap;

use markup::{Counter, words};
use serde::{Deserialize, Serialize};

use crate::page::Page;

/// Words to pages.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Index {
    /// The words each page uses most.
    pub typical: BTreeMap<String, Vec<String>>,
    /// For each word the pages that use it.
    pub pages: BTreeMap<String, Vec<String>>,
}

/// How many words are typical of a page.
const TYPICAL: usize = 5;

/// Indexes all pages.
#[astrocache::cached]
pub fn search_index(pages: &[Page]) -> Index {
    let mut index = Index {
        typical: BTreeMap::new(),
        pages: BTreeMap::new(),
    };
    for page in pages {
        let mut counter = Counter::default();
        counter.extend(words(&page.text));
        let typical = counter.top(TYPICAL).into_iter().map(|(word, _)| word).collect();
        index.typical.insert(page.name.clone(), typical);
        for (word, _) in counter.top(usize::MAX) {
            index.pages.entry(word).or_default().push(page.name.clone());
        }
    }
    index
}
