//! A page of HTML that shows the tokens, what is due, the alarms, and what is in a token and how it was used.

use std::path::PathBuf;

use engine::{Engine, KeyState};
use maud::{DOCTYPE, Markup, PreEscaped, html};
use serde_json::{Value as Json, json};

use crate::{
    answer::Answer,
    cert::{self, Found},
    chart::{chart, mini},
    fault::Fault,
    flow::{Outlet, is_dash},
    key::Key,
    label,
    pending::{moment, raised_at, words},
    pin::Source,
    select::{TokenChoice, UserLogin},
    series::{DAY, date},
    sight::{Due, Inside, Outside, Token, due},
    usage::{Book, Usage, Uses},
};

#[derive(clap::Args)]
pub(crate) struct Report {
    /// The file, which only its owner may read; else standard output.
    #[arg(long, short)]
    out: Option<PathBuf>,
    #[command(flatten)]
    token: TokenChoice,
    /// The user's PIN, for what is in the token.
    #[arg(long)]
    pin: Option<Source>,
}

impl Report {
    /// Whether standard output is for the page.
    pub(crate) fn is_data(&self) -> bool {
        self.out.as_deref().is_some_and(is_dash)
    }
}

/// What is in the token that was chosen.
struct Contents {
    inside: Inside,
    certificates: Vec<Found>,
    usage: Usage,
    due: Vec<Due>,
    /// Its keys as they are told to programs.
    keys: Json,
}

/// So many alarms are shown, the newest.
const ALARMS: usize = 50;

pub(crate) fn run(engine: &Engine, asked: &Report) -> Result<Answer, Fault> {
    let contents = match &asked.pin {
        Some(pin) => Some(Contents::of(engine, &UserLogin::new(asked.token.clone(), pin.clone()))?),
        None => None,
    };
    let outside = Outside::of(engine)?;
    let page = page(&outside, contents.as_ref()).into_string();
    let told = told(&outside, contents.as_ref());
    match asked.out.as_deref() {
        None => Ok(Answer::new(page, told)),
        Some(out) if is_dash(out) => Ok(Answer { bytes: page.into_bytes().into(), ..Answer::new("", told) }),
        Some(out) => {
            Outlet::open_private(Some(out))?.whole(page.as_bytes())?;
            Ok(Answer::new(format!("The report is in {}.", out.display()), told))
        }
    }
}

impl Contents {
    fn of(engine: &Engine, login: &UserLogin) -> Result<Self, Fault> {
        let inside = Inside::of(engine, login)?;
        let now = crate::sight::now();
        let certificates = cert::all(engine, inside.session)?;
        let usage = Usage::of(engine, inside.session, &inside.keys, now)?;
        let due = due(&inside, &certificates, now);
        let key = |(key, uses): (&Key, &Uses)| {
            let mut told = key.told(engine, &inside.chosen)?;
            if let Some(told) = told.as_object_mut() {
                told.insert("uses".to_owned(), uses.told());
            }
            Ok(told)
        };
        let keys = inside.keys.iter().zip(&usage.keys).map(key).collect::<Result<Json, Fault>>()?;
        Ok(Self { inside, certificates, usage, due, keys })
    }

    fn told(&self) -> Json {
        let Self { inside, certificates, usage, due, keys } = self;
        json!({
            "keys": keys,
            "pending": inside.pending.iter().map(|row| row.told()).collect::<Json>(),
            "certificates": certificates.iter().map(Found::told).collect::<Json>(),
            "audit": inside.audit.told(),
            "uses": usage.told(),
            "due": due.iter().map(Due::told).collect::<Json>(),
        })
    }
}

/// What is in a token, if it is that one.
fn contents_of<'a>(token: &Token, contents: Option<&'a Contents>) -> Option<&'a Contents> {
    contents.filter(|contents| contents.inside.chosen.slot == token.slot)
}

fn told(outside: &Outside, contents: Option<&Contents>) -> Json {
    let token = |token: &Token| match &token.told {
        Ok(told) => {
            let mut told = told.clone();
            if let Some(told) = told.as_object_mut() {
                told.insert("contents".to_owned(), contents_of(token, contents).map(Contents::told).into());
            }
            told
        }
        Err(why) => json!({ "slot": token.slot.0, "damaged": why }),
    };
    json!({
        "made_at": outside.at,
        "tokens": outside.tokens.iter().map(token).collect::<Json>(),
        "alarms": outside.alarms,
    })
}

/// The page's style.
const STYLE: &str = include_str!("report.css");

/// What a browser may fetch and run for the page: nothing.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; img-src data:";

