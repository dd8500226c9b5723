//! Markdown to cases. The form is described for readers in `tests/matrix/README.md`; nothing here touches a source tree.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs;
use std::path::Path;

/// One `##` section: a source tree, and what each edit of it does to the root's fingerprint.
#[derive(Debug, Clone)]
pub struct Case {
    /// File name of the Markdown page, for messages.
    pub page: String,
    /// The heading.
    pub title: String,
    /// Numbers of the liveness rules the prose names.
    pub rules: BTreeSet<u8>,
    /// The definition whose fingerprint is judged.
    pub root: String,
    /// The tree before any edit, path to text.
    pub files: BTreeMap<String, String>,
    /// Packages held at a version from the start (`name` is locked at `version`).
    pub locks: BTreeMap<String, String>,
    /// The edits, each on its own applied to `files`.
    pub edits: Vec<Edit>,
}

/// One `###` section.
#[derive(Debug, Clone)]
pub struct Edit {
    /// Line of the heading, 1-based.
    pub line: usize,
    /// What the edit does to the fingerprint.
    pub verdict: Verdict,
    /// Rest of the heading.
    pub title: String,
    /// What the edit does to the tree.
    pub steps: Vec<Step>,
}

/// What must happen to the fingerprint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// Must change: the root may return something else.
    Changes,
    /// Must stay: the edit has nothing to do with the root.
    Stays,
    /// Should stay, and may change: only type inference could tell that the root is not affected.
    Costs,
}

/// One change of a tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// `old` becomes `new`; without a file, in the one file that holds it.
    Replace {
        /// File to change.
        file: Option<String>,
        /// Text that must occur exactly once.
        old: String,
        /// What stands there afterwards.
        new: String,
    },
    /// Whole lines, found as a block.
    Lines {
        /// File to change.
        file: String,
        /// Lines before; empty means the end of the file.
        old: Vec<String>,
        /// Lines after.
        new: Vec<String>,
    },
    /// The file has this text afterwards.
    Write {
        /// File to write.
        file: String,
        /// Its text.
        text: String,
    },
    /// The file is gone.
    Delete {
        /// File to remove.
        file: String,
    },
    /// The file ends its lines as Windows does.
    WindowsLines {
        /// File to rewrite.
        file: String,
    },
    /// The file starts with a byte-order mark.
    Mark {
        /// File to rewrite.
        file: String,
    },
    /// `Cargo.lock` holds another version of a registry package.
    Lock {
        /// Package name.
        package: String,
        /// Version, or the beginning of one.
        version: String,
    },
}

/// A mistake in a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flaw {
    /// File name of the page.
    pub page: String,
    /// 1-based line.
    pub line: usize,
    /// What is wrong, and what would be right.
    pub what: String,
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.page, self.line, self.what)
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Verdict::Changes => "changes",
            Verdict::Stays => "stays",
            Verdict::Costs => "costs",
        })
    }
}

/// All cases of the numbered pages (`NN-topic.md`) in a directory, in page order.
pub fn load(dir: &Path) -> Result<Vec<Case>, Vec<Flaw>> {
    let unreadable = |error: std::io::Error| {
        let what = format!("cannot read: {error}");
        vec![Flaw {
            page: dir.display().to_string(),
            line: 0,
            what,
        }]
    };
    let mut pages = BTreeMap::new();
    for entry in fs::read_dir(dir).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if name.ends_with(".md") && name.starts_with(|c: char| c.is_ascii_digit()) {
            pages.insert(name, fs::read_to_string(&path).map_err(unreadable)?);
        }
    }
    let mut cases = Vec::new();
    let mut flaws = Vec::new();
    for (page, text) in &pages {
        match parse(page, text) {
            Ok(found) => cases.extend(found),
            Err(flaw) => flaws.push(flaw),
        }
    }
    if flaws.is_empty() { Ok(cases) } else { Err(flaws) }
}

/// The cases of one page.
pub fn parse(page: &str, text: &str) -> Result<Vec<Case>, Flaw> {
    let mut reader = Reader {
        page,
        cases: Vec::new(),
    };
    let mut lines = text.lines().enumerate().map(|(i, line)| (i + 1, line));
    while let Some((at, line)) = lines.next() {
        if let Some(info) = line.strip_prefix("```") {
            let mut body = String::new();
            loop {
                match lines.next() {
                    Some((_, "```")) => break,
                    Some((_, inner)) => body = body + inner + "\n",
                    None => return Err(reader.flaw(at, "this code block is never closed")),
                }
            }
            reader.block(at, info.trim(), body)?;
        } else if let Some(title) = line.strip_prefix("### ") {
            reader.edit(at, title.trim())?;
        } else if let Some(title) = line.strip_prefix("## ") {
            reader.check_last(at)?;
            reader.cases.push(Case::new(page, title.trim()));
        } else {
            reader.prose(at, line.trim())?;
        }
    }
    reader.check_last(text.lines().count())?;
    Ok(reader.cases)
}

