//! What an analysis cannot do without, for `cargo xtask bench analyzer`: `floor list MANIFEST` names the files it reads,
//! `floor hash` reads and hashes those on stdin, `floor parse` reads and parses them to events, without a tree. On as
//! many threads as the analyzer has. Prints the bytes. `floor facts` makes the facts of those files and their bytes, as
//! the database does, and `floor digest EDITION` one hash of all of them: a change that only makes facts cheaper leaves
//! it equal.

use std::{env, io, process::exit};

use camino::{Utf8Path, Utf8PathBuf};
use cargo_astrocache::{
    analysis,
    project::{self, LoadOptions},
    syntax,
};
use ra_ap_parser::{Edition, LexedStr, TopEntryPoint};
use rayon::prelude::*;

fn main() {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["list", manifest] => list(Utf8Path::new(manifest)),
        ["hash"] => each(|path| {
            let bytes = std::fs::read(path).unwrap_or_default();
            std::hint::black_box(blake3::hash(&bytes));
            bytes.len()
        }),
        ["parse"] => each(|path| {
            let text = std::fs::read_to_string(path).unwrap_or_default();
            let lexed = LexedStr::new(Edition::Edition2021, &text);
            std::hint::black_box(TopEntryPoint::SourceFile.parse(&lexed.to_input(Edition::Edition2021)));
            text.len()
        }),
        ["facts"] => each(|path| {
            let text = std::fs::read_to_string(path).unwrap_or_default();
            let encoded = syntax::encode(&syntax::facts(&text, Edition::Edition2021));
            std::hint::black_box(blake3::hash(&encoded.items));
            text.len()
        }),
        ["digest", "2015"] => digest(Edition::Edition2015),
        ["digest", "2021"] => digest(Edition::Edition2021),
        ["digest", "2024"] => digest(Edition::Edition2024),
        _ => {
            eprintln!("usage: floor list MANIFEST | floor hash|parse|facts|digest EDITION < FILES");
            exit(2);
        }
    }
}

fn list(manifest: &Utf8Path) {
    let options = LoadOptions {
        offline: true,
        ..LoadOptions::default()
    };
    let files = project::load(Some(manifest), &options)
        .map_err(|error| error.to_string())
        .and_then(|project| analysis::files(project).map_err(|error| error.to_string()));
    match files {
        Ok(files) => files.iter().for_each(|file| println!("{file}")),
        Err(error) => {
            eprintln!("error: {error}");
            exit(2);
        }
    }
}

fn each(work: fn(&Utf8Path) -> usize) {
    println!("{}", for_all(work).into_iter().sum::<usize>());
}

fn digest(edition: Edition) {
    let hashes = for_all(|path| {
        let text = std::fs::read_to_string(path).unwrap_or_default();
        let facts = syntax::facts(&text, edition);
        let encoded = syntax::encode(&facts);
        let mut hasher = blake3::Hasher::new();
        for part in [&encoded.items, &encoded.bodies] {
            hasher.update(&part.len().to_le_bytes()).update(part);
        }
        *hasher.update(&facts.errors.to_le_bytes()).finalize().as_bytes()
    });
    println!("{}", blake3::hash(hashes.as_flattened()).to_hex());
}

fn for_all<T: Send>(work: impl Fn(&Utf8Path) -> T + Sync) -> Vec<T> {
    let files: Vec<Utf8PathBuf> = io::stdin()
        .lines()
        .map_while(Result::ok)
        .map(Utf8PathBuf::from)
        .collect();
    let threads = rayon::ThreadPoolBuilder::new().stack_size(256 << 20).build();
    match threads {
        Ok(threads) => threads.install(|| files.par_iter().map(|file| work(file)).collect()),
        Err(error) => {
            eprintln!("error: {error}");
            exit(2);
        }
    }
}
