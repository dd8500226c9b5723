//! The edits: text before, text after. Each touches one place and knows nothing of what it means.

use crate::oracle::{File, FnItem, Kind};

/// Small reproducible random numbers (splitmix64): the same seed gives the same edits.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Random {
        Random(seed)
    }

    /// A number below `n`; 0 for an empty range.
    pub fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) >> 1).unwrap_or(0) % n.max(1)
    }

    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for i in (1..items.len()).rev() {
            items.swap(i, self.below(i + 1));
        }
    }
}

/// A guarded panic at the head of a body. A `const fn` cannot have one.
pub fn panic(file: &File, item: &FnItem) -> Option<String> {
    if item.is_const {
        return None;
    }
    let mut at = item.body.start + 1;
    while file.word(at) == "#" && file.word(at + 1) == "!" {
        at = file.closer(at + 2)? + 1;
    }
    let offset = file.toks[at - 1].range.end;
    let guard = " if ::core::hint::black_box(false) { ::core::panic!(\"astrocache-mutant\") } ";
    Some(insert(&file.text, offset, guard))
}

/// One whole number in the tokens becomes another.
pub fn bump(file: &File, tokens: std::ops::Range<usize>, random: &mut Random) -> Option<String> {
    let is_site = |at: &usize| {
        let before = file.word(at.wrapping_sub(1));
        file.toks[*at].kind == Kind::Number && before != "." && before != "#" && bumped(file.word(*at)).is_some()
    };
    let sites: Vec<usize> = tokens.filter(is_site).collect();
    let site = *sites.get(random.below(sites.len()))?;
    let range = file.toks[site].range.clone();
    let new = bumped(&file.text[range.clone()])?;
    Some(format!("{}{new}{}", &file.text[..range.start], &file.text[range.end..]))
}

fn bumped(number: &str) -> Option<String> {
    if let Some(hex) = number.strip_prefix("0x") {
        let value = u128::from_str_radix(&hex.replace('_', ""), 16).ok()?;
        return Some(format!("{:#x}", value ^ 1));
    }
    let digits = number
        .find(|c: char| !c.is_ascii_digit() && c != '_')
        .unwrap_or(number.len());
    let (digits, suffix) = number.split_at(digits);
    let value: u128 = digits.replace('_', "").parse().ok()?;
    let whole = suffix.is_empty() || suffix.starts_with(['u', 'i']);
    whole.then(|| format!("{}{suffix}", if value < 100 { value + 1 } else { value - 1 }))
}

/// The ways to change text and keep its meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Keep {
    Comment,
    LineAbove,
    WhiteSpace,
    NewFunction,
    Swap,
}

impl Keep {
    pub const ALL: [Keep; 5] = [
        Keep::Comment,
        Keep::LineAbove,
        Keep::WhiteSpace,
        Keep::NewFunction,
        Keep::Swap,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Keep::Comment => "a comment in a body",
            Keep::LineAbove => "a comment line above a function",
            Keep::WhiteSpace => "white space between tokens",
            Keep::NewFunction => "a new function nobody calls",
            Keep::Swap => "two functions swap places",
        }
    }

    pub fn apply(self, file: &File, item: &FnItem, random: &mut Random) -> Option<String> {
        match self {
            Keep::Comment => {
                let comments = [" /* mutant ; } */ ", " // mutant: fn fake() {\n", "/* /* nested */ */"];
                let at = file.toks[item.body.start].range.end;
                Some(insert(&file.text, at, comments[random.below(comments.len())]))
            }
            Keep::LineAbove => {
                let line = file.text[..item.range.start].rfind('\n').map_or(0, |at| at + 1);
                let blank = file.text[line..item.range.start].trim().is_empty();
                blank.then(|| insert(&file.text, line, "// a new line, with a \"quote\n"))
            }
            Keep::WhiteSpace => white_space(file, item, random),
            Keep::NewFunction => Some(format!(
                "{}\n\n#[allow(dead_code)]\nfn astrocache_mutant() -> u32 {{ 40 + 2 }}\n",
                file.text.trim_end()
            )),
            Keep::Swap => swap(file, item),
        }
    }
}

