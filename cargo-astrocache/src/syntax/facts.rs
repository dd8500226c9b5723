//! What a file says: its definitions, scopes, imports and mentions.
//!
//! Split in two by who reads it. [`FileItems`] is the file's *signature*: everything that name resolution in other
//! files can see, and no bodies, ranges or hashes. [`DefBody`] holds the rest, one per definition. Comparing two
//! `FileItems` tells whether an edit can matter outside the bodies it touched.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{cfg::Condition, name::Name, std_traits::StdTraits};

/// Index into [`FileItems::scopes`]. Scope 0 is the file's own module.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ScopeIdx(pub u32);

/// Index into [`FileItems::defs`] and [`FileBodies::defs`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct DefIdx(pub u32);

/// A path as written, first segment first. Heads like `crate`, `super`, `$crate`, `::` are names of `name::known`.
pub type Path = Box<[Name]>;

/// 128 bits of blake3.
pub type Hash = [u8; 16];

/// All facts of one file.
#[derive(Debug, Default)]
pub struct FileFacts {
    pub items: Arc<FileItems>,
    pub bodies: FileBodies,
    /// Syntax errors; facts are complete as far as the parser recovered.
    pub errors: u32,
}

/// What [`FileItems`] leaves out.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileBodies {
    /// One per definition, same index.
    pub defs: Vec<DefBody>,
    /// Of items in the bodies of macros that take no arguments, for [`FileItems::expansions`]; same index.
    pub expansions: Vec<FileBodies>,
}

/// The signature of a file.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileItems {
    pub scopes: Vec<Scope>,
    pub defs: Vec<Def>,
    pub imports: Vec<Import>,
    pub mods: Vec<ModDecl>,
    /// Items that an argument-less `macro_rules!` arm stands for: `macro_rules! root { () => { mod a; .. } }`.
    pub expansions: Vec<Arc<FileItems>>,
    /// The file has words for items that run though nothing names them: code that emits such an item would.
    pub speaks_of_unnamed: bool,
}

/// A module, or a block that holds items.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scope {
    /// `None` for the file's own module only.
    pub parent: Option<ScopeIdx>,
    /// An inline module's name; `None` for the file's own module and for blocks.
    pub name: Option<Name>,
    /// The definition whose body a block is.
    pub owner: Option<DefIdx>,
    /// `#[macro_use]` on the module.
    pub macro_use: bool,
    /// `cfg` attributes on the module itself, hashed; 0 where there are none.
    pub cfg: u64,
    /// Atoms of those attributes.
    pub cfg_atoms: Box<[Name]>,
    pub when: Condition,
    /// Only there for tests.
    pub test: bool,
    /// `#[path]` of an inline module: the directory for files declared inside.
    pub path_attr: Option<Name>,
    /// Of an inline module with an attribute macro: what that makes of it.
    pub rewritten: Option<DefIdx>,
}

/// What a definition is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum DefKind {
    Fn,
    Const,
    Static,
    Struct,
    Enum,
    Union,
    Trait,
    TypeAlias,
    Impl,
    Macro,
    /// An item- or statement-position macro call: provides definitions nobody can see without expanding it.
    MacroSite,
    /// What an attribute macro makes of an inline module, beside what is written in it.
    Module,
    /// `global_asm!`-like leftovers and parse-error nodes: hashed, mentions nothing else can name.
    Other,
}

/// A definition as others can see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Def {
    pub kind: DefKind,
    pub name: Name,
    /// The scope it is declared in.
    pub scope: ScopeIdx,
    /// The impl or trait that holds it.
    pub parent: Option<DefIdx>,
    /// Type and const parameters.
    pub generics: Box<[Name]>,
    /// `cfg` attributes on the definition, hashed; 0 where there are none.
    pub cfg: u64,
    pub when: Condition,
    pub flags: DefFlags,
    /// Attribute macros and derives.
    pub attrs: Box<[AttrUse]>,
    pub data: DefData,
}

/// Yes-or-no properties of a definition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct DefFlags {
    /// A fn with a body, an associated const with a value.
    pub has_body: bool,
    /// `#[macro_export]`.
    pub exported: bool,
    /// A unit or tuple struct: also a value.
    pub value_struct: bool,
    /// Declared in an `extern` block.
    pub foreign: bool,
    /// `#[cfg(test)]`, `#[test]` or `#[bench]`.
    pub test: bool,
    pub unnamed: Unnamed,
    /// Takes `self`.
    pub method: bool,
}

/// Whether a definition runs, or is read, though nothing names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Unnamed {
    #[default]
    Not,
    /// `#[global_allocator]`, and what `link_section` hands to the loader (`.init_array`).
    Runs,
    /// In a section of which only the C runtime of Windows knows: `.CRT$XCU`. Elsewhere it is data.
    RunsOnWindows,
}

