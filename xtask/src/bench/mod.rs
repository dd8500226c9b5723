//! `cargo xtask bench AREA`: measurements, each area beside its peers in one run: absolute times vary from machine to
//! machine and from hour to hour, so ratios are what to read.

mod analyzer;
mod macros;
mod store;
mod watch;

use anyhow::bail;

/// Measures one area.
pub fn run(mut arguments: Vec<String>) -> anyhow::Result<()> {
    if arguments.is_empty() {
        bail!("name what to measure: analyzer, macro, store, watch");
    }
    match arguments.remove(0).as_str() {
        "analyzer" => analyzer::run(arguments),
        "macro" => macros::run(arguments),
        "store" => store::run(arguments),
        "watch" => watch::run(arguments),
        other => bail!("nothing to measure by the name `{other}`; there are analyzer, macro, store and watch"),
    }
}
