//! The facts of one file as the database holds them: items at hand, bodies as bytes until a closure needs them.

use std::sync::Arc;

use crate::{
    ledger::pack::{Entry, Hash, Pack, Part, Record},
    syntax::{self, Encoded, FileBodies, FileFacts, FileItems},
};

/// See the module.
#[derive(Debug)]
pub struct Facts {
    items: Arc<FileItems>,
    signature: Hash,
    errors: u32,
    origin: Origin,
}

/// Where the bytes are.
#[derive(Debug)]
enum Origin {
    /// From a parse in this process.
    Made(Encoded),
    /// In a pack of an earlier one.
    Stored(Arc<Pack>, Entry),
}

impl Facts {
    /// Of a text that was parsed.
    pub(super) fn made(facts: &FileFacts) -> Facts {
        let encoded = syntax::encode(facts);
        Facts {
            items: facts.items.clone(),
            signature: *blake3::hash(&encoded.items).as_bytes(),
            errors: facts.errors,
            origin: Origin::Made(encoded),
        }
    }

    /// Of an earlier run; `None` if the pack is damaged there.
    pub(super) fn stored(pack: &Arc<Pack>, entry: &Entry) -> Option<Facts> {
        let [items, _] = &entry.parts;
        Some(Facts {
            items: syntax::decode_items(pack.part(items)?)?,
            signature: items.hash,
            errors: entry.note,
            origin: Origin::Stored(pack.clone(), *entry),
        })
    }

    /// What other files can see.
    pub fn items(&self) -> &Arc<FileItems> {
        &self.items
    }

    /// blake3 of the items as bytes.
    pub fn signature(&self) -> Hash {
        self.signature
    }

    /// Syntax errors.
    pub fn errors(&self) -> u32 {
        self.errors
    }

    /// `None` if they came from a pack that is damaged there.
    pub(super) fn bodies(&self) -> Option<Arc<FileBodies>> {
        let [_, bodies] = self.bytes();
        syntax::decode_bodies(bodies?)
    }

    /// Whether no pack holds them yet.
    pub(super) fn is_new(&self) -> bool {
        matches!(self.origin, Origin::Made(_))
    }

    /// To be written; `None` if the pack they are in is damaged.
    pub(super) fn record(&self) -> Option<Record<'_>> {
        let [items, bodies] = self.bytes();
        Some(Record {
            note: self.errors,
            parts: [items?, bodies?],
        })
    }

    fn bytes(&self) -> [Option<&[u8]>; 2] {
        match &self.origin {
            Origin::Made(encoded) => [Some(&encoded.items), Some(&encoded.bodies)],
            Origin::Stored(pack, entry) => entry.parts.each_ref().map(|part: &Part| pack.part(part)),
        }
    }
}
