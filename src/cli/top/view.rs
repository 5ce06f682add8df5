//! The model as a picture of letters. It decides nothing but what there is room for.

use engine::KeyState;
use ratatui::{
    Frame,
    layout::{Alignment, Constraint, Layout, Rect},
    style::{Color, Modifier, Style},
    text::{Line, Span},
    widgets::{Block, Borders, Cell, Clear, Paragraph, Row as TableRow, Table},
};

use super::{
    keys::{HELP, Mode},
    model::{COLUMNS, Column, Model, Notice, Row, Tally},
};
use crate::{
    label,
    pending::moment,
    series::{DAY, HOUR, date},
    sight::Event,
};

/// What a column is called, whether it is numbers, and how soon it goes where there is no room; 0 stays.
const TITLES: [(Column, &str, Alignment, u8); 8] = [
    (Column::Label, "LABEL", Alignment::Left, 0),
    (Column::Version, "V", Alignment::Right, 5),
    (Column::Kind, "KIND", Alignment::Left, 4),
    (Column::State, "STATE", Alignment::Left, 1),
    (Column::Rate, "USES/S", Alignment::Right, 0),
    (Column::Uses, "USES", Alignment::Right, 0),
    (Column::Last, "LAST USE", Alignment::Left, 2),
    (Column::Due, "DUE", Alignment::Left, 3),
];

/// A label is not cut to less than this for another column's sake.
const LABEL: usize = 16;

/// Between two columns.
const GAP: usize = 2;

const QUIET: Style = Style::new().add_modifier(Modifier::DIM);
const WARN: Style = Style::new().fg(Color::Yellow);
const BAD: Style = Style::new().fg(Color::Red);
const BOLD: Style = Style::new().add_modifier(Modifier::BOLD);
const BARS: Style = Style::new().fg(Color::Cyan);
const TURNED: Style = Style::new().add_modifier(Modifier::REVERSED);

/// Where the parts are.
struct Places {
    facts: Rect,
    bars: Rect,
    keys: Rect,
    notices: Rect,
    foot: Rect,
}

impl Places {
    fn of(area: Rect, notices: usize) -> Self {
        let rows = |wide: u16, narrow: u16| if area.height >= 16 { wide } else { narrow };
        let room = rows(area.height / 4, u16::from(area.height >= 9));
        // A line above them says what they are.
        let notices = u16::try_from(notices).unwrap_or(u16::MAX).min(room).max(1) + rows(1, 0);
        let [facts, bars, keys, notices, foot] = Layout::vertical([
            Constraint::Length(rows(4, 2)),
            Constraint::Length(rows(1, 0)),
            Constraint::Min(3),
            Constraint::Length(if area.height >= 9 { notices } else { 0 }),
            Constraint::Length(u16::from(area.height >= 6)),
        ])
        .areas(area);
        Self { facts, bars, keys, notices, foot }
    }
}

/// Above the rows are a line with how many there are, and the titles.
const ABOVE: u16 = 2;

/// How many keys are seen at a time.
pub(super) fn page(model: &Model, area: Rect) -> usize {
    Places::of(area, model.notices().len()).keys.height.saturating_sub(ABOVE).into()
}

/// How many lines it takes to show everything, with so many notices.
pub(super) fn height(model: &Model, notices: usize) -> u16 {
    let notices = model.notices().len().min(notices);
    let rows = model.rows().len().max(1) + usize::from(ABOVE) + 4 + 1 + notices.max(1) + 1;
    // Of what is there, notices get a quarter.
    u16::try_from(rows.max(4 * notices).max(16)).unwrap_or(u16::MAX)
}

pub(super) fn draw(model: &Model, frame: &mut Frame<'_>) {
    let notices = model.notices();
    let places = Places::of(frame.area(), notices.len());
    frame.render_widget(Paragraph::new(facts(model)), places.facts);
    frame.render_widget(Paragraph::new(bars(model, places.bars.width.into())), places.bars);
    keys(model, frame, places.keys);
    let title = if model.look.alarms.is_empty() { "no alarm; what is due" } else { "alarms, and what is due" };
    let block = if places.notices.height > 1 { titled(title.to_owned()) } else { Block::new() };
    let lines: Vec<Line<'_>> = if notices.is_empty() {
        vec![Line::styled("nothing within 90 days", QUIET)]
    } else {
        shown(&notices, block.inner(places.notices).height.into())
    };
    frame.render_widget(Paragraph::new(lines).block(block), places.notices);
    frame.render_widget(Paragraph::new(foot(model)), places.foot);
    if model.mode == Mode::Help {
        help(frame);
    }
}

