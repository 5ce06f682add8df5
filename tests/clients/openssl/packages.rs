//! Programs that are not installed for these tests: the machine's own, or else Debian's, fetched and unpacked.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{cache::kept, store::succeeded};

/// The shared object of pkcs11-provider. Debian 12 has it in its backports, which are seldom among a machine's sources.
pub(super) fn provider() -> PathBuf {
    let own = below(Path::new("/usr/lib"));
    own.or_else(|| below(&fetched("pkcs11-provider", "-backports").join("usr/lib"))).expect("pkcs11-provider")
}

/// In `DIRECTORY/x86_64-linux-gnu/ossl-modules`, by the name of the machine.
fn below(directory: &Path) -> Option<PathBuf> {
    let machines = fs::read_dir(directory).ok()?.map(|entry| entry.unwrap().path());
    machines.map(|machine| machine.join("ossl-modules/pkcs11.so")).find(|file| file.exists())
}

/// nginx. Where Debian installs it, it begins to serve at once, which a test does not ask for.
pub(super) fn nginx() -> PathBuf {
    let own = PathBuf::from("/usr/sbin/nginx");
    if own.exists() { own } else { fetched("nginx", "").join("usr/sbin/nginx") }
}

/// A package of Debian's, unpacked in a directory. Debian's key vouches for it.
fn fetched(package: &str, suite: &str) -> PathBuf {
    let release = fs::read_to_string("/etc/os-release").unwrap_or_default();
    let name = release.lines().find_map(|line| line.strip_prefix("VERSION_CODENAME="));
    let name = name.filter(|_| release.lines().any(|line| line == "ID=debian"));
    let name = name.unwrap_or_else(|| panic!("{package} is missing: install it"));
    let source = format!(
        "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://deb.debian.org/debian {name}{suite} main\n"
    );
    let path = kept(&format!("debian-{package}"), &source, |path| {
        for directory in ["etc/apt.conf.d", "etc/preferences.d", "state/lists/partial", "cache/archives/partial"] {
            fs::create_dir_all(path.join(directory)).unwrap();
        }
        fs::write(path.join("etc/sources.list"), &source).unwrap();
        let apt = |verb: &[&str]| {
            let mut apt = Command::new("timeout");
            apt.args(["200", "apt-get", "--quiet"]).current_dir(path);
            for (option, value) in [("Etc", "etc"), ("State", "state"), ("Cache", "cache")] {
                apt.arg("-o").arg(format!("Dir::{option}={}", path.join(value).display()));
            }
            succeeded(apt.args(verb))
        };
        apt(&["update"]);
        apt(&["download", package]);
        let mut files = fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path());
        let file = files.find(|file| file.extension().is_some_and(|end| end == "deb")).unwrap();
        succeeded(Command::new("dpkg-deb").arg("--extract").arg(file).arg(path.join("unpacked")));
    });
    path.join("unpacked")
}
