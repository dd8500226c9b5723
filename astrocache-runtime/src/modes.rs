//! What the environment says, read once per process. A value that makes no sense gives one notice and the default.

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::OnceLock;

use crate::notice;

/// `ASTROCACHE`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Look up, compute, store.
    On,
    /// Run every function, touch nothing.
    Off,
    /// Compute each key once in this process and store it anew.
    Refresh,
    /// Look up, never write.
    ReadOnly,
}

/// `ASTROCACHE_LOG`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Level {
    /// Say nothing.
    Off,
    /// Say once what keeps a function from being cached.
    Warn,
    /// And a line for each call.
    Trace,
}

/// The settings of this process.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Modes {
    pub mode: Mode,
    pub log: Level,
    /// Share of hits that are recomputed and compared, in 2^-32.
    pub verify: u32,
    pub dir: Option<PathBuf>,
    pub max_size: u64,
}

const DEFAULT_MAX_SIZE: u64 = 4 << 30;

impl Default for Modes {
    fn default() -> Modes {
        Modes {
            mode: Mode::On,
            log: Level::Warn,
            verify: 0,
            dir: None,
            max_size: DEFAULT_MAX_SIZE,
        }
    }
}

/// The settings, from the environment the first time.
pub(crate) fn get() -> &'static Modes {
    static MODES: OnceLock<Modes> = OnceLock::new();
    MODES.get_or_init(|| {
        let (modes, complaints) = Modes::parse(|name| std::env::var_os(name));
        if modes.log >= Level::Warn {
            complaints.iter().for_each(|text| notice::line(format_args!("{text}")));
        }
        modes
    })
}

impl Modes {
    /// The settings, and what is wrong with them.
    fn parse(var: impl Fn(&str) -> Option<OsString>) -> (Modes, Vec<String>) {
        let mut modes = Modes::default();
        let mut complaints = Vec::new();
        let mut read = |name: &str, wanted: &str, set: &mut dyn FnMut(&str) -> bool| {
            let Some(value) = var(name).filter(|value| !value.is_empty()) else {
                return;
            };
            if !value.to_str().is_some_and(set) {
                complaints.push(format!(
                    "{name}={} is not understood, using the default; write {wanted}",
                    value.display()
                ));
            }
        };
        read("ASTROCACHE", "on, off, refresh or read-only", &mut |text| {
            assign(&mut modes.mode, mode(text))
        });
        read("ASTROCACHE_LOG", "off, warn or trace", &mut |text| {
            assign(&mut modes.log, level(text))
        });
        read("ASTROCACHE_VERIFY", "a share of hits from 0 to 1", &mut |text| {
            assign(&mut modes.verify, share(text))
        });
        read(
            "ASTROCACHE_MAX_SIZE",
            "bytes, or a number with K, M, G or T",
            &mut |text| assign(&mut modes.max_size, size(text)),
        );
        if let Some(dir) = var("ASTROCACHE_DIR").filter(|dir| !dir.is_empty()) {
            modes.dir = Some(PathBuf::from(dir));
        }
        (modes, complaints)
    }
}

fn assign<T>(target: &mut T, value: Option<T>) -> bool {
    value.map(|value| *target = value).is_some()
}

fn mode(text: &str) -> Option<Mode> {
    Some(match text {
        "on" | "1" => Mode::On,
        "off" | "0" => Mode::Off,
        "refresh" => Mode::Refresh,
        "read-only" => Mode::ReadOnly,
        _ => return None,
    })
}

fn level(text: &str) -> Option<Level> {
    Some(match text {
        "off" => Level::Off,
        "warn" => Level::Warn,
        "trace" => Level::Trace,
        _ => return None,
    })
}

fn share(text: &str) -> Option<u32> {
    let share: f64 = text.parse().ok()?;
    (0.0..=1.0)
        .contains(&share)
        .then_some((share * f64::from(u32::MAX)) as u32)
}

/// Bytes, as `ASTROCACHE_MAX_SIZE` gives them: `4096`, `500M`, `4GiB`. `None` if the text is something else.
pub fn size(text: &str) -> Option<u64> {
    let text = text
        .strip_suffix("iB")
        .or_else(|| text.strip_suffix('B'))
        .unwrap_or(text);
    let (digits, shift) = match text.bytes().last()?.to_ascii_uppercase() {
        b'K' => (&text[..text.len() - 1], 10),
        b'M' => (&text[..text.len() - 1], 20),
        b'G' => (&text[..text.len() - 1], 30),
        b'T' => (&text[..text.len() - 1], 40),
        _ => (text, 0),
    };
    digits.parse::<u64>().ok()?.checked_mul(1 << shift)
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    fn parse(vars: &[(&str, &str)]) -> (Modes, Vec<String>) {
        Modes::parse(|name| vars.iter().find(|(n, _)| *n == name).map(|(_, value)| (*value).into()))
    }

    #[test]
    fn an_empty_environment_is_the_default() {
        assert_eq!(parse(&[]), (Modes::default(), vec![]));
        assert_eq!(
            parse(&[("ASTROCACHE", ""), ("ASTROCACHE_DIR", "")]),
            (Modes::default(), vec![])
        );
    }

    #[test]
    fn every_setting_is_read() {
        let (modes, complaints) = parse(&[
            ("ASTROCACHE", "read-only"),
            ("ASTROCACHE_LOG", "trace"),
            ("ASTROCACHE_VERIFY", "0.5"),
            ("ASTROCACHE_DIR", "/x"),
            ("ASTROCACHE_MAX_SIZE", "3MiB"),
        ]);
        assert!(complaints.is_empty());
        expect![[r#"Modes { mode: ReadOnly, log: Trace, verify: 2147483647, dir: Some("/x"), max_size: 3145728 }"#]]
            .assert_eq(&format!("{modes:?}"));
    }

    #[test]
    fn garbage_gives_one_notice_each_and_the_default() {
        let (modes, complaints) = parse(&[
            ("ASTROCACHE", "maybe"),
            ("ASTROCACHE_LOG", "LOUD"),
            ("ASTROCACHE_VERIFY", "5%"),
            ("ASTROCACHE_MAX_SIZE", "99999999999999T"),
        ]);
        assert_eq!(modes, Modes::default());
        expect![[r#"
            ASTROCACHE=maybe is not understood, using the default; write on, off, refresh or read-only
            ASTROCACHE_LOG=LOUD is not understood, using the default; write off, warn or trace
            ASTROCACHE_VERIFY=5% is not understood, using the default; write a share of hits from 0 to 1
            ASTROCACHE_MAX_SIZE=99999999999999T is not understood, using the default; write bytes, or a number with K, M, G or T"#]]
        .assert_eq(&complaints.join("\n"));
    }

    #[test]
    fn a_share_outside_zero_to_one_is_garbage() {
        for text in ["-0.1", "1.1", "NaN", "inf", "x"] {
            assert_eq!(share(text), None, "{text}");
        }
        assert_eq!(share("1"), Some(u32::MAX));
    }
}
