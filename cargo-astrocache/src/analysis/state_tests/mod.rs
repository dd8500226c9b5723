//! The state in whole runs: whatever was edited, the answers are those of a run that begins with nothing; and an edit
//! costs no more queries than it must.

mod bad_input;
mod disk;
mod edits;
mod live;
mod queries;
mod random;
mod workspace;
