//! Damaged states, files whose times lie, files that cannot be read.

use std::{
    fs,
    time::{Duration, SystemTime},
};

use super::workspace::{Workspace, timeless};
use crate::{analysis::state::State, source::settle};

#[test]
fn an_edit_that_keeps_size_and_time_is_seen() {
    let workspace = Workspace::new();
    settle();
    workspace.check();
    let path = workspace.fixture.root.join("app/src/a.rs");
    let before = fs::metadata(&path).unwrap().modified().unwrap();
    workspace.edit("app/src/a.rs", "\"X\"", "\"Y\"");
    let file = fs::File::options().write(true).open(&path).unwrap();
    file.set_modified(before).unwrap();
    assert_ne!(workspace.check(), "");
}

/// A time to come, as after a clock that jumped back, settles nothing: such a file is always read.
#[test]
fn files_from_the_future_are_read() {
    let workspace = Workspace::new();
    let path = workspace.fixture.root.join("app/src/a.rs");
    let file = fs::File::options().write(true).open(&path).unwrap();
    let future = SystemTime::now() + Duration::from_secs(1000);
    file.set_modified(future).unwrap();
    settle();
    workspace.check();
    workspace.edit("app/src/a.rs", "\"X\"", "\"Y\"");
    file.set_modified(future).unwrap();
    assert_ne!(workspace.check(), "");
}

#[test]
fn files_that_settled_are_not_read_again() {
    let workspace = Workspace::new();
    workspace.check();
    let unsettled = State::read(&workspace.state()).unwrap();
    assert!(unsettled.sources.iter().all(|it| it.content.stamp.is_none()));
    settle();
    assert_eq!(workspace.check(), "");
    let settled = State::read(&workspace.state()).unwrap();
    for it in settled.sources.iter().filter(|it| it.content.hash.is_some()) {
        assert!(it.content.stamp.is_some(), "{}", it.path);
    }
    let written = fs::metadata(workspace.state()).unwrap().modified().unwrap();
    assert_eq!(workspace.check(), "");
    assert_eq!(fs::metadata(workspace.state()).unwrap().modified().unwrap(), written);
}

#[test]
fn a_file_that_cannot_be_read_leaves_no_state() {
    let workspace = Workspace::new();
    workspace.write("app/src/a.rs", b"pub fn f() {}\n\xff\n");
    workspace.check();
    assert!(!workspace.state().exists());
    workspace.write("app/src/a.rs", "pub fn f() {}\n");
    workspace.check();
    workspace.write("app/src/a.rs", b"pub fn f() {}\n\xff\n");
    workspace.check();
    workspace.check();
}

#[test]
fn a_damaged_state_costs_a_line_and_is_made_anew() {
    let workspace = Workspace::new();
    let expected = workspace.scratch();
    workspace.check();
    let whole = fs::read(workspace.state()).unwrap();
    for at in (0..whole.len()).step_by(97) {
        let mut flipped = whole.clone();
        flipped[at] ^= 0x10;
        let damaged = if at % 2 == 0 { flipped } else { whole[..at].to_vec() };
        fs::write(workspace.state(), damaged).unwrap();
        let mut analysis = workspace.run().0;
        // Another build's state is no news.
        let is_foreign = (8..40).contains(&at) && at % 2 == 0;
        assert_eq!(
            analysis.notices.len(),
            usize::from(!is_foreign),
            "{:?}",
            analysis.notices
        );
        analysis.notices.clear();
        assert_eq!(timeless(analysis), expected, "byte {at}");
        assert_eq!(workspace.check(), "", "byte {at}");
    }
    fs::write(workspace.state(), "").unwrap();
    let analysis = workspace.run().0;
    assert_eq!(analysis.notices.len(), 1);
}

#[test]
fn a_state_that_cannot_be_written_costs_a_line() {
    let mut workspace = Workspace::new();
    let expected = workspace.scratch();
    let taken = workspace.fixture.root.join("taken");
    fs::create_dir(&taken).unwrap();
    for place in [
        taken.join("no/such.state"),
        taken,
        workspace.fixture.root.join("app/text.txt/x"),
    ] {
        workspace.places.state = Some(place.into());
        let mut analysis = workspace.run().0;
        assert!(!analysis.notices.is_empty());
        analysis.notices.clear();
        assert_eq!(timeless(analysis), expected);
    }
}

#[test]
fn the_state_of_another_project_at_the_same_place_is_not_used() {
    let (one, mut two) = (Workspace::new(), Workspace::new());
    two.places = one.places.clone();
    one.check();
    two.write("app/src/a.rs", "pub fn f() -> u8 { 9 }\n");
    two.check();
    one.check();
}
