//! What each file of the workspace can be made of.

/// What a file is made of.
pub struct Slots {
    pub path: &'static str,
    /// Each slot is one of its texts; the first texts are those of the fixture, but for white space.
    pub slots: &'static [&'static [&'static str]],
}

/// All files that are edited.
pub const SLOTS: &[Slots] = &[
    Slots {
        path: "app/src/lib.rs",
        slots: &[
            &["", "// A comment.\n", "\n\n", "#![allow(unused)]\n"],
            &["mod a;\n", "mod a; mod b;\n", "mod b;\n", "#[path = \"b.rs\"] mod a;\n"],
            &["mod data;\nmod idle;\n", "#[cfg(unix)] mod data;\n"],
            &["mod places;\n", "// mod places;\n", "mod places;\nmod bad;\n"],
            &[
                "use cached::cached;\n",
                "use cached::cached as memo;\n",
                "use b::*;\nuse cached::cached;\n",
            ],
            &[
                "#[cached] pub fn first() -> u8 { a::f() + dep::g() }\n",
                "/// Docs.\n#[cached] pub fn first() -> u8 { a::f() + dep::g() }\n",
                "#[memo] pub fn first() -> u8 { a::f() + dep::g() }\n",
                "#[cached] pub fn first() -> u8 { a::f() }\n",
                "#[cached] pub fn first() -> u8 { data::shown() + macro_made() }\n",
                "#[cached] pub fn first( -> u8 { a::f() }\n",
                "pub fn first() -> u8 { a::f() }\n",
            ],
            &[
                "#[cached] pub fn second() -> u8 { pinned::p() }\n",
                "#[cached] pub fn second() -> u8 { pinned::p() + { static mut X: u8 = 1; 0 } }\n",
                "mod inline { #[cached::cached] pub fn second() -> u8 { pinned::p() } }\n",
                "#[cached] pub fn second() -> u8 { include_bytes!(\"../late.bin\").len() as u8 }\n",
            ],
            &[
                "",
                "macro_rules! make { () => { pub fn macro_made() -> u8 { 1 } } } make!();\n",
            ],
        ],
    },
    Slots {
        path: "app/src/a.rs",
        slots: &[
            &["", "// A comment.\n", "\n"],
            &[
                "pub fn f() -> u8 { std::env::var(\"X\").len() as u8 }\n",
                "pub fn f() -> u8 { h() }\n",
                "pub fn f() -> u8 { 3 }\n",
                "pub const fn f() -> u8 { Location::caller().line() as u8 }\n",
            ],
            &[
                "",
                "fn h() -> u8 { 1 }\n",
                "fn h() -> u8 { 2 }\n",
                "use crate::data::shown as h;\n",
            ],
            &[
                "",
                "impl Drop for crate::data::Shown { fn drop(&mut self) { dep::g() } }\n",
            ],
        ],
    },
    Slots {
        path: "app/src/b.rs",
        slots: &[&[
            "pub fn f() -> u8 { 7 }\n",
            "pub fn f() -> u8 { 8 }\n",
            "pub struct Shown;\n",
        ]],
    },
    Slots {
        path: "app/src/bad.rs",
        slots: &[&[
            "pub fn bad() {}\n",
            "pub fn bad() { }}\n",
            "\u{feff}pub fn bad() {}\r\n",
        ]],
    },
    Slots {
        path: "app/src/data.rs",
        slots: &[
            &[
                "use cached::cached;\n",
                "// Why.\nuse cached::cached;\n",
                "use super::*;\n",
            ],
            &[
                "#[derive(mac::Show)] pub struct Shown;\n",
                "#[derive(Clone)] pub struct Shown;\n",
            ],
            &[
                "pub fn shown() -> u8 { 1 }\n",
                "pub fn shown() -> u8 { 2 }\n",
                "pub(crate) fn shown() -> u8 { 1 }\n",
            ],
            &[
                "#[cached] pub fn third() -> u8 { let _ = Shown; include_str!(\"../text.txt\").len() as u8 }\n",
                "#[cached] pub fn third() -> u8 { let _ = Shown; include_str!(\"../late.bin\").len() as u8 }\n",
                "#[cached] pub fn third() -> u8 { env!(\"SET\").len() as u8 }\n",
            ],
        ],
    },
    Slots {
        path: "app/src/places.rs",
        slots: &[
            &["", "\n", "// A comment.\n"],
            &[
                "#[cached::cached] pub fn fourth() -> u32 { line!() }\n",
                "#[cached::cached] pub fn fourth() -> u32 { 1 }\n",
                "#[cached::cached] pub fn fourth() -> u32 { if cfg!(feature = \"x\") { 1 } else { 2 } }\n",
            ],
        ],
    },
    Slots {
        path: "app/build.rs",
        slots: &[
            &["mod helper;\n", "// Why.\nmod helper;\n"],
            &[
                "fn main() { println!(\"cargo::rerun-if-changed=inputs\"); helper::run() }\n",
                "fn main() { println!(\"cargo::rerun-if-changed=text.txt\"); helper::run() }\n",
                "fn main() { helper::run() }\n",
            ],
        ],
    },
    Slots {
        path: "app/helper.rs",
        slots: &[&[
            "pub fn run() { std::fs::read(\"extra.txt\"); }\n",
            "pub fn run() { std::fs::read(\"text.txt\"); }\n",
            "/* Why. */ pub fn run() { std::fs::read(\"extra.txt\"); }\n",
        ]],
    },
    Slots {
        path: "app/tests/it.rs",
        slots: &[&[
            "#[cached::cached] fn in_test() -> u8 { app::first() }\n",
            "fn in_test() -> u8 { 1 }\n",
            "// Nothing is cached here.\n",
        ]],
    },
    Slots {
        path: "dep/src/lib.rs",
        slots: &[
            &["mod inner;\n"],
            &["pub use inner::*;\n", "pub use inner::g;\n", "pub fn g() -> u8 { 5 }\n"],
        ],
    },
    Slots {
        path: "dep/src/inner.rs",
        slots: &[
            &["", "/* Why. */ "],
            &[
                "pub fn g() -> u8 { 1 }\n",
                "pub fn g() -> u8 { 2 }\n",
                "pub fn g() -> u8 { std::fs::read(\"x\") }\n",
            ],
            &["", "pub fn first() {}\n"],
        ],
    },
    Slots {
        path: "mac/src/emit.rs",
        slots: &[&[
            "pub fn emit() -> TokenStream { quote! { crate::data::shown() } }\n",
            "pub fn emit() -> TokenStream { quote! { crate::a::f() } }\n",
            "// Why.\npub fn emit() -> TokenStream { quote! { crate::data::shown() } }\n",
        ]],
    },
    Slots {
        path: "app/text.txt",
        slots: &[&["text\n", "other\n", ""]],
    },
    Slots {
        path: "app/late.bin",
        slots: &[&["late", "later"]],
    },
    Slots {
        path: "app/extra.txt",
        slots: &[&["extra", "more"]],
    },
    Slots {
        path: "app/inputs/one.txt",
        slots: &[&["1\n", "2\n"]],
    },
    Slots {
        path: "app/inputs/two/three.txt",
        slots: &[&["3\n", "4\n"]],
    },
];