fn page(outside: &Outside, contents: Option<&Contents>) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(POLICY);
                meta name="viewport" content="width=device-width, initial-scale=1";
                // Without one, browsers ask for it.
                link rel="icon" href="data:,";
                title { "strongroom, " (date(outside.at)) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                main {
                    h1 { "strongroom" }
                    p.quiet { "Seen at " (moment(outside.at)) ". All times are UTC." }
                    @if let Some(contents) = contents { (due_section(contents, outside.at)) }
                    @if outside.tokens.is_empty() {
                        section { p { "There is no token yet: " code { "strongroom token init LABEL" } " makes one." } }
                    }
                    @for token in &outside.tokens { (token_section(token, contents_of(token, contents), outside.at)) }
                    (alarms_section(&outside.alarms))
                    footer.quiet { "strongroom " (env!("CARGO_PKG_VERSION")) }
                }
            }
        }
    }
}

fn due_section(contents: &Contents, now: u64) -> Markup {
    html! {
        section {
            h2 { "What is due in token " (contents.inside.chosen.label.to_string()) }
            @if contents.due.is_empty() {
                p.good { "Nothing within 90 days." }
            } @else {
                div.wide { table {
                    tr { th { "When" } th { "What" } th { "Of" } th { "On" } }
                    @for due in &contents.due {
                        @let (class, when) = until(due.at, now);
                        tr {
                            td.whole { span class=(class) { (when) } }
                            td { (due.event.words().1) }
                            td { (due.label.to_string()) }
                            td.whole { (moment(due.at)) }
                        }
                    }
                } }
            }
        }
    }
}

/// How far away a time is, and how much that matters.
fn until(at: u64, now: u64) -> (&'static str, String) {
    const SOON: u64 = 30;
    let days = |days: u64| if days == 1 { "1 day".to_owned() } else { format!("{days} days") };
    match (at.checked_sub(now).map(|left| left / DAY), now.saturating_sub(at) / DAY) {
        (None, 0) => ("bad", "since today".to_owned()),
        (None, past) => ("bad", format!("since {}", days(past))),
        (Some(0), _) => ("bad", "within a day".to_owned()),
        (Some(left), _) => (if left < SOON { "warn" } else { "quiet" }, format!("in {}", days(left))),
    }
}

fn token_section(token: &Token, contents: Option<&Contents>, now: u64) -> Markup {
    let why = match &token.told {
        Ok(_) => None,
        Err(why) => Some(label::line(why)),
    };
    html! {
        section {
            @if let Some(why) = why {
                h2 { "The token in slot " (token.slot.0) }
                p.bad { "It cannot be read: " (why) }
            } @else {
                h2 { "Token " (label::line(token.text("label"))) }
                (facts(token))
                @match contents {
                    Some(contents) => (contents_of_token(contents, now)),
                    None => p.quiet {
                        "Its keys, certificates, audit and uses are seen with its user's PIN only: "
                        code { "strongroom report --token " (crate::fault::quoted(&label::line(token.text("label")))) " --pin prompt" }
                    },
                }
            }
        }
    }
}

fn facts(token: &Token) -> Markup {
    let wrong = token.matter();
    let recovery = match token.text("recovery") {
        "never" => "never: what was private is lost with the user's PIN",
        _ => "the security officer sets a new user's PIN, and nothing is lost",
    };
    let secret = token.told.as_ref().ok().and_then(|told| told.get("needs_store_secret")?.as_bool()).unwrap_or(false);
    let rows: [(&str, String); 8] = [
        ("Serial number", token.text("serial").to_owned()),
        ("Slot", token.slot.0.to_string()),
        ("Profile", token.text("profile").to_owned()),
        (
            "Protected by",
            format!(
                "PINs: {} wrong ones in a row lock one, and a try costs {} MiB of memory and {} passes{}",
                token.number("/pin_tries"),
                token.number("/pin_cost/memory_kib") / 1024,
                token.number("/pin_cost/passes"),
                if secret { "; and the store's secret" } else { "" },
            ),
        ),
        ("Recovery", recovery.to_owned()),
        ("Deletion", token.kept.clone()),
        ("Audit of uses", token.text("use_audit").to_owned()),
        ("User's PIN", if token.has("CKF_USER_PIN_INITIALIZED") { "set" } else { "not set" }.to_owned()),
    ];
    html! {
        dl {
            @for (name, value) in rows { dt { (name) } dd { (value) } }
            @for words in &wrong { dt { "Mind" } dd.warn { (words) } }
        }
    }
}

