//! A year of uses of keys with different habits, with anomalies planted in it whose truth is known, and how many of them the
//! rules find.
#![allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // The generator's own numbers, all small and none below nothing.

use std::{collections::BTreeMap, ops::RangeInclusive};

use super::*;
use crate::series::DAY;

/// Monday, 6 January 2025, midnight.
const START: u64 = 1_736_121_600;
const DAYS: u64 = 364;
const MINUTE: u64 = 60;

/// SplitMix64 (Steele, Lea, Flood 2014): the same year each time.
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// About as many as a Poisson process has.
    fn about(&mut self, mean: f64) -> u64 {
        if mean > 50.0 {
            let bell: f64 = (0..12).map(|_| self.unit()).sum::<f64>() - 6.0;
            // Traffic is rougher than chance alone: by an eighth.
            return (mean + bell * (mean.sqrt() + mean / 8.0)).max(0.0).round() as u64;
        }
        let (limit, mut product, mut count) = ((-mean).exp(), self.unit(), 0);
        while product > limit {
            product *= self.unit();
            count += 1;
        }
        count
    }
}

/// What is meant to be found: the rule that has to, and others that may tell of the same.
struct Plant {
    rule: Rule,
    also: &'static [Rule],
    key: &'static str,
    between: (u64, u64),
}

impl Plant {
    /// Whether a finding is about it. An hour later it is told at the latest.
    fn is_meant(&self, found: &Finding) -> bool {
        let (from, to) = self.between;
        found.key == self.key && (from.saturating_sub(HOUR)..=to + HOUR).contains(&found.at)
    }
}

/// A year: uses and, with them, when they were written down.
struct Year {
    chance: Chance,
    uses: Vec<(u64, Use)>,
    plants: Vec<Plant>,
}

/// How a key is used by its own programs.
struct Habit {
    key: &'static str,
    programs: &'static [&'static str],
    way: (&'static str, &'static str),
    /// Uses that are expected in an hour: of the day of the year, the hour of that day by the clock on the wall.
    expected: fn(u64, u64) -> f64,
    /// In how many portions of one minute each an hour's uses come.
    portions: u64,
}

const SIGN: (&str, &str) = ("sign", "CKM_ECDSA_SHA256");
const DECRYPT: (&str, &str) = ("decrypt", "CKM_RSA_PKCS_OAEP");

const HABITS: [Habit; 6] = [
    Habit { key: "signer", programs: &["signtool", "portal"], way: SIGN, expected: office, portions: 30 },
    Habit { key: "mail", programs: &["mailgate"], way: DECRYPT, expected: mail, portions: 10 },
    Habit { key: "tls", programs: &["nginx"], way: SIGN, expected: tls, portions: 6 },
    Habit { key: "batch", programs: &["payments"], way: SIGN, expected: batch, portions: 20 },
    Habit { key: "weekly", programs: &["archive"], way: ("encrypt", "CKM_AES_GCM"), expected: weekly, portions: 5 },
    Habit { key: "root", programs: &["ca"], way: SIGN, expected: root, portions: 1 },
];

fn is_workday(day: u64) -> bool {
    // Easter, May, the summer's week, and the last days of the year.
    const HOLIDAYS: [RangeInclusive<u64>; 5] = [102..=105, 115..=115, 206..=213, 270..=270, 351..=363];
    day % 7 < 5 && !HOLIDAYS.iter().any(|days| days.contains(&day))
}

/// By half over the year.
fn growth(day: u64) -> f64 {
    1.0 + 0.5 * day as f64 / DAYS as f64
}

fn office(day: u64, hour: u64) -> f64 {
    match hour {
        _ if !is_workday(day) => 0.0,
        9..=11 | 13..=16 => 18.0 * growth(day),
        8 | 12 | 17 => 8.0 * growth(day),
        7 | 18 => 1.0,
        // Somebody stays for longer now and then.
        19 => 0.2,
        _ => 0.0,
    }
}