impl Case {
    fn new(page: &str, title: &str) -> Case {
        Case {
            page: page.to_owned(),
            title: title.to_owned(),
            rules: BTreeSet::new(),
            root: "case::root".to_owned(),
            files: BTreeMap::new(),
            locks: BTreeMap::new(),
            edits: Vec::new(),
        }
    }
}

struct Reader<'a> {
    page: &'a str,
    cases: Vec<Case>,
}

impl Reader<'_> {
    fn flaw(&self, line: usize, what: impl Into<String>) -> Flaw {
        Flaw {
            page: self.page.to_owned(),
            line,
            what: what.into(),
        }
    }

    fn edit(&mut self, line: usize, heading: &str) -> Result<(), Flaw> {
        let verdicts = [Verdict::Changes, Verdict::Stays, Verdict::Costs];
        let parsed = heading
            .split_once(':')
            .and_then(|(word, title)| Some((verdicts.into_iter().find(|v| v.to_string() == word)?, title.trim())));
        let Some((verdict, title)) = parsed else {
            return Err(self.flaw(line, "a `###` heading is `changes: ..`, `stays: ..` or `costs: ..`"));
        };
        let Some(case) = self.cases.last_mut() else {
            return Err(self.flaw(line, "this edit stands before the first `##` case"));
        };
        case.edits.push(Edit {
            line,
            verdict,
            title: title.to_owned(),
            steps: Vec::new(),
        });
        Ok(())
    }

    fn block(&mut self, line: usize, info: &str, body: String) -> Result<(), Flaw> {
        let Some((language, file)) = info.split_once(' ') else {
            return Err(self.flaw(line, "a code block names its file: ```rust src/lib.rs"));
        };
        let (language, file) = (language.to_owned(), file.trim().to_owned());
        let Some(case) = self.cases.last_mut() else {
            return Err(self.flaw(line, "this code block stands before the first `##` case"));
        };
        match case.edits.last_mut() {
            None if language == "diff" => {
                return Err(self.flaw(line, "a diff belongs under an edit"));
            }
            None => {
                if case.files.insert(file.clone(), body).is_some() {
                    return Err(self.flaw(line, format!("`{file}` is given twice")));
                }
            }
            Some(edit) => match if language == "diff" {
                diff(file, &body)
            } else {
                Ok(Step::Write { file, text: body })
            } {
                Ok(step) => edit.steps.push(step),
                Err(what) => return Err(self.flaw(line, what)),
            },
        }
        Ok(())
    }

    fn prose(&mut self, line: usize, text: &str) -> Result<(), Flaw> {
        let Some(case) = self.cases.last_mut() else {
            return Ok(());
        };
        match (sentence(text), case.edits.last_mut()) {
            (Some(Sentence::Root(path)), None) => case.root = path,
            (Some(Sentence::Step(Step::Lock { package, version })), None) => {
                case.locks.insert(package, version);
            }
            (Some(Sentence::Step(step)), Some(edit)) => edit.steps.push(step),
            (Some(Sentence::Step(_)), None) => {
                return Err(self.flaw(line, "this step stands before the first edit"));
            }
            (Some(Sentence::Root(_)), Some(_)) => {
                return Err(self.flaw(line, "the root is named before the first edit"));
            }
            (None, None) => case.rules.extend(rules(text)),
            (None, Some(_)) if text.starts_with('`') => {
                let forms = "`a` becomes `b` in `file`. | `a` goes. | `file` is deleted. | `name` is locked at `1`.";
                return Err(self.flaw(line, format!("not a sentence the matrix knows; they are: {forms}")));
            }
            (None, Some(_)) => {}
        }
        Ok(())
    }

    /// What makes a case whole, checked when the next one starts.
    fn check_last(&self, line: usize) -> Result<(), Flaw> {
        let Some(case) = self.cases.last() else {
            return Ok(());
        };
        let what = if case.files.is_empty() {
            "has no source"
        } else if case.edits.is_empty() {
            "has no edit"
        } else if case.rules.is_empty() {
            "names no rule (R1 to R15) before its first edit"
        } else if let Some(edit) = case.edits.iter().find(|edit| edit.steps.is_empty()) {
            return Err(self.flaw(edit.line, "this edit has no step"));
        } else {
            return Ok(());
        };
        Err(self.flaw(line, format!("the case \"{}\" {what}", case.title)))
    }
}

/// Rule numbers in a line of prose: `R7`, `(R12)`.
fn rules(text: &str) -> Vec<u8> {
    text.split(|c: char| !c.is_ascii_alphanumeric())
        .filter_map(|word| word.strip_prefix('R')?.parse().ok())
        .filter(|n| (1..=15).contains(n))
        .collect()
}

enum Sentence {
    Root(String),
    Step(Step),
}

