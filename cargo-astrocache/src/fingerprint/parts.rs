//! What a fingerprint is the hash of, piece by piece, so that two of them can be compared. Computed only for whoever asks:
//! a fingerprint itself does not keep its pieces.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    facts::{self, Programs},
    own::Own,
};
use crate::{
    db::{Db, Workspace},
    reach::closure,
    resolve::{DefId, resolver},
    syntax::Hash,
};

/// See the module. Identities and own hashes are the same in every process and any directory.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Parts {
    /// Sorted.
    definitions: Vec<Part>,
    facts: BTreeSet<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Part {
    identity: Hash,
    own: Hash,
    id: DefId,
}

/// One thing that is not the same on both sides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Difference {
    /// The same definition with other code, or whose names mean something else.
    Changed { before: DefId, after: DefId },
    /// Only in the later closure.
    New(DefId),
    /// Only in the earlier closure.
    Gone(DefId),
    /// Something that is no definition, as a person would say it.
    Fact(String),
}

/// The pieces of the fingerprint of `root`.
pub fn parts(db: &dyn Db, workspace: Workspace, root: DefId) -> Parts {
    let closure = closure(db, workspace, root);
    let world = resolver(db, workspace);
    let mut own = Own::new(db, workspace, &world);
    let facts = facts::collect(db, workspace, &world, root, &closure, &mut own, &mut Programs::Nested);
    let ids = closure.items.iter().map(|item| item.id);
    let mut definitions: Vec<Part> = ids
        .map(|id| Part {
            identity: world.identity(id),
            own: own.hash(id),
            id,
        })
        .collect();
    definitions.sort();
    Parts {
        definitions,
        facts: facts.lines,
    }
}

impl Parts {
    /// What differs: changed definitions, then new ones, then those that are gone, then the rest.
    pub fn differences(&self, after: &Parts) -> Vec<Difference> {
        let mut sides: BTreeMap<Hash, [Vec<Part>; 2]> = BTreeMap::new();
        for (side, parts) in [self, after].into_iter().enumerate() {
            for part in &parts.definitions {
                sides.entry(part.identity).or_default()[side].push(*part);
            }
        }
        let (mut changed, mut new, mut gone) = (Vec::new(), Vec::new(), Vec::new());
        for [before, after] in sides.values_mut() {
            // `cfg` variants share an identity: equal ones pair up first.
            after.retain(|it| match before.iter().position(|was| was.own == it.own) {
                Some(at) => {
                    before.remove(at);
                    false
                }
                None => true,
            });
            let pairs = before.len().min(after.len());
            let both = before.drain(..pairs).zip(after.drain(..pairs));
            changed.extend(both.map(|(before, after)| Difference::Changed {
                before: before.id,
                after: after.id,
            }));
            gone.extend(before.iter().map(|it| Difference::Gone(it.id)));
            new.extend(after.iter().map(|it| Difference::New(it.id)));
        }
        let facts = self.facts.symmetric_difference(&after.facts);
        let facts: BTreeSet<String> = facts.map(|line| facts::say(line)).collect();
        let facts = facts.into_iter().map(Difference::Fact);
        changed.into_iter().chain(new).chain(gone).chain(facts).collect()
    }
}
