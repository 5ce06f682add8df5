//! What SoftHSM does, case by case, and whether strongroom does the same.
//!
//! Each case runs against SoftHSM first, which proves what it says of it, and then against strongroom. Each run is a
//! process with a token directory of its own. Needs Debian's package softhsm2 and a built workspace.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)] // These are tests.
#![allow(clippy::cast_possible_truncation)] // What a test counts is small.

mod case;
mod differences;
mod hsm;
mod keys;

mod complaints;
mod derive;
mod digest;
mod encrypt;
mod errors;
mod generate;
mod login;
mod objects;
mod random;
mod search;
mod sessions;
mod sign;
mod start;
mod tokens;
mod wrap;

use std::{
    env,
    fmt::Write,
    fs,
    os::unix::process::ExitStatusExt,
    path::{Path, PathBuf},
    process::{self, Command},
    sync::atomic::{AtomicUsize, Ordering},
    thread,
};

use case::{Case, Cases, Kind};
use hsm::Hsm;

const SOFTHSM: &str = "/usr/lib/softhsm/libsofthsm2.so";
const README: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/README.md");
/// Where the list begins in it.
const MARK: &str = "<!-- made by the cases: STRONGROOM_UPDATE=1 cargo test -p softhsm-compat -->\n";

fn cases() -> Vec<Case> {
    let mut cases = Cases::default();
    for add in [
        start::cases,
        tokens::cases,
        login::cases,
        sessions::cases,
        objects::cases,
        search::cases,
        generate::cases,
        digest::cases,
        sign::cases,
        encrypt::cases,
        wrap::cases,
        derive::cases,
        random::cases,
        errors::cases,
        complaints::cases,
    ] {
        add(&mut cases);
    }
    for difference in differences::ALL {
        cases.differ(difference);
    }
    cases.all
}

/// The shared object that was built with this test.
fn strongroom() -> PathBuf {
    let path = env::current_exe().unwrap().with_file_name("libstrongroom.so");
    assert!(path.exists(), "build the workspace first: cargo build --workspace");
    path
}

/// A directory of a run's own, gone with this value.
struct Place(PathBuf);

impl Place {
    fn new() -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = env::temp_dir().join(format!("softhsm-compat-{}-{count}", process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir(&path).unwrap();
        fs::create_dir(path.join("tokens")).unwrap();
        let settings =
            format!("directories.tokendir = {}\nobjectstore.backend = file\n", path.join("tokens").display());
        fs::write(path.join("softhsm2.conf"), settings).unwrap();
        Self(path)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A token for cases to copy.
fn made(module: &Path) -> Place {
    let place = Place::new();
    let (said, well) = one("", module, &place, None);
    assert!(well, "{}: no token: {said}", module.display());
    place
}

/// What a module says in a case. A process that does not live to its end says how it ended.
fn said(module: &Path, case: &Case, made: &Place) -> String {
    one(&case.name, module, &Place::new(), Some(made)).0
}

/// Runs a case in a process; one without a name makes a token.
fn one(name: &str, module: &Path, place: &Place, made: Option<&Place>) -> (String, bool) {
    let said = place.0.join("said");
    let mut command = Command::new(env::current_exe().unwrap());
    command
        .args(["one_case_in_a_process", "--exact", "--ignored"])
        .env("CASE", name)
        .env("CASE_MODULE", module)
        .env("CASE_SAID", &said)
        .env("CASE_PLACE", &place.0)
        .env("SOFTHSM2_CONF", place.0.join("softhsm2.conf"))
        .env("STRONGROOM_STORE", place.0.join("store"))
        .env("STRONGROOM_STATE", place.0.join("state"));
    if let Some(made) = made {
        command.env("CASE_MADE", &made.0);
    }
    let status = command.output().unwrap().status;
    let mut text = fs::read_to_string(&said).unwrap_or_default();
    if let Some(signal) = status.signal() {
        write!(text, "signal {signal}").unwrap();
    } else if !status.success() {
        write!(text, "exit {}", status.code().unwrap()).unwrap();
    }
    (text.trim().into(), status.success())
}

/// Runs all cases against a module, on two threads. `want` is what it should say.
fn run(module: &Path, want: impl Fn(&Case) -> &str + Sync) {
    assert!(module.exists(), "{} is missing; SoftHSM is in the package softhsm2", module.display());
    let (cases, made, next) = (cases(), made(module), AtomicUsize::new(0));
    let work = || {
        let mut wrong = String::new();
        while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
            let said = said(module, case, &made);
            if said != want(case) {
                writeln!(wrong, "{}: {}\n    said {said}\n    want {}", case.group, case.name, want(case)).unwrap();
            }
        }
        wrong
    };
    let wrong = thread::scope(|scope| {
        let other = scope.spawn(work);
        work() + &other.join().unwrap()
    });
    assert!(wrong.is_empty(), "{}\n{wrong}", module.display());
}

#[test]
fn softhsm_and_strongroom_do_what_the_cases_say() {
    run(Path::new(SOFTHSM), |case| &case.softhsm);
    run(&strongroom(), |case| case.strongroom());
}

#[test]
#[ignore = "the other tests start it, with a case to run"]
fn one_case_in_a_process() {
    let Ok(name) = env::var("CASE") else { return };
    // SAFETY: a timer for this process, which ends it.
    unsafe { libc::alarm(60) };
    let said = fs::File::create(env::var_os("CASE_SAID").unwrap()).unwrap();
    let mut hsm = Hsm::load(Path::new(&env::var_os("CASE_MODULE").unwrap()), said);
    match cases().iter().find(|case| case.name == name) {
        Some(case) => (case.run)(&mut hsm),
        None => hsm.make(),
    }
}

/// The differences as a page has them.
fn page(cases: &[Case]) -> String {
    let mut page = String::new();
    for (kind, title) in [(Kind::OnPurpose, "On purpose"), (Kind::Gap, "Gaps")] {
        let count: usize = differences::ALL.iter().filter(|it| it.kind == kind).map(|it| it.cases.len()).sum();
        write!(page, "\n## {title}: {count}\n").unwrap();
        for difference in differences::ALL.iter().filter(|it| it.kind == kind) {
            write!(page, "\n{}.\n\n| case | SoftHSM 2.6.1 | strongroom |\n| --- | --- | --- |\n", difference.why)
                .unwrap();
            for (name, strongroom) in difference.cases {
                let case = cases.iter().find(|case| case.name == *name).unwrap();
                writeln!(page, "| {}: {name} | `{}` | `{strongroom}` |", case.group, case.softhsm).unwrap();
            }
        }
    }
    page
}

#[test]
fn the_readme_lists_every_difference() {
    let (cases, text) = (cases(), fs::read_to_string(README).unwrap());
    let (head, list) = text.split_once(MARK).expect("the README has the mark");
    let page = format!("\n{} cases.\n{}", cases.len(), page(&cases));
    if env::var_os("STRONGROOM_UPDATE").is_some() {
        fs::write(README, format!("{head}{MARK}{page}")).unwrap();
    } else {
        assert!(list == page, "make the list anew: STRONGROOM_UPDATE=1 cargo test -p softhsm-compat");
    }
}
