//! What a program needs on this machine for what `integrate` prints, and whether it is there.

use std::{
    env,
    ffi::OsStr,
    fs::{self, File},
    io::{self, Read},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// What a program needs.
pub(crate) struct Needs {
    /// The command by which it is known to be there.
    command: &'static str,
    /// The package of Debian and Ubuntu that has it.
    package: &'static str,
    /// The command, and its arguments, that say the version. There are programs that do not say it.
    version: Option<&'static [&'static str]>,
    parts: &'static [Part],
    limits: &'static [Limit],
    /// What is good to know, whatever is there.
    notes: &'static [&'static str],
}

/// What else must be there.
enum Part {
    /// libp11's engine, where OpenSSL looks for engines.
    Engine,
    /// The pkcs11-provider project's provider, where OpenSSL looks for providers.
    Provider,
    /// A module of Java.
    JavaModule(&'static str),
    /// A package of the Python that is on PATH.
    Python(&'static str),
    /// One of these commands, from a package.
    AnyOf(&'static [&'static str], &'static str),
    /// A file of p11-kit that names the module.
    P11KitFile,
}

/// A version from which, or before which, it does not work.
struct Limit {
    versions: Versions,
    why: &'static str,
}

enum Versions {
    Before(&'static [u32]),
    From(&'static [u32]),
}

/// What was found of a program.
#[derive(Default)]
pub(crate) struct Readiness {
    pub(crate) path: Option<PathBuf>,
    pub(crate) version: Option<String>,
    /// What stops it, and what to do.
    pub(crate) faults: Vec<String>,
    /// What does not stop it.
    pub(crate) notes: Vec<String>,
}

/// Engines went with OpenSSL 4.
const NO_ENGINES: Limit = Limit {
    versions: Versions::From(&[4]),
    why: "OpenSSL has no engines from version 4 on: `strongroom integrate openssl-provider` has the way by a provider",
};

const EDWARDS: &str = "libp11 0.4.12 (Debian 12) sees no key of a token that has one on an Edwards curve: keep those in another token, or \
                       take the provider";

pub(crate) const PKCS11_TOOL: Needs = Needs {
    command: "pkcs11-tool",
    package: "opensc",
    version: Some(&["opensc-tool", "--version"]),
    parts: &[],
    limits: &[],
    notes: &[
        "up to OpenSC 0.23 it cannot write a P-384 public key or ask for X25519, and has no AES-CTR, AES-GCM or AES-CMAC",
    ],
};

pub(crate) const OPENSSL: Needs = Needs {
    command: "openssl",
    package: "openssl",
    version: Some(&["openssl", "version"]),
    parts: &[Part::Engine],
    limits: &[NO_ENGINES],
    notes: &[EDWARDS],
};

pub(crate) const OPENSSL_PROVIDER: Needs = Needs {
    command: "openssl",
    package: "openssl",
    version: Some(&["openssl", "version"]),
    parts: &[Part::Provider],
    limits: &[Limit {
        versions: Versions::Before(&[3]),
        why: "OpenSSL has providers from version 3 on: `strongroom integrate openssl` has the way by an engine",
    }],
    notes: &["a forked child is asked for the PIN again unless pkcs11-module-token-pin has it"],
};

pub(crate) const JAVA: Needs = Needs {
    command: "java",
    package: "default-jdk-headless",
    version: Some(&["java", "-version"]),
    parts: &[Part::JavaModule("jdk.crypto.cryptoki")],
    limits: &[Limit {
        versions: Versions::Before(&[9]),
        why: "keytool has -addprovider, and a provider `configure`, from Java 9 on: install a newer one",
    }],
    notes: &[
        "Java sees a private key only where a certificate has its id: `strongroom cert self-sign` or `cert import`",
    ],
};

pub(crate) const GO: Needs = Needs {
    command: "go",
    package: "golang-go",
    version: Some(&["go", "version"]),
    parts: &[Part::AnyOf(&["gcc", "clang", "cc"], "gcc")],
    limits: &[Limit {
        versions: Versions::Before(&[1, 25]),
        why: "crypto11 1.6.2 needs Go 1.25: install a newer one from https://go.dev/dl",
    }],
    notes: &[],
};

pub(crate) const PYTHON: Needs = Needs {
    command: "python3",
    package: "python3",
    version: Some(&["python3", "--version"]),
    parts: &[Part::Python("python-pkcs11")],
    limits: &[],
    notes: &[],
};

pub(crate) const SSH: Needs = Needs {
    command: "ssh-keygen",
    package: "openssh-client",
    version: Some(&["ssh", "-V"]),
    parts: &[],
    limits: &[],
    notes: &[
        "ssh-agent loads modules of /usr/lib* and /usr/local/lib* only, unless `ssh-agent -P` names another place",
    ],
};

pub(crate) const GNUTLS: Needs = Needs {
    command: "p11tool",
    package: "gnutls-bin",
    version: Some(&["p11tool", "--version"]),
    parts: &[],
    limits: &[],
    notes: &[],
};

pub(crate) const P11_KIT: Needs = Needs {
    command: "p11-kit",
    package: "p11-kit",
    version: None,
    parts: &[Part::P11KitFile],
    limits: &[],
    notes: &[],
};

pub(crate) const NSS: Needs = Needs {
    command: "modutil",
    package: "libnss3-tools",
    version: None,
    parts: &[],
    limits: &[],
    notes: &["modutil asks for the browser to be closed: the database is written by one program at a time"],
};

pub(crate) const NGINX: Needs = Needs {
    command: "nginx",
    package: "nginx",
    version: Some(&["nginx", "-v"]),
    parts: &[Part::Engine],
    limits: &[],
    notes: &[EDWARDS, "what is said here of files holds for you: nginx reads the token as the user that it starts as"],
};

impl Needs {
    /// What there is of it. The module is where it was found.
    pub(crate) fn look(&self, module: Option<&Path>) -> Readiness {
        let mut found = Readiness { path: on_path(self.command), ..Readiness::default() };
        if found.path.is_none() {
            found.faults.push(format!("{} is not on PATH: {}", self.command, install(self.package)));
        } else {
            found.version = self.version.and_then(said).as_deref().and_then(version_in);
        }
        if let Some(version) = &found.version {
            let numbers = numbers(version);
            let broken = self.limits.iter().filter(|limit| limit.versions.have(&numbers));
            found.faults.extend(broken.map(|limit| format!("{} {version}: {}", self.command, limit.why)));
        }
        // Of a program that is not there, the parts are looked for as well: both can be installed at once.
        for part in self.parts {
            part.look(module, &mut found);
        }
        found.notes.extend(self.notes.iter().map(|note| (*note).to_owned()));
        match module {
            None => found.faults.push(
                "the module libstrongroom.so is neither beside this command nor where it is installed: `make install`"
                    .into(),
            ),
            Some(module) => found.faults.extend(wrong_with(module)),
        }
        found
    }
}

impl Versions {
    fn have(&self, version: &[u32]) -> bool {
        match self {
            Self::Before(first) => version < *first,
            Self::From(first) => version >= *first,
        }
    }
}

impl Part {
    fn look(&self, module: Option<&Path>, found: &mut Readiness) {
        match self {
            Self::Engine => of_openssl(
                &Place { variable: "OPENSSL_ENGINES", option: "-e", what: "libp11's engine" },
                &install("libengine-pkcs11-openssl"),
                found,
            ),
            Self::Provider => of_openssl(
                &Place { variable: "OPENSSL_MODULES", option: "-m", what: "the provider" },
                "`apt install pkcs11-provider` installs it (Debian 13; Debian 12 has it in its backports)",
                found,
            ),
            Self::JavaModule(name) => {
                let modules = said(&["java", "--list-modules"]).filter(|_| found.path.is_some());
                if modules.is_some_and(|modules| !modules.contains(name)) {
                    found.faults.push(format!("this Java has no module {name}: {}", install("default-jdk-headless")));
                }
            }
            Self::Python(package) => {
                let asked = format!("import importlib.metadata as m; print(m.version({package:?}))");
                let version = said(&["python3", "-c", &asked]).as_deref().and_then(version_in);
                match version {
                    Some(version) => found.notes.push(format!("{package} {version} is installed")),
                    None if found.path.is_none() => {}
                    None => found.faults.push(format!(
                        "python3 has no {package}: `python3 -m pip install {package}`, in a virtual environment if there is one"
                    )),
                }
            }
            Self::AnyOf(commands, package) => {
                if !commands.iter().any(|command| on_path(command).is_some()) {
                    found.faults.push(format!("none of {} is on PATH: {}", commands.join(", "), install(package)));
                }
            }
            Self::P11KitFile => {
                let Some(module) = module else { return };
                let files = P11_KIT_PLACES.iter().filter_map(|place| fs::read_dir(place).ok()).flatten().flatten();
                let texts = files.filter_map(|file| fs::read_to_string(file.path()).ok());
                if !texts.into_iter().any(|text| names_module(&text, module)) {
                    let place = P11_KIT_PLACES.join(" and ");
                    found.notes.push(format!(
                        "no file in {place} names the module yet: write there what `strongroom integrate p11-kit` prints"
                    ));
                }
            }
        }
    }
}

/// Where p11-kit looks for modules, of all users.
const P11_KIT_PLACES: [&str; 2] = ["/etc/pkcs11/modules", "/usr/share/p11-kit/modules"];

/// Whether a file of p11-kit names a module.
fn names_module(text: &str, module: &Path) -> bool {
    let named = text.lines().filter_map(|line| line.trim().strip_prefix("module:")).map(str::trim);
    named.map(Path::new).any(|path| path == module || path.canonicalize().is_ok_and(|path| path == module))
}

/// Where OpenSSL looks for what it loads.
struct Place {
    /// A directory in this variable counts first.
    variable: &'static str,
    /// The option of `openssl version` that names the directory.
    option: &'static str,
    what: &'static str,
}

fn of_openssl(place: &Place, cure: &str, found: &mut Readiness) {
    let asked = || said(&["openssl", "version", place.option])?.split('"').nth(1).map(PathBuf::from);
    let Some(directory) = env::var_os(place.variable).map(PathBuf::from).or_else(asked) else {
        found.faults.push(format!("`openssl version {}` does not say where {} belongs", place.option, place.what));
        return;
    };
    let file = directory.join("pkcs11.so");
    match File::open(&file) {
        Ok(_) => found.notes.push(format!("{} is {}", place.what, file.display())),
        Err(why) if why.kind() == io::ErrorKind::NotFound => {
            found.faults.push(format!("{} is not in {}: {cure}", place.what, directory.display()));
        }
        Err(why) => found.faults.push(format!("{} cannot be read: {why}", file.display())),
    }
}

/// How a package is installed.
fn install(package: &str) -> String {
    format!("`apt install {package}` installs it (Debian, Ubuntu)")
}

/// Where a command is that a shell would run.
fn on_path(command: &str) -> Option<PathBuf> {
    let runs =
        |path: &PathBuf| fs::metadata(path).is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0);
    env::split_paths(&env::var_os("PATH")?).map(|directory| directory.join(command)).find(runs)
}

/// What a command says, on either stream, if it is there and ends well.
fn said<Word: AsRef<OsStr>>(words: &[Word]) -> Option<String> {
    let (command, arguments) = words.split_first()?;
    let output = Command::new(command).args(arguments).stdin(Stdio::null()).output().ok()?;
    let text = [output.stdout, output.stderr].concat();
    output.status.success().then(|| String::from_utf8_lossy(&text).into_owned())
}

/// The first version that is spoken of: digits and dots that are no part of a word, or have a dot in them.
fn version_in(text: &str) -> Option<String> {
    let starts = text.char_indices().filter(|(at, c)| {
        let before = text.get(..*at).and_then(|before| before.chars().next_back());
        c.is_ascii_digit() && !before.is_some_and(|before| before.is_ascii_digit() || before == '.')
    });
    let run = |at: usize| {
        let rest = text.get(at..)?;
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let run = rest.get(..end)?.trim_end_matches('.');
        let in_word = text.get(..at)?.chars().next_back().is_some_and(char::is_alphanumeric);
        (!in_word || run.contains('.')).then(|| run.to_owned())
    };
    starts.filter_map(|(at, _)| run(at)).next()
}

fn numbers(version: &str) -> Vec<u32> {
    version.split('.').map_while(|part| part.parse().ok()).collect()
}

/// What stops a program of this user from loading the module.
fn wrong_with(module: &Path) -> Option<String> {
    let name = module.display();
    match (head(module), env::current_exe().and_then(|own| head(&own))) {
        (Err(why), _) if why.kind() == io::ErrorKind::UnexpectedEof => {
            Some(format!("{name} is not a shared object: `make install` puts the module there"))
        }
        (Err(why), _) => {
            Some(format!("{name} cannot be read by you: {why}; its mode should be 0644, as `make install` sets it"))
        }
        (Ok(head), Ok(own)) if head != own => {
            Some(format!("{name} is not a shared object for this machine: `make install` puts the module there"))
        }
        (Ok(_), _) => None,
    }
}

/// What an ELF file says of its machine: magic, class, order of bytes, machine.
fn head(path: &Path) -> io::Result<([u8; 6], [u8; 2])> {
    let mut head = [0; 20];
    File::open(path)?.read_exact(&mut head)?;
    let [m0, m1, m2, m3, class, order, .., low, high] = head;
    Ok(([m0, m1, m2, m3, class, order], [low, high]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_found_in_what_programs_say_of_themselves() {
        for (text, version) in [
            ("OpenSSL 3.0.19 27 Jan 2026 (Library: OpenSSL 3.0.19 27 Jan 2026)", "3.0.19"),
            ("openjdk version \"21\" 2023-09-19", "21"),
            ("openjdk version \"1.8.0_292\"", "1.8.0"),
            ("go version go1.26.8 linux/amd64", "1.26.8"),
            ("OpenSSH_9.2p1 Debian-2+deb12u6, OpenSSL 3.0.19", "9.2"),
            ("p11tool 3.7.9\nCopyright", "3.7.9"),
            ("nginx version: nginx/1.22.1", "1.22.1"),
            ("OpenSC-0.23.0, rev: abc", "0.23.0"),
        ] {
            assert_eq!(version_in(text).as_deref(), Some(version), "{text}");
        }
        assert_eq!(version_in("p11 says nothing"), None);
    }

    #[test]
    fn a_limit_holds_from_its_version_on_or_before_it() {
        let before = Versions::Before(&[1, 25]);
        assert!(before.have(&numbers("1.24.9")) && before.have(&numbers("1.9")) && !before.have(&numbers("1.25")));
        let from = Versions::From(&[4]);
        assert!(from.have(&numbers("4.0.0")) && !from.have(&numbers("3.5.1")));
    }

    #[test]
    fn a_file_of_p11_kit_names_a_module_by_its_path() {
        let module = Path::new("/usr/lib/pkcs11/libstrongroom.so");
        assert!(names_module("# a comment\n module: /usr/lib/pkcs11/libstrongroom.so \n", module));
        assert!(!names_module("module: opensc-pkcs11.so\n", module));
    }
}