fn mail(day: u64, hour: u64) -> f64 {
    match hour {
        7..=20 if is_workday(day) => 3.0,
        9..=18 => 0.5,
        _ => 0.0,
    }
}

fn tls(day: u64, hour: u64) -> f64 {
    let of_day = 1.0 - 0.6 * (std::f64::consts::TAU * (hour as f64 - 2.0) / 24.0).cos();
    let of_week = if day % 7 < 5 { 1.0 } else { 0.7 };
    // Two days of a sale, for which nobody is to be called.
    let sale = if (327..=328).contains(&day) { 2.5 } else { 1.0 };
    3000.0 * of_day * of_week * sale * growth(day)
}

fn batch(_: u64, hour: u64) -> f64 {
    if hour == 2 { 400.0 } else { 0.0 }
}

fn weekly(day: u64, hour: u64) -> f64 {
    if day % 7 == 6 && hour == 3 { 60.0 } else { 0.0 }
}

fn root(day: u64, hour: u64) -> f64 {
    if day % 20 == 3 && hour == 10 { 3.0 } else { 0.0 }
}

/// The clock on the wall is an hour further in summer.
fn wall(day: u64, hour: u64) -> (u64, u64) {
    let summer = u64::from((83..=292).contains(&day));
    let hours = day * 24 + hour + 1 + summer;
    (hours / 24, hours % 24)
}

impl Year {
    fn new() -> Self {
        let mut year = Self { chance: Chance(2025), uses: Vec::new(), plants: Vec::new() };
        for habit in &HABITS {
            year.live(habit);
        }
        year.mistakes();
        year.changes();
        year
    }

    fn live(&mut self, habit: &Habit) {
        for day in 0..DAYS {
            for hour in 0..24 {
                let (wall_day, wall_hour) = wall(day, hour);
                let uses = self.chance.about((habit.expected)(wall_day, wall_hour));
                let portions = uses.min(habit.portions);
                for portion in 0..portions {
                    let at = START + day * DAY + hour * HOUR + portion * HOUR / portions + self.chance.below(MINUTE);
                    let uses = uses / portions + u64::from(portion < uses % portions);
                    let program = habit.programs[self.chance.below(habit.programs.len() as u64) as usize];
                    self.put(at, one(habit.key, habit.way, program, uses, at));
                }
            }
        }
    }

    /// What is refused without anything behind it: once or a few times in a row.
    fn mistakes(&mut self) {
        for _ in 0..60 {
            let at = self.moment(0, 8..18);
            let uses = 1 + self.chance.below(4);
            self.put(at, Use { outcome: UseOutcome::Denied, ..one("signer", SIGN, "signtool", uses, at) });
        }
    }

    /// What is new and meant: a second program, a Saturday at work, a batch that is run again. Rules cannot know; what they
    /// say of it counts as false.
    fn changes(&mut self) {
        for day in 200..DAYS {
            let at = START + day * DAY + 12 * HOUR;
            self.put(at, one("mail", DECRYPT, "mailgate-ng", 1, at));
        }
        for hour in 8..14 {
            let at = START + 145 * DAY + hour * HOUR;
            self.put(at, one("signer", SIGN, "portal", 12, at));
        }
        let again = START + 245 * DAY + 8 * HOUR;
        self.put(again, one("batch", SIGN, "payments", 400, again));
    }

    fn put(&mut self, written: u64, one: Use) {
        self.uses.push((written, one));
    }

    /// A moment on a working day after so many days, in hours of UTC.
    fn moment(&mut self, after: u64, hours: std::ops::Range<u64>) -> u64 {
        loop {
            let day = after + self.chance.below(DAYS - after);
            let at = START + day * DAY + (hours.start + self.chance.below(hours.end - hours.start)) * HOUR;
            // Not where another one is: each is to be found by itself.
            let is_free = self.plants.iter().all(|plant| plant.between.0.abs_diff(at) > 2 * DAY);
            if is_workday(day) && is_free {
                return at + self.chance.below(HOUR / 2);
            }
        }
    }

