//! HTML text: escaping, and a macro for elements.

/// `element!("a", href = url, class = "x"; body)` is `<a href="..." class="x">body</a>`. Attribute values are
/// escaped, the body is not.
#[macro_export]
macro_rules! element {
    ($name:literal $(, $attribute:ident = $value:expr)* ; $body:expr) => {{
        let mut out = format!("<{}", $name);
        $(
            out.push_str(&format!(" {}=\"{}\"", stringify!($attribute), $crate::escape(&$value.to_string())));
        )*
        out.push('>');
        out.push_str(&$body);
        out.push_str(&format!("</{}>", $name));
        out
    }};
}

/// `text` with the characters that HTML gives a meaning written as entities.
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            other => out.push(other),
        }
    }
    out
}