fn titled(title: String) -> Block<'static> {
    Block::new().borders(Borders::TOP).border_style(QUIET).title(Span::styled(title, QUIET))
}

/// Who the token is, and how it is. What matters most comes first.
fn facts(model: &Model) -> Vec<Line<'static>> {
    let look = &model.look;
    let token = &look.token;
    let name = label::line(token.text("label"));
    let mut first = vec![Span::styled(name, BOLD)];
    if model.paused {
        first.push(Span::styled("  paused", WARN));
    }
    let about = [token.text("profile"), "serial", token.text("serial")].join(" ");
    first.push(Span::raw(format!("  {}  {}", clock(look.at), label::line(&about))));
    let mut pins = vec![Span::raw(if token.has("CKF_USER_PIN_INITIALIZED") { "PIN: set" } else { "PIN: not set" })];
    pins.extend(model.matter.iter().map(|words| Span::styled(format!("; {words}"), WARN)));
    let audit = Span::styled(
        format!("audit: {}", label::line(&look.audit.words())),
        if look.audit.broken.is_some() { BAD } else { Style::new() },
    );
    vec![first.into(), uses(model), pins.into(), audit.into()]
}

/// The time of day, by UTC.
fn clock(at: u64) -> String {
    moment(at).replace('T', " ")
}

fn uses(model: &Model) -> Line<'static> {
    let rule = model.look.rule;
    if !model.is_written() {
        let cure = "`strongroom token set --use-audit counted` lets the token write them down";
        return Line::styled(format!("uses: off, none is written down: {cure}"), WARN);
    }
    let all = model.whole();
    let mut line = vec![Span::raw(format!("uses: {rule}, {}/s, {} in all", rate(model.whole_rate()), all.allowed))];
    if all.refused > 0 {
        line.push(Span::styled(format!(", {} refused", all.refused), BAD));
    }
    line.into()
}

fn bars(model: &Model, width: usize) -> Line<'static> {
    if !model.is_written() {
        return Line::styled("no line of uses: none is written down", QUIET);
    }
    let lately = model.lately();
    let minutes = lately.part() * lately.counts().len() as u64 / 60;
    let words = format!("  {} uses in {minutes} min, at most {} in {} s", lately.total(), lately.most(), lately.part());
    let bars = lately.bars();
    // The newest are seen.
    let room = width.saturating_sub(Span::raw(&words).width());
    let bars: String = bars.chars().skip(bars.chars().count().saturating_sub(room)).collect();
    vec![Span::styled(bars, BARS), Span::styled(words, QUIET)].into()
}

/// A number of uses per second, in few letters.
fn rate(rate: Option<f64>) -> String {
    match rate {
        None => "?".to_owned(),
        Some(0.0) => "0".to_owned(),
        Some(rate) if rate < 0.095 => format!("{rate:.2}"),
        Some(rate) if rate < 99.95 => format!("{rate:.1}"),
        Some(rate) => format!("{rate:.0}"),
    }
}

/// How long ago, in few letters.
fn ago(now: u64, at: u64) -> String {
    let ago = now.saturating_sub(at);
    let units = [(DAY, "d"), (HOUR, "h"), (60, "min")];
    match units.iter().find(|(unit, _)| ago >= *unit) {
        Some((unit, word)) => format!("{} {word}", ago / unit),
        None => format!("{ago} s"),
    }
}