    /// Plants anomalies of a rule: on each of the keys in turn.
    fn plant(
        &mut self,
        rule: Rule,
        also: &'static [Rule],
        keys: &[&'static str],
        times: usize,
        hours: std::ops::Range<u64>,
        make: fn(&mut Self, &Habit, u64, usize),
    ) {
        for (number, key) in keys.iter().cycle().take(times).enumerate() {
            let at = self.moment(70, hours.clone());
            let habit = HABITS.iter().find(|habit| habit.key == *key).unwrap();
            make(self, habit, at, number);
            self.plants.push(Plant { rule, also, key: habit.key, between: (at, at + HOUR) });
        }
    }

    /// Everything that is to be found, and the year around it.
    fn with_plants() -> Self {
        const CALLERS: [&str; 10] = ["x0", "x1", "x2", "x3", "x4", "x5", "x6", "x7", "x8", "x9"];
        const OTHER: [(&str, &str); 8] = [
            ("sign", "CKM_RSA_PKCS"),
            ("decrypt", "CKM_RSA_PKCS"),
            ("derive", "CKM_ECDH1_DERIVE"),
            ("unwrap", "CKM_AES_KEY_WRAP"),
            ("sign", "CKM_ECDSA"),
            ("decrypt", "CKM_AES_CBC"),
            ("verify", "CKM_ECDSA"),
            ("sign", "CKM_SHA1_RSA_PKCS"),
        ];
        let mut year = Self::new();
        year.plant(Rule::NewCaller, &[], &["signer", "mail", "tls"], 9, 9..16, |year, habit, at, number| {
            year.put(at, one(habit.key, habit.way, CALLERS[number], 1, at));
        });
        year.plant(Rule::NewMechanism, &[], &["signer", "mail", "tls"], 8, 9..16, |year, habit, at, number| {
            year.put(at, one(habit.key, OTHER[number], habit.programs[0], 1, at));
        });
        year.plant(Rule::UnusualHour, &[], &["signer", "mail", "batch"], 9, 21..23, |year, habit, at, number| {
            year.put(at, one(habit.key, habit.way, habit.programs[0], 1 + number as u64, at));
        });
        year.plant(Rule::RateJump, &[], &["tls", "signer", "mail"], 9, 9..14, |year, habit, at, number| {
            // Of the first, some are less than three times what is usual.
            let usual = [1200, 12, 5][number % 3];
            for minute in 0..20 {
                let uses = usual * (4 + number as u64 / 3) / 10;
                year.put(at + minute * 60, one(habit.key, habit.way, habit.programs[0], uses, at + minute * 60));
            }
        });
        // A batch at its own hour, six times as large.
        year.plant(Rule::RateJump, &[], &["batch"], 2, 1..2, |year, habit, at, _| {
            for minute in 0..20 {
                year.put(at + minute * 60, one(habit.key, habit.way, habit.programs[0], 120, at + minute * 60));
            }
        });
        // An oracle is asked more often than the key is used, too.
        year.plant(
            Rule::FailureBurst,
            &[Rule::RateJump],
            &["signer", "mail", "tls", "root"],
            8,
            9..16,
            |year, habit, at, number| {
                for second in 0..(15 + number as u64 * 10) {
                    let at = at + second * 3;
                    let plain = one(habit.key, habit.way, habit.programs[0], 1, at);
                    // Refused, or an oracle: what was allowed and failed is written down twice.
                    if habit.way == DECRYPT {
                        year.put(at, plain.clone());
                        year.put(at, Use { outcome: UseOutcome::Failed, ..plain });
                    } else {
                        year.put(at, Use { outcome: UseOutcome::Denied, ..plain });
                    }
                }
            },
        );
        let also = &[Rule::NewMechanism];
        year.plant(Rule::ExportOrWrap, also, &["signer", "mail"], 4, 9..16, |year, habit, at, _| {
            year.put(at, one(habit.key, ("wrapped", "CKM_AES_KEY_WRAP"), habit.programs[0], 1, at));
        });
        year.plant(Rule::ClockBack, &[], &["signer", "tls"], 4, 13..16, |year, habit, at, _| {
            year.put(at, one(habit.key, habit.way, habit.programs[0], 1, at));
            year.put(at, one(habit.key, habit.way, habit.programs[0], 1, at - 2 * HOUR));
        });
        year
    }

    fn findings(mut self) -> (Vec<Finding>, Vec<Plant>) {
        self.uses.sort_by_key(|(written, _)| *written);
        let mut watch = Watch::new(Settings::default(), Order::ByTime, START + 400 * DAY);
        self.uses.iter().for_each(|(_, one)| watch.used(one));
        (watch.findings(), self.plants)
    }
}

fn one(key: &str, (operation, mechanism): (&str, &str), program: &str, uses: u64, at: u64) -> Use {
    Use {
        key: key.to_owned(),
        operation: operation.to_owned(),
        mechanism: mechanism.to_owned(),
        program: program.to_owned(),
        who: "user".to_owned(),
        process: program.bytes().map(u64::from).sum(),
        outcome: UseOutcome::Allowed,
        uses,
        at,
    }
}

/// How many there were, and how many of them were right.
#[derive(Default, Clone, Copy)]
struct Share {
    right: usize,
    all: usize,
}

impl Share {
    fn add(&mut self, is_right: bool) {
        self.right += usize::from(is_right);
        self.all += 1;
    }

