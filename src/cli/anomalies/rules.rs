//! The rules, and what those that look at uses conclude.

use engine::UseOutcome;

use super::{Baseline, Finding, Settings, Sure, Use};

/// What is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Rule {
    NewCaller,
    NewMechanism,
    UnusualHour,
    RateJump,
    FailureBurst,
    ExportOrWrap,
    PinFailures,
    Due,
    ClockBack,
    ChainBroken,
    OldBackup,
    Raised,
}

/// A rule as it is told.
pub(crate) struct Row {
    pub(crate) rule: Rule,
    pub(crate) name: &'static str,
    /// What it does not see where uses are counted only; nothing if it sees the same.
    pub(crate) blind: &'static str,
}

/// Each rule. All are on unless a file says otherwise.
pub(crate) const RULES: [Row; 12] = [
    Row { rule: Rule::NewCaller, name: "new-caller", blind: "" },
    Row { rule: Rule::NewMechanism, name: "new-mechanism", blind: "" },
    Row { rule: Rule::UnusualHour, name: "unusual-hour", blind: "" },
    Row {
        rule: Rule::RateJump,
        name: "rate-jump",
        blind: "sees a jump when the minute's count is written, which may be late",
    },
    Row { rule: Rule::FailureBurst, name: "failure-burst", blind: "knows the time of refused uses to a minute" },
    Row { rule: Rule::ExportOrWrap, name: "export-or-wrap", blind: "" },
    Row { rule: Rule::PinFailures, name: "pin-failures", blind: "" },
    Row { rule: Rule::Due, name: "due", blind: "" },
    Row {
        rule: Rule::ClockBack,
        name: "clock-back",
        blind: "looks at the audit only: counted uses are not written in order",
    },
    Row { rule: Rule::ChainBroken, name: "chain-broken", blind: "" },
    Row { rule: Rule::OldBackup, name: "old-backup", blind: "" },
    Row { rule: Rule::Raised, name: "raised", blind: "" },
];

impl Rule {
    /// Whether it looks at how a key is used.
    pub(crate) fn is_about_uses(self) -> bool {
        let about = [
            Self::NewCaller,
            Self::NewMechanism,
            Self::UnusualHour,
            Self::RateJump,
            Self::FailureBurst,
            Self::ExportOrWrap,
        ];
        about.contains(&self)
    }

    pub(crate) fn name(self) -> &'static str {
        RULES.iter().find(|row| row.rule == self).map_or("", |row| row.name)
    }
}

/// What a rule concludes, and what tells it from another finding of its rule and key.
pub(super) type Conclusion = Option<(Finding, String)>;

/// The rules that look at uses, in this order: the last one adds to what is known of the hours.
pub(super) const OF_USES: [fn(&mut Baseline, &Use, &Settings) -> Conclusion; 5] =
    [new_caller, new_mechanism, failure_burst, export_or_wrap, hours];

fn finding(rule: Rule, one: &Use, sure: Sure, words: String) -> Finding {
    Finding { rule, key: one.key.clone(), at: one.at, caller: one.caller(), words, sure }
}

fn wanted(one: &Use) -> &'static str {
    match one.outcome {
        UseOutcome::Allowed => "",
        UseOutcome::Denied => " (it was refused)",
        UseOutcome::Failed => " (it failed)",
    }
}

fn new_caller(key: &mut Baseline, one: &Use, settings: &Settings) -> Conclusion {
    let caller = one.caller();
    (key.callers.learn(&caller) && key.is_known(one.at, settings.caller_learning_days)).then(|| {
        let words = format!("{caller} used it for the first time: {}{}", one.way(), wanted(one));
        (finding(Rule::NewCaller, one, Sure::Likely, words), caller)
    })
}

fn new_mechanism(key: &mut Baseline, one: &Use, settings: &Settings) -> Conclusion {
    let way = one.way();
    (key.ways.learn(&way) && key.is_known(one.at, settings.mechanism_learning_days)).then(|| {
        let words = format!("{} used it in a way in which it was never used: {way}{}", one.caller(), wanted(one));
        (finding(Rule::NewMechanism, one, Sure::Likely, words), way)
    })
}

fn failure_burst(key: &mut Baseline, one: &Use, settings: &Settings) -> Conclusion {
    let vain = (one.outcome != UseOutcome::Allowed).then(|| key.refuse(one.at, one.uses))?;
    (vain >= settings.refused_uses).then(|| {
        let words = format!("{vain} uses were refused or failed within ten minutes, the last: {}", one.way());
        (finding(Rule::FailureBurst, one, Sure::Likely, words), String::new())
    })
}

fn export_or_wrap(_: &mut Baseline, one: &Use, _: &Settings) -> Conclusion {
    (one.operation == "wrapped").then(|| {
        let had = if one.outcome == UseOutcome::Denied { "wanted" } else { "had" };
        let words = format!("{} {} it wrapped by another key{}", one.caller(), had, wanted(one));
        (finding(Rule::ExportOrWrap, one, Sure::Certain, words), one.caller())
    })
}

/// Both rules about hours: a key that is used too often in an hour in which it is not used at all is told as unusual.
fn hours(key: &mut Baseline, one: &Use, settings: &Settings) -> Conclusion {
    // One that failed was allowed, too, and counted then.
    if one.outcome != UseOutcome::Allowed {
        return None;
    }
    let (before, with) = key.count(one.at, one.uses)?;
    above_the_most(one, with, settings)
        .or_else(|| unusual_hour(key, one, before, settings))
        .or_else(|| rate_jump(key, one, before, with, settings))
}

/// Said of each use above it: a key that is disabled for that stays so.
fn above_the_most(one: &Use, with: u64, settings: &Settings) -> Conclusion {
    let most = settings.rate_most;
    (most > 0 && with > most).then(|| {
        let words = format!("it was used {with} times within the hour, by {} last; {most} are the most", one.caller());
        (finding(Rule::RateJump, one, Sure::Certain, words), "most".to_owned())
    })
}

fn unusual_hour(key: &Baseline, one: &Use, before: u64, settings: &Settings) -> Conclusion {
    if before > 0 || !key.is_known(one.at, settings.hour_learning_weeks.saturating_mul(7)) {
        return None;
    }
    let like = key.days_like(one.at) as u64;
    let has_habit = key.active_hours() as u64 > settings.habit_hours;
    (like < settings.usual_days && has_habit).then(|| {
        let words = format!("{} used it at an hour at which it was used on {like} days of eight weeks", one.caller());
        (finding(Rule::UnusualHour, one, Sure::Possible, words), String::new())
    })
}

fn rate_jump(key: &Baseline, one: &Use, before: u64, with: u64, settings: &Settings) -> Conclusion {
    let usual = key.limit(settings.rate_learning_weeks)?;
    let by_factor = usual.median.saturating_mul(settings.rate_factor);
    // A deviation of the normal distribution is 1.4826 of these.
    let spread = usual.deviation.saturating_mul(settings.rate_deviations).saturating_mul(3) / 2;
    let limit = usual.median.saturating_add(spread).max(by_factor).max(settings.rate_floor);
    (before <= limit && with > limit).then(|| {
        let words = format!(
            "it was used {with} times within the hour, by {} last; {} times are usual then",
            one.caller(),
            usual.median
        );
        (finding(Rule::RateJump, one, Sure::Likely, words), String::new())
    })
}
