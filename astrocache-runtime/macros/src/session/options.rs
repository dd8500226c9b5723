//! rustc's command line, option by option: those that say what is compiled and how. What they mean is `argv`'s business.

use std::fs;

/// The `-C` options that are part of the build context.
const CODEGEN: [&str; 6] = [
    "debug-assertions",
    "overflow-checks",
    "opt-level",
    "panic",
    "target-feature",
    "target-cpu",
];

/// `@file` holds one argument a line.
pub fn expand_lists(args: Vec<String>) -> Vec<String> {
    let mut expanded = Vec::with_capacity(args.len());
    for arg in args {
        match arg.strip_prefix('@').and_then(|list| fs::read_to_string(list).ok()) {
            Some(list) => expanded.extend(list.lines().map(str::to_owned)),
            None => expanded.push(arg),
        }
    }
    expanded
}

/// The command line, option by option.
#[derive(Default)]
pub struct Parsed {
    pub crate_name: Option<String>,
    pub root_file: Option<String>,
    pub out_dir: Option<String>,
    pub emit: Vec<String>,
    pub unit: String,
    pub edition: String,
    pub target: String,
    pub test: bool,
    pub capped: bool,
    pub cfgs: Vec<String>,
    pub codegen: Vec<String>,
    pub externs: Vec<(String, String)>,
}

/// The options that take a value, and matter or could be mistaken for the source file.
const VALUED: [&str; 18] = [
    "--crate-name",
    "--crate-type",
    "--edition",
    "--emit",
    "--out-dir",
    "--target",
    "--cfg",
    "--check-cfg",
    "--extern",
    "--cap-lints",
    "--codegen",
    "--error-format",
    "--json",
    "--sysroot",
    "--remap-path-prefix",
    "-C",
    "-L",
    "-l",
];

impl Parsed {
    pub fn of(args: &[String]) -> Parsed {
        let mut parsed = Parsed::default();
        let mut args = args.iter();
        while let Some(arg) = args.next() {
            if let Some((name, value)) = arg.split_once('=').filter(|(name, _)| name.starts_with("--")) {
                parsed.option(name, value);
            } else if VALUED.contains(&arg.as_str()) {
                parsed.option(arg, args.next().map_or("", String::as_str));
            } else if let Some(value) = arg.strip_prefix("-C") {
                parsed.option("-C", value);
            } else if arg == "--test" {
                parsed.test = true;
            } else if !arg.starts_with('-') && arg.ends_with(".rs") {
                parsed.root_file.get_or_insert_with(|| arg.clone());
            }
        }
        parsed
    }

    fn option(&mut self, name: &str, value: &str) {
        match name {
            "--crate-name" => self.crate_name = Some(value.to_owned()),
            "--edition" => self.edition = value.to_owned(),
            "--emit" => self.emit.extend(
                value
                    .split(',')
                    .map(|kind| kind.split('=').next().unwrap_or(kind).to_owned()),
            ),
            "--out-dir" => self.out_dir = Some(value.to_owned()),
            "--target" => self.target = value.to_owned(),
            "--cfg" => self.cfgs.push(value.to_owned()),
            "--cap-lints" => self.capped = true,
            "--extern" => self.externs.extend(split_extern(value)),
            "-C" | "--codegen" => self.codegen_option(value),
            _ => {}
        }
    }

    fn codegen_option(&mut self, value: &str) {
        let value = value.trim_start();
        let (name, text) = value.split_once('=').unwrap_or((value, ""));
        let name = name.replace('_', "-");
        if name == "extra-filename" {
            self.unit = text.to_owned();
        } else if CODEGEN.contains(&name.as_str()) {
            self.codegen.push(format!("{name}={text}"));
        }
    }
}

/// `priv,noprelude:name=path` -> name, path. Crates of the sysroot have no path.
fn split_extern(value: &str) -> Option<(String, String)> {
    let (name, path) = value.split_once('=')?;
    let name = name.rsplit(':').next().unwrap_or(name);
    Some((name.to_owned(), path.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_file_stands_for_its_lines() {
        let dir = tempfile::tempdir().unwrap();
        let list = dir.path().join("args");
        fs::write(&list, "--crate-name\nmy crate\n").unwrap();
        let args = vec!["rustc".into(), format!("@{}", list.display()), "@/no/such".into()];
        assert_eq!(expand_lists(args), ["rustc", "--crate-name", "my crate", "@/no/such"]);
    }
}