/// What only some kinds have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum DefData {
    None,
    /// `no_mangle`, `export_name`, `link_name` or the declared name of a foreign item.
    Linked(Name),
    Impl(Box<ImplHeader>),
    /// Supertraits and other bounds of the header.
    Trait(Box<[Path]>),
    Enum(Box<[Name]>),
    Alias(Head),
    Macro(Box<MacroFacts>),
    Site(Box<SiteFacts>),
    ProcMacro(ProcMacro),
    Func(Func),
}

/// The code in a `func!(..)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Func {
    /// The definition that the call stands in.
    pub owner: DefIdx,
    /// A closure that writes out the types of its parameters and its result, none of them anybody's to choose.
    pub typed: bool,
    /// A closure of any kind.
    pub closure: bool,
}

/// A function that a proc-macro crate exports.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcMacro {
    /// The name users write: the derive's name, or the function's.
    pub exported: Name,
    pub derive: bool,
}

/// An attribute macro or derive on a definition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttrUse {
    pub path: Path,
    pub derive: bool,
}

/// The outermost type of a type expression, found through `&`, `*`, `[]` and parentheses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Head {
    Path(Path),
    Dyn(Path),
    /// Tuples, fn pointers, `!`, macros, projections.
    Other,
}

/// What stands around the head of a self type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum SelfShape {
    /// `Type`
    Plain,
    /// `&Type`
    Ref,
    /// `&mut Type`
    RefMut,
    /// Slices, pointers, what has no head.
    Other,
}

/// `impl<..> Trait for Type where ..`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImplHeader {
    /// All of it, as [`DefBody::hash`]: what an impl has for a name.
    pub hash: Hash,
    pub trait_: Option<Path>,
    /// The trait has arguments: `Add<u8>`.
    pub trait_args: bool,
    /// Heads of those that are types.
    pub arg_heads: Box<[Path]>,
    /// The tokens of the trait with its arguments, hashed.
    pub trait_hash: u64,
    /// Heads of the self type's arguments that are types: `Local` of `DateTime<Local>`.
    pub self_args: Box<[Path]>,
    /// How the self type stands around its head.
    pub shape: SelfShape,
    pub negative: bool,
    pub head: Head,
    /// Every path in the self type, the head's included.
    pub self_types: Box<[Path]>,
    /// Every path in the rest of the header: the trait's arguments, bounds, where clauses.
    pub header_types: Box<[Path]>,
    /// The self type's arguments are not just the impl's own parameters, so the impl covers part of the type.
    pub partial: bool,
}

/// What a `macro_rules!` (or `macro`) can bring into being.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct MacroFacts {
    pub tokens: ProvidedTokens,
    /// Paths of the macros its body calls.
    pub calls: Box<[Path]>,
    /// There is a `use` in the body, which may bring traits into scope.
    pub imports: bool,
    /// `$x!` in the body: an argument is a macro's name.
    pub calls_arg: bool,
    /// `.$x` or `::$x` in the body: argument identifiers become method and associated names.
    pub member_args: bool,
    /// The parameters of the only arm, if those are all it takes: `($a:ty, $b:ident)`.
    pub params: Option<Box<[Name]>>,
    /// Index into [`FileItems::expansions`] of the arm `() => { items }`.
    pub expansion: Option<u32>,
    /// That arm is the only one, so the expansion is all there is to a call of the macro.
    pub exact: bool,
}

/// An item- or statement-position macro call.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct SiteFacts {
    pub path: Path,
    pub tokens: ProvidedTokens,
    /// Macros called inside the arguments.
    pub calls: Box<[Path]>,
    /// Every identifier of the arguments.
    pub idents: Box<[Name]>,
    /// The same by argument, as commas part them.
    pub args: Box<[Box<[Name]>]>,
    /// The arguments were read as items, which stand as definitions of their own.
    pub lowered: bool,
    /// Called without arguments.
    pub bare: bool,
    /// Called with nothing but names: `modules!(a, b)`.
    pub words: bool,
    /// The macro is `include!`-like; see [`Effects::includes`].
    pub include: Option<Box<[Name]>>,
    /// Inside an impl or trait.
    pub assoc: bool,
    /// Another macro gets this call, and may make something else of its tokens.
    pub enclosed: bool,
}