/// What stands in a cell, and how.
fn cell(model: &Model, row: &Row, column: Column) -> (String, Style) {
    let plain = |text: String| (text, Style::new());
    let uses = model.uses(row);
    match column {
        Column::Label => plain(row.label.to_string()),
        Column::Version => plain(row.version.map(|version| version.to_string()).unwrap_or_default()),
        Column::Kind => plain(row.kind.clone()),
        Column::State => (row.state_words(), if row.state == KeyState::Enabled { Style::new() } else { WARN }),
        Column::Rate | Column::Uses if uses.is_none() => ("not kept".to_owned(), QUIET),
        Column::Rate if !model.is_written() => ("not kept".to_owned(), QUIET),
        Column::Rate => {
            let number = model.rate(row);
            (rate(number), if number.is_some_and(|number| number > 0.0) { BOLD } else { QUIET })
        }
        Column::Uses => match uses.unwrap_or_default() {
            Tally { allowed, refused: 0 } => plain(allowed.to_string()),
            Tally { allowed, refused } => (format!("{allowed} !{refused}"), BAD),
        },
        Column::Last => match &row.last {
            Some(last) => plain(format!("{} {}", ago(model.look.at, last.at), label::line(&last.program))),
            None if uses.is_none() => ("not written down".to_owned(), QUIET),
            None => ("never".to_owned(), QUIET),
        },
        Column::Due => match row.due {
            Some((event, at)) => {
                let what = match event {
                    Event::Rotation => "rotation",
                    Event::Expiry => "certificate",
                    Event::Loss => "loss",
                };
                (format!("{what} {}", date(at)), if at <= model.look.at { BAD } else { Style::new() })
            }
            None => plain(String::new()),
        },
    }
}

/// The columns that there is room for, and how wide each is.
fn widths(natural: &[usize], room: usize) -> Vec<(usize, usize)> {
    let mut kept: Vec<(usize, usize)> = natural.iter().copied().enumerate().collect();
    let goes = |at: &usize| TITLES.get(*at).map_or(0, |(.., goes)| *goes);
    loop {
        let others: usize = kept.iter().skip(1).map(|(_, width)| width + GAP).sum();
        let label = kept.first().map_or(0, |(_, width)| *width);
        let last = kept.iter().enumerate().max_by_key(|(_, (at, _))| goes(at)).filter(|(_, (at, _))| goes(at) > 0);
        match last {
            Some((place, _)) if others + label.min(LABEL) > room => drop(kept.remove(place)),
            _ => {
                if let Some((_, width)) = kept.first_mut() {
                    *width = room.saturating_sub(others).max(1);
                }
                return kept;
            }
        }
    }
}

fn keys(model: &Model, frame: &mut Frame<'_>, area: Rect) {
    let rows = model.rows();
    let page = usize::from(area.height.saturating_sub(ABOVE));
    let first = model.first.min(rows.len().saturating_sub(page));
    let all = model.look.rows.len();
    let title = match (rows.len(), &*model.filter) {
        (_, "") if all == 0 => "no key yet: `strongroom key create` makes one".to_owned(),
        (_, "") if all == 1 => "1 key".to_owned(),
        (_, "") => format!("{all} keys"),
        (shown, filter) => format!("{shown} of {all} keys, with '{}'", label::line(filter)),
    };
    let cells: Vec<Vec<(String, Style)>> = rows
        .iter()
        .skip(first)
        .take(page)
        .map(|row| COLUMNS.iter().map(|column| cell(model, row, *column)).collect())
        .collect();
    let titles = TITLES.map(|(column, title, ..)| match (column == model.sort.by, model.sort.turned) {
        (true, false) => format!("{title}▾"),
        (true, true) => format!("{title}▴"),
        (false, _) => title.to_owned(),
    });
    let wide = |at: usize| {
        let of_cells = cells.iter().filter_map(|row| row.get(at)).map(|(text, _)| Span::raw(text).width());
        of_cells.chain(titles.get(at).map(|title| Span::raw(title).width())).max().unwrap_or_default()
    };
    let natural: Vec<usize> = (0..TITLES.len()).map(wide).collect();
    let kept = widths(&natural, area.width.into());
    let aligned = |at: usize| TITLES.get(at).map_or(Alignment::Left, |(_, _, alignment, _)| *alignment);
    let told = |at: usize, text: String| Cell::from(Line::from(text).alignment(aligned(at)));
    let lines = cells.into_iter().map(|row| {
        let cells =
            kept.iter().filter_map(|(at, _)| row.get(*at).map(|(text, style)| told(*at, text.clone()).style(*style)));
        TableRow::new(cells.collect::<Vec<_>>())
    });
    let header = kept.iter().filter_map(|(at, _)| titles.get(*at).map(|title| told(*at, title.clone())));
    let constraints = kept.iter().map(|(_, width)| Constraint::Length(u16::try_from(*width).unwrap_or(u16::MAX)));
    let table = Table::new(lines, constraints)
        .column_spacing(u16::try_from(GAP).unwrap_or(1))
        .header(TableRow::new(header.collect::<Vec<_>>()).style(TURNED))
        .block(titled(title));
    frame.render_widget(table, area);
}

