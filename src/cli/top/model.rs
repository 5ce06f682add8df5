//! What is shown: of one look after the other it keeps how fast keys are used. It reads nothing.

use std::{
    cmp::{Ordering, Reverse},
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use engine::{KeyState, UseAudit};
use serde_json::{Value as Json, json};

use super::keys::{Action, Mode};
use crate::{
    key::hex,
    label::Label,
    pending::{moment, raised_at, words},
    series::{Series, date},
    sight::{Audit, Due, Event, Token},
    usage::Last,
};

/// How often an object was used, by what is written down.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) allowed: u64,
    pub(super) refused: u64,
}

/// Tallies by `CKA_UNIQUE_ID`.
pub(super) type Tallies = BTreeMap<String, Tally>;

/// A key as it was seen.
pub(super) struct Row {
    pub(super) label: Label,
    pub(super) id: Vec<u8>,
    pub(super) kind: String,
    /// `None` of one that was deleted.
    pub(super) version: Option<u64>,
    pub(super) state: KeyState,
    /// When a deleted one goes for good, in seconds since 1970.
    pub(super) gone_at: Option<u64>,
    /// Its objects, older versions with them.
    pub(super) unique_ids: Vec<String>,
    pub(super) last: Option<Last>,
    /// What is due first.
    pub(super) due: Option<(Event, u64)>,
}

/// What was seen at one time.
pub(super) struct Look {
    /// In seconds since 1970.
    pub(super) at: u64,
    /// By a clock that only goes on.
    pub(super) clock: Duration,
    pub(super) token: Token,
    pub(super) rule: UseAudit,
    pub(super) rows: Vec<Row>,
    pub(super) tallies: Tallies,
    pub(super) audit: Audit,
    pub(super) due: Vec<Due>,
    /// Of this token, the oldest first.
    pub(super) alarms: Vec<Json>,
}

/// What was used before the first look, as it was written down.
pub(super) struct Before {
    /// How often each object was used within [`MINUTE`] before that look.
    pub(super) minute: BTreeMap<String, u64>,
    /// When, and how often.
    pub(super) times: Vec<(u64, u64)>,
}

/// At the first look, and where uses are written down by the minute, rates are of a minute.
pub(super) const MINUTE: Duration = Duration::from_secs(60);

/// The parts of the line of bars: how long one is, in seconds, and how many there are.
pub(super) fn scale(rule: UseAudit) -> (u64, usize) {
    match rule {
        UseAudit::Counted => (60, 60),
        UseAudit::Off | UseAudit::Each | UseAudit::Forced => (10, 90),
    }
}

/// A column of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Column {
    Label,
    Version,
    Kind,
    State,
    Rate,
    Uses,
    Last,
    Due,
}

/// The columns in their order: the digit that sorts by one is its place.
pub(super) const COLUMNS: [Column; 8] = [
    Column::Label,
    Column::Version,
    Column::Kind,
    Column::State,
    Column::Rate,
    Column::Uses,
    Column::Last,
    Column::Due,
];

/// How the rows are put in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sort {
    pub(super) by: Column,
    /// The other way round than usual.
    pub(super) turned: bool,
}

/// Whether it goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flow {
    On,
    End,
}

/// All that is shown.
pub(super) struct Model {
    pub(super) look: Look,
    /// The tallies of earlier looks, the oldest first, and when they were taken.
    past: VecDeque<(Duration, Tallies)>,
    /// When keys were used, and how often.
    times: VecDeque<(u64, u64)>,
    /// What is the matter with the token, in words. A PIN counts as wrong while it is tried, so this is what two looks have seen.
    pub(super) matter: Vec<&'static str>,
    /// Since the book of uses went back, which it never does by itself.
    pub(super) went_back: Option<u64>,
    pub(super) sort: Sort,
    pub(super) filter: String,
    pub(super) mode: Mode,
    pub(super) paused: bool,
    /// The first row that is shown.
    pub(super) first: usize,
}

