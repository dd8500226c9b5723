//! Reading textual LLVM IR: which symbols a module defines, what each mentions, and where in the source it comes from.

use std::collections::BTreeMap;
use std::ops::Range;

/// One crate's IR.
pub struct Module {
    text: String,
    pub symbols: BTreeMap<String, Symbol>,
    /// Mentioned, defined elsewhere.
    pub declared: Vec<String>,
    programs: BTreeMap<u32, Program>,
    files: BTreeMap<u32, String>,
}

/// A function, static, vtable or constant.
pub struct Symbol {
    range: Range<usize>,
    /// Not visible to other crates.
    pub private: bool,
    program: Option<u32>,
}

/// A place in the source.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    pub file: String,
    pub line: usize,
    /// Name as the debug information has it.
    pub name: String,
}

struct Program {
    name: String,
    file: u32,
    line: usize,
}

impl Module {
    pub fn parse(text: String) -> Module {
        let mut module = Module {
            symbols: BTreeMap::new(),
            declared: Vec::new(),
            programs: BTreeMap::new(),
            files: BTreeMap::new(),
            text: String::new(),
        };
        let mut open: Option<(String, Symbol)> = None;
        let mut at = 0;
        for line in text.split_inclusive('\n') {
            let range = at..at + line.len();
            at = range.end;
            if line.starts_with('}') {
                if let Some((name, mut symbol)) = open.take() {
                    symbol.range.end = range.start;
                    module.symbols.insert(name, symbol);
                }
            } else if open.is_some() {
                continue;
            } else if line.starts_with('@') {
                module.global(line, range);
            } else if line.starts_with("define ") {
                open = name(line).map(|(name, end)| {
                    let start = range.start + end;
                    (
                        name.to_owned(),
                        Symbol {
                            range: start..start,

                            private: false,
                            program: dbg(line),
                        },
                    )
                });
            } else if line.starts_with("declare ") {
                module.declared.extend(name(line).map(|(name, _)| name.to_owned()));
            } else if line.starts_with('!') {
                module.metadata(line);
            }
        }
        module.text = text;
        module
    }

    fn global(&mut self, line: &str, range: Range<usize>) {
        let Some((name, end)) = name(line) else {
            return;
        };
        let rest = line[end..].trim_start_matches([' ', '=']);
        if name.starts_with("llvm.") {
            return;
        }
        if rest.starts_with("external ") || rest.starts_with("extern_weak ") {
            self.declared.push(name.to_owned());
            return;
        }
        let private = rest.starts_with("private") || (rest.starts_with("internal") && !name.starts_with("_R"));
        let symbol = Symbol {
            range: range.start + end..range.end,

            private,
            program: None,
        };
        self.symbols.insert(name.to_owned(), symbol);
    }

    fn metadata(&mut self, line: &str) {
        let Some((id, rest)) = line[1..].split_once(" = ") else {
            return;
        };
        let Ok(id) = id.parse() else { return };
        if rest.contains("!DISubprogram(") {
            let number = |key: &str| field(rest, key).and_then(|v| v.trim_start_matches('!').parse::<usize>().ok());
            let program = Program {
                name: text_field(rest, "name: \"").unwrap_or_default().to_owned(),
                file: number(" file: ")
                    .and_then(|n| u32::try_from(n).ok())
                    .unwrap_or(u32::MAX),
                line: number(" line: ").unwrap_or(0),
            };
            self.programs.insert(id, program);
        } else if rest.contains("!DIFile(") {
            let file = text_field(rest, "filename: \"").unwrap_or_default();
            let dir = text_field(rest, "directory: \"").unwrap_or_default();
            let path = if file.starts_with('/') {
                file.to_owned()
            } else {
                format!("{dir}/{file}")
            };
            self.files.insert(id, normalised(&path));
        }
    }

    /// Where a function stands in the source.
    pub fn place(&self, symbol: &Symbol) -> Option<Place> {
        let program = self.programs.get(&symbol.program?)?;
        let file = self.files.get(&program.file)?.clone();
        Some(Place {
            file,
            line: program.line,
            name: program.name.clone(),
        })
    }

    /// Every symbol that this one mentions, once.
    pub fn mentions(&self, symbol: &Symbol) -> Vec<&str> {
        let mut found = Vec::new();
        for line in self.text[symbol.range.clone()].lines() {
            let start = line.trim_start();
            if start.starts_with(';') || start.starts_with("#dbg_") {
                continue;
            }
            mentions_of(line, &mut found);
        }
        found.sort_unstable();
        found.dedup();
        found.retain(|name| !name.starts_with("llvm."));
        found
    }

