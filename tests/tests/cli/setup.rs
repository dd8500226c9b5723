//! `init`, `completions`, `deps`: what they write and print.

use std::fs;

use crate::scratch::{Scratch, TOOL, TWO_CACHED};
use expect_test::{Expect, expect};
use serde_json::Value;

fn check(scratch: &Scratch, arguments: &[&str], expected: Expect) {
    expected.assert_eq(&scratch.run(arguments).to_string());
}

fn git(scratch: &Scratch, arguments: &[&str]) -> String {
    let mut command = scratch.command("git");
    command.args([
        "-c",
        "user.name=a",
        "-c",
        "user.email=a@b",
        "-c",
        "commit.gpgsign=false",
    ]);
    // What a hook starts is found as users find it: on the PATH, by cargo.
    let dir = scratch.path("target/bin");
    fs::create_dir_all(&dir).unwrap();
    let name = dir.join(format!("cargo-astrocache{}", std::env::consts::EXE_SUFFIX));
    if !name.exists() {
        fs::hard_link(TOOL, &name)
            .or_else(|_| fs::copy(TOOL, &name).map(drop))
            .unwrap();
    }
    let path = std::env::var_os("PATH").unwrap();
    let dirs = [dir].into_iter().chain(std::env::split_paths(&path));
    command.env("PATH", std::env::join_paths(dirs).unwrap());
    let output = command.args(arguments).output().unwrap();
    let code = output.status.code().unwrap();
    format!("{code} {}", String::from_utf8_lossy(&output.stderr))
}

