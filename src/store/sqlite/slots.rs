//! Which slot belongs to which token file.
//!
//! A file's name says which slot its token asks for. The file `slots` in the directory says which token has a slot: the
//! one that was there first. It is read when tokens are listed and written, under the directory's lock, only when
//! a token is made or removed:
//!
//! ```text
//! next 3
//! 0 00000000000000ff.0
//! 2 00000000000000aa.0
//! ```
//!
//! A line is a slot and the name of the file that has it. Here the token `…aa` was copied into the directory when `…ff` had
//! slot 0, and was given slot 2. A slot stays its token's while the file is away.
//!
//! A file without a line gets the slot that it asks for if nobody has it. If somebody has it, the token is
//! listed in a temporary slot, far from the others, until the directory is written to; then it gets a slot of its own
//! for good. The temporary slot follows from the file's name, so it is the same in each process. If two files without
//! a line ask for one slot, nobody knows which was there first, and the lower serial gets it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use crate::{Serial, SlotConflict, TokenLocation};

/// The file's name.
pub(super) const NAME: &str = "slots";

/// Temporary slots begin here. No token asks for one of these or is made in one.
pub(super) const TEMPORARY: u32 = 0x4000_0000;

/// A token file's name without its ending. The slot is the one that it asks for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Stem {
    pub(super) slot: u32,
    pub(super) serial: Serial,
}

impl Stem {
    pub(super) fn of(location: &TokenLocation) -> Self {
        Self { slot: location.slot, serial: location.serial.clone() }
    }

    pub(super) fn parse(text: &str) -> Option<Self> {
        let (serial, slot) = text.split_once('.')?;
        Some(Self { serial: Serial::new(serial)?, slot: number(slot)? })
    }

    /// A number that hardly any other file has.
    fn hash(&self) -> u32 {
        let digits = u64::from_str_radix(self.serial.as_str(), 16).unwrap_or_default();
        let mixed = (digits ^ (u64::from(self.slot) << 40)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        u32::try_from(mixed >> 34).unwrap_or_default()
    }
}

impl std::fmt::Display for Stem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.serial.as_str(), self.slot)
    }
}

/// What the file says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Slots {
    /// No token that is made gets a slot below this.
    next: u32,
    owners: BTreeMap<u32, Stem>,
}

impl Slots {
    /// Lines that are not understood are passed over.
    pub(super) fn parse(text: &str) -> Self {
        let mut slots = Self::default();
        for line in text.lines() {
            match line.split_once(' ') {
                Some(("next", next)) => {
                    let next = number(next).filter(|next| *next <= TEMPORARY);
                    slots.next = slots.next.max(next.unwrap_or_default());
                }
                Some((slot, stem)) => {
                    if let (Some(slot), Some(stem)) = (number(slot), Stem::parse(stem))
                        && slot < TEMPORARY
                        && slots.slot_of(&stem).is_none()
                    {
                        slots.owners.entry(slot).or_insert(stem);
                    }
                }
                None => {}
            }
        }
        slots
    }

    pub(super) fn text(&self) -> String {
        let mut text = format!("next {}\n", self.next);
        for (slot, stem) in &self.owners {
            let _ = writeln!(text, "{slot} {stem}");
        }
        text
    }

    /// Where each of these files stands, in the order of the slots.
    pub(super) fn locate(&self, files: &BTreeSet<Stem>) -> BTreeMap<u32, Stem> {
        let (mut placed, newcomers) = self.claim(files);
        for stem in newcomers {
            let mut slot = TEMPORARY | stem.hash();
            while placed.contains_key(&slot) || self.owners.contains_key(&slot) {
                slot = TEMPORARY | (slot.wrapping_add(1) & (TEMPORARY - 1));
            }
            placed.insert(slot, stem);
        }
        placed
    }

    /// The slot that the next token gets.
    pub(super) fn free(&self, files: &BTreeSet<Stem>) -> u32 {
        let (placed, _) = self.claim(files);
        let highest = placed.keys().chain(self.owners.keys()).max().map_or(0, |highest| highest.saturating_add(1));
        self.next.max(highest)
    }

    /// Gives `new` the free slot, and then each file that has none one of its own.
    pub(super) fn settle(&mut self, files: &BTreeSet<Stem>, new: Option<&Stem>) {
        let mut free = self.free(files);
        let (placed, newcomers) = self.claim(files);
        self.owners.extend(placed);
        for stem in new.into_iter().cloned().chain(newcomers) {
            // The others stay where they are.
            if free < TEMPORARY {
                self.owners.insert(free, stem);
                free += 1;
            }
        }
        self.next = free;
    }

    /// Takes a file's slot from it. The slot is not given again.
    pub(super) fn forget(&mut self, stem: &Stem) {
        self.owners.retain(|_, owner| owner != stem);
    }

    /// The file that a token had here, if it is known: its slot is kept for it.
    pub(super) fn known(&self, serial: &Serial) -> Option<&Stem> {
        self.owners.values().find(|stem| stem.serial == *serial)
    }

