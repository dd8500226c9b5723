//! Per-crate queries: what each module declares, and what a path means.

mod crate_map;
mod graph;
mod identity;
mod ids;
mod index;
mod loaded;
mod module_tree;
mod names;
mod prelude;
mod provides;
mod reads;
mod scope;
mod symbols;
#[cfg(test)]
mod tests;
mod world;

pub use crate_map::{CrateMap, Entry, Module, Unit, declarations};
pub use graph::{Graph, Meaning, Use, Uses, uses};
pub use ids::{DefId, ModId, Ns, Res, Target};
pub use index::{ImplEntry, ImplIdx, Index, TraitRef, types};
pub use loaded::{is_editable, resolver};
pub use names::Names;
pub use provides::Provides;
pub use reads::{Reads, UnitId};
pub use world::{Resolution, World};