fn contents_of_token(Contents { inside, certificates, usage, .. }: &Contents, now: u64) -> Markup {
    html! {
        h3 { "Keys" }
        @if inside.keys.is_empty() { p.quiet { "There is none." } } @else { (keys_table(inside, usage, now)) }
        @if !certificates.is_empty() {
            h3 { "Certificates" }
            div.wide { table {
                tr { th { "Label" } th { "Subject" } th { "Ends" } }
                @for found in certificates {
                    @let (subject, _) = found.facts();
                    tr {
                        td { (found.label.to_string()) }
                        td { (label::line(&subject)) }
                        td.whole { @match found.ends_at() {
                            Some(at) => { @let (class, when) = until(at, now); (date(at)) " " span class=(class) { (when) } },
                            None => "",
                        } }
                    }
                }
            } }
        }
        h3 { "Uses" }
        (uses(usage))
        h3 { "Audit" }
        p class=(if inside.audit.broken.is_some() { "bad" } else { "good" }) { (inside.audit.words()) }
    }
}

fn keys_table(inside: &Inside, usage: &Usage, now: u64) -> Markup {
    html! {
        div.wide { table {
            tr { th { "Label" } th { "Kind" } th { "State" } th.number { "Version" } th { "Uses in 90 days" } th { "Last used" } th { "Rotation" } }
            @for (key, uses) in inside.keys.iter().zip(&usage.keys) {
                tr {
                    td { (key.label.to_string()) }
                    td.whole { (key.kind) }
                    td.whole { span class=(if key.state == KeyState::Enabled { "" } else { "warn" }) { (key.state) } }
                    td.number { (key.version) }
                    td.whole {
                        @if matches!(usage.book, Book::Missing) { span.quiet { "not written down" } } @else {
                            @if uses.days.total() > 0 { (mini("uses by day", &uses.days)) }
                            (uses.days.allowed.total())
                            @if uses.days.refused.total() > 0 { ", " span.bad { (uses.days.refused.total()) " refused" } }
                        }
                    }
                    td { @match &uses.last {
                        Some(last) => { span.whole { (moment(last.at)) } " " span.quiet { (label::line(&last.operation)) " by " (label::line(&last.program)) } },
                        None => span.quiet { @if matches!(usage.book, Book::Missing) { "" } @else { "never" } },
                    } }
                    td.whole { @match &key.schedule {
                        Some(schedule) => {
                            "every " (schedule.every) br;
                            @let (class, when) = until(schedule.at, now);
                            @if key.state == KeyState::Enabled { span class=(class) { "due " (when) } } @else {
                                span.quiet { "not while it is " (key.state) }
                            }
                        },
                        None => span.quiet { "no period" },
                    } }
                }
            }
        } }
    }
}

fn uses(usage: &Usage) -> Markup {
    html! {
        @match &usage.book {
            Book::Missing => p.quiet {
                "No use of keys was written down on this machine: " code { "strongroom token set --use-audit counted" } " lets the token do that."
            },
            Book::Whole(entries) => p.good { "all " (entries) " entries are as they were written and signed" },
            Book::Broken(why) => p.bad { (label::line(why)) },
        }
        @if !matches!(usage.book, Book::Missing) {
            @if usage.days.refused.total() > 0 {
                p.quiet { span.key.allowed {} "allowed" span.key.refused {} "refused" }
            }
            p { "By day, the last 90 days: " (usage.days.allowed.total()) " uses" }
            (chart("Uses by day, the last 90 days", &usage.days))
            p { "By hour, the last 48 hours: " (usage.hours.allowed.total()) " uses" }
            (chart("Uses by hour, the last 48 hours", &usage.hours))
            div.wide { table {
                tr { th { "Program" } th.number { "Uses in 90 days" } th.number { "Refused" } th { "Last use" } }
                @for (program, uses) in &usage.programs {
                    tr {
                        td { (label::line(program)) }
                        td.number { (uses.days.allowed.total()) }
                        td.number { (uses.days.refused.total()) }
                        td.whole { @if let Some(last) = &uses.last { (moment(last.at)) } }
                    }
                }
            } }
        }
    }
}

fn alarms_section(alarms: &[Json]) -> Markup {
    html! {
        section {
            h2 { "Alarms" }
            @if alarms.is_empty() {
                p.good { "None was raised." }
            } @else {
                @if alarms.len() > ALARMS {
                    p.quiet { "The last " (ALARMS) " of " (alarms.len()) "; " code { "strongroom alarms" } " lists all." }
                }
                div.wide { table {
                    @for alarm in alarms.iter().rev().take(ALARMS) {
                        tr { td.whole { (moment(raised_at(alarm))) } td { (words(alarm)) } }
                    }
                } }
            }
        }
    }
}
