//! What the rules go by, and the file that changes it.

use std::{collections::BTreeSet, ops::RangeInclusive};

use super::rules::{RULES, Rule};

/// What the rules go by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Settings {
    off: BTreeSet<Rule>,
    /// The rules whose findings disable their key.
    disables: BTreeSet<Rule>,
    /// Whoever uses a key in its first days is expected to: two weeks have each of a fortnight's jobs.
    pub(crate) caller_learning_days: u64,
    /// As long as for callers, for the same reason.
    pub(crate) mechanism_learning_days: u64,
    /// A month of weeks: with fewer, each hour of the week was seen too seldom to be called unusual.
    pub(crate) hour_learning_weeks: u64,
    /// An hour at which a key was used on so many days of eight weeks is usual: a weekly job is after its first month.
    pub(crate) usual_days: u64,
    /// A key that was used in no more hours of nine weeks has no habit that could be left.
    pub(crate) habit_hours: u64,
    /// The median of fewer weeks follows each of them.
    pub(crate) rate_learning_weeks: u64,
    /// So many times what is usual is a jump: a busy day is twice, not thrice.
    pub(crate) rate_factor: u64,
    /// As many deviations from the median as chance does not have in a year of hours, with room for what is no bell curve.
    pub(crate) rate_deviations: u64,
    /// So few uses in an hour are no jump, whatever is usual.
    pub(crate) rate_floor: u64,
    /// More uses in an hour than this are a jump from a key's first day on, whatever is usual; 0 if there is no such number.
    pub(crate) rate_most: u64,
    /// A program that was not told that its key is disabled tries a few times; more is a loop, or somebody who tries.
    pub(crate) refused_uses: u64,
    /// People mistype a PIN once or twice.
    pub(crate) wrong_pins: u64,
    /// So many days before a rotation or the end of a certificate it is told: a week has a working day.
    pub(crate) due_days: u64,
    /// So many days may pass between a change and a backup that has it: a month of backups is what most keep.
    pub(crate) backup_days: u64,
    /// Machines that share a token, and what sets their clocks, differ by seconds.
    pub(crate) clock_back_seconds: u64,
}

/// What a file says of a rule whose findings disable their key.
const DISABLE: &str = "disable";

/// A threshold as a file names it.
struct Threshold {
    rule: Rule,
    name: &'static str,
    value: u64,
    range: RangeInclusive<u64>,
    place: fn(&mut Settings) -> &mut u64,
}

/// Each threshold and its default. Why it is that is at its field.
const THRESHOLDS: [Threshold; 15] = [
    row(Rule::NewCaller, "learning_days", 14, 0..=3650, |all| &mut all.caller_learning_days),
    row(Rule::NewMechanism, "learning_days", 14, 0..=3650, |all| &mut all.mechanism_learning_days),
    row(Rule::UnusualHour, "learning_weeks", 4, 1..=520, |all| &mut all.hour_learning_weeks),
    row(Rule::UnusualHour, "usual_days", 3, 1..=56, |all| &mut all.usual_days),
    row(Rule::UnusualHour, "habit_hours", 20, 1..=1512, |all| &mut all.habit_hours),
    row(Rule::RateJump, "learning_weeks", 4, 1..=8, |all| &mut all.rate_learning_weeks),
    row(Rule::RateJump, "factor", 3, 1..=1000, |all| &mut all.rate_factor),
    row(Rule::RateJump, "deviations", 6, 1..=1000, |all| &mut all.rate_deviations),
    row(Rule::RateJump, "floor", 20, 1..=1_000_000_000, |all| &mut all.rate_floor),
    row(Rule::RateJump, "most", 0, 0..=1_000_000_000, |all| &mut all.rate_most),
    row(Rule::FailureBurst, "refused_uses", 10, 1..=1_000_000, |all| &mut all.refused_uses),
    row(Rule::PinFailures, "wrong_pins", 3, 1..=1000, |all| &mut all.wrong_pins),
    row(Rule::Due, "days", 7, 0..=3650, |all| &mut all.due_days),
    row(Rule::OldBackup, "days", 30, 0..=3650, |all| &mut all.backup_days),
    row(Rule::ClockBack, "seconds", 60, 1..=86_400, |all| &mut all.clock_back_seconds),
];

const fn row(
    rule: Rule,
    name: &'static str,
    value: u64,
    range: RangeInclusive<u64>,
    place: fn(&mut Settings) -> &mut u64,
) -> Threshold {
    Threshold { rule, name, value, range, place }
}

