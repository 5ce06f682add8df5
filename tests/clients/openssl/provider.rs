//! The shared object of pkcs11-provider.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

use crate::{cache::kept, store::succeeded};

/// The machine's own, or else that of Debian's backports, where Debian 12 has it. Those are seldom among a machine's sources,
/// so that nothing is installed: the package is fetched and unpacked.
pub(super) fn provider() -> &'static Path {
    static FOUND: OnceLock<PathBuf> = OnceLock::new();
    FOUND.get_or_init(|| below(Path::new("/usr/lib")).or_else(|| below(&fetched())).expect("install pkcs11-provider"))
}

/// In `DIRECTORY/x86_64-linux-gnu/ossl-modules`, by the name of the machine.
fn below(directory: &Path) -> Option<PathBuf> {
    let machines = fs::read_dir(directory).ok()?.map(|entry| entry.unwrap().path());
    machines.map(|machine| machine.join("ossl-modules/pkcs11.so")).find(|file| file.exists())
}

fn fetched() -> PathBuf {
    let release = fs::read_to_string("/etc/os-release").unwrap_or_default();
    let name = release.lines().find_map(|line| line.strip_prefix("VERSION_CODENAME="));
    let name = name.filter(|_| release.lines().any(|line| line == "ID=debian"));
    let name = name.expect("pkcs11-provider is missing: install it");
    let source = format!(
        "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://deb.debian.org/debian {name}-backports main\n"
    );
    let path = kept("pkcs11-provider", &source, |path| {
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
        apt(&["download", "pkcs11-provider"]);
        let package = fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path());
        let package = package.into_iter().find(|file| file.extension().is_some_and(|end| end == "deb")).unwrap();
        succeeded(Command::new("dpkg-deb").arg("--extract").arg(package).arg(path.join("unpacked")));
    });
    path.join("unpacked/usr/lib")
}
