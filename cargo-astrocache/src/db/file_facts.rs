//! The facts of one file as the database holds them: items at hand, bodies as bytes until a closure needs them.

use std::sync::Arc;

use crate::syntax::{self, FileBodies, FileFacts, FileItems};

/// See the module.
#[derive(Debug)]
pub struct Facts {
    items: Arc<FileItems>,
    signature: [u8; 32],
    bodies: Vec<u8>,
    errors: u32,
}

impl Facts {
    /// Of a text that was parsed.
    pub(super) fn made(facts: &FileFacts) -> Facts {
        let encoded = syntax::encode(facts);
        Facts {
            items: facts.items.clone(),
            signature: *blake3::hash(&encoded.items).as_bytes(),
            bodies: encoded.bodies,
            errors: facts.errors,
        }
    }

    /// What other files can see.
    pub fn items(&self) -> &Arc<FileItems> {
        &self.items
    }

    /// blake3 of the items as bytes.
    pub fn signature(&self) -> [u8; 32] {
        self.signature
    }

    /// Syntax errors.
    pub fn errors(&self) -> u32 {
        self.errors
    }

    pub(super) fn bodies(&self) -> Option<Arc<FileBodies>> {
        syntax::decode_bodies(&self.bodies)
    }
}
