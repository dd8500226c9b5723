//! Roots over time: formats that a macro without `quote!` makes code of, well-known ones, arithmetic.

use time::format_description::well_known::Rfc3339;
use time::macros::format_description;
use time::{Date, Duration, OffsetDateTime};

pub fn show(seconds: i64) -> Option<String> {
    let format = format_description!("[weekday repr:short] [day] [month repr:short] [year] [hour]:[minute]:[second]");
    OffsetDateTime::from_unix_timestamp(seconds).ok()?.format(&format).ok()
}

pub fn read(text: &str) -> Option<Date> {
    Date::parse(text, format_description!("[year]-[month]-[day]")).ok()
}

pub fn rfc3339(text: &str) -> Option<i64> {
    Some(OffsetDateTime::parse(text, &Rfc3339).ok()?.unix_timestamp())
}

pub fn later(seconds: i64, days: i64) -> Option<i64> {
    let at = OffsetDateTime::from_unix_timestamp(seconds).ok()?;
    Some(at.checked_add(Duration::days(days))?.unix_timestamp())
}