impl Model {
    pub(super) fn new(look: Look, before: Before) -> Self {
        let Before { minute, times } = before;
        let earlier = |(id, now): (&String, &Tally)| {
            let allowed = now.allowed.saturating_sub(minute.get(id).copied().unwrap_or_default());
            (id.clone(), Tally { allowed, ..*now })
        };
        let tallies: Tallies = look.tallies.iter().map(earlier).collect();
        let by = if look.rule == UseAudit::Off { Column::Label } else { Column::Rate };
        Self {
            past: VecDeque::from([(look.clock.saturating_sub(MINUTE), tallies)]),
            matter: look.token.matter(),
            look,
            times: times.into(),
            went_back: None,
            sort: Sort { by, turned: false },
            filter: String::new(),
            mode: Mode::Table,
            paused: false,
            first: 0,
        }
    }

    /// Takes what was seen next.
    pub(super) fn seen(&mut self, look: Look) {
        let before = std::mem::replace(&mut self.look, look);
        let known = before.token.matter();
        self.matter = self.look.token.matter().into_iter().filter(|words| known.contains(words)).collect();
        let more = |(id, now): (&String, &Tally)| {
            let was = before.tallies.get(id).copied().unwrap_or_default();
            now.allowed.saturating_sub(was.allowed)
        };
        let used = self.look.tallies.iter().map(more).fold(0, u64::saturating_add);
        if used > 0 {
            self.times.push_back((self.look.at, used));
        }
        let lost = |(id, was): (&String, &Tally)| {
            self.look.tallies.get(id).is_none_or(|now| now.allowed < was.allowed || now.refused < was.refused)
        };
        let went_back = before.tallies.iter().any(lost);
        if went_back {
            self.went_back = Some(self.look.at);
            // Differences to what was before say nothing.
            self.past.clear();
        }
        let (part, parts) = scale(self.look.rule);
        let oldest = self.look.at.saturating_sub(part.saturating_mul(parts as u64));
        while self.times.front().is_some_and(|(at, _)| *at < oldest) {
            self.times.pop_front();
        }
        if !went_back {
            self.past.push_back((before.clock, before.tallies));
        }
        let since = self.look.clock.saturating_sub(self.window());
        // The newest that is old enough stays, and those after it.
        while self.past.get(1).is_some_and(|(clock, _)| *clock <= since) {
            self.past.pop_front();
        }
    }

    /// How long the time of a rate is at least.
    fn window(&self) -> Duration {
        if self.look.rule == UseAudit::Counted { MINUTE } else { Duration::ZERO }
    }

