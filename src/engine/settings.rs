//! What can be set from outside, and where it was found.
//!
//! Each key stands in the file under its name and in the environment under `STRONGROOM_` and the name in
//! capitals. The environment wins over the file, and the file over the default.

use std::{
    env,
    path::{Path, PathBuf},
};

use softhsm::Config;

use crate::{Compatibility, Profile, Recovery, compatibility};

/// How the module behaves. There is a default for everything.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The directory with the tokens.
    pub store: PathBuf,
    /// The directory for what must be written even by those who only sign, counts of wrong PINs, and for what was
    /// seen of each token.
    pub state: PathBuf,
    /// A file with 32 bytes or more that go into every PIN's key, if there is one: without it a stolen
    /// token file cannot be searched for its PIN.
    pub store_secret: Option<PathBuf>,
    /// What a PIN costs, for PINs that are set from now on.
    pub pin_cost: PinCost,
    /// How many wrong PINs in a row lock a user.
    pub pin_tries: u32,
    /// Which uses of keys a new token allows.
    pub profile: Profile,
    /// Whether the officer of a new token can give a user his private objects back.
    pub recovery: Recovery,
    /// Which module's slot numbers, names and configuration hold.
    pub compatibility: Compatibility,
    /// What `softhsm2.conf` says, if it holds.
    pub softhsm: Option<Config>,
    /// The file that these settings come from, if one was read.
    pub file: Option<PathBuf>,
    /// What was wrong with the file or the environment.
    pub problems: Vec<Problem>,
    /// Each key with its value and where it comes from, to be shown.
    pub sources: Vec<Setting>,
}

/// Something that is wrong with a setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// What follows from it.
    pub kind: ProblemKind,
    /// In words: which setting, where it stands, what is allowed.
    pub text: String,
}

/// What follows from something that is wrong with a setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProblemKind {
    /// Somebody has said what cannot be. Nothing goes on: with a default, keys would be elsewhere than he meant.
    Wrong,
    /// A key that this release does not have: misspelt, or of a newer release. The command stops; the module goes on.
    UnknownKey,
    /// A file in a place where one may be cannot be read, or a line of `softhsm2.conf` is passed over. The defaults hold: the
    /// module is harmless in a stranger's process.
    Unreadable,
}

/// One key as it came out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// Its name in the file.
    pub key: &'static str,
    /// Its value, as it would stand in the file.
    pub value: String,
    /// Where it comes from.
    pub source: String,
}

/// Cost of deriving a key from a PIN with Argon2id (RFC 9106).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PinCost {
    /// Memory in KiB.
    pub memory_kib: u32,
    /// Passes over it.
    pub passes: u32,
    /// Lanes.
    pub lanes: u32,
}

impl PinCost {
    /// The least that is accepted, and the default: 19 MiB, two passes.
    pub const FLOOR: Self = Self { memory_kib: 19 * 1024, passes: 2, lanes: 1 };
    /// The least for a token with the profile `strict`: 64 MiB, three passes.
    pub const STRICT: Self = Self { memory_kib: 64 * 1024, passes: 3, lanes: 1 };
    /// The most that can be set: 1 GiB, 16 passes.
    pub const CAP: Self = Self { memory_kib: 1024 * 1024, passes: 16, lanes: 4 };

    /// How long it takes, in KiB that are passed over: as good a measure as there is without trying.
    #[must_use]
    pub fn work(&self) -> u64 {
        u64::from(self.memory_kib) * u64::from(self.passes)
    }

    /// The dearer of both in each part.
    #[must_use]
    pub fn max(self, other: Self) -> Self {
        Self {
            memory_kib: self.memory_kib.max(other.memory_kib),
            passes: self.passes.max(other.passes),
            lanes: self.lanes.max(other.lanes),
        }
    }

    /// Whether it is between [`PinCost::FLOOR`] and [`PinCost::CAP`].
    #[must_use]
    pub fn is_bounded(&self) -> bool {
        let (floor, cap) = (Self::FLOOR, Self::CAP);
        (floor.memory_kib..=cap.memory_kib).contains(&self.memory_kib)
            && (floor.passes..=cap.passes).contains(&self.passes)
            && (floor.lanes..=cap.lanes).contains(&self.lanes)
    }
}

/// A key of the file.
struct Key {
    name: &'static str,
    /// Takes a value over, or says what is allowed.
    take: fn(&mut Settings, &str) -> Result<(), String>,
    /// The value that holds.
    show: fn(&Settings) -> String,
}

