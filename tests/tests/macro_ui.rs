//! What the macro says about mistakes: one error each, on the user's own tokens, with the remedy. trybuild compares the
//! compiler's whole output with the `.stderr` beside each file.

#[test]
fn each_mistake_gives_one_error_that_says_what_to_do() {
    // The compiler sees no tool and no store: this is `cargo check`.
    trybuild::TestCases::new().compile_fail("tests/ui/*.rs");
}

#[test]
fn no_expected_output_holds_two_errors_unless_two_things_are_wrong() {
    let mut two = Vec::new();
    for entry in std::fs::read_dir("tests/ui").unwrap().map(Result::unwrap) {
        let path = entry.path();
        if path.extension().is_none_or(|extension| extension != "stderr") {
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        if text.lines().filter(|line| line.starts_with("error")).count() != 1 {
            two.push(path.file_stem().unwrap().to_string_lossy().into_owned());
        }
    }
    // `T` lacks serde's traits as an argument and as a result.
    assert_eq!(two, ["generic_without_serde"]);
}