/// As many notices as there is room for. What is due is not hidden by alarms, as far as there is room for both.
fn shown(notices: &[(Notice, String)], room: usize) -> Vec<Line<'_>> {
    let is_alarm = |notice: &Notice| *notice == Notice::Alarm;
    let dues = notices.iter().filter(|(notice, _)| !is_alarm(notice)).count();
    let alarms = notices.len().saturating_sub(dues).min(room.saturating_sub(dues.min(room / 2)));
    let raised = notices.iter().filter(|(notice, _)| is_alarm(notice)).take(alarms);
    let due = notices.iter().filter(|(notice, _)| !is_alarm(notice)).take(room.saturating_sub(alarms));
    let line = |(notice, words): &'_ (Notice, String)| {
        let style = match notice {
            Notice::Alarm => BAD,
            Notice::Overdue => WARN,
            Notice::Due => Style::new(),
        };
        Line::styled(label::line(words), style)
    };
    raised.chain(due).map(line).collect()
}

fn foot(model: &Model) -> Line<'static> {
    match model.mode {
        Mode::Filter => vec![Span::raw("/"), Span::raw(label::line(&model.filter)), Span::styled(" ", TURNED)].into(),
        Mode::Printed => Line::default(),
        Mode::Table | Mode::Help => Line::styled("q quit  ? help  s sort  / filter  p pause", QUIET),
    }
}

fn help(frame: &mut Frame<'_>) {
    let area = frame.area();
    let lines: Vec<Line<'_>> = HELP
        .iter()
        .map(|(keys, words)| Line::from(vec![Span::styled(format!("{keys:20}"), BOLD), Span::raw(*words)]))
        .collect();
    let wide = lines.iter().map(Line::width).max().unwrap_or_default() + 2;
    let [width, height] = [wide, lines.len() + 2].map(|size| u16::try_from(size).unwrap_or(u16::MAX));
    let (width, height) = (width.min(area.width), height.min(area.height));
    let place = Rect {
        x: area.x + area.width.saturating_sub(width) / 2,
        y: area.y + area.height.saturating_sub(height) / 2,
        width,
        height,
    };
    frame.render_widget(Clear, place);
    frame.render_widget(Paragraph::new(lines).block(Block::bordered().title("keys")), place);
}

#[cfg(test)]
mod tests {
    use engine::UseAudit;
    use ratatui::{Terminal, backend::TestBackend, buffer::Buffer};
    use serde_json::json;

    use super::{
        super::{
            keys::Action,
            model::tests::{NOW, look, model},
            plain,
        },
        *,
    };
    use crate::{sight::Due, usage::Last};

    fn drawn(model: &Model, width: u16, height: u16) -> String {
        let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        terminal.draw(|frame| draw(model, frame)).unwrap();
        let buffer: &Buffer = terminal.backend().buffer();
        plain(buffer)
    }

    /// A token with a key that is used, one that is disabled, one that was deleted, an alarm and something due.
    fn busy() -> Model {
        let mut first = look(UseAudit::Each, 0, &[("a", 100)]);
        let mut second = look(UseAudit::Each, 2, &[("a", 125)]);
        second.rows[0].last =
            Some(Last { at: NOW - 70, program: "nginx\u{1b}[2J".to_owned(), operation: "sign".to_owned() });
        second.rows[0].due = Some((Event::Rotation, NOW - 5));
        second.rows[1].state = KeyState::Disabled;
        second.rows[2].state = KeyState::PendingDeletion;
        second.rows[2].gone_at = Some(NOW + 30 * DAY);
        second.due = vec![Due { event: Event::Rotation, label: "a".to_owned().into(), at: NOW - 5 }];
        second.alarms = vec![
            json!({ "time": NOW - 9, "alarm": "pin-locked", "whose": "user", "token": "0123", "program": "old" }),
            json!({ "time": NOW - 1, "alarm": "pin-locked", "whose": "user", "token": "0123", "program": "new" }),
        ];
        first.rows.pop();
        let mut model = model(first);
        model.seen(second);
        model
    }