/// Names that a token stream defines, as far as tokens tell.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ProvidedTokens {
    /// Names right after a defining keyword, and names brought in by `use`.
    pub defines: Box<[Name]>,
    /// A defining keyword is followed by `$x`.
    pub defines_arg: bool,
    /// `impl` headers.
    pub impls: Box<[ImplTokens]>,
    /// Any `trait` at all.
    pub has_trait: bool,
    /// Any `use` or `type` at all: a name may stand for a type made elsewhere.
    pub aliases: bool,
    /// Paths in every `use`, each as far as it is written.
    pub imports: Box<[Path]>,
    /// A `use` has `$x`.
    pub imports_arg: bool,
    /// Glues identifiers (`[<..>]`, `concat_idents`): may define any name.
    pub glue: bool,
    /// Paths right after `#[`, and in `derive(..)` and `cfg_attr(..)` there.
    pub attributes: Box<[Path]>,
    /// An attribute or a derive has `$x`.
    pub attribute_arg: bool,
    /// What it defines may be there for tests only: `test` or `bench` is among the words.
    pub test: bool,
    /// An item that runs though nothing names it: see [`Unnamed`].
    pub unnamed: bool,
    /// `mod x;`, `mod $x;`.
    pub mods: Option<Box<ModTokens>>,
}

/// Modules that a token stream declares in files of their own.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ModTokens {
    pub names: Box<[Name]>,
    /// `mod $x;`.
    pub arg: bool,
    /// Strings that may be in a `#[path]`.
    pub paths: Box<[Name]>,
}

/// The header of an `impl` in a token stream.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ImplTokens {
    /// Its paths.
    pub paths: Box<[Path]>,
    /// Those of the self type.
    pub self_paths: Box<[Path]>,
    /// The self type has `$x`.
    pub self_arg: bool,
    /// Names of parameters in the self type.
    pub self_params: Box<[Name]>,
    /// The same of the arguments of a trait that converts, as `From`: paths and parameters.
    pub from_paths: Box<[Path]>,
    pub from_params: Box<[Name]>,
}

/// `use` or `extern crate`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Import {
    pub scope: ScopeIdx,
    pub path: Path,
    pub kind: ImportKind,
    /// `cfg` attributes, hashed; 0 where there are none.
    pub cfg: u64,
    pub cfg_atoms: Box<[Name]>,
    pub when: Condition,
}

/// How an import brings in names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ImportKind {
    /// Under this name (`_` for traits brought in without one).
    Named(Name),
    /// `use a::{self as b}`: the type namespace only.
    TypeOnly(Name),
    Glob,
    /// `extern crate path as name`, with `#[macro_use]` or not.
    ExternCrate {
        name: Name,
        macro_use: bool,
    },
}

/// `mod name;`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModDecl {
    pub scope: ScopeIdx,
    pub name: Name,
    /// `#[path]` values, also those inside `cfg_attr`.
    pub paths: Box<[Name]>,
    pub macro_use: bool,
    pub cfg: u64,
    pub cfg_atoms: Box<[Name]>,
    pub when: Condition,
    pub test: bool,
    /// A `#[path]` applies without condition, so the default place is not looked at.
    pub fixed_path: bool,
}

/// The part of a definition that only its own closure reads.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DefBody {
    /// Normalised tokens.
    pub hash: Hash,
    /// Start line and column with the raw text: joins the own hash where positions can be seen.
    pub layout: u64,
    /// Tokens of each of [`Def::attrs`], same order; not in `hash`.
    pub attr_hashes: Box<[u64]>,
    pub mentions: DefMentions,
    /// `cfg` atoms anywhere in the definition.
    pub cfg_atoms: Box<[Name]>,
    /// Byte range in the text as read (line ends normalised).
    pub range: (u32, u32),
    /// Where the item starts after its outer attributes and docs.
    pub item_start: u32,
    /// Line and column of the name, 1-based.
    pub line: u32,
    pub column: u32,
    pub effects: Effects,
}

/// What a definition mentions: all of its body that decides which definitions are live with it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DefMentions {
    pub all: Box<[Mention]>,
    /// Segments of their paths.
    pub segments: Box<[Name]>,
    /// Traits of std that its operators and format strings may reach.
    pub std_traits: StdTraits,
    /// The same of tokens for elsewhere: what a proc macro emits.
    pub emitted: StdTraits,
}

/// Inputs of a definition other than code.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Effects {
    /// `line!()`, `column!()`, `file!()`.
    pub positions: bool,
    /// `asm!` and friends.
    pub asm: bool,
    /// `include!`-like macros: the path expression as far as it is literal.
    pub includes: Box<[Include]>,
    /// `env!` and `option_env!` names.
    pub env: Box<[Name]>,
    /// `static mut`, `thread_local!`.
    pub mutable_static: bool,
}

/// A file named in the source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Include {
    /// `include!`: the file is Rust.
    pub code: bool,
    /// The string literals of the argument, in order; `env!` names stand as `$NAME`.
    pub parts: Box<[Name]>,
}

/// A place in a definition where a name is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Mention {
    pub kind: MentionKind,
    /// Outside the body: signature, generics, bounds.
    pub header: bool,
    pub scope: ScopeIdx,
    pub start: u32,
    pub len: u16,
}