fn white_space(file: &File, item: &FnItem, random: &mut Random) -> Option<String> {
    let gap = |at: usize| &file.text[file.toks[at].range.end..file.toks[at + 1].range.start];
    let is_site = |at: &usize| !gap(*at).is_empty() && gap(*at).chars().all(|c| c == ' ');
    let sites: Vec<usize> = item.body.clone().filter(is_site).collect();
    let site = *sites.get(random.below(sites.len()))?;
    let spaces = ["  ", "\n", "\n\n   \t"];
    Some(insert(
        &file.text,
        file.toks[site].range.end,
        spaces[random.below(spaces.len())],
    ))
}

/// Swaps a function with the next one, if nothing but white space is between them and no attribute or doc belongs to either.
fn swap(file: &File, item: &FnItem) -> Option<String> {
    let text = &file.text;
    let next = file.fns.iter().find(|other| other.range.start >= item.range.end)?;
    let between = &text[item.range.end..next.range.start];
    let before = text[..item.range.start].trim_end();
    let last_line = before.lines().next_back().unwrap_or("").trim_start();
    if !between.trim().is_empty() || before.ends_with(']') || last_line.starts_with("//") || before.ends_with("*/") {
        return None;
    }
    let (first, second) = (&text[item.range.clone()], &text[next.range.clone()]);
    Some(format!(
        "{}{second}{between}{first}{}",
        &text[..item.range.start],
        &text[next.range.end..]
    ))
}

fn insert(text: &str, at: usize, new: &str) -> String {
    format!("{}{new}{}", &text[..at], &text[at..])
}

/// Token ranges of `const` and `static` items and of `macro_rules!` bodies.
pub fn constants(file: &File) -> Vec<(&'static str, std::ops::Range<usize>)> {
    let mut found = Vec::new();
    for at in 0..file.toks.len() {
        let next = file.word(at + 1);
        let kind = match file.word(at) {
            "const" if !["fn", "unsafe", "extern", "async", "{", "_"].contains(&next) => "const",
            "static" if next != "||" => "static",
            "macro_rules" => "macro_rules",
            _ => continue,
        };
        // Not a pointer type, nor a const parameter.
        if matches!(file.word(at.wrapping_sub(1)), "*" | "<" | ",") {
            continue;
        }
        found.extend(file.item_end(at).map(|end| (kind, at..end)));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &str) -> File {
        File::new(text.to_owned())
    }

    #[test]
    fn numbers_are_bumped_and_floats_are_left_alone() {
        assert_eq!(bumped("7u8").as_deref(), Some("8u8"));
        assert_eq!(bumped("1_000").as_deref(), Some("999"));
        assert_eq!(bumped("0xff").as_deref(), Some("0xfe"));
        assert_eq!((bumped("1.5"), bumped("1e3"), bumped("0b11")), (None, None, None));
        let file = file("fn f() { t.0 + 5 }");
        let body = file.fns[0].body.clone();
        assert_eq!(
            bump(&file, body, &mut Random::new(1)).as_deref(),
            Some("fn f() { t.0 + 6 }")
        );
    }

    #[test]
    fn a_panic_goes_behind_inner_attributes_and_not_into_const_fns() {
        let file = file("fn f() { #![allow(x)] g() } const fn c() {}");
        let text = panic(&file, &file.fns[0]).expect("it has a body");
        assert!(text.starts_with("fn f() { #![allow(x)] if ::core"), "{text}");
        assert_eq!(panic(&file, &file.fns[1]), None);
    }

    #[test]
    fn functions_swap_only_when_nothing_belongs_to_them() {
        let plain = file("fn a() {}\n\nfn b() {}\n");
        assert_eq!(swap(&plain, &plain.fns[0]).as_deref(), Some("fn b() {}\n\nfn a() {}\n"));
        let tagged = file("#[x]\nfn a() {}\nfn b() {}\n");
        assert_eq!(swap(&tagged, &tagged.fns[0]), None);
        let documented = file("/// a\nfn a() {}\nfn b() {}\n");
        assert_eq!(swap(&documented, &documented.fns[0]), None);
    }

    #[test]
    fn constants_and_macros_are_found_whole() {
        let file = file(
            "const A: u8 = 1; const fn f() {} static B: [u8; 2] = [1, 2]; macro_rules! m { () => { 3 } } fn g() {}",
        );
        let found: Vec<&str> = constants(&file)
            .into_iter()
            .map(|(_, r)| &file.text[file.toks[r.start].range.start..file.toks[r.end - 1].range.end])
            .collect();
        assert_eq!(
            found,
            [
                "const A: u8 = 1;",
                "static B: [u8; 2] = [1, 2];",
                "macro_rules! m { () => { 3 } }"
            ]
        );
    }
}