impl Default for Settings {
    fn default() -> Self {
        let mut settings = Self {
            off: BTreeSet::new(),
            disables: BTreeSet::new(),
            caller_learning_days: 0,
            mechanism_learning_days: 0,
            hour_learning_weeks: 0,
            usual_days: 0,
            habit_hours: 0,
            rate_learning_weeks: 0,
            rate_factor: 0,
            rate_deviations: 0,
            rate_floor: 0,
            rate_most: 0,
            refused_uses: 0,
            wrong_pins: 0,
            due_days: 0,
            backup_days: 0,
            clock_back_seconds: 0,
        };
        for threshold in &THRESHOLDS {
            *(threshold.place)(&mut settings) = threshold.value;
        }
        settings
    }
}

impl Settings {
    pub(crate) fn is_on(&self, rule: Rule) -> bool {
        !self.off.contains(&rule)
    }

    /// Whether a key is disabled when this rule finds something about it.
    pub(crate) fn disables(&self, rule: Rule) -> bool {
        self.disables.contains(&rule)
    }

    /// The defaults with what a file of TOML says: a table for each rule, with `on`, its thresholds, and `disable` if it is about
    /// how a key is used.
    pub(crate) fn read(text: &str) -> Result<Self, String> {
        let file: toml::Table = text.parse().map_err(|why: toml::de::Error| why.to_string())?;
        let mut settings = Self::default();
        for (name, table) in &file {
            let Some(rule) = RULES.iter().find(|row| row.name == name).map(|row| row.rule) else {
                let names: Vec<&str> = RULES.iter().map(|row| row.name).collect();
                return Err(format!("there is no rule '{name}': there are {}", names.join(", ")));
            };
            let table = table.as_table().ok_or_else(|| format!("'{name}' must be a table: [{name}]"))?;
            for (key, value) in table {
                settings.set(rule, key, value)?;
            }
        }
        Ok(settings)
    }

    fn set(&mut self, rule: Rule, key: &str, value: &toml::Value) -> Result<(), String> {
        let name = rule.name();
        let is_true = || value.as_bool().ok_or_else(|| format!("{key} of [{name}] must be true or false"));
        match key {
            "on" => {
                if !is_true()? {
                    self.off.insert(rule);
                }
                return Ok(());
            }
            DISABLE if rule.is_about_uses() => {
                if is_true()? {
                    self.disables.insert(rule);
                }
                return Ok(());
            }
            _ => {}
        }
        let of_rule = || THRESHOLDS.iter().filter(|threshold| threshold.rule == rule);
        let Some(Threshold { range, place, .. }) = of_rule().find(|threshold| threshold.name == key) else {
            let last = rule.is_about_uses().then_some(DISABLE);
            let keys: Vec<&str> =
                ["on"].into_iter().chain(of_rule().map(|threshold| threshold.name)).chain(last).collect();
            return Err(format!("[{name}] has no '{key}': it has {}", keys.join(", ")));
        };
        let number = value.as_integer().and_then(|number| u64::try_from(number).ok());
        let number = number
            .filter(|number| range.contains(number))
            .ok_or_else(|| format!("{key} of [{name}] must be a number from {} to {}", range.start(), range.end()))?;
        *place(self) = number;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_switches_rules_off_and_sets_thresholds() {
        let settings = Settings::read("[due]\non = false\n[rate-jump]\nfactor = 5\n").unwrap();
        assert!(!settings.is_on(Rule::Due) && settings.is_on(Rule::RateJump));
        assert_eq!(settings, Settings { off: [Rule::Due].into(), rate_factor: 5, ..Settings::default() });
        let settings = Settings::read("[failure-burst]\ndisable = true\n[rate-jump]\ndisable = false\n").unwrap();
        assert!(settings.disables(Rule::FailureBurst) && !settings.disables(Rule::RateJump));
        assert_eq!(Settings::read("").unwrap(), Settings::default());
    }

    #[test]
    fn a_wrong_name_or_value_is_an_error_that_says_what_there_is() {
        for (text, said) in [
            ("[new-callers]", "there is no rule 'new-callers': there are new-caller, "),
            ("due = 3", "'due' must be a table: [due]"),
            ("[due]\nfactor = 3", "[due] has no 'factor': it has on, days"),
            ("[due]\ndisable = true", "[due] has no 'disable': it has on, days"),
            ("[rate-jump]\ndisable = 1", "disable of [rate-jump] must be true or false"),
            ("[due]\non = 1", "on of [due] must be true or false"),
            ("[rate-jump]\nfactor = 0", "factor of [rate-jump] must be a number from 1 to 1000"),
            ("[rate-jump]\nfactor = \"3\"", "factor of [rate-jump] must be a number from 1 to 1000"),
            ("[due", ""),
        ] {
            let why = Settings::read(text).unwrap_err();
            assert!(why.starts_with(said) && !why.is_empty(), "{text}: {why}");
        }
    }
}