    /// The IR of a symbol, for hashing.
    pub fn body(&self, symbol: &Symbol) -> &str {
        &self.text[symbol.range.clone()]
    }
}

/// The first symbol of a line, and where its name ends.
fn name(line: &str) -> Option<(&str, usize)> {
    let at = line.find('@')? + 1;
    let (name, end) = symbol_at(line, at)?;
    Some((name, end))
}

/// The symbol whose `@` stands before `at`, and where it ends.
fn symbol_at(line: &str, at: usize) -> Option<(&str, usize)> {
    let rest = &line[at..];
    if let Some(quoted) = rest.strip_prefix('"') {
        let len = quoted.find('"')?;
        return Some((&quoted[..len], at + len + 2));
    }
    let len = rest
        .find(|c: char| !c.is_ascii_alphanumeric() && !"_$.".contains(c))
        .unwrap_or(rest.len());
    (len > 0).then(|| (&rest[..len], at + len))
}

/// Symbols of a line, not those inside string constants.
fn mentions_of<'t>(line: &'t str, found: &mut Vec<&'t str>) {
    let bytes = line.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            b'@' => match symbol_at(line, at + 1) {
                Some((name, end)) => {
                    found.push(name);
                    at = end;
                }
                None => at += 1,
            },
            b'"' => at += line[at + 1..].find('"').map_or(line.len(), |end| end + 2),
            _ => at += 1,
        }
    }
}

fn dbg(line: &str) -> Option<u32> {
    let rest = &line[line.find("!dbg !")? + 6..];
    rest[..rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len())]
        .parse()
        .ok()
}

fn field<'l>(line: &'l str, key: &str) -> Option<&'l str> {
    let rest = &line[line.find(key)? + key.len()..];
    Some(&rest[..rest.find([',', ')']).unwrap_or(rest.len())])
}

fn text_field<'l>(line: &'l str, key: &str) -> Option<&'l str> {
    let rest = &line[line.find(key)? + key.len()..];
    Some(&rest[..rest.find('"')?])
}

/// A path without `.` and `..`.
pub fn normalised(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    format!("/{}", parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const IR: &str = r#"
@vtable.0 = private unnamed_addr constant <{ ptr, [8 x i8] }> <{ ptr @_Rdrop, [8 x i8] c"@no\22@no\00" }>, align 8
@_Rstatic = constant i8 1, !dbg !9
@other = external global i8
define internal void @_Ra(ptr %x) unnamed_addr !dbg !7 {
start:
  ; @comment
    #dbg_declare(ptr %x, !11, !DIExpression(), !12)
  call void @"quoted name"(ptr @vtable.0), !dbg !8
  call void @llvm.trap()
  ret void
}
declare void @_Rb()
!1 = !DIFile(filename: "app/src/../lib.rs", directory: "/w")
!7 = distinct !DISubprogram(name: "a<u8>", linkageName: "_Ra", scope: !2, file: !1, line: 12, type: !3)
"#;

    #[test]
    fn symbols_have_their_mentions_and_their_place() {
        let module = Module::parse(IR.to_owned());
        let names: Vec<&str> = module.symbols.keys().map(String::as_str).collect();
        assert_eq!(names, ["_Ra", "_Rstatic", "vtable.0"]);
        assert_eq!(module.declared, ["other", "_Rb"]);
        assert_eq!(module.mentions(&module.symbols["_Ra"]), ["quoted name", "vtable.0"]);
        assert_eq!(module.mentions(&module.symbols["vtable.0"]), ["_Rdrop"]);
        let place = Place {
            file: "/w/app/lib.rs".into(),
            line: 12,
            name: "a<u8>".into(),
        };
        assert_eq!(module.place(&module.symbols["_Ra"]), Some(place));
        assert!(module.symbols["vtable.0"].private && !module.symbols["_Rstatic"].private);
    }

    #[test]
    fn text_that_is_no_ir_gives_an_empty_module() {
        for text in [
            "",
            "}\n",
            "@\n@\"x\n!1 = \n!x = !DIFile(\n",
            "define void {\n",
            "define void @f() {\n",
        ] {
            assert!(Module::parse(text.to_owned()).symbols.is_empty(), "{text}");
        }
    }
}