    /// The files that ask for a slot that another file has.
    pub(super) fn conflicts(&self, files: &BTreeSet<Stem>) -> Vec<SlotConflict> {
        let placed = self.locate(files);
        let owner = |slot: &u32| self.owners.get(slot).or_else(|| placed.get(slot)).map(|stem| stem.serial.clone());
        let conflict = |(slot, stem): (&u32, &Stem)| {
            let token = TokenLocation { slot: *slot, serial: stem.serial.clone() };
            let owner = owner(&stem.slot).filter(|_| *slot != stem.slot)?;
            Some(SlotConflict { slot: stem.slot, owner, token })
        };
        placed.iter().filter_map(conflict).collect()
    }

    /// The files that have a slot, and those that ask for one that another has.
    fn claim(&self, files: &BTreeSet<Stem>) -> (BTreeMap<u32, Stem>, Vec<Stem>) {
        let (mut placed, mut newcomers) = (BTreeMap::new(), Vec::new());
        // In the order of the slots and serials.
        for stem in files {
            match self.slot_of(stem) {
                Some(slot) => {
                    placed.insert(slot, stem.clone());
                }
                None if stem.slot < TEMPORARY
                    && !self.owners.contains_key(&stem.slot)
                    && !placed.contains_key(&stem.slot) =>
                {
                    placed.insert(stem.slot, stem.clone());
                }
                None => newcomers.push(stem.clone()),
            }
        }
        (placed, newcomers)
    }

    fn slot_of(&self, stem: &Stem) -> Option<u32> {
        self.owners.iter().find(|(_, owner)| *owner == stem).map(|(slot, _)| *slot)
    }
}

/// A number that is written in one way only: no sign, no zeros in front.
fn number(text: &str) -> Option<u32> {
    let number: u32 = text.parse().ok()?;
    (number.to_string() == text).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stem(text: &str) -> Stem {
        Stem::parse(text).unwrap()
    }

    fn files(names: &[&str]) -> BTreeSet<Stem> {
        names.iter().map(|name| stem(name)).collect()
    }

    const A: &str = "00000000000000aa.0";
    const B: &str = "00000000000000bb.0";
    const C: &str = "00000000000000cc.0";

    #[test]
    fn what_is_written_is_read() {
        let mut slots = Slots::default();
        slots.settle(&files(&[A, B]), Some(&stem("00000000000000ff.1")));
        assert_eq!(slots.text(), format!("next 3\n0 {A}\n1 00000000000000ff.1\n2 {B}\n"));
        assert_eq!(Slots::parse(&slots.text()), slots);
    }

    #[test]
    fn lines_that_are_not_understood_are_passed_over() {
        let text = format!("next x\n\nnext 7\n00 {A}\n0 {B} \n0 {C}\n0 {A}\n3 {C}\n4 z\n");
        let slots = Slots::parse(&text);
        assert_eq!(slots.text(), format!("next 7\n0 {C}\n"));
    }

    #[test]
    fn who_was_there_first_keeps_the_slot_whatever_its_serial() {
        let mut slots = Slots::default();
        slots.settle(&files(&[]), Some(&stem(C)));
        let all = files(&[A, B, C]);
        assert_eq!(slots.locate(&all).first_key_value(), Some((&0, &stem(C))));
        assert_eq!(slots.free(&all), 1, "temporary slots do not count");
        let of = |placed: &BTreeMap<u32, Stem>, name| {
            placed.iter().find(|(_, owner)| **owner == stem(name)).map(|(slot, _)| *slot).unwrap()
        };
        let temporary = of(&slots.locate(&all), B);
        assert!(temporary >= TEMPORARY);
        assert_eq!(of(&slots.locate(&files(&[B, C])), B), temporary, "whoever else is there");
        slots.settle(&all, None);
        assert_eq!(slots.text(), format!("next 3\n0 {C}\n1 {A}\n2 {B}\n"));
        assert_eq!(of(&slots.locate(&files(&[B])), B), 2, "for good");
    }

    #[test]
    fn no_name_uses_up_the_slots() {
        let mut slots = Slots::parse("next 4294967295\n4294967295 00000000000000dd.0\n");
        let all = files(&["00000000000000ee.4294967295", "00000000000000ff.1073741824"]);
        assert_eq!((slots.free(&all), slots.locate(&all).len()), (0, 2));
        slots.settle(&all, None);
        assert_eq!(slots.locate(&all).keys().copied().collect::<Vec<_>>(), [0, 1]);
    }

    #[test]
    fn a_slot_stays_its_tokens_while_the_file_is_away() {
        let mut slots = Slots::default();
        slots.settle(&files(&[]), Some(&stem(C)));
        assert!(!slots.locate(&files(&[A])).contains_key(&0));
        assert_eq!(slots.conflicts(&files(&[A])).len(), 1);
        slots.forget(&stem(C));
        assert_eq!(slots.locate(&files(&[A])).first_key_value(), Some((&0, &stem(A))));
        assert_eq!(slots.free(&files(&[])), 1, "what was removed is not given again");
    }
}
