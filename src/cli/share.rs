//! The shares of a backup's key (Shamir's scheme over GF(256)): each is a line of text that can be copied by hand, since a letter
//! that is wrong is noticed. Byte by byte in `docs/format-backup.md`.

use std::collections::BTreeMap;

use bech32::{Bech32m, Hrp, primitives::decode::CheckedHrpstring};
use blahaj::Sharks;
use engine::backup::{Header, Key};
use zeroize::Zeroizing;

/// What every share begins with.
const PREFIX: &str = "srs";
const VERSION: u8 = 1;
/// Version, id of the backup, threshold, number.
const HEAD: usize = 1 + 8 + 1 + 1;
const VALUE: usize = 32;

/// A share that was read.
pub(crate) struct Share {
    backup: [u8; 8],
    threshold: u8,
    number: u8,
    value: Zeroizing<Vec<u8>>,
}

/// Shares a key out, each as its line.
pub(crate) fn deal(key: &Key, header: &Header) -> Result<Vec<Zeroizing<String>>, String> {
    let prefix = Hrp::parse(PREFIX).map_err(|why| why.to_string())?;
    let line = |share: blahaj::Share| {
        let value = Zeroizing::new(Vec::from(&share));
        let (number, value) = value.split_first().ok_or("a share is empty")?;
        let share = Zeroizing::new([&[VERSION][..], &header.id, &[header.threshold, *number], value].concat());
        bech32::encode::<Bech32m>(prefix, &share).map(Zeroizing::new).map_err(|why| why.to_string())
    };
    Sharks(header.threshold).dealer(key.expose()).take(usize::from(header.shares)).map(line).collect()
}

/// Reads a share. Blanks and the ends of lines do not matter, nor does whether all letters are capitals.
pub(crate) fn read(text: &str) -> Result<Share, &'static str> {
    let text: Zeroizing<String> = Zeroizing::new(text.split_whitespace().collect());
    if text.is_empty() {
        return Err("there is no share in it");
    }
    let begins = text.get(..=PREFIX.len()).is_some_and(|start| start.eq_ignore_ascii_case("srs1"));
    if !begins {
        return Err("it is no share: they begin with srs1");
    }
    let checked = CheckedHrpstring::new::<Bech32m>(&text);
    let checked =
        checked.map_err(|_| "a letter of it is wrong, missing or too many: compare it with what was written down")?;
    let bytes = Zeroizing::new(checked.byte_iter().collect::<Vec<u8>>());
    let of_another = "it is a share of another version, which this release does not read";
    let (head, value) = bytes.split_first_chunk::<HEAD>().ok_or(of_another)?;
    let [VERSION, backup @ .., threshold, number] = *head else { return Err(of_another) };
    if value.len() != VALUE || threshold == 0 || number == 0 {
        return Err(of_another);
    }
    Ok(Share { backup, threshold, number, value: Zeroizing::new(value.to_vec()) })
}

/// The key of a backup, of shares that have names to speak of them.
///
/// # Errors
/// In words: a share of another backup, or too few.
pub(crate) fn combine(header: &Header, shares: &[(String, Share)]) -> Result<Key, String> {
    let mut distinct = BTreeMap::new();
    for (name, share) in shares {
        if share.backup != header.id {
            return Err(format!("{name}: it is a share of another backup"));
        }
        distinct.insert(share.number, share);
    }
    let needed = shares.iter().map(|(_, share)| share.threshold).max().unwrap_or(header.threshold);
    let there = distinct.len();
    if there < usize::from(needed) {
        let numbers: Vec<String> = distinct.keys().map(ToString::to_string).collect();
        let which = if numbers.is_empty() { "none".to_owned() } else { format!("number {}", numbers.join(", ")) };
        return Err(format!(
            "{needed} of its {} shares open it, and {there} came: {which}. --share names each of them",
            header.shares
        ));
    }
    let shares: Result<Vec<blahaj::Share>, _> = distinct
        .iter()
        .map(|(number, share)| {
            blahaj::Share::try_from(Zeroizing::new([&[*number][..], &share.value].concat()).as_slice())
        })
        .collect();
    let key = Sharks(needed).recover(&shares.map_err(str::to_owned)?).map(Zeroizing::new).map_err(str::to_owned)?;
    Key::of(&key).ok_or_else(|| "its shares make no key".to_owned())
}