    #[test]
    fn at_80_by_24_everything_that_matters_is_seen() {
        let text = drawn(&busy(), 80, 24);
        for words in [
            "mine  2026-11-28 07:00:02Z  compatible serial 0123",
            "uses: each, 12.5/s, 125 in all",
            "PIN: not set",
            "audit: all 3 entries are as they were written",
            "25 uses in 15 min, at most 25 in 10 s",
            "3 keys",
            "LABEL",
            "USES/S▾",
            "12.5",
            "disabled",
            "pending, gone 2026-12-28",
            "key is to be rotated: a",
            "q quit",
        ] {
            assert!(text.contains(words), "{words}:\n{text}");
        }
        let place = |words: &str| text.find(words).unwrap_or_else(|| panic!("{words}:\n{text}"));
        assert!(
            place("pin-locked by new: A PIN") < place("pin-locked by old")
                && place("pin-locked by old") < place("is to be rotated"),
            "{text}"
        );
        assert!(!text.contains('\u{1b}'), "{text}");
        let wide = drawn(&busy(), 140, 24);
        for words in ["p256", "1 min nginx\\u{1b}[2J", "rotation 2026-11-28", "never"] {
            assert!(wide.contains(words), "{words}:\n{wide}");
        }
    }

    #[test]
    fn at_40_by_10_keys_and_their_uses_are_left() {
        let text = drawn(&busy(), 40, 10);
        for words in ["mine", "uses: each, 12.5/s", "LABEL", "USES/S", "12.5", "125", "q quit"] {
            assert!(text.contains(words), "{words}:\n{text}");
        }
        assert!(!text.contains("KIND"), "{text}");
    }

    #[test]
    fn no_size_is_too_small_and_no_mode_needs_room() {
        let mut model = busy();
        for mode in [Mode::Table, Mode::Filter, Mode::Help] {
            model.mode = mode;
            for width in [0, 1, 2, 7, 40, 300] {
                for height in [0, 1, 2, 3, 5, 8, 10, 16, 60] {
                    drawn(&model, width, height);
                    page(&model, Rect::new(0, 0, width, height));
                }
            }
        }
    }

    #[test]
    fn letters_that_are_two_wide_do_not_move_the_columns() {
        let mut model = busy();
        model.look.rows[1].label = "鍵と鍵".to_owned().into();
        let text = drawn(&model, 80, 24);
        let line = |label: &str| text.lines().find(|line| line.starts_with(label)).unwrap();
        let before = |line: &str, word: &str| Span::raw(&line[..line.find(word).unwrap()]).width();
        assert_eq!(before(line("鍵と鍵"), "disabled"), before(line("a "), "enabled"), "{text}");
    }

    #[test]
    fn where_uses_are_off_it_is_said_in_words_and_there_is_no_zero_for_them() {
        let text = drawn(&model(look(UseAudit::Off, 0, &[])), 120, 24);
        for words in ["uses: off, none is written down: `strongroom token set --use-audit counted`", "not kept"] {
            assert!(text.contains(words), "{words}:\n{text}");
        }
        let row = text.lines().find(|line| line.starts_with("a ")).unwrap();
        assert!(row.contains("not written down") && !row.contains(" 0"), "{row}");
    }

    #[test]
    fn a_filter_and_a_pause_are_seen_and_the_help_lists_every_key() {
        let mut model = busy();
        model.act(Action::Pause, 5);
        model.act(Action::Show(Mode::Filter), 5);
        for letter in "disab".chars() {
            model.act(Action::Type(letter), 5);
        }
        let text = drawn(&model, 80, 24);
        assert!(text.contains("1 of 3 keys, with 'disab'") && text.contains("\n/disab"), "{text}");
        assert!(text.contains("paused"), "{text}");
        model.mode = Mode::Help;
        let text = drawn(&model, 80, 24);
        assert!(HELP.iter().all(|(keys, words)| text.contains(keys) && text.contains(words)), "{text}");
    }

    #[test]
    fn rates_and_times_are_told_in_few_letters() {
        for (number, text) in
            [(None, "?"), (Some(0.0), "0"), (Some(0.02), "0.02"), (Some(12.34), "12.3"), (Some(12_345.6), "12346")]
        {
            assert_eq!(rate(number), text);
        }
        for (seconds, text) in [(0, "0 s"), (59, "59 s"), (60, "1 min"), (7300, "2 h"), (200_000, "2 d")] {
            assert_eq!(ago(NOW, NOW - seconds), text);
        }
        assert_eq!(ago(NOW, NOW + 5), "0 s", "a clock may have gone back");
    }
}
