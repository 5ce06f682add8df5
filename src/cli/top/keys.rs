//! What the keys of the keyboard mean.

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::model::{COLUMNS, Column};

/// What takes the keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    Table,
    /// The text of the filter.
    Filter,
    Help,
    /// Nothing does: it is no terminal.
    Printed,
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    Quit,
    Show(Mode),
    Pause,
    SortNext,
    Sort(Column),
    Up,
    Down,
    PageUp,
    PageDown,
    Home,
    End,
    Type(char),
    Erase,
    /// And back to the table.
    ClearFilter,
}

/// A key, where it counts, and what it does.
struct Binding(Mode, KeyCode, Action);

/// Digits and the letters of a filter are not among them.
const BINDINGS: &[Binding] = &[
    Binding(Mode::Table, KeyCode::Char('q'), Action::Quit),
    Binding(Mode::Table, KeyCode::Esc, Action::Quit),
    Binding(Mode::Table, KeyCode::Char('?'), Action::Show(Mode::Help)),
    Binding(Mode::Table, KeyCode::Char('h'), Action::Show(Mode::Help)),
    Binding(Mode::Table, KeyCode::Char('/'), Action::Show(Mode::Filter)),
    Binding(Mode::Table, KeyCode::Char('p'), Action::Pause),
    Binding(Mode::Table, KeyCode::Char('s'), Action::SortNext),
    Binding(Mode::Table, KeyCode::Up, Action::Up),
    Binding(Mode::Table, KeyCode::Down, Action::Down),
    Binding(Mode::Table, KeyCode::PageUp, Action::PageUp),
    Binding(Mode::Table, KeyCode::PageDown, Action::PageDown),
    Binding(Mode::Table, KeyCode::Home, Action::Home),
    Binding(Mode::Table, KeyCode::End, Action::End),
    Binding(Mode::Filter, KeyCode::Enter, Action::Show(Mode::Table)),
    Binding(Mode::Filter, KeyCode::Esc, Action::ClearFilter),
    Binding(Mode::Filter, KeyCode::Backspace, Action::Erase),
    Binding(Mode::Help, KeyCode::Esc, Action::Show(Mode::Table)),
    Binding(Mode::Help, KeyCode::Enter, Action::Show(Mode::Table)),
    Binding(Mode::Help, KeyCode::Char('?'), Action::Show(Mode::Table)),
    Binding(Mode::Help, KeyCode::Char('h'), Action::Show(Mode::Table)),
    Binding(Mode::Help, KeyCode::Char('q'), Action::Show(Mode::Table)),
];

/// The same for people.
pub(super) const HELP: &[(&str, &str)] = &[
    ("q, Esc, Ctrl-C", "ends it"),
    ("s", "sorts by the next column"),
    ("1 to 8", "sorts by that column; again: the other way round"),
    ("/", "shows only keys with a text: Enter keeps it, Esc ends that"),
    ("arrows, PgUp, PgDn", "scroll; Home and End too"),
    ("p", "pauses, and goes on"),
    ("?", "shows this, and the table again"),
    ("", "7 !2 of USES: seven were allowed, and two refused"),
];

/// What a key means; nothing if it means nothing here.
pub(super) fn action(mode: Mode, key: KeyEvent) -> Option<Action> {
    let with = |modifier| key.modifiers.contains(modifier);
    if with(KeyModifiers::CONTROL) || with(KeyModifiers::ALT) {
        // The terminal is raw: it makes no signal of it.
        return (key.code == KeyCode::Char('c') && with(KeyModifiers::CONTROL)).then_some(Action::Quit);
    }
    let bound = BINDINGS.iter().find(|Binding(of, code, _)| (*of, *code) == (mode, key.code));
    match (bound, mode, key.code) {
        (Some(Binding(_, _, action)), ..) => Some(*action),
        (None, Mode::Filter, KeyCode::Char(letter)) => Some(Action::Type(letter)),
        (None, Mode::Table, KeyCode::Char(digit)) => {
            let place = digit.to_digit(10)?.checked_sub(1).and_then(|place| usize::try_from(place).ok())?;
            COLUMNS.get(place).copied().map(Action::Sort)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn press(mode: Mode, code: KeyCode) -> Option<Action> {
        action(mode, KeyEvent::new(code, KeyModifiers::NONE))
    }

    #[test]
    fn keys_mean_what_the_help_says() {
        for (code, meant) in [
            (KeyCode::Char('q'), Some(Action::Quit)),
            (KeyCode::Esc, Some(Action::Quit)),
            (KeyCode::Char('s'), Some(Action::SortNext)),
            (KeyCode::Char('1'), Some(Action::Sort(Column::Label))),
            (KeyCode::Char('8'), Some(Action::Sort(Column::Due))),
            (KeyCode::Char('0'), None),
            (KeyCode::Char('9'), None),
            (KeyCode::Char('/'), Some(Action::Show(Mode::Filter))),
            (KeyCode::Char('?'), Some(Action::Show(Mode::Help))),
            (KeyCode::Char('p'), Some(Action::Pause)),
            (KeyCode::Down, Some(Action::Down)),
            (KeyCode::PageUp, Some(Action::PageUp)),
            (KeyCode::Char('x'), None),
            (KeyCode::Tab, None),
        ] {
            assert_eq!(press(Mode::Table, code), meant, "{code:?}");
        }
    }

    #[test]
    fn in_a_filter_letters_are_its_text_and_in_the_help_nothing_ends_but_the_help() {
        for letter in ['q', 's', '1', '/', '?', 'é'] {
            assert_eq!(press(Mode::Filter, KeyCode::Char(letter)), Some(Action::Type(letter)));
        }
        assert_eq!(press(Mode::Filter, KeyCode::Backspace), Some(Action::Erase));
        assert_eq!(press(Mode::Filter, KeyCode::Esc), Some(Action::ClearFilter));
        assert_eq!(press(Mode::Filter, KeyCode::Enter), Some(Action::Show(Mode::Table)));
        assert_eq!(press(Mode::Help, KeyCode::Char('q')), Some(Action::Show(Mode::Table)));
        assert_eq!(press(Mode::Help, KeyCode::Char('s')), None);
    }

    #[test]
    fn control_c_ends_it_everywhere_and_no_other_key_with_control_does_anything() {
        for mode in [Mode::Table, Mode::Filter, Mode::Help] {
            let with = |letter| action(mode, KeyEvent::new(KeyCode::Char(letter), KeyModifiers::CONTROL));
            assert_eq!((with('c'), with('q'), with('p')), (Some(Action::Quit), None, None));
        }
    }
}