    /// Uses per second of these objects; `None` where there is nothing to compare with.
    fn rate_of<'a>(&self, unique_ids: impl Iterator<Item = &'a String>) -> Option<f64> {
        let (clock, tallies) = self.past.front()?;
        let seconds = self.look.clock.checked_sub(*clock).filter(|span| !span.is_zero())?.as_secs_f64();
        let more = |id: &String| {
            let [now, was] = [&self.look.tallies, tallies].map(|tallies| tallies.get(id).copied().unwrap_or_default());
            now.allowed.saturating_sub(was.allowed)
        };
        let used = unique_ids.map(more).fold(0, u64::saturating_add);
        self.is_written().then_some(used as f64 / seconds)
    }

    /// Uses per second of a key.
    pub(super) fn rate(&self, row: &Row) -> Option<f64> {
        self.rate_of(row.unique_ids.iter())
    }

    /// Uses per second of all keys, those too that are gone.
    pub(super) fn whole_rate(&self) -> Option<f64> {
        self.rate_of(self.look.tallies.keys())
    }

    /// How often a key was used; `None` where nobody writes that down, and nobody did.
    pub(super) fn uses(&self, row: &Row) -> Option<Tally> {
        let known = self.is_written() || row.unique_ids.iter().any(|id| self.look.tallies.contains_key(id));
        let tallies = row.unique_ids.iter().filter_map(|id| self.look.tallies.get(id));
        known.then(|| sum(tallies))
    }

    /// How often all keys were used.
    pub(super) fn whole(&self) -> Tally {
        sum(self.look.tallies.values())
    }

    /// Whether uses are written down.
    pub(super) fn is_written(&self) -> bool {
        self.look.rule != UseAudit::Off
    }

    /// Uses over the last time.
    pub(super) fn lately(&self) -> Series {
        let (part, parts) = scale(self.look.rule);
        let mut series = Series::new(part, parts, self.look.at);
        self.times.iter().for_each(|(at, uses)| series.add(*at, *uses));
        series
    }

    /// The rows that are shown, in their order.
    pub(super) fn rows(&self) -> Vec<&Row> {
        let wanted = self.filter.to_lowercase();
        let mut rows: Vec<&Row> = self.look.rows.iter().filter(|row| row.has(&wanted)).collect();
        rows.sort_by(|one, other| {
            let order = self.compare(one, other);
            let order = if self.sort.turned { order.reverse() } else { order };
            order.then_with(|| (&one.label, &one.id, &one.kind).cmp(&(&other.label, &other.id, &other.kind)))
        });
        rows
    }

    /// Texts from A on, numbers from the highest on, times from the one that matters first.
    fn compare(&self, one: &Row, other: &Row) -> Ordering {
        let by = |of: fn(&Row) -> Option<u64>| Reverse(of(one)).cmp(&Reverse(of(other)));
        match self.sort.by {
            Column::Label => one.label.cmp(&other.label),
            Column::Version => by(|row| row.version),
            Column::Kind => one.kind.cmp(&other.kind),
            Column::State => one.state_words().cmp(&other.state_words()),
            Column::Rate => {
                let [one, other] = [one, other].map(|row| self.rate(row).unwrap_or(-1.0));
                other.total_cmp(&one)
            }
            Column::Uses => {
                let [one, other] = [one, other].map(|row| self.uses(row).map(|uses| uses.allowed));
                other.cmp(&one)
            }
            Column::Last => by(|row| row.last.as_ref().map(|last| last.at)),
            Column::Due => {
                let [one, other] = [one, other].map(|row| row.due.map_or(u64::MAX, |(_, at)| at));
                one.cmp(&other)
            }
        }
    }

    /// What was raised and what is to come, in words: the newest alarm first, then what is due first.
    pub(super) fn notices(&self) -> Vec<(Notice, String)> {
        let back = self.went_back.map(|at| {
            let why = "the book of uses went back: it was removed or put back (`strongroom audit uses verify`)";
            (Notice::Alarm, format!("{}  {why}", moment(at)))
        });
        // What is cut off at the edge of the screen is the rest of the sentence.
        let alarm = |alarm: &Json| {
            let text = |name: &str| alarm.get(name).and_then(Json::as_str).unwrap_or("?");
            let gist = format!("{} by {}", text("alarm"), text("program"));
            (Notice::Alarm, format!("{}  {gist}: {}", moment(raised_at(alarm)), words(alarm)))
        };
        let due = |Due { event, label, at }: &Due| {
            let kind = if *at <= self.look.at { Notice::Overdue } else { Notice::Due };
            (kind, format!("{}  {}: {label}", moment(*at), event.words().1))
        };
        let alarms = self.look.alarms.iter().rev().map(alarm);
        back.into_iter().chain(alarms).chain(self.look.due.iter().map(due)).collect()
    }

    /// Does what a key of the keyboard means; `page` rows are seen at a time.
    pub(super) fn act(&mut self, action: Action, page: usize) -> Flow {
        let last = self.rows().len().saturating_sub(page.max(1));
        match action {
            Action::Quit => return Flow::End,
            Action::Show(mode) => self.mode = mode,
            Action::Pause => self.paused = !self.paused,
            Action::SortNext => {
                let at = COLUMNS.iter().position(|column| *column == self.sort.by).map_or(0, |at| at + 1);
                let by = COLUMNS.get(at).copied().unwrap_or(Column::Label);
                self.sort = Sort { by, turned: false };
            }
            Action::Sort(by) => self.sort = Sort { by, turned: self.sort.by == by && !self.sort.turned },
            Action::Up => self.first = self.first.min(last).saturating_sub(1),
            Action::Down => self.first = (self.first + 1).min(last),
            Action::PageUp => self.first = self.first.min(last).saturating_sub(page),
            Action::PageDown => self.first = self.first.saturating_add(page).min(last),
            Action::Home => self.first = 0,
            Action::End => self.first = last,
            Action::Type(letter) => self.filter.push(letter),
            Action::Erase => drop(self.filter.pop()),
            Action::ClearFilter => {
                self.filter.clear();
                self.mode = Mode::Table;
            }
        }
        if matches!(action, Action::Type(_) | Action::Erase | Action::ClearFilter) {
            self.first = 0;
        }
        Flow::On
    }

    /// As it is told to programs.
    pub(super) fn told(&self) -> Json {
        let lately = self.lately();
        let Tally { allowed, refused } = self.whole();
        let key = |row: &&Row| {
            let uses = self.uses(row).map(|Tally { allowed, refused }| {
                let last = row.last.as_ref().map(Last::told);
                json!({ "total": allowed, "refused": refused, "per_second": self.rate(row), "last": last })
            });
            let due = row.due.map(|(event, at)| json!({ "event": event.words().0, "at": at }));
            json!({
                "label": &*row.label, "id": hex(&row.id), "kind": row.kind, "version": row.version,
                "state": row.state.to_string(), "gone_at": row.gone_at, "uses": uses, "due": due,
            })
        };
        json!({
            "made_at": self.look.at,
            "token": self.look.token.told.as_ref().ok(),
            "audit": self.look.audit.told(),
            "uses": self.is_written().then(|| json!({
                "total": allowed, "refused": refused, "per_second": self.whole_rate(),
                "lately": { "from": lately.first(), "seconds": lately.part(), "uses": lately.counts() },
            })),
            "keys": self.rows().iter().map(key).collect::<Json>(),
            "due": self.look.due.iter().map(Due::told).collect::<Json>(),
            "alarms": self.look.alarms,
        })
    }
}

