//! The module under SoftHSM's name, beside Debian's SoftHSM 2.6.1: what programs see that were set up for that one.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)] // These are tests.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::{Mutex, MutexGuard, PoisonError},
};

use cryptoki::{
    context::{CInitializeArgs, CInitializeFlags, Pkcs11},
    error::{Error, RvError},
    mechanism::{Mechanism, MechanismType},
    session::UserType,
    slot::Slot,
    types::AuthPin,
};

const DEBIANS: &str = "/usr/lib/softhsm/libsofthsm2.so";

/// The modules look at the environment, so one test at a time has it.
static ONE: Mutex<()> = Mutex::new(());

/// A directory with a `softhsm2.conf` and this module under the other's name.
struct Place {
    directory: PathBuf,
    _one: MutexGuard<'static, ()>,
}

impl Place {
    fn new(name: &str, lines: &str) -> Self {
        let one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
        let directory = std::env::temp_dir().join(format!("strongroom-as-softhsm-{}-{name}", std::process::id()));
        fs::create_dir_all(directory.join("tokens")).unwrap();
        let place = Self { directory, _one: one };
        let conf = format!("directories.tokendir = {}\n{lines}\n", place.directory.join("tokens").display());
        fs::write(place.directory.join("softhsm2.conf"), conf).unwrap();
        fs::write(place.directory.join("empty.toml"), "").unwrap();
        fs::copy(std::env::current_exe().unwrap().with_file_name("libstrongroom.so"), place.ours()).unwrap();
        // SAFETY: the other tests wait, and nobody else in this process looks at the environment.
        unsafe {
            std::env::set_var("SOFTHSM2_CONF", place.directory.join("softhsm2.conf"));
            std::env::set_var("STRONGROOM_STATE", place.directory.join("state"));
            std::env::set_var("STRONGROOM_CONFIG", place.directory.join("empty.toml"));
            std::env::remove_var("STRONGROOM_STORE");
        }
        place
    }

    fn ours(&self) -> PathBuf {
        self.directory.join("libsofthsm2.so")
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.directory);
    }
}

fn load(path: &Path) -> Pkcs11 {
    let module = Pkcs11::new(path).unwrap();
    start(&module).unwrap();
    module
}

fn start(module: &Pkcs11) -> Result<(), Error> {
    module.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK))
}

fn pin(text: &str) -> AuthPin {
    AuthPin::new(text.into())
}

/// Makes a token in the only slot that there is, and gives it a user.
fn make(module: &Pkcs11) -> Slot {
    let slot = module.get_all_slots().unwrap()[0];
    module.init_token(slot, &pin("so-pin"), "token").unwrap();
    let session = module.open_rw_session(slot).unwrap();
    session.login(UserType::So, Some(&pin("so-pin"))).unwrap();
    session.init_pin(&pin("user-pin")).unwrap();
    slot
}

/// What a module says of itself and of a slot, that is in URIs and configurations.
fn told(module: &Pkcs11, slot: Slot) -> Vec<String> {
    let (library, place) = (module.get_library_info().unwrap(), module.get_slot_info(slot).unwrap());
    let token = module.get_token_info(slot).unwrap();
    let id = slot.id();
    let words = [
        library.manufacturer_id(),
        library.library_description(),
        place.manufacturer_id(),
        token.manufacturer_id(),
        token.model(),
        token.label(),
    ];
    let mut told: Vec<String> = words.into_iter().map(str::to_owned).collect();
    told.push(place.slot_description().replace(&format!("{id:#x}"), "ID"));
    told.push(format!("{} {}", token.serial_number().len(), token.min_pin_length()));
    told.push(format!("{} {}", place.removable_device(), place.token_present()));
    told.push(format!("{} {} {}", token.token_initialized(), token.user_pin_initialized(), token.login_required()));
    told
}

fn numbers(module: &Pkcs11) -> Vec<u64> {
    module.get_all_slots().unwrap().iter().map(Slot::id).collect()
}

/// SoftHSM's rule.
fn number_of(serial: &str) -> u64 {
    u64::from(u32::from_str_radix(&serial[serial.len() - 8..], 16).unwrap() & 0x7fff_ffff)
}

#[test]
fn slots_and_tokens_are_called_and_numbered_as_softhsms() {
    let place = Place::new("names", "slots.removable = true");
    let (theirs, ours) = (load(Path::new(DEBIANS)), load(&place.ours()));
    let both = [&theirs, &ours];
    // No token: one slot, with the number 0.
    assert_eq!(both.map(numbers), [vec![0], vec![0]]);
    let first = both.map(|module| told(module, module.get_all_slots().unwrap()[0]));
    assert_eq!(first[0], first[1]);
    let made = both.map(make);
    let told_of = [told(&theirs, made[0]), told(&ours, made[1])];
    assert_eq!(told_of[0], told_of[1]);
    // Where it was made it stays, and there is a new free slot.
    assert_eq!(both.map(numbers), [vec![0, 1], vec![0, 1]]);
    theirs.finalize().unwrap();
    ours.finalize().unwrap();

    // After that its number is its serial's, and the free slot's how many tokens there are.
    for path in [Path::new(DEBIANS), &place.ours()] {
        let module = load(path);
        let slots = module.get_all_slots().unwrap();
        let free = slots.iter().find(|slot| slot.id() == 1).expect("the free slot");
        assert!(!module.get_token_info(*free).unwrap().token_initialized(), "{}", path.display());
        let used = slots.iter().find(|slot| slot.id() != 1).expect("the token's slot");
        let token = module.get_token_info(*used).unwrap();
        assert_eq!(used.id(), number_of(token.serial_number()), "{}", path.display());
        let session = module.open_rw_session(*used).unwrap();
        session.login(UserType::User, Some(&pin("user-pin"))).unwrap();
        drop(session);
        module.finalize().unwrap();
    }
    let here = fs::read_dir(place.directory.join("tokens/strongroom")).unwrap().flatten();
    assert!(here.map(|entry| entry.file_name()).any(|name| name.to_string_lossy().ends_with(".token")));
}

