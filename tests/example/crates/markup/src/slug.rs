//! Names for URLs.

/// What separates the words of a slug.
const SEPARATOR: char = '-';

/// `"The cached call, explained"` becomes `the-cached-call-explained`.
pub fn slug(title: &str) -> String {
    let mut out = String::with_capacity(title.len());
    for character in title.chars() {
        if character.is_alphanumeric() {
            out.extend(character.to_lowercase());
        } else if !out.is_empty() && !out.ends_with(SEPARATOR) {
            out.push(SEPARATOR);
        }
    }
    out.trim_end_matches(SEPARATOR).to_owned()
}