/// What a notice is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Notice {
    Alarm,
    Overdue,
    Due,
}

fn sum<'a>(tallies: impl Iterator<Item = &'a Tally>) -> Tally {
    tallies.fold(Tally::default(), |sum, one| Tally {
        allowed: sum.allowed.saturating_add(one.allowed),
        refused: sum.refused.saturating_add(one.refused),
    })
}

impl Row {
    /// Its state; of one that was deleted, until when it can be restored.
    pub(super) fn state_words(&self) -> String {
        match self.gone_at {
            Some(at) => format!("pending, gone {}", date(at)),
            None => self.state.to_string(),
        }
    }

    /// Whether a text, in small letters, is in what is shown of it.
    fn has(&self, wanted: &str) -> bool {
        let program = self.last.as_ref().map(|last| last.program.as_str()).unwrap_or_default();
        let state = self.state_words();
        [&*self.label, &self.kind, &state, program].iter().any(|text| text.to_lowercase().contains(wanted))
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Saturday, 28 November 2026, 07:00 UTC.
    pub(in crate::top) const NOW: u64 = 1_795_849_200;

    pub(in crate::top) fn row(label: &str) -> Row {
        Row {
            label: label.to_owned().into(),
            id: vec![1],
            kind: "p256".to_owned(),
            version: Some(1),
            state: KeyState::Enabled,
            gone_at: None,
            unique_ids: vec![label.to_owned(), format!("{label}, older")],
            last: None,
            due: None,
        }
    }

    /// A look so many seconds after the first, at keys that were used so often by then.
    pub(in crate::top) fn look(rule: UseAudit, seconds: u64, uses: &[(&str, u64)]) -> Look {
        let tally = |(id, allowed): &(&str, u64)| ((*id).to_owned(), Tally { allowed: *allowed, refused: 0 });
        Look {
            at: NOW + seconds,
            clock: MINUTE + Duration::from_secs(seconds),
            token: Token {
                slot: types::SlotId(0),
                told: Ok(json!({ "label": "mine", "serial": "0123", "profile": "compatible", "flags": [] })),
                kept: String::new(),
            },
            rule,
            rows: ["a", "b", "c"].map(row).into_iter().collect(),
            tallies: uses.iter().map(tally).collect(),
            audit: Audit { entries: 3, checkpoint: None, broken: None },
            due: Vec::new(),
            alarms: Vec::new(),
        }
    }

    pub(in crate::top) fn model(first: Look) -> Model {
        Model::new(first, Before { minute: BTreeMap::new(), times: Vec::new() })
    }

    fn labels(model: &Model) -> Vec<&str> {
        model.rows().iter().map(|row| &*row.label).collect()
    }

    #[test]
    fn a_rate_is_what_was_used_since_the_last_look_by_its_time() {
        let mut model = model(look(UseAudit::Each, 0, &[("a", 100)]));
        model.seen(look(UseAudit::Each, 2, &[("a", 110), ("a, older", 4), ("b", 1)]));
        let rates: Vec<Option<f64>> = model.look.rows.iter().map(|row| model.rate(row)).collect();
        assert_eq!(rates, [Some(7.0), Some(0.5), Some(0.0)], "an older version's uses are the key's");
        assert_eq!(model.whole_rate(), Some(7.5));
        model.seen(look(UseAudit::Each, 4, &[("a", 110), ("a, older", 4), ("b", 1)]));
        assert_eq!(model.whole_rate(), Some(0.0));
        assert_eq!((model.lately().total(), model.whole().allowed), (15, 115));
    }

    #[test]
    fn at_the_first_look_a_rate_is_that_of_the_minute_before() {
        let minute = BTreeMap::from([("a".to_owned(), 30)]);
        let model = Model::new(
            look(UseAudit::Each, 0, &[("a", 100)]),
            Before { minute, times: vec![(NOW - 20, 30), (NOW - 800, 5)] },
        );
        assert_eq!((model.rate(&model.look.rows[0]), model.rate(&model.look.rows[1])), (Some(0.5), Some(0.0)));
        assert_eq!((model.lately().total(), model.lately().counts().len()), (35, 90));
    }

    #[test]
    fn where_uses_are_written_by_the_minute_a_rate_is_that_of_the_last_minute() {
        let mut model = model(look(UseAudit::Counted, 0, &[("a", 0)]));
        for seconds in (2..=120).step_by(2) {
            // Sixty are written down at once, each minute.
            model.seen(look(UseAudit::Counted, seconds, &[("a", seconds / 60 * 60)]));
            let rate = model.whole_rate().unwrap();
            assert!(seconds < 60 || (rate - 1.0).abs() < 0.05, "after {seconds} s: {rate}");
        }
        assert!(model.past.len() <= 32, "{}", model.past.len());
    }

    #[test]
    fn a_book_that_goes_back_has_no_rate_and_is_told() {
        let mut model = model(look(UseAudit::Each, 0, &[("a", 100), ("b", 5)]));
        model.seen(look(UseAudit::Each, 2, &[("a", 40), ("b", 6)]));
        assert_eq!((model.whole_rate(), model.rate(&model.look.rows[1])), (None, None));
        assert!(model.notices()[0].1.contains("went back"), "{:?}", model.notices());
        model.seen(look(UseAudit::Each, 4, &[("a", 44), ("b", 6)]));
        assert_eq!(model.whole_rate(), Some(2.0), "it goes on from there");
        model.seen(look(UseAudit::Each, 6, &[]));
        assert_eq!((model.whole_rate(), model.went_back), (None, Some(NOW + 6)), "it was removed");
    }

    #[test]
    fn a_pin_that_is_being_tried_is_not_told_as_wrong_and_one_that_was_wrong_is() {
        let tried = |seconds, flags: &[&str]| {
            let mut look = look(UseAudit::Each, seconds, &[]);
            look.token.told = Ok(json!({ "flags": flags }));
            look
        };
        let mut model = model(tried(0, &[]));
        let wrong = ["the user's PIN was wrong since it was right"];
        for (seconds, flags, matter) in [
            (2, &["CKF_USER_PIN_COUNT_LOW"][..], &[][..]),
            (4, &[], &[]),
            (6, &["CKF_USER_PIN_COUNT_LOW"], &[]),
            (8, &["CKF_USER_PIN_COUNT_LOW"], &wrong),
            (10, &[], &[]),
        ] {
            model.seen(tried(seconds, flags));
            assert_eq!(model.matter, matter, "after {seconds} s");
        }
    }

    #[test]
    fn where_nothing_is_written_down_there_is_no_number() {
        let mut model = model(look(UseAudit::Off, 0, &[]));
        model.seen(look(UseAudit::Off, 2, &[]));
        assert_eq!((model.whole_rate(), model.uses(&model.look.rows[0])), (None, None));
        assert!(model.told()["uses"].is_null() && model.told()["keys"][0]["uses"].is_null());
        model.seen(look(UseAudit::Off, 4, &[("a", 7)]));
        let known = model.uses(&model.look.rows[0]).map(|uses| uses.allowed);
        assert_eq!((known, model.uses(&model.look.rows[1])), (Some(7), None), "what was written down before stays");
    }

    #[test]
    fn rows_are_sorted_by_each_column_and_the_other_way_round() {
        let mut first = look(UseAudit::Each, 0, &[]);
        first.rows[0].due = Some((Event::Rotation, NOW + 5));
        first.rows[2].due = Some((Event::Expiry, NOW + 1));
        first.rows[1].state = KeyState::Disabled;
        let mut model = model(first);
        let next = look(UseAudit::Each, 2, &[("b", 9), ("c", 1)]);
        let rows = std::mem::take(&mut model.look.rows);
        model.seen(Look { rows, ..next });
        for (by, order) in [
            (Column::Label, ["a", "b", "c"]),
            (Column::Rate, ["b", "c", "a"]),
            (Column::Uses, ["b", "c", "a"]),
            (Column::Due, ["c", "a", "b"]),
            (Column::State, ["b", "a", "c"]),
        ] {
            model.sort = Sort { by, turned: false };
            assert_eq!(labels(&model), order, "{by:?}");
        }
        model.act(Action::Sort(Column::Label), 10);
        assert_eq!(labels(&model), ["a", "b", "c"]);
        model.act(Action::Sort(Column::Label), 10);
        assert_eq!(labels(&model), ["c", "b", "a"], "the same column again turns it round");
        model.sort = Sort { by: Column::Due, turned: false };
        model.act(Action::SortNext, 10);
        assert_eq!(model.sort.by, Column::Label, "after the last column comes the first");
    }

    #[test]
    fn a_filter_keeps_the_rows_in_which_its_text_stands() {
        let mut model = model(look(UseAudit::Each, 0, &[]));
        model.look.rows[1].kind = "AES-256".to_owned();
        model.look.rows[2].state = KeyState::Disabled;
        for (text, left) in [("aes", &["b"][..]), ("DISAB", &["c"]), ("nothing", &[]), ("", &["a", "b", "c"])] {
            model.act(Action::ClearFilter, 10);
            for letter in text.chars() {
                model.act(Action::Type(letter), 10);
            }
            model.sort.by = Column::Label;
            assert_eq!(labels(&model), left, "{text}");
        }
        model.filter = "b".to_owned();
        model.act(Action::Erase, 10);
        assert_eq!(labels(&model).len(), 3);
    }

    #[test]
    fn one_scrolls_from_the_first_row_to_the_last_page_and_no_further() {
        let mut first = look(UseAudit::Each, 0, &[]);
        first.rows = (0..25).map(|number| row(&number.to_string())).collect();
        let mut model = model(first);
        for (action, at) in [
            (Action::Up, 0),
            (Action::Down, 1),
            (Action::PageDown, 11),
            (Action::PageDown, 15),
            (Action::Down, 15),
            (Action::PageUp, 5),
            (Action::End, 15),
            (Action::Home, 0),
        ] {
            model.act(action, 10);
            assert_eq!(model.first, at, "{action:?}");
        }
    }
}
