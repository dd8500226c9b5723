//! Writes down which compiler builds this crate. A proc macro only loads into the very compiler that built it, so this
//! is also the compiler of every crate that uses the macro, known without starting a process at expansion time.

use std::env;
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let rustc = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(rustc).arg("-vV").output();
    let version = match output {
        Ok(output) if output.status.success() => String::from_utf8_lossy(&output.stdout).trim().replace('\n', "; "),
        // The macro answers "nothing can be known" then, and calls run uncached.
        _ => String::new(),
    };
    println!("cargo::rustc-env=ASTROCACHE_RUSTC={version}");
}