const KEYS: &[Key] = &[
    Key { name: "store", take: |to, text| directory(&mut to.store, text), show: |of| of.store.display().to_string() },
    Key { name: "state", take: |to, text| directory(&mut to.state, text), show: |of| of.state.display().to_string() },
    Key {
        name: "store_secret",
        take: |to, text| {
            let mut path = PathBuf::new();
            directory(&mut path, text)?;
            to.store_secret = Some(path);
            Ok(())
        },
        show: |of| of.store_secret.as_ref().map(|path| path.display().to_string()).unwrap_or_default(),
    },
    Key {
        name: "pin_memory_kib",
        take: |to, text| {
            let range = PinCost::FLOOR.memory_kib..=PinCost::CAP.memory_kib;
            to.pin_cost.memory_kib = number(text, *range.start(), *range.end())?;
            Ok(())
        },
        show: |of| of.pin_cost.memory_kib.to_string(),
    },
    Key {
        name: "pin_passes",
        take: |to, text| {
            to.pin_cost.passes = number(text, PinCost::FLOOR.passes, PinCost::CAP.passes)?;
            Ok(())
        },
        show: |of| of.pin_cost.passes.to_string(),
    },
    Key {
        name: "pin_lanes",
        take: |to, text| {
            to.pin_cost.lanes = number(text, PinCost::FLOOR.lanes, PinCost::CAP.lanes)?;
            Ok(())
        },
        show: |of| of.pin_cost.lanes.to_string(),
    },
    Key {
        name: "pin_tries",
        take: |to, text| {
            to.pin_tries = number(text, 1, 1000)?;
            Ok(())
        },
        show: |of| of.pin_tries.to_string(),
    },
    Key {
        name: "profile",
        take: |to, text| {
            to.profile = text.parse()?;
            Ok(())
        },
        show: |of| of.profile.to_string(),
    },
    Key {
        name: "compatibility",
        take: |to, text| {
            to.compatibility = text.parse()?;
            Ok(())
        },
        show: |of| of.compatibility.to_string(),
    },
    Key {
        name: "recovery",
        take: |to, text| {
            to.recovery = text.parse()?;
            Ok(())
        },
        show: |of| of.recovery.to_string(),
    },
];

impl Settings {
    /// The settings of this process. What is wrong is in [`Settings::problems`]; whoever goes on asks
    /// [`Settings::refusal`] before.
    #[must_use]
    pub fn load() -> Self {
        Self::load_as(Compatibility::default())
    }

    /// The settings of this process, where a module of this name was loaded: what is set wins over that.
    #[must_use]
    pub fn load_as(compatibility: Compatibility) -> Self {
        if memory::is_privileged() {
            return Self::from_environment(compatibility, &|_| None);
        }
        let variable = |name: &str| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        Self::from_environment(compatibility, &variable)
    }

    /// The settings of a process with these environment variables.
    fn from_environment(compatibility: Compatibility, variable: &dyn Fn(&str) -> Option<PathBuf>) -> Self {
        let mut settings = Self { compatibility, ..Self::defaults(variable) };
        let mut origin = vec!["default".to_owned(); KEYS.len()];
        settings.read_file(variable, &mut origin);
        for (key, origin) in KEYS.iter().zip(&mut origin) {
            let name = format!("STRONGROOM_{}", key.name.to_uppercase());
            let Some(value) = variable(&name) else { continue };
            match (key.take)(&mut settings, &value.to_string_lossy()) {
                Ok(()) => *origin = name,
                Err(allowed) => {
                    settings.blame(ProblemKind::Wrong, format!("the environment variable {name} {allowed}"));
                }
            }
        }
        settings.follow_softhsm(variable, &mut origin);
        settings.sources = KEYS
            .iter()
            .zip(origin)
            .map(|(key, source)| Setting { key: key.name, value: (key.show)(&settings), source })
            .collect();
        settings
    }

    /// Why nothing may go on with these settings; `None` if it may.
    #[must_use]
    pub fn refusal(&self) -> Option<String> {
        let wrong = self.problems.iter().filter(|problem| problem.kind == ProblemKind::Wrong);
        let texts: Vec<&str> = wrong.map(|problem| problem.text.as_str()).collect();
        (!texts.is_empty()).then(|| texts.join("; "))
    }

    /// Reads `softhsm2.conf` where it holds. Where somebody has said where the tokens are, they are there.
    fn follow_softhsm(&mut self, variable: &dyn Fn(&str) -> Option<PathBuf>, origin: &mut [String]) {
        if self.compatibility != Compatibility::SoftHsm {
            return;
        }
        match compatibility::read(variable) {
            Ok((config, store)) => {
                let of_store = KEYS.iter().zip(origin).find(|(key, _)| key.name == "store").map(|(_, origin)| origin);
                if let Some(origin) = of_store.filter(|origin| *origin == "default") {
                    *origin = "directories.tokendir of softhsm2.conf".to_owned();
                    self.store = store;
                }
                for text in &config.passed_over {
                    self.problems
                        .push(Problem { kind: ProblemKind::Unreadable, text: format!("softhsm2.conf: {text}") });
                }
                self.softhsm = Some(config);
            }
            Err(text) => self.blame(ProblemKind::Wrong, text),
        }
    }

