//! What a fingerprint is the hash of, piece by piece, so that two of them can be compared. Computed only for whoever asks:
//! a fingerprint itself does not keep its pieces.

use std::{
    cmp::Ordering,
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::{facts, fingerprint, own::Own};
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
    facts: Arc<BTreeSet<String>>,
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
        facts: fingerprint(db, workspace, root).lines.clone(),
    }
}

impl Parts {
    /// What differs: changed definitions, then new ones, then those that are gone, then the rest.
    pub fn differences(&self, after: &Parts) -> Vec<Difference> {
        let mut sides: BTreeMap<Hash, [Vec<Part>; 2]> = BTreeMap::new();
        for (side, part) in only_in_one(&self.definitions, &after.definitions) {
            sides.entry(part.identity).or_default()[side].push(part);
        }
        let (mut changed, mut new, mut gone) = (Vec::new(), Vec::new(), Vec::new());
        for [before, after] in sides.values_mut() {
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

/// What has no equal on the other side, with its side, in order. `cfg` variants share an identity: each pairs up once.
fn only_in_one(before: &[Part], after: &[Part]) -> Vec<(usize, Part)> {
    let key = |part: &Part| (part.identity, part.own);
    let (mut before, mut after) = (before.iter().peekable(), after.iter().peekable());
    let mut out = Vec::new();
    loop {
        let order = match (before.peek(), after.peek()) {
            (Some(a), Some(b)) => key(a).cmp(&key(b)),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (None, None) => return out,
        };
        match order {
            Ordering::Less => out.extend(before.next().map(|&part| (0, part))),
            Ordering::Greater => out.extend(after.next().map(|&part| (1, part))),
            Ordering::Equal => {
                before.next();
                after.next();
            }
        }
    }
}
