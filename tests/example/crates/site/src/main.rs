//! `site DATA OUT`: renders the Markdown files of DATA and its `measurements.csv` into OUT.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::{env, process};

use site::{Page, Report, Source, Theme, render, search_index};

fn main() {
    let mut arguments = env::args_os().skip(1).map(PathBuf::from);
    let (Some(data), Some(out), None) = (arguments.next(), arguments.next(), arguments.next()) else {
        eprintln!("usage: site DATA OUT");
        process::exit(2);
    };
    if let Err(error) = build(&data, &out) {
        eprintln!("error: {error}");
        process::exit(1);
    }
}

fn build(data: &Path, out: &Path) -> Result<(), Box<dyn Error>> {
    fs::create_dir_all(out)?;
    let theme = Theme::Book { serif: true };
    let pages: Vec<Page> = sources(data)?.iter().map(|source| render(source, theme)).collect();
    for page in &pages {
        fs::write(out.join(&page.name).with_extension("html"), &page.html)?;
        println!(
            "{:<24} {:>7} bytes of HTML   {}",
            page.name,
            page.html.len(),
            page.title
        );
    }

    let report = Report::from_csv(&fs::read_to_string(data.join("measurements.csv"))?)?;
    fs::write(out.join("measurements.svg"), &report.chart)?;
    for (name, seconds) in &report.seconds {
        println!("{:<24} {seconds:>7.1} CPU seconds", format!("measurements, {name}"));
    }

    let index = search_index(&pages);
    fs::write(out.join("index.json"), serde_json::to_string_pretty(&index)?)?;
    for (page, words) in &index.typical {
        println!("{page:<24} is about {}", words.join(", "));
    }
    Ok(())
}

/// The Markdown files of `dir`, by name.
fn sources(dir: &Path) -> Result<Vec<Source>, Box<dyn Error>> {
    let mut paths: Vec<PathBuf> = fs::read_dir(dir)?
        .map(|entry| Ok(entry?.path()))
        .collect::<Result<_, std::io::Error>>()?;
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "md"));
    paths.sort();
    let mut sources = Vec::new();
    for path in paths {
        let name = path
            .file_stem()
            .map(|it| it.to_string_lossy().into_owned())
            .unwrap_or_default();
        sources.push(Source {
            name,
            text: fs::read_to_string(&path)?,
        });
    }
    Ok(sources)
}