#[test]
fn the_hook_of_git_holds_back_a_commit_that_does_not_fit() {
    let scratch = Scratch::new(TWO_CACHED);
    scratch.write(".gitignore", "target\n");
    git(&scratch, &["init", "--quiet"]);
    check(
        &scratch,
        &["init", "--dry-run"],
        expect![[r#"
        exit: 0
        --- stderr
         Would write ROOT/.git/hooks/pre-commit
        help: run `cargo astrocache update` and commit Astrocache.lock
    "#]],
    );
    assert!(!scratch.path(".git/hooks/pre-commit").exists());
    check(
        &scratch,
        &["init"],
        expect![[r#"
        exit: 0
        --- stderr
             Written ROOT/.git/hooks/pre-commit
        help: run `cargo astrocache update` and commit Astrocache.lock
    "#]],
    );
    expect![[r#"
        #!/bin/sh
        # By `cargo astrocache init`: no commit whose Astrocache.lock does not fit the source.
        exec cargo astrocache check --quiet
    "#]]
    .assert_eq(&scratch.read(".git/hooks/pre-commit"));
    check(
        &scratch,
        &["init"],
        expect![[r#"
        exit: 0
        --- stderr
               Fresh ROOT/.git/hooks/pre-commit runs `astrocache check` already
        help: run `cargo astrocache update` and commit Astrocache.lock
    "#]],
    );

    git(&scratch, &["add", "."]);
    let refused = git(&scratch, &["commit", "--message", "x"]);
    assert!(
        refused.starts_with("1 ") && refused.contains("no Astrocache.lock"),
        "{refused}"
    );
    assert_eq!(scratch.run(&["update"]).code, Some(0));
    git(&scratch, &["add", "."]);
    let taken = git(&scratch, &["commit", "--quiet", "--message", "x"]);
    assert!(taken.starts_with("0 "), "{taken}");
}

#[test]
fn what_is_there_is_left_as_it_is_and_what_to_add_is_told() {
    let scratch = Scratch::new(TWO_CACHED);
    git(&scratch, &["init", "--quiet"]);
    let hook = "#!/bin/sh\nmake check\n";
    scratch.write(".git/hooks/pre-commit", hook);
    scratch.write(".github/workflows/ci.yml", "on: push\n");
    check(
        &scratch,
        &["init"],
        expect![[r#"
        exit: 1
        --- stdout
        cargo astrocache check --quiet || exit 1
        --- stderr
               Yours ROOT/.git/hooks/pre-commit is there and is left as it is; add to it this line
             Written ROOT/.github/workflows/astrocache.yml
        help: run `cargo astrocache update` and commit Astrocache.lock
    "#]],
    );
    assert_eq!(scratch.read(".git/hooks/pre-commit"), hook);
    assert_eq!(scratch.read(".github/workflows/ci.yml"), "on: push\n");
    expect![[r#"
        # By `cargo astrocache init`: fails where Astrocache.lock does not fit the source.
        name: astrocache
        on: [push, pull_request]
        permissions:
          contents: read
        jobs:
          check:
            runs-on: ubuntu-latest
            steps:
              - uses: actions/checkout@v4
              # Another version may make other fingerprints.
              - run: cargo install cargo-astrocache --locked --version 0.1.0
              - run: cargo astrocache check --message-format github
    "#]]
    .assert_eq(&scratch.read(".github/workflows/astrocache.yml"));

    scratch.write(
        ".git/hooks/pre-commit",
        format!("{hook}cargo astrocache check || exit 1\n"),
    );
    check(
        &scratch,
        &["init", "-q"],
        expect![[r#"
        exit: 0
    "#]],
    );
    let config = "repos:\n  - repo: https://example.org/x\n";
    scratch.write(".pre-commit-config.yaml", config);
    check(
        &scratch,
        &["init", "pre-commit"],
        expect![[r#"
        exit: 1
        --- stdout
          - repo: local
            hooks:
              - id: cargo-astrocache-check
                name: cargo astrocache check
                entry: cargo astrocache check
                language: system
                always_run: true
                pass_filenames: false
        --- stderr
               Yours ROOT/.pre-commit-config.yaml is there and is left as it is; add under `repos:`
        help: run `cargo astrocache update` and commit Astrocache.lock
    "#]],
    );
    assert_eq!(scratch.read(".pre-commit-config.yaml"), config);
    let ran = scratch.run(&["init", "--message-format", "json"]);
    let said: Value = serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {ran}"));
    let status: Vec<String> = said
        .as_array()
        .unwrap()
        .iter()
        .map(|it| format!("{} {}", it["what"], it["status"]))
        .collect();
    assert_eq!(status, ["\"pre-commit\" \"yours\"", "\"github\" \"present\""]);
    assert_eq!(ran.code, Some(1));
}

#[test]
fn a_workspace_inside_a_repository_is_named() {
    let scratch = Scratch::new("");
    for (path, content) in Scratch::new(TWO_CACHED).files() {
        let path = path.to_str().unwrap().to_owned();
        let at = ["app/", "words/", "runtime/", "macros/", "Cargo.toml"]
            .iter()
            .find_map(|it| path.find(it))
            .unwrap();
        scratch.write(&format!("in/{}", &path[at..]), content);
    }
    git(&scratch, &["init", "--quiet"]);
    let ran = scratch.run(&[
        "init",
        "pre-commit",
        "git-hook",
        "github",
        "--manifest-path",
        "in/app/Cargo.toml",
    ]);
    assert_eq!(ran.code, Some(0), "{ran}");
    for file in [
        ".pre-commit-config.yaml",
        ".git/hooks/pre-commit",
        ".github/workflows/astrocache.yml",
    ] {
        let text = scratch.read(file);
        assert!(
            text.contains("cargo astrocache check --manifest-path in/Cargo.toml"),
            "{text}"
        );
    }
    let refused = git(&scratch, &["commit", "--allow-empty", "--message", "x"]);
    assert!(
        refused.starts_with("1 ") && refused.contains("no Astrocache.lock"),
        "{refused}"
    );
}

#[test]
fn without_a_repository_there_is_nothing_to_set_up() {
    let scratch = Scratch::new(TWO_CACHED);
    check(
        &scratch,
        &["init"],
        expect![[r#"
            exit: 2
            --- stderr
            error: `ROOT` is not in the working tree of a git repository (not a git repository (or any of the parent directories): .git)
        "#]],
    );
    check(
        &scratch,
        &["init", "svn"],
        expect![[r#"
        exit: 2
        --- stderr
        error: invalid value 'svn' for '[WHAT]...'
          [possible values: git-hook, pre-commit, github]

        For more information, try '--help'.
    "#]],
    );
}

/// What pre-commit is told in this repository is what `init` writes for it.
#[test]
fn our_own_hook_for_pre_commit_says_the_same() {
    let scratch = Scratch::new(TWO_CACHED);
    git(&scratch, &["init", "--quiet"]);
    scratch.run(&["init", "pre-commit"]);
    let ours = astrocache_tests::project::checkout().join(".pre-commit-hooks.yaml");
    let ours = fs::read_to_string(ours).unwrap();
    let fields = |text: &str| -> Vec<String> {
        let keys = ["entry:", "language:", "always_run:", "pass_filenames:"];
        let lines = text
            .lines()
            .map(str::trim)
            .filter(|line| keys.iter().any(|key| line.starts_with(key)));
        lines.map(str::to_owned).collect()
    };
    assert_eq!(fields(&ours), fields(&scratch.read(".pre-commit-config.yaml")));
}

#[test]
fn completions_are_scripts_for_their_shells() {
    let scratch = Scratch::new("");
    for (shell, mark) in [
        ("bash", "complete -F _cargo__astrocache"),
        ("zsh", "#compdef cargo-astrocache"),
        ("fish", "complete -c cargo-astrocache"),
        (
            "powershell",
            "Register-ArgumentCompleter -Native -CommandName 'cargo-astrocache'",
        ),
        ("elvish", "edit:completion:arg-completer[cargo-astrocache]"),
    ] {
        let ran = scratch.run(&["completions", shell]);
        assert_eq!(ran.code, Some(0), "{ran}");
        assert!(ran.stdout.contains(mark), "{shell}: {}", ran.stdout);
        for word in ["check", "watch", "message-format", "since"] {
            assert!(ran.stdout.contains(word), "{shell}: {word}");
        }
    }
    check(
        &scratch,
        &["completions", "tcsh"],
        expect![[r#"
        exit: 2
        --- stderr
        error: invalid value 'tcsh' for '<SHELL>'
          [possible values: bash, elvish, fish, powershell, zsh]

          tip: a similar value exists: 'zsh'

        For more information, try '--help'.
    "#]],
    );
    let script = scratch.run(&["completions", "bash"]).stdout;
    scratch.write("script", script);
    let mut bash = scratch.command("bash");
    let ask = "source ./script; COMP_WORDS=(cargo-astrocache wa); COMP_CWORD=1; _cargo__astrocache cargo-astrocache wa; echo ${COMPREPLY[@]}";
    let output = bash.args(["-c", ask]).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "watch\n");
}

#[test]
fn deps_sums_up_packages_files_data_and_variables() {
    let scratch = Scratch::new(TWO_CACHED);
    check(
        &scratch,
        &["deps"],
        expect![[r#"
        exit: 0
        --- stdout
        app::render  app/src/lib.rs:4
          app v0.1.0  1 definition in 1 file
            app/src/lib.rs  1
          words v0.1.0  3 definitions in 1 file
            words/src/lib.rs  3

        app::total  app/src/lib.rs:9
          app v0.1.0  1 definition in 1 file
            app/src/lib.rs  1
    "#]],
    );
    scratch.edit(
        "words/src/lib.rs",
        "    title.replace(",
        "    let _ = (include_str!(\"words.txt\"), option_env!(\"WORDS\"));\n    title.replace(",
    );
    scratch.write("words/src/words.txt", "text");
    check(
        &scratch,
        &["deps", "render"],
        expect![[r#"
        exit: 0
        --- stdout
        app::render  app/src/lib.rs:4
          app v0.1.0  1 definition in 1 file
            app/src/lib.rs  1
          words v0.1.0  3 definitions in 1 file
            words/src/lib.rs  3
          besides: data, and code that runs while it is compiled
            words/src/words.txt
          environment variables while it is compiled: WORDS
    "#]],
    );
    check(
        &scratch,
        &["deps", "rendr"],
        expect![[r#"
        exit: 2
        --- stderr
        error: no function `rendr` in the workspace; did you mean `app::render`?
    "#]],
    );
    let ran = scratch.run(&["deps", "words::slug", "--message-format", "json"]);
    let said: Value = serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {ran}"));
    expect![[r#"
        [
          {
            "env": [
              "WORDS"
            ],
            "other_files": [
              "words/src/words.txt"
            ],
            "packages": [
              {
                "definitions": 3,
                "files": [
                  {
                    "definitions": 3,
                    "file": "words/src/lib.rs"
                  }
                ],
                "local": true,
                "name": "words",
                "version": "0.1.0"
              }
            ],
            "root": "words::slug"
          }
        ]"#]]
    .assert_eq(&serde_json::to_string_pretty(&said).unwrap());
    let none = Scratch::new("\n//- Cargo.toml\n[package]\nname = \"a\"\n//- src/lib.rs\n");
    check(
        &none,
        &["deps"],
        expect![[r#"
        exit: 0
        --- stderr
        help: no cached functions; mark one with `#[astrocache::cached]`, or name any function
    "#]],
    );
}
