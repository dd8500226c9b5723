//! The line that says what a command is at: on a terminal, after half a second, and never in what a script reads. The command
//! is made to take that long by a cargo that takes its time.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use crate::scratch::{Scratch, TOOL, TWO_CACHED};

/// A workspace with a cargo that [`slow`] has the tool use.
fn workspace() -> Scratch {
    let scratch = Scratch::new(TWO_CACHED);
    scratch.write("target/slow-cargo", "#!/bin/sh\nsleep 1\nexec cargo \"$@\"\n");
    let slow = scratch.path("target/slow-cargo");
    fs::set_permissions(slow, fs::Permissions::from_mode(0o755)).unwrap();
    scratch
}

fn slow(scratch: &Scratch, program: &str, arguments: &[&str]) -> Command {
    let mut command = scratch.command(program);
    command
        .env("CARGO", scratch.path("target/slow-cargo"))
        .env("XDG_CACHE_HOME", scratch.path("target/cache"))
        .env("TERM", "xterm")
        .args(arguments);
    command
}

/// All that a terminal gets of the tool.
fn on_a_terminal(arguments: &str) -> String {
    let scratch = workspace();
    let line = format!("{TOOL} astrocache {arguments}");
    let output = slow(&scratch, "script", &["-qec", &line, "/dev/null"])
        .output()
        .unwrap();
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn a_terminal_shows_what_takes_long_and_loses_the_line_at_the_end() {
    let shown = on_a_terminal("list --color never");
    assert!(shown.contains("\r     Loading the workspace"), "{shown:?}");
    // Whatever it said last, spaces of that length took it back before the result. A line that follows a longer one ends with
    // those that replace its end.
    let (line, result) = shown.split_once("app::render").unwrap_or_else(|| panic!("{shown:?}"));
    let mut parts = line.rsplit('\r');
    let [Some(""), Some(blank), Some(last)] = [parts.next(), parts.next(), parts.next()] else {
        panic!("{shown:?}")
    };
    assert_eq!(blank, " ".repeat(last.trim_end().len()), "{shown:?}");
    assert!(!result.contains("Loading"), "{shown:?}");
}

#[test]
fn nothing_of_it_is_seen_where_there_is_no_terminal_or_with_q() {
    let scratch = workspace();
    let ran = scratch.finish(slow(&scratch, TOOL, &["astrocache", "list"]));
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "{ran}");
    assert!(!ran.stdout.contains('\r'), "{ran}");

    let shown = on_a_terminal("list -q");
    assert!(shown.contains("render") && !shown.contains("Loading"), "{shown:?}");
}
