//! The mentions of one definition, each kept once, in order of first use.

use std::hash::Hasher as _;

use rustc_hash::FxHasher;

use super::super::{
    facts::{DefMentions, Mention, MentionKind, ScopeIdx},
    name::Name,
};

/// A set of mentions with their paths. Emptied, it keeps its memory for the next definition.
#[derive(Default)]
pub struct Mentions {
    all: Vec<Mention>,
    /// Segments of the paths.
    segments: Vec<Name>,
    /// Open addressing with linear probes: 0, or one more than a place in `all`.
    slots: Vec<u32>,
}

const FEW: usize = 16;

impl Mentions {
    pub fn clear(&mut self) {
        self.all.clear();
        self.segments.clear();
        self.slots.clear();
        self.slots.resize(FEW, 0);
    }

    /// Adds a mention unless it is there.
    pub fn insert(&mut self, kind: MentionKind, header: bool, scope: ScopeIdx, path: &[Name]) {
        let Ok(len) = u16::try_from(path.len()) else { return };
        let mention = Mention {
            kind,
            header,
            scope,
            start: self.segments.len() as u32,
            len,
        };
        if let Err(free) = self.find(&mention, path) {
            self.segments.extend_from_slice(path);
            self.all.push(mention);
            self.slots[free] = self.all.len() as u32;
            if self.all.len() * 2 > self.slots.len() {
                self.grow();
            }
        }
    }

    /// The slot of an equal mention, or the one to put it in.
    fn find(&self, mention: &Mention, path: &[Name]) -> Result<usize, usize> {
        let mask = self.slots.len() - 1;
        let mut slot = hash(mention, path) & mask;
        loop {
            let Some(at) = self.slots[slot].checked_sub(1) else {
                return Err(slot);
            };
            let other = &self.all[at as usize];
            let same = (other.kind, other.header, other.scope) == (mention.kind, mention.header, mention.scope);
            if same && self.path(other) == path {
                return Ok(slot);
            }
            slot = (slot + 1) & mask;
        }
    }

    fn grow(&mut self) {
        let n_slots = self.slots.len() * 4;
        self.slots.clear();
        self.slots.resize(n_slots, 0);
        for (mention, n) in self.all.iter().zip(1..) {
            let mut slot = hash(mention, self.path(mention)) & (n_slots - 1);
            while self.slots[slot] != 0 {
                slot = (slot + 1) & (n_slots - 1);
            }
            self.slots[slot] = n;
        }
    }

    fn path(&self, mention: &Mention) -> &[Name] {
        &self.segments[mention.start as usize..][..usize::from(mention.len)]
    }

    /// All of them, in memory of their own.
    pub fn boxed(&self) -> DefMentions {
        DefMentions {
            all: self.all.as_slice().into(),
            segments: self.segments.as_slice().into(),
            ..DefMentions::default()
        }
    }
}

fn hash(mention: &Mention, path: &[Name]) -> usize {
    let mut hasher = FxHasher::default();
    hasher.write_u32(mention.kind as u32 * 2 + u32::from(mention.header));
    hasher.write_u32(mention.scope.0);
    path.iter().for_each(|name| hasher.write_usize(name.number()));
    hasher.finish() as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_mention_is_kept_once_and_in_order() {
        let names: Vec<Name> = (0..500).map(|i| Name::new(&format!("mention_{i}"))).collect();
        let mut mentions = Mentions::default();
        for round in 0..3 {
            mentions.clear();
            for _ in 0..2 {
                for pair in names.windows(2) {
                    mentions.insert(MentionKind::Value, false, ScopeIdx(0), pair);
                    mentions.insert(MentionKind::Value, true, ScopeIdx(0), pair);
                    mentions.insert(MentionKind::Value, false, ScopeIdx(1), pair);
                    mentions.insert(MentionKind::Type, false, ScopeIdx(0), &pair[..1]);
                }
            }
            let DefMentions { all, segments, .. } = mentions.boxed();
            assert_eq!((all.len(), segments.len()), (499 * 4, 499 * 7), "round {round}");
            assert_eq!(all[4].kind, MentionKind::Value);
            assert_eq!(segments[..3], [names[0], names[1], names[0]]);
            assert!(all.iter().map(|it| it.start).is_sorted());
        }
    }
}