#[test]
fn only_listed_mechanisms_are_offered() {
    let place = Place::new("mechanisms", "slots.mechanisms = CKM_SHA256,CKM_AES_KEY_GEN");
    let module = load(&place.ours());
    let slot = make(&module);
    let mut listed = module.get_mechanism_list(slot).unwrap();
    listed.sort_by_key(|id| **id);
    assert_eq!(listed, [MechanismType::SHA256, MechanismType::AES_KEY_GEN]);
    module.get_mechanism_info(slot, MechanismType::SHA256).unwrap();
    let code = |error: Error| match error {
        Error::Pkcs11(code, _) => code,
        other => panic!("{other}"),
    };
    assert_eq!(code(module.get_mechanism_info(slot, MechanismType::SHA1).unwrap_err()), RvError::MechanismInvalid);
    let session = module.open_rw_session(slot).unwrap();
    session.digest(&Mechanism::Sha256, b"abc").unwrap();
    assert_eq!(code(session.digest(&Mechanism::Sha1, b"abc").unwrap_err()), RvError::MechanismInvalid);
}

#[test]
fn a_configuration_that_stops_softhsm_stops_this_module() {
    for (name, line) in [
        ("level", "log.level = LOUD"),
        ("backend", "objectstore.backend = cake"),
        ("tokendir", "directories.tokendir = /nowhere/at/all"),
    ] {
        let place = Place::new(name, line);
        for path in [Path::new(DEBIANS), &place.ours()] {
            let refused = start(&Pkcs11::new(path).unwrap());
            assert!(matches!(refused, Err(Error::Pkcs11(RvError::GeneralError, _))), "{} {line}", path.display());
        }
    }
}

#[test]
fn tokens_of_before_are_named_in_the_trace_and_stay_as_they_are() {
    let place = Place::new("before", "log.level = WARNING");
    let theirs = load(Path::new(DEBIANS));
    make(&theirs);
    theirs.finalize().unwrap();
    let trace = place.directory.join("trace");
    let files = |()| -> Vec<(PathBuf, Vec<u8>)> {
        let tokens = fs::read_dir(place.directory.join("tokens")).unwrap().flatten().map(|entry| entry.path());
        let files = tokens.flat_map(|token| fs::read_dir(token).unwrap().flatten().map(|entry| entry.path()));
        let mut files: Vec<_> = files.map(|path| (path.clone(), fs::read(path).unwrap())).collect();
        files.sort();
        files
    };
    let before = files(());
    let listed = Command::new("pkcs11-tool")
        .args(["-L", "--module"])
        .arg(place.ours())
        .env("STRONGROOM_LOG_FILE", &trace)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&listed.stdout).into_owned();
    assert!(text.contains("Slot 0 (0x0): SoftHSM slot ID 0x0") && text.contains("uninitialized"), "{text}");
    let trace = fs::read_to_string(trace).unwrap();
    assert!(trace.contains("has tokens of SoftHSM's") && !trace.contains("CKR_OK"), "{trace}");
    let command = format!("strongroom migrate softhsm --from {}`", place.directory.join("softhsm2.conf").display());
    assert!(trace.contains(&command), "{trace}");
    assert_eq!(files(()), before);
}

#[test]
fn settings_of_softhsms_that_have_no_effect_are_in_the_trace() {
    for (lines, level, expected) in [
        ("library.reset_on_fork = false", None, [true, false]),
        ("library.reset_on_fork = true", None, [false, false]),
        ("library.reset_on_fork = true\nlog.level = ERROR", Some("info"), [false, true]),
        ("library.reset_on_fork = false\nlog.level = ERROR", None, [false, false]),
    ] {
        let place = Place::new("no-effect", lines);
        let trace = place.directory.join("trace");
        let mut tool = Command::new("pkcs11-tool");
        tool.args(["-L", "--module"]).arg(place.ours()).env("STRONGROOM_LOG_FILE", &trace);
        match level {
            Some(level) => tool.env("STRONGROOM_LOG", level),
            None => tool.env_remove("STRONGROOM_LOG"),
        };
        assert!(tool.output().unwrap().status.success());
        let trace = fs::read_to_string(trace).unwrap();
        let said = ["library.reset_on_fork = false has no effect", "softhsm2.conf has no effect"];
        assert_eq!(said.map(|words| trace.contains(words)), expected, "{lines}: {trace}");
    }
}