/// In which position, so in which namespace, a name stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum MentionKind {
    /// An expression.
    Value,
    /// A type, a struct literal.
    Type,
    /// A bound or supertrait.
    Bound,
    /// The trait of `dyn Tr` or `impl Tr`.
    Object,
    /// A pattern: consts, statics, unit structs, variants.
    Pattern,
    /// `.m(..)`: one segment.
    Method,
    /// A macro call.
    Macro,
    /// An identifier or path in a token tree: any namespace.
    Token,
    /// A lone lower-case identifier in a token tree that is not called: a field, a local of a macro, or an item.
    WeakToken,
    /// An identifier that a macro may paste after `.` or `::`.
    TokenArg,
    /// A name that a macro puts together, by its parts; a parameter is a wildcard: `[<get_ $x>]`, `get~N`.
    Glued,
    /// A derive.
    Derive,
    /// An attribute that is not built in.
    Attribute,
    /// A path inside a string or token tree of such an attribute.
    AttributePath,
    /// A path in the arguments of `quote!` and its kin, or in a string of a file that deals in tokens: what a proc
    /// macro may emit. Means nothing where it stands.
    Quoted,
    /// `.m(` in such arguments: one segment.
    QuotedMethod,
    /// The name of an item that such arguments, or such a string, define: one segment.
    QuotedName,
}

impl std::fmt::Display for DefKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            DefKind::Fn => "fn",
            DefKind::Const => "const",
            DefKind::Static => "static",
            DefKind::Struct => "struct",
            DefKind::Enum => "enum",
            DefKind::Union => "union",
            DefKind::Trait => "trait",
            DefKind::TypeAlias => "type",
            DefKind::Impl => "impl",
            DefKind::Macro => "macro",
            DefKind::MacroSite => "macro call",
            DefKind::Module => "module",
            DefKind::Other => "other",
        })
    }
}

/// Derives of std: they run no foreign code, read no docs and add no names.
const STD_DERIVES: &[&str] = &[
    "Debug",
    "Clone",
    "Copy",
    "PartialEq",
    "Eq",
    "PartialOrd",
    "Ord",
    "Hash",
    "Default",
    "CoercePointee",
];

/// Whether a derive of this name is std's, as far as the name tells.
pub fn is_std_derive(name: &str) -> bool {
    STD_DERIVES.contains(&name)
}

impl AttrUse {
    /// A derive of std, or `#[cached]`, which adds no names.
    pub fn is_std(&self) -> bool {
        let last = self.path.last().map_or("", |name| name.as_str());
        if self.derive {
            is_std_derive(last)
        } else {
            last == "cached"
        }
    }
}

impl Def {
    /// Whether a derive or an attribute macro that is not of std may add to it.
    pub fn is_rewritten(&self) -> bool {
        self.attrs.iter().any(|attr| !attr.is_std())
    }
}

impl DefMentions {
    /// The path of one of them.
    pub fn path(&self, mention: &Mention) -> &[Name] {
        &self.segments[mention.start as usize..mention.start as usize + mention.len as usize]
    }
}

impl FileBodies {
    /// The bodies of the file itself, or of an expansion in it: indices, outermost first.
    pub fn unit(&self, expansion: &[u32]) -> &[DefBody] {
        let unit = expansion
            .iter()
            .try_fold(self, |it, &at| it.expansions.get(at as usize));
        unit.map_or(&[], |it| &it.defs)
    }

    /// Whether each definition mentions what its counterpart does.
    pub fn mention_the_same(&self, other: &FileBodies) -> bool {
        let mut expansions = self.expansions.iter().zip(&other.expansions);
        self.expansions.len() == other.expansions.len()
            && self.defs.len() == other.defs.len()
            && self.defs.iter().zip(&other.defs).all(|(a, b)| a.mentions == b.mentions)
            && expansions.all(|(a, b)| a.mention_the_same(b))
    }
}

impl FileItems {
    pub fn def(&self, idx: DefIdx) -> &Def {
        &self.defs[idx.0 as usize]
    }

    pub fn scope(&self, idx: ScopeIdx) -> &Scope {
        &self.scopes[idx.0 as usize]
    }

    /// Gives back memory that nothing will be added to.
    pub(super) fn shrink(&mut self) {
        self.scopes.shrink_to_fit();
        self.defs.shrink_to_fit();
        self.imports.shrink_to_fit();
        self.mods.shrink_to_fit();
        self.expansions.shrink_to_fit();
    }

    /// Ids of all definitions, in source order.
    pub fn def_ids(&self) -> impl Iterator<Item = DefIdx> + use<> {
        (0..self.defs.len() as u32).map(DefIdx)
    }
}
