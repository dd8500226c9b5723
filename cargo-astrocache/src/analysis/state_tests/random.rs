//! Random edits: the oracle is a run without state and packs. Beside a run with them stands a database that lives on.

use std::collections::BTreeMap;

use astrocache_manifest::Fingerprint;

use super::{
    edits::{SLOTS, Slots},
    workspace::{Workspace, timeless},
};
use crate::{
    analysis::{Analysis, Live},
    project::{Edition, PackageId, PackageSource},
    source::settle,
};

/// xorshift64*: the same edits in every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % n
    }
}

/// What each file is made of now; `None`: there is no file.
type Choices = Vec<Option<Vec<usize>>>;

/// Edits a file, or adds or removes it.
fn edit_a_file(workspace: &Workspace, choices: &mut Choices, dice: &mut Dice) {
    let at = dice.below(SLOTS.len());
    let Slots { path, slots } = &SLOTS[at];
    let choice = &mut choices[at];
    match choice {
        Some(_) if dice.below(12) == 0 => {
            *choice = None;
            return workspace.remove(path);
        }
        Some(chosen) => {
            let slot = dice.below(slots.len());
            chosen[slot] = dice.below(slots[slot].len());
        }
        None => *choice = Some(vec![0; slots.len()]),
    }
    let chosen = choice.iter().flatten();
    let text: String = slots.iter().zip(chosen).map(|(slot, &at)| slot[at]).collect();
    workspace.write(path, text);
}

/// Edits what cargo says.
fn edit_the_project(workspace: &mut Workspace, dice: &mut Dice) {
    let project = &mut workspace.fixture.project;
    let at = |name: &str| project.packages.iter().position(|it| it.name == name).unwrap();
    let (app, pinned) = (at("app"), at("pinned"));
    let id = PackageId(app as u32);
    match dice.below(5) {
        0 => {
            let features = project.member_features.entry(id).or_default().entry(id).or_default();
            if !features.remove("x") {
                features.insert("x".to_owned());
            }
        }
        1 => {
            // A bump in the lock file: another pin, and other files.
            let pin = format!("c0ffee{}", dice.below(3));
            let body = format!("pub fn p() -> u8 {{ \"{pin}\".len() as u8 }}\n");
            project.packages[pinned].source = PackageSource::Locked { pin };
            workspace.fixture.write("pinned/src/lib.rs", body);
        }
        2 => drop(project.settings.env.insert("SET".to_owned(), dice.below(3).to_string())),
        3 => {
            let value = (dice.below(2) == 0).to_string();
            project.settings.profile.insert("dev.overflow-checks".to_owned(), value);
        }
        _ => {
            let edition = [Edition::E2018, Edition::E2021][dice.below(2)];
            project.crates[app].edition = edition;
        }
    }
}

/// The oracle is a run without state and packs. Edits are of all kinds, one to three between runs; files are added and
/// removed, functions become cached and cease to be, syntax breaks and heals.
fn random_edits(seed: u64, steps: usize) {
    let mut workspace = Workspace::new();
    let mut dice = Dice(seed);
    let mut choices: Choices = Vec::new();
    for Slots { path, slots } in SLOTS {
        let there = workspace.fixture.root.join(path).exists();
        choices.push(there.then(|| vec![0; slots.len()]));
    }
    let mut live = Live::open(&workspace.fixture.project, workspace.places.clone()).unwrap();
    let mut skipped = 0;
    for step in 0..steps {
        for _ in 0..1 + dice.below(3) {
            match dice.below(12) {
                0 => edit_the_project(&mut workspace, &mut dice),
                _ => edit_a_file(&workspace, &mut choices, &mut dice),
            }
        }
        if step % 8 == 0 {
            settle();
        }
        let (analysis, queries) = workspace.ask();
        let scratch = workspace.scratch();
        assert_eq!(analysis, scratch, "seed {seed}, step {step}");
        follow(&mut live, &workspace, &scratch, &format!("seed {seed}, step {step}"));
        skipped += usize::from(!queries.contains("declarations"));
    }
    assert!(
        skipped > steps / 10,
        "the state was of use in {skipped} of {steps} steps"
    );
}

/// The living database says what the oracle says, and tells all of what is different, with reasons.
fn follow(live: &mut Live, workspace: &Workspace, scratch: &Analysis, at: &str) {
    let before = live.analysis().clone();
    let update = live
        .update(Some(&workspace.fixture.project))
        .unwrap()
        .unwrap_or_default();
    let now = live.analysis().clone();
    assert_eq!(timeless(now.clone()), *scratch, "live, {at}");
    let all = |it: &Analysis| -> BTreeMap<String, Fingerprint> {
        let roots = it.roots.iter();
        roots
            .map(|it| (format!("{} {}", it.target, it.path), it.fingerprint))
            .collect()
    };
    let (mut told, now) = (all(&before), all(&now));
    for root in update.roots {
        let name = format!("{} {}", root.report.target, root.report.path);
        assert_eq!(told.get(&name).copied(), root.was, "{name}, {at}");
        assert_ne!(root.was, root.now, "{name}, {at}");
        let is_changed = root.was.is_some() && root.now.is_some();
        assert_eq!(!root.why.is_empty(), is_changed, "{name}, {at}: {:?}", root.why);
        match root.now {
            Some(fingerprint) => drop(told.insert(name, fingerprint)),
            None => drop(told.remove(&name)),
        }
    }
    assert_eq!(told, now, "{at}");
}

#[test]
fn after_any_edits_state_and_living_database_say_what_a_run_from_nothing_says() {
    for seed in 1..=4 {
        random_edits(seed, 60);
    }
}