    fn blame(&mut self, kind: ProblemKind, text: String) {
        self.problems.push(Problem { kind, text });
    }

    /// The defaults, whatever the environment says.
    #[cfg(test)]
    pub(crate) fn without_environment() -> Self {
        Self::defaults(&|_| None)
    }

    fn defaults(variable: &dyn Fn(&str) -> Option<PathBuf>) -> Self {
        let for_the_system = rustix::process::geteuid().is_root() || memory::is_privileged();
        let store = if for_the_system {
            PathBuf::from("/var/lib/strongroom")
        } else {
            let data = variable("XDG_DATA_HOME").or_else(|| Some(variable("HOME")?.join(".local/share")));
            data.map_or_else(|| PathBuf::from("/var/lib/strongroom"), |data| data.join("strongroom"))
        };
        // Who sets XDG_DATA_HOME means it, even as root.
        let store = variable("XDG_DATA_HOME").map_or(store, |data| data.join("strongroom"));
        // Not beside the tokens: who puts an old directory back would bring back what was seen of it too.
        let state = variable("XDG_STATE_HOME").or_else(|| Some(variable("HOME")?.join(".local/state")));
        let state = match (state, variable("XDG_STATE_HOME")) {
            (Some(state), Some(_)) => state.join("strongroom"),
            (Some(state), None) if !for_the_system => state.join("strongroom"),
            _ => PathBuf::from("/var/lib/strongroom-state"),
        };
        Self {
            store,
            state,
            store_secret: None,
            pin_cost: PinCost::FLOOR,
            pin_tries: 10,
            profile: Profile::default(),
            recovery: Recovery::default(),
            compatibility: Compatibility::default(),
            softhsm: None,
            file: None,
            problems: Vec::new(),
            sources: Vec::new(),
        }
    }

