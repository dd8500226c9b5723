//! Which queries ran: what the tests of incrementality assert.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use salsa::{Database, DatabaseKeyIndex, Event, EventKind};

/// Keys of the queries that executed, in order.
#[derive(Clone, Default)]
pub struct QueryLog(Arc<Mutex<Vec<DatabaseKeyIndex>>>);

impl QueryLog {
    /// What the storage calls on each event. It gets no database, so it keeps keys; names come later.
    pub fn callback(&self) -> Box<dyn Fn(Event) + Send + Sync> {
        let log = self.0.clone();
        Box::new(move |event| {
            if let EventKind::WillExecute { database_key } = event.kind {
                log.lock().unwrap_or_else(|e| e.into_inner()).push(database_key);
            }
        })
    }

    /// Empties the log.
    pub fn take(&self, db: &dyn Database) -> BTreeMap<String, usize> {
        let keys = std::mem::take(&mut *self.0.lock().unwrap_or_else(|e| e.into_inner()));
        let mut counts = BTreeMap::new();
        for key in keys {
            *counts
                .entry(db.ingredient_debug_name(key.ingredient_index()).into_owned())
                .or_default() += 1;
        }
        counts
    }
}
