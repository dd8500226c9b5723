//! What an analysis cannot do without, for `cargo xtask bench analyzer`: `floor list MANIFEST` names the files it reads,
//! `floor hash` reads and hashes those on stdin, `floor parse` reads and parses them to events, without a tree. On as
//! many threads as the analyzer has. Prints the bytes.

use std::{env, io, process::exit};

use camino::{Utf8Path, Utf8PathBuf};
use cargo_astrocache::{
    analysis,
    project::{self, LoadOptions},
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
        _ => {
            eprintln!("usage: floor list MANIFEST | floor hash < FILES | floor parse < FILES");
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
    let files: Vec<Utf8PathBuf> = io::stdin()
        .lines()
        .map_while(Result::ok)
        .map(Utf8PathBuf::from)
        .collect();
    let threads = rayon::ThreadPoolBuilder::new().stack_size(256 << 20).build();
    let bytes: usize = match threads {
        Ok(threads) => threads.install(|| files.par_iter().map(|file| work(file)).sum()),
        Err(error) => {
            eprintln!("error: {error}");
            exit(2);
        }
    };
    println!("{bytes}");
}
