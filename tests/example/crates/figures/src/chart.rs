//! A bar chart as SVG.

use std::fmt::Write as _;

const BAR: u32 = 18;
const WIDTH: f64 = 400.0;

/// One horizontal bar a row, the longest as wide as the chart.
pub fn bars<'a>(rows: impl Iterator<Item = (&'a str, f64)> + Clone) -> String {
    let largest = rows.clone().map(|(_, value)| value).fold(f64::MIN_POSITIVE, f64::max);
    let mut svg = String::from("<svg xmlns=\"http://www.w3.org/2000/svg\">");
    for (index, (name, value)) in (0u32..).zip(rows) {
        let (y, width) = (index * BAR, value / largest * WIDTH);
        let _ = write!(svg, "<rect y=\"{y}\" width=\"{width:.1}\" height=\"{}\"/>", BAR - 4);
        let _ = write!(svg, "<text x=\"4\" y=\"{}\">{name} {value:.1}</text>", y + BAR - 6);
    }
    svg.push_str("</svg>");
    svg
}
