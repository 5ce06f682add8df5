//! Being to programs what they were set up for: another module's slot numbers, names and configuration.

use std::path::PathBuf;

use softhsm::Config;

/// Which module's slot numbers, names and configuration hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Compatibility {
    /// This module's own.
    #[default]
    None,
    /// Those of SoftHSM 2.
    SoftHsm,
}

const WORDS: &[(&str, Compatibility)] = &[("none", Compatibility::None), ("softhsm", Compatibility::SoftHsm)];

impl std::str::FromStr for Compatibility {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = WORDS.iter().find(|(word, _)| *word == text).map(|(_, mode)| *mode);
        found.ok_or_else(|| format!("is `{text}`, and must be none or softhsm"))
    }
}

impl std::fmt::Display for Compatibility {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::None => "none",
            Self::SoftHsm => "softhsm",
        })
    }
}

/// What the module, its slots and its tokens are called. These are in users' `pkcs11:` URIs.
#[derive(Clone, Copy, Debug)]
pub struct Names {
    /// Who made the module (`CK_INFO`).
    pub library_manufacturer: &'static str,
    /// What it is (`CK_INFO`).
    pub library: &'static str,
    /// Who made slots and tokens.
    pub manufacturer: &'static str,
    /// The model of a token.
    pub model: &'static str,
}

const OWN: Names = Names {
    library_manufacturer: crate::MANUFACTURER,
    library: "strongroom PKCS#11 module",
    manufacturer: crate::MANUFACTURER,
    model: crate::MODEL,
};

const SOFTHSM: Names = Names {
    library_manufacturer: "SoftHSM",
    library: "Implementation of PKCS11",
    manufacturer: "SoftHSM project",
    model: "SoftHSM v2",
};

impl Compatibility {
    pub(crate) fn names(self) -> &'static Names {
        match self {
            Self::None => &OWN,
            Self::SoftHsm => &SOFTHSM,
        }
    }

    pub(crate) fn description(self, slot: u64) -> String {
        match self {
            Self::None => format!("strongroom slot {slot}"),
            Self::SoftHsm => format!("SoftHSM slot ID {slot:#x}"),
        }
    }
}

/// The directory of tokens in SoftHSM's, which passes it over: it has no `token.object`. Whoever empties the one empties the other, as
/// test suites do, and two configurations share no token.
const DIRECTORY: &str = "strongroom";

/// Reads the `softhsm2.conf` of a process with these environment variables, and says where the tokens are that belong to it.
///
/// # Errors
/// In words, what stops SoftHSM too.
pub(crate) fn read(variable: &dyn Fn(&str) -> Option<PathBuf>) -> Result<(Config, PathBuf), String> {
    let user = variable("HOME").map(|home| home.join(".config/softhsm2/softhsm2.conf")).filter(|path| path.is_file());
    let system = ["/etc/softhsm/softhsm2.conf", "/etc/softhsm2.conf"].map(PathBuf::from);
    let found = variable("SOFTHSM2_CONF").or(user).or_else(|| system.into_iter().find(|path| path.exists()));
    let Some(path) = found else {
        return Err("there is no softhsm2.conf: SOFTHSM2_CONF names one (compatibility = softhsm)".to_owned());
    };
    let config = softhsm::config(&path).map_err(|why| why.to_string())?;
    let store = config.token_directory.join(DIRECTORY);
    Ok((config, store))
}
