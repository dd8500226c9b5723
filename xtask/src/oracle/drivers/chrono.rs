//! Roots over chrono: traits with many default methods, formatting by items, checked arithmetic.

use chrono::{DateTime, Datelike, Days, NaiveDate, NaiveTime, Utc};

pub fn date(text: &str) -> Option<NaiveDate> {
    NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()
}

pub fn rfc3339(text: &str) -> Option<i64> {
    Some(DateTime::parse_from_rfc3339(text).ok()?.timestamp())
}

pub fn show(seconds: i64) -> String {
    DateTime::<Utc>::from_timestamp(seconds, 0).map_or(String::new(), |at| at.format("%a %d %b %Y %T").to_string())
}

pub fn week(date: NaiveDate) -> u32 {
    date.iso_week().week()
}

pub fn later(date: NaiveDate, days: u64) -> Option<NaiveDate> {
    date.checked_add_days(Days::new(days))
}

pub fn time(hour: u32, minute: u32) -> Option<NaiveTime> {
    NaiveTime::from_hms_opt(hour, minute, 0)
}