    fn read_file(&mut self, variable: &dyn Fn(&str) -> Option<PathBuf>, origin: &mut [String]) {
        let named = variable("STRONGROOM_CONFIG");
        let Some(path) = named.clone().or_else(|| found(variable)) else { return };
        let text = match store::regular::read(&path) {
            Ok(bytes) => match String::from_utf8(bytes) {
                Ok(text) => text,
                Err(_) => return self.blame(ProblemKind::Wrong, format!("{} is not UTF-8", path.display())),
            },
            Err(why) => {
                let kind = if named.is_some() { ProblemKind::Wrong } else { ProblemKind::Unreadable };
                return self.blame(kind, format!("{} cannot be read: {why}", path.display()));
            }
        };
        let table = match text.parse::<toml::Table>() {
            Ok(table) => table,
            Err(why) => {
                let line = why.span().map_or(1, |span| line_of(&text, span.start));
                let text = format!("{}, line {line}: this is not TOML: {}", path.display(), why.message());
                return self.blame(ProblemKind::Wrong, text);
            }
        };
        let place = |name: &str| {
            let line = text.lines().position(|line| line.split('=').next().is_some_and(|key| key.trim() == name));
            format!("{}, line {}", path.display(), line.map_or(1, |line| line + 1))
        };
        for (name, value) in &table {
            let Some((key, origin)) = KEYS.iter().zip(origin.iter_mut()).find(|(key, _)| key.name == name) else {
                self.blame(ProblemKind::UnknownKey, format!("{}: there is no key {name}", place(name)));
                continue;
            };
            let said = match value {
                toml::Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            match (key.take)(self, &said) {
                Ok(()) => *origin = path.display().to_string(),
                Err(allowed) => self.blame(ProblemKind::Wrong, format!("{}: {name} {allowed}", place(name))),
            }
        }
        self.file = Some(path);
    }
}

/// The user's file, else the system's.
fn found(variable: &dyn Fn(&str) -> Option<PathBuf>) -> Option<PathBuf> {
    let user = variable("XDG_CONFIG_HOME").or_else(|| Some(variable("HOME")?.join(".config")));
    let candidates = [user.map(|config| config.join("strongroom")), Some(PathBuf::from("/etc/strongroom"))];
    candidates.into_iter().flatten().map(|directory| directory.join("strongroom.toml")).find(|path| path.exists())
}

/// The number of the line in which a byte stands.
fn line_of(text: &str, at: usize) -> usize {
    text.get(..at).unwrap_or(text).lines().count().max(1)
}

fn directory(to: &mut PathBuf, text: &str) -> Result<(), String> {
    if Path::new(text).is_absolute() {
        *to = PathBuf::from(text);
        Ok(())
    } else {
        Err(format!("is `{text}`, and must be an absolute path"))
    }
}

fn number(text: &str, least: u32, most: u32) -> Result<u32, String> {
    let number = text.trim().parse().ok().filter(|number| (least..=most).contains(number));
    number.ok_or_else(|| format!("is `{text}`, and must be a number from {least} to {most}"))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn with(variables: &[(&str, &str)]) -> Settings {
        let home = ("HOME", "/nowhere/home");
        Settings::from_environment(Compatibility::default(), &|name| {
            variables.iter().chain([&home]).find(|(known, _)| *known == name).map(|(_, value)| PathBuf::from(value))
        })
    }

    #[test]
    fn without_anything_the_defaults_hold() {
        let settings = with(&[("XDG_DATA_HOME", "/data"), ("XDG_STATE_HOME", "/state")]);
        assert_eq!(settings.store, Path::new("/data/strongroom"));
        assert_eq!(settings.state, Path::new("/state/strongroom"), "not beside the tokens");
        assert_eq!((settings.pin_cost, settings.pin_tries), (PinCost::FLOOR, 10));
        assert_eq!(settings.problems, Vec::new());
        assert!(settings.sources.iter().all(|setting| setting.source == "default"));
    }

    #[test]
    fn every_key_has_a_variable_that_says_where_it_comes_from() {
        for key in KEYS {
            let name = format!("STRONGROOM_{}", key.name.to_uppercase());
            let value = if key.name.starts_with("pin_") { "not a number" } else { "relative" };
            assert_eq!(with(&[(&name, value)]).problems.len(), 1, "{name}");
        }
        let settings = with(&[("STRONGROOM_PIN_TRIES", "3"), ("STRONGROOM_STORE", "/tokens")]);
        assert_eq!((settings.pin_tries, settings.store), (3, PathBuf::from("/tokens")));
        let source = |key| settings.sources.iter().find(|setting| setting.key == key).map(|s| s.source.clone());
        assert_eq!(source("pin_tries").as_deref(), Some("STRONGROOM_PIN_TRIES"));
    }

    #[test]
    fn a_bad_file_is_a_problem_and_the_defaults_hold() {
        let path = env::temp_dir().join(format!("strongroom-settings-{}.toml", std::process::id()));
        let named = path.to_string_lossy().into_owned();
        for (text, problems) in [
            ("pin_tries = 5\nstore = \"/from/file\"", 0),
            ("pin_tries = 0", 1),
            ("pin_memory_kib = 1", 1),
            ("no_such_key = 1\npin_passes = 99", 2),
            ("this is not TOML", 1),
        ] {
            fs::write(&path, text).unwrap();
            let settings = with(&[("STRONGROOM_CONFIG", &named)]);
            assert_eq!(settings.problems.len(), problems, "{text}: {:?}", settings.problems);
            assert_eq!(settings.pin_cost, PinCost::FLOOR);
        }
        fs::write(&path, "pin_tries = 5").unwrap();
        assert_eq!(with(&[("STRONGROOM_CONFIG", &named)]).pin_tries, 5);
        assert_eq!(with(&[("STRONGROOM_CONFIG", &named), ("STRONGROOM_PIN_TRIES", "7")]).pin_tries, 7, "wins");
        fs::remove_file(&path).unwrap();
        assert_eq!(with(&[("STRONGROOM_CONFIG", &named)]).problems.len(), 1, "a named file must be there");
    }

    #[test]
    fn softhsms_configuration_says_where_the_tokens_are_if_nobody_else_does() {
        let place = env::temp_dir().join(format!("strongroom-softhsm-conf-{}", std::process::id()));
        fs::create_dir_all(&place).unwrap();
        let conf = place.join("softhsm2.conf");
        fs::write(&conf, format!("directories.tokendir = {}\nslots.removable = true\n", place.display())).unwrap();
        let conf = conf.to_string_lossy().into_owned();
        let mode = ("STRONGROOM_COMPATIBILITY", "softhsm");
        let settings = with(&[mode, ("SOFTHSM2_CONF", &conf)]);
        assert_eq!((settings.store, settings.problems), (place.join("strongroom"), Vec::new()));
        assert!(settings.softhsm.unwrap().removable);
        let settings = with(&[mode, ("SOFTHSM2_CONF", &conf), ("STRONGROOM_STORE", "/tokens")]);
        assert_eq!(settings.store, Path::new("/tokens"));
        assert!(with(&[mode, ("SOFTHSM2_CONF", "/nowhere/softhsm2.conf")]).refusal().is_some());
        assert!(with(&[("SOFTHSM2_CONF", &conf)]).softhsm.is_none(), "in no other mode");
        fs::remove_dir_all(&place).unwrap();
    }
}