/// A line that acts: code spans with fixed words between them.
fn sentence(text: &str) -> Option<Sentence> {
    let (spans, words) = spans(text)?;
    let spans: Vec<&str> = spans.iter().map(String::as_str).collect();
    let replace = |file: Option<&str>, old: &str, new: &str| Step::Replace {
        file: file.map(str::to_owned),
        old: old.to_owned(),
        new: new.to_owned(),
    };
    let step = match (words.as_str(), spans.as_slice()) {
        ("Root: #.", [path]) => return Some(Sentence::Root((*path).to_owned())),
        ("# becomes #.", [old, new]) => replace(None, old, new),
        ("# becomes # in #.", [old, new, file]) => replace(Some(file), old, new),
        ("# goes.", [old]) => replace(None, old, ""),
        ("# goes from #.", [old, file]) => replace(Some(file), old, ""),
        ("# is deleted.", [file]) => Step::Delete {
            file: (*file).to_owned(),
        },
        ("# has Windows line ends.", [file]) => Step::WindowsLines {
            file: (*file).to_owned(),
        },
        ("# starts with a byte-order mark.", [file]) => Step::Mark {
            file: (*file).to_owned(),
        },
        ("# is locked at #.", [package, version]) => Step::Lock {
            package: (*package).to_owned(),
            version: (*version).to_owned(),
        },
        _ => return None,
    };
    Some(Sentence::Step(step))
}

/// Code spans as in CommonMark (a run of backticks closes with one as long), and the words with each span as `#`.
fn spans(text: &str) -> Option<(Vec<String>, String)> {
    let (mut found, mut words, mut rest) = (Vec::new(), String::new(), text);
    while let Some(start) = rest.find('`') {
        words.push_str(&rest[..start]);
        let tail = &rest[start..];
        let fence = &tail[..tail.len() - tail.trim_start_matches('`').len()];
        let body = &tail[fence.len()..];
        let end = body.find(fence)?;
        let code = &body[..end];
        found.push(if fence.len() > 1 { code.trim() } else { code }.to_owned());
        words.push('#');
        rest = &body[end + fence.len()..];
    }
    Some((found, words + rest))
}

fn diff(file: String, body: &str) -> Result<Step, String> {
    let (mut old, mut new) = (Vec::new(), Vec::new());
    for line in body.lines() {
        match line.split_at_checked(1) {
            Some(("-", text)) => old.push(text.to_owned()),
            Some(("+", text)) => new.push(text.to_owned()),
            Some((" ", text)) => {
                old.push(text.to_owned());
                new.push(text.to_owned());
            }
            None => {
                old.push(String::new());
                new.push(String::new());
            }
            Some(_) => {
                return Err(format!("a line of a diff starts with `-`, `+` or a space: {line}"));
            }
        }
    }
    Ok(Step::Lines { file, old, new })
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "# T\n\n## One\n\nBecause of R1 and R12.\n\n```rust src/lib.rs\nfn a() {}\n```\n\n";

    fn flaw_of(text: &str) -> String {
        parse("p.md", text).expect_err("the page is wrong").to_string()
    }

    #[test]
    fn a_page_becomes_cases_with_rules_files_and_steps() {
        let text = format!("{PAGE}### stays: t\n\n`a` becomes ``b`c``.\n\n```diff src/lib.rs\n-x\n+y\n z\n```\n");
        let cases = parse("p.md", &text).expect("the page is right");
        let [case] = cases.as_slice() else { panic!("one case") };
        assert_eq!(case.rules, BTreeSet::from([1, 12]));
        assert_eq!(case.files["src/lib.rs"], "fn a() {}\n");
        let replace = Step::Replace {
            file: None,
            old: "a".into(),
            new: "b`c".into(),
        };
        let lines = Step::Lines {
            file: "src/lib.rs".into(),
            old: vec!["x".into(), "z".into()],
            new: vec!["y".into(), "z".into()],
        };
        assert_eq!(case.edits[0].steps, [replace, lines]);
    }

    #[test]
    fn mistakes_name_the_page_and_the_line() {
        let stray = format!("{PAGE}### stays: t\n\n`a` turns into `b`.\n");
        assert!(flaw_of(&stray).starts_with("p.md:13: not a sentence"));
        let verdict = format!("{PAGE}### perhaps: t\n");
        assert!(flaw_of(&verdict).starts_with("p.md:11: a `###` heading is"));
        let open = format!("{PAGE}### stays: t\n\n```rust src/lib.rs\n");
        assert_eq!(flaw_of(&open), "p.md:13: this code block is never closed");
        assert_eq!(flaw_of(PAGE), "p.md:10: the case \"One\" has no edit");
        let empty = format!("{PAGE}### stays: nothing\n");
        assert_eq!(flaw_of(&empty), "p.md:11: this edit has no step");
    }
}
