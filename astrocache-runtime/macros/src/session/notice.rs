//! One line per crate on stderr. Cargo shows it, repeats it on fresh builds, and `-D warnings` leaves it alone; a
//! warning attached to the item would break such builds.

use std::io::Write;
use std::sync::Once;

use super::argv::Compilation;

/// The crate's functions are cached per package.
pub fn coarse(compilation: &Compilation, why: &str) {
    once(
        compilation,
        &format!("{why}, so any change to this package or its dependencies drops what is cached"),
    );
}

/// A function is not cached at all in this build.
pub fn uncached(compilation: &Compilation, why: &str) {
    once(compilation, &format!("nothing is cached in this build: {why}"));
}

/// Says it, unless something has been said in this process or `ASTROCACHE_LOG=off`.
pub fn once(compilation: &Compilation, text: &str) {
    static ONCE: Once = Once::new();
    if std::env::var_os("ASTROCACHE_LOG").is_some_and(|level| level == "off") {
        return;
    }
    ONCE.call_once(|| {
        // A closed stderr is nobody's problem.
        let _ = writeln!(
            std::io::stderr(),
            "note: astrocache ({}): {text}",
            compilation.crate_name
        );
    });
}
