//! Per-crate queries: what each module declares, and what a path means.

mod crate_map;
mod graph;
mod ids;
mod index;
mod prelude;
mod reads;
#[cfg(test)]
mod tests;
mod world;

pub use crate_map::{CrateMap, Entry, Module, Unit, declarations};
pub use graph::{Graph, Meaning, Use, resolver, tables, uses};
pub use ids::{DefId, ModId, Ns, Res, Target};
pub use index::{ImplEntry, Index, TraitRef, types};
pub use reads::{Reads, UnitId};
pub use world::{Provides, Resolution, World};
