//! `strongroom top`: one token in the terminal, as long as somebody looks at it.

mod keys;
mod look;
mod model;
mod view;

use std::{
    io::{self, IsTerminal},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use engine::Engine;
use ratatui::{
    DefaultTerminal, Terminal,
    backend::TestBackend,
    buffer::{Buffer, Cell},
    crossterm::event::{self, Event, KeyEventKind},
    text::Span,
};
use serde_json::json;
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};

use self::{
    keys::Mode,
    look::Watched,
    model::{Flow, Model},
};
use crate::{answer::Answer, fault::Fault, select::UserLogin};

#[derive(clap::Args)]
pub(crate) struct Top {
    /// Looks again after so many seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 2, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    every: u64,
    /// Looks once, prints what there is as plain text, and ends. $COLUMNS says how wide, else it is 100.
    #[arg(long)]
    once: bool,
    #[command(flatten)]
    login: UserLogin,
}

impl Top {
    /// Why it cannot be done so, with --json or without.
    pub(crate) fn refusal(&self, json: bool) -> Option<Fault> {
        let why = match (self.once, json) {
            (true, _) => return None,
            (false, true) => "`top` draws a picture that lives: --json wants --once",
            (false, false) if !io::stdout().is_terminal() => {
                "`top` draws on a terminal, and standard output is none: `top --once` prints one picture, `strongroom report` makes a \
                 page, and `strongroom metrics` tells numbers to Prometheus"
            }
            (false, false) => return None,
        };
        Some(Fault::Usage(why.to_owned()))
    }
}

/// How wide a picture is that is printed, if nobody says so.
const WIDTH: u16 = 100;

/// Nobody reads wider ones.
const WIDEST: u16 = 500;

/// More notices are not printed.
const NOTICES: usize = 12;

/// How soon it notices that it is asked to end.
const PULSE: Duration = Duration::from_millis(100);

/// How long it has to end by itself.
const PATIENCE: Duration = Duration::from_secs(2);

pub(crate) fn run(engine: &Engine, asked: &Top) -> Result<Answer, Fault> {
    let mut watched = Watched::log_in(engine, &asked.login)?;
    let first = watched.look(engine)?;
    let before = watched.before(engine, &first)?;
    let mut model = Model::new(first, before);
    if asked.once {
        model.mode = Mode::Printed;
        return Ok(Answer::new(printed(&model), model.told()));
    }
    let every = Duration::from_secs(asked.every);
    let end = live(engine, &mut watched, &mut model, every)?;
    Ok(Answer { silent: true, code: Some(end), ..Answer::new("", json!({})) })
}

/// A picture of everything, as text.
fn printed(model: &Model) -> String {
    let columns = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
    let width = columns.filter(|columns| *columns > 0).unwrap_or(WIDTH).min(WIDEST);
    let Ok(mut terminal) = Terminal::new(TestBackend::new(width, view::height(model, NOTICES)));
    let Ok(_) = terminal.draw(|frame| view::draw(model, frame));
    plain(terminal.backend().buffer()).trim_end().to_owned()
}

/// What is in a buffer, without its colours.
fn plain(buffer: &Buffer) -> String {
    let line = |cells: &[Cell]| {
        let mut line = String::new();
        let mut covered = 0;
        for cell in cells {
            // Behind a letter that is two wide is a cell with nothing of its own.
            if covered == 0 {
                line.push_str(cell.symbol());
                covered = Span::raw(cell.symbol()).width();
            }
            covered = covered.saturating_sub(1);
        }
        format!("{}\n", line.trim_end())
    };
    buffer.content().chunks(usize::from(buffer.area().width).max(1)).map(line).collect()
}

/// What asks this process to end.
struct Ending(Arc<AtomicUsize>);

impl Ending {
    fn catch() -> Result<Self, Fault> {
        let asked = Arc::new(AtomicUsize::new(0));
        for signal in [SIGHUP, SIGINT, SIGQUIT, SIGTERM] {
            let number = usize::try_from(signal).unwrap_or_default();
            signal_hook::flag::register_usize(signal, Arc::clone(&asked), number)
                .map_err(|why| Fault::Failed(format!("signals cannot be caught: {why}")))?;
        }
        let insisting = Self(Arc::clone(&asked));
        thread::spawn(move || insisting.insist());
        Ok(Self(asked))
    }

    /// Ends the process where it does not do so itself soon after it was asked: with a terminal that is gone, what reads from it does not
    /// return.
    fn insist(&self) {
        let code = loop {
            thread::sleep(PULSE);
            if let Some(code) = self.code() {
                break code;
            }
        };
        thread::sleep(PATIENCE);
        // Where it is gone, that fails.
        let _ = ratatui::try_restore();
        signal_hook::low_level::exit(code.into());
    }

    /// The exit code, as a shell has it, if somebody has.
    fn code(&self) -> Option<u8> {
        let signal = self.0.load(Ordering::Relaxed);
        u8::try_from(signal).ok().filter(|signal| *signal > 0).map(|signal| signal.saturating_add(128))
    }
}

/// The terminal, raw and with a screen of its own, until this is dropped; and when somebody panics.
struct Screen(DefaultTerminal);

impl Screen {
    fn open() -> Result<Self, Fault> {
        ratatui::try_init().map(Self).map_err(|why| {
            ratatui::restore();
            broken(&why)
        })
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        // Of a panic, the terminal was given back before its words were said: once more, and they were written over.
        if !thread::panicking() {
            ratatui::restore();
        }
    }
}

fn broken(why: &io::Error) -> Fault {
    Fault::Failed(format!("the terminal does not do what `top` needs: {why}; `top --once` prints one picture"))
}

/// Draws and looks until somebody has seen enough.
fn live(engine: &Engine, watched: &mut Watched, model: &mut Model, every: Duration) -> Result<u8, Fault> {
    // Not before: whoever is asked for a PIN ends that as he is used to.
    let ending = Ending::catch()?;
    let mut screen = Screen::open()?;
    let mut looked = Instant::now();
    loop {
        let drawn = screen.0.draw(|frame| view::draw(model, frame)).map_err(|why| broken(&why))?;
        let page = view::page(model, drawn.area);
        let flow = loop {
            if let Some(code) = ending.code() {
                return Ok(code);
            }
            let left = if model.paused { PULSE } else { every.saturating_sub(looked.elapsed()) };
            if left.is_zero() {
                // Somebody may have destroyed a key in the middle of it.
                let look = watched.look(engine).or_else(|_| watched.look(engine));
                model.seen(look?);
                looked = Instant::now();
                break Flow::On;
            }
            if !event::poll(left.min(PULSE)).map_err(|why| broken(&why))? {
                continue;
            }
            match event::read().map_err(|why| broken(&why))? {
                Event::Key(key) if key.kind != KeyEventKind::Release => {
                    let action = keys::action(model.mode, key);
                    break action.map_or(Flow::On, |action| model.act(action, page));
                }
                Event::Resize(..) => break Flow::On,
                _ => {}
            }
        };
        if flow == Flow::End {
            return Ok(0);
        }
    }
}