#[cfg(test)]
mod tests {
    use engine::backup::{Moment, Parts, Place, id};

    use super::*;

    fn header(threshold: u8, shares: u8) -> Header {
        let moment = Moment { serial: "f03faf51675f25c6".to_owned(), epoch: 1, revision: 9 };
        Header { id: id().unwrap(), moment, made_at: 0, threshold, shares, store_secret: false }
    }

    fn named(lines: &[&str]) -> Vec<(String, Share)> {
        lines.iter().map(|line| ((*line).to_owned(), read(line).unwrap())).collect()
    }

    #[test]
    fn every_choice_of_enough_shares_makes_the_key_and_fewer_do_not() {
        for (threshold, count) in [(1, 1), (1, 3), (2, 3), (3, 5), (255, 255)] {
            let (header, key) = (header(threshold, count), Key::random().unwrap());
            let lines = deal(&key, &header).unwrap();
            assert_eq!(lines.len(), usize::from(count));
            for start in 0..lines.len().min(5) {
                let chosen: Vec<&str> =
                    (0..usize::from(threshold)).map(|n| lines[(start + n) % lines.len()].as_str()).collect();
                assert_eq!(combine(&header, &named(&chosen)).unwrap().expose(), key.expose());
                let twice = [&chosen[1..], &chosen[1..]].concat();
                let why = combine(&header, &named(&twice)).err().unwrap();
                assert!(
                    why.contains(&format!("{threshold} of its {count} shares open it, and {} came", threshold - 1))
                );
            }
        }
    }

    #[test]
    fn the_example_of_the_document_is_read_as_it_says() {
        let document = include_str!("../../docs/format-backup.md");
        let block = |name: &str| {
            let block = document.split(&format!("```{name}\n")).nth(1).unwrap().split("```").next().unwrap();
            block.lines().collect::<Vec<_>>()
        };
        let decode = |line: &str| data_encoding::HEXLOWER.decode(line.as_bytes()).unwrap();
        let [header, part] = block("hex")[..] else { panic!("a header and a part") };
        let header = Header::decode(&decode(header)).unwrap();
        assert_eq!((header.threshold, header.shares, header.moment.revision), (2, 3, 9));
        let shares = block("shares");
        for chosen in [[0, 1], [0, 2], [1, 2]] {
            let key = combine(&header, &named(&chosen.map(|n: usize| shares[n]))).unwrap();
            assert!(key.expose().iter().copied().eq(0..32));
            let mut part = decode(part);
            assert!(Parts::new(&key, &header).open(&mut part, Place::Last));
            assert_eq!(part, b"\0\0\0\0SQLite");
        }
    }

    #[test]
    fn a_share_of_another_backup_is_refused_by_name() {
        let (one, other) = (header(1, 1), header(1, 1));
        let line = deal(&Key::random().unwrap(), &other).unwrap().remove(0);
        assert!(combine(&one, &named(&[&line])).err().unwrap().ends_with("it is a share of another backup"));
    }

    #[test]
    fn every_letter_that_is_wrong_missing_or_exchanged_is_noticed() {
        let line = deal(&Key::random().unwrap(), &header(2, 3)).unwrap().remove(0);
        assert!(line.len() <= 90, "what Bech32m promises holds up to there");
        assert!(read(&line.to_uppercase()).is_ok() && read(&format!(" {} {}\n", &line[..40], &line[40..])).is_ok());
        for at in 4..line.len() {
            let mut wrong = line.as_bytes().to_vec();
            wrong[at] = if wrong[at] == b'q' { b'p' } else { b'q' };
            assert!(read(str::from_utf8(&wrong).unwrap()).is_err(), "{at}");
            wrong.remove(at);
            assert!(read(str::from_utf8(&wrong).unwrap()).is_err(), "{at}");
        }
        for (text, why) in [("", "no share in it"), ("xyz", "begin with srs1"), ("srs1", "a letter of it")] {
            assert!(read(text).err().unwrap().contains(why), "{text}");
        }
    }
}
