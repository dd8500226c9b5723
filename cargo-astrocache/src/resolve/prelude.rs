//! Names that the language and std bring in without an import.

/// Crates that are not analyzed; the compiler version stands for them.
pub const SYSROOT: &[&str] = &["std", "core", "alloc", "proc_macro", "test"];

const TYPES: &[&str] = &[
    "bool", "char", "str", "i8", "i16", "i32", "i64", "i128", "isize", "u8", "u16", "u32", "u64", "u128", "usize", "f16",
    "f32", "f64", "f128", "Option", "Result", "Vec", "String", "Box", "ToString", "ToOwned", "Clone", "Copy", "Send",
    "Sync", "Sized", "Unpin", "Drop", "Fn", "FnMut", "FnOnce", "AsyncFn", "AsyncFnMut", "AsyncFnOnce", "Iterator",
    "IntoIterator", "Extend", "DoubleEndedIterator", "ExactSizeIterator", "From", "Into", "TryFrom", "TryInto",
    "FromIterator", "AsRef", "AsMut", "Default", "PartialEq", "Eq", "PartialOrd", "Ord", "Future", "IntoFuture",
];

const VALUES: &[&str] = &[
    "Some", "None", "Ok", "Err", "drop", "size_of", "size_of_val", "align_of", "align_of_val", "true", "false",
];

const MACROS: &[&str] = &[
    "assert", "assert_eq", "assert_ne", "debug_assert", "debug_assert_eq", "debug_assert_ne", "panic", "todo",
    "unimplemented", "unreachable", "print", "println", "eprint", "eprintln", "dbg", "format", "format_args", "write",
    "writeln", "vec", "matches", "try", "include", "include_str", "include_bytes", "env", "option_env", "concat",
    "concat_idents", "stringify", "line", "column", "file", "module_path", "cfg", "compile_error", "thread_local",
    "global_asm", "asm", "naked_asm", "const_format_args", "is_x86_feature_detected", "is_aarch64_feature_detected",
    "concat_bytes", "trace_macros", "log_syntax", "pattern_type", "offset_of", "addr_of", "addr_of_mut", "pin", "ready",
    // Derives and attributes.
    "Debug", "Clone", "Copy", "PartialEq", "Eq", "PartialOrd", "Ord", "Hash", "Default", "CoercePointee", "derive",
    "test", "bench", "global_allocator", "test_case", "cfg_eval", "cfg_accessible", "derive_const",
];

/// Whether `name` means something without an import.
pub fn has(name: &str, ns: super::Ns) -> bool {
    let list = match ns {
        super::Ns::Type => TYPES,
        super::Ns::Value => VALUES,
        super::Ns::Macro => MACROS,
    };
    list.contains(&name)
}