    fn value(self) -> f64 {
        self.right as f64 / self.all.max(1) as f64
    }
}

/// Recall and precision of each rule. `cargo test -p strongroom-cli year -- --nocapture` prints them for `docs/figures.md`.
#[test]
fn in_a_year_of_traffic_the_rules_find_what_was_planted_and_hardly_anything_else() {
    let (findings, plants) = Year::with_plants().findings();
    assert!(plants.len() >= 40);
    let mut shares: BTreeMap<Rule, (Share, Share)> = BTreeMap::new();
    for plant in &plants {
        let is_found = findings.iter().any(|found| found.rule == plant.rule && plant.is_meant(found));
        shares.entry(plant.rule).or_default().0.add(is_found);
    }
    for found in &findings {
        let fits = |plant: &Plant| plant.rule == found.rule || plant.also.contains(&found.rule);
        let is_right = plants.iter().any(|plant| fits(plant) && plant.is_meant(found));
        if !is_right {
            println!("false: {} {} {} {}", crate::pending::moment(found.at), found.rule.name(), found.key, found.words);
        }
        shares.entry(found.rule).or_default().1.add(is_right);
    }
    let (mut recall, mut precision) = (Share::default(), Share::default());
    for (rule, (of_plants, of_findings)) in &shares {
        println!(
            "| {} | {} | {} ({:.2}) | {} | {} ({:.2}) |",
            rule.name(),
            of_plants.all,
            of_plants.right,
            of_plants.value(),
            of_findings.all,
            of_findings.all - of_findings.right,
            of_findings.value(),
        );
        assert!(of_plants.value() >= 0.75 && of_findings.value() >= 0.7, "{}", rule.name());
        recall = Share { right: recall.right + of_plants.right, all: recall.all + of_plants.all };
        precision = Share { right: precision.right + of_findings.right, all: precision.all + of_findings.all };
    }
    println!("all: {} planted, recall {:.3}, precision {:.3}", recall.all, recall.value(), precision.value());
    assert!(recall.value() >= 0.9 && precision.value() >= 0.8);
}

#[test]
fn a_year_without_anomalies_raises_less_than_one_alarm_per_key_and_month() {
    let (findings, _) = Year::new().findings();
    for habit in &HABITS {
        let of_key: Vec<&Finding> = findings.iter().filter(|found| found.key == habit.key).collect();
        println!("{}: {}", habit.key, of_key.len());
        of_key.iter().for_each(|found| println!("  {} {}", crate::pending::moment(found.at), found.words));
        assert!(of_key.len() < 12, "{}: {of_key:?}", habit.key);
    }
}

#[test]
fn each_rule_tells_of_what_was_planted_and_not_of_the_same_traffic_without_it() {
    let (without, _) = Year::new().findings();
    let (with, plants) = Year::with_plants().findings();
    let tells = |findings: &[Finding], plant: &Plant| {
        findings.iter().any(|found| found.rule == plant.rule && plant.is_meant(found))
    };
    let rules: BTreeSet<Rule> = plants.iter().map(|plant| plant.rule).collect();
    assert_eq!(rules.len(), 7);
    for rule in rules {
        let of_rule = || plants.iter().filter(|plant| plant.rule == rule);
        assert!(of_rule().any(|plant| tells(&with, plant)), "{}", rule.name());
        assert!(!of_rule().any(|plant| tells(&without, plant)), "{}", rule.name());
    }
}

#[test]
fn more_than_the_most_is_told_of_a_key_that_nobody_knows_yet() {
    let found = |most| {
        let settings = Settings::read(&format!("[rate-jump]\nmost = {most}\n")).unwrap();
        let mut watch = Watch::new(settings, Order::ByTime, START + DAY);
        (0..1000).for_each(|second| watch.used(&one("new", DECRYPT, "mailgate", 1, START + second)));
        watch.findings()
    };
    assert_eq!(found(0), []);
    assert_eq!(found(1000), []);
    let [jump] = &found(999)[..] else { panic!("told once") };
    assert_eq!((jump.rule, jump.at), (Rule::RateJump, START + 999));
    assert!(jump.words.contains("1000 times within the hour"), "{}", jump.words);
}

#[test]
fn a_rule_that_is_off_says_nothing() {
    let settings = Settings::read("[export-or-wrap]\non = false\n").unwrap();
    let wrapped = one("k", ("wrapped", "CKM_AES_KEY_WRAP"), "p", 1, START);
    for (settings, said) in [(settings, 0), (Settings::default(), 1)] {
        let mut watch = Watch::new(settings, Order::ByTime, START + DAY);
        watch.used(&wrapped);
        assert_eq!(watch.findings().len(), said);
    }
}

#[test]
fn the_audit_tells_of_wrong_pins_and_of_a_clock_that_was_set_back() {
    let mut watch = Watch::new(Settings::default(), Order::Loose, START + DAY);
    watch.managed(START, Some(("user", 2)));
    watch.managed(START + 60, Some(("user", 3)));
    watch.managed(START + 1, None);
    watch.managed(START - HOUR, None);
    let told: Vec<(Rule, u64)> = watch.findings().iter().map(|found| (found.rule, found.at)).collect();
    assert_eq!(told, [(Rule::PinFailures, START + 60), (Rule::ClockBack, START + 1)]);
}

#[test]
fn a_use_at_a_time_that_has_not_come_is_told_and_teaches_nothing() {
    let mut watch = Watch::new(Settings::default(), Order::Loose, START);
    watch.used(&one("k", SIGN, "p", 1, START + 300 * DAY));
    assert!(watch.keys.is_empty());
    let told: Vec<(Rule, u64)> = watch.findings().iter().map(|found| (found.rule, found.at)).collect();
    assert_eq!(told, [(Rule::ClockBack, START)]);
}

#[test]
fn counted_uses_that_are_told_late_are_no_clock_that_was_set_back() {
    let mut watch = Watch::new(Settings::default(), Order::Loose, START + DAY);
    watch.used(&one("k", SIGN, "p", 1, START + 2 * HOUR));
    watch.used(&one("k", SIGN, "p", 1, START));
    assert_eq!(watch.findings(), []);
}

#[test]
fn more_callers_than_a_key_can_have_are_not_kept() {
    let mut watch = Watch::new(Settings::default(), Order::Loose, START + 400 * DAY);
    for number in 0..10_000 {
        watch.used(&one("k", SIGN, &format!("p{number}"), 1, START + number));
    }
    assert_eq!(watch.keys["k"].callers.0.len(), MOST_KNOWN);
}
