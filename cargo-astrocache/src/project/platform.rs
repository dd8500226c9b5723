//! What rustc says of the platforms built for: the host's name, and the cfgs that hold on each platform whatever
//! the build. Deliberately not the cfgs that flags or profiles decide: debug assertions, panic, target features.

use std::collections::BTreeSet;
use std::ffi::OsString;

use camino::Utf8Path;

use super::ProjectError;
use super::cargo::{errors_only, run, scrubbed};

/// The platform that rustc builds for by default.
#[derive(Debug)]
pub(super) struct Host {
    pub(super) triple: String,
    pub(super) cfgs: BTreeSet<String>,
}

impl Host {
    /// Asks the rustc of `manifest`'s directory (its toolchain file counts).
    pub(super) fn ask(manifest: &Utf8Path) -> Result<Host, ProjectError> {
        match printed(manifest, &["--print", "host-tuple", "--print", "cfg"])? {
            Ok(stdout) => match stdout.split_once('\n') {
                Some((triple, rest)) => Ok(Host {
                    triple: triple.trim().to_owned(),
                    cfgs: atoms(rest),
                }),
                None => Err(ProjectError::NoHost { message: stdout }),
            },
            Err(stderr) => Err(ProjectError::NoHost {
                message: errors_only(&stderr),
            }),
        }
    }
}

/// The cfgs of each of `platforms`, in that order; `None` if rustc does not know one of them.
/// Starts one rustc for each platform that is not the host.
pub(super) fn cfgs(
    manifest: &Utf8Path,
    platforms: &[String],
    host: Host,
) -> Result<Option<Vec<BTreeSet<String>>>, ProjectError> {
    let mut all = Vec::with_capacity(platforms.len());
    for platform in platforms {
        if *platform == host.triple {
            all.push(host.cfgs.clone());
            continue;
        }
        match printed(manifest, &["--print", "cfg", "--target", platform])? {
            Ok(stdout) => all.push(atoms(&stdout)),
            Err(_) => return Ok(None),
        }
    }
    Ok(Some(all))
}

/// What rustc prints, or what it says if it fails.
fn printed(manifest: &Utf8Path, args: &[&str]) -> Result<Result<String, String>, ProjectError> {
    let mut command = scrubbed(&OsString::from("rustc"), manifest);
    command.args(args);
    let output = run(command)?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ok(if output.status.success() {
        Ok(text(&output.stdout))
    } else {
        Err(text(&output.stderr))
    })
}

/// The atoms among rustc's lines that the platform alone decides, without spaces.
fn atoms(stdout: &str) -> BTreeSet<String> {
    let lines = stdout.lines().map(|line| line.replace(' ', ""));
    lines.filter(|atom| is_of_the_platform(atom)).collect()
}

fn is_of_the_platform(atom: &str) -> bool {
    const KEPT: [&str; 10] = [
        "unix",
        "windows",
        "target_os",
        "target_family",
        "target_arch",
        "target_env",
        "target_vendor",
        "target_endian",
        "target_pointer_width",
        "target_abi",
    ];
    let key = atom.split_once('=').map_or(atom, |(key, _)| key);
    KEPT.contains(&key) || key.starts_with("target_has_atomic")
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    const HERE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");

    #[test]
    fn what_flags_and_profiles_decide_is_left_out() {
        let stdout = "debug_assertions\nfeature=\"x\"\noverflow_checks\npanic=\"unwind\"\ntarget_abi=\"\"\n\
            target_feature=\"sse2\"\ntarget_has_atomic\ntarget_has_atomic_load_store = \"8\"\r\ntarget_os=\"linux\"\n\
            target_thread_local\nub_checks\nunix\n\n";
        expect![[r#"
            {
                "target_abi=\"\"",
                "target_has_atomic",
                "target_has_atomic_load_store=\"8\"",
                "target_os=\"linux\"",
                "unix",
            }
        "#]]
        .assert_debug_eq(&atoms(stdout));
        assert!(atoms("\u{fffd}\n=\n").is_empty());
    }

    #[test]
    fn each_platform_has_its_own_cfgs_in_the_order_asked() {
        let manifest = Utf8Path::new(HERE);
        let host = Host::ask(manifest).unwrap();
        let triple = host.triple.clone();
        let platforms = ["wasm32-unknown-unknown", &triple, "x86_64-pc-windows-msvc"];
        let all = cfgs(manifest, &platforms.map(str::to_owned), host).unwrap();
        let [wasm, here, windows] = &all.unwrap()[..] else {
            panic!("not one set for each platform")
        };
        assert!(wasm.contains("target_family=\"wasm\"") && !wasm.contains("unix"));
        assert!(windows.contains("windows") && windows.contains("target_os=\"windows\""));
        assert_eq!(here.contains("unix"), cfg!(unix));
        assert_eq!(
            here.contains("target_pointer_width=\"64\""),
            cfg!(target_pointer_width = "64")
        );
    }

    #[test]
    fn one_platform_that_rustc_does_not_know_makes_all_unknown() {
        let manifest = Utf8Path::new(HERE);
        let host = Host::ask(manifest).unwrap();
        let platforms = [host.triple.clone(), "no-such-platform".to_owned()];
        assert_eq!(cfgs(manifest, &platforms, host).unwrap(), None);
    }
}
