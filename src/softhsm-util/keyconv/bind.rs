//! BIND's file: a line for each part of a key, `Name: value`.

use data_encoding::BASE64;
use zeroize::Zeroizing;

use crate::{Fault, fault};

/// The versions of the format. A later one may say what this program does not know.
const VERSIONS: [&str; 4] = ["v1.0", "v1.1", "v1.2", "v1.3"];
/// When BIND uses a key: not of the key.
const TIMES: [&str; 9] =
    ["Created", "Publish", "Activate", "Revoke", "Inactive", "Delete", "DSPublish", "SyncPublish", "SyncDelete"];

/// A part of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Modulus,
    PublicExponent,
    PrivateExponent,
    Prime1,
    Prime2,
    Exponent1,
    Exponent2,
    Coefficient,
    Prime,
    Subprime,
    Base,
    PrivateValue,
    PublicValue,
    PrivateKey,
}

const PARTS: [(&str, Part); 14] = [
    ("Modulus", Part::Modulus),
    ("PublicExponent", Part::PublicExponent),
    ("PrivateExponent", Part::PrivateExponent),
    ("Prime1", Part::Prime1),
    ("Prime2", Part::Prime2),
    ("Exponent1", Part::Exponent1),
    ("Exponent2", Part::Exponent2),
    ("Coefficient", Part::Coefficient),
    ("Prime(p)", Part::Prime),
    ("Subprime(q)", Part::Subprime),
    ("Base(g)", Part::Base),
    ("Private_value(x)", Part::PrivateValue),
    ("Public_value(y)", Part::PublicValue),
    ("PrivateKey", Part::PrivateKey),
];

/// What a file has.
pub(crate) struct Key {
    /// The number of DNSSEC's algorithm (IANA).
    pub(crate) algorithm: u8,
    parts: Vec<(Part, Zeroizing<Vec<u8>>)>,
}

impl Key {
    pub(crate) fn part(&self, wanted: Part) -> Result<&[u8], Fault> {
        match self.parts.iter().find(|(part, _)| *part == wanted) {
            Some((_, bytes)) => Ok(bytes),
            None => fault("Some parts of the key material is missing in the input file."),
        }
    }
}

/// Reads a file. A line that has no meaning is named on standard error, by its number alone: it may have a key in it.
pub(crate) fn read(text: &[u8]) -> Result<Key, Fault> {
    let Ok(text) = str::from_utf8(text) else { return fault("The input file is no text.") };
    let (mut algorithm, mut parts) = (None, Vec::new());
    for (number, line) in text.lines().enumerate().map(|(index, line)| (index + 1, line)) {
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        let (name, value) = (name.trim(), value.trim());
        match name {
            "Private-key-format" if VERSIONS.contains(&value) => {}
            "Private-key-format" => return fault(format!("Cannot parse this version of file format, {value}.")),
            "Algorithm" => {
                let digits = value.split_whitespace().next().unwrap_or_default();
                match digits.parse() {
                    Ok(known) => algorithm = Some(known),
                    Err(_) => return fault(format!("The algorithm {value} is not supported.")),
                }
            }
            name if TIMES.contains(&name) => {}
            name => match PARTS.iter().find(|(known, _)| *known == name) {
                Some((_, part)) => parts.push((*part, bytes(value, number)?)),
                None => eprintln!("ERROR: Unrecognized input line {number}"),
            },
        }
    }
    match algorithm {
        Some(algorithm) => Ok(Key { algorithm, parts }),
        None => fault("The algorithm -1 was not given in the file."),
    }
}

fn bytes(value: &str, line: usize) -> Result<Zeroizing<Vec<u8>>, Fault> {
    match BASE64.decode(value.as_bytes()).map(Zeroizing::new) {
        Ok(bytes) if !bytes.is_empty() => Ok(bytes),
        _ => fault(format!("Could not parse the base64 string on line {line}.")),
    }
}
