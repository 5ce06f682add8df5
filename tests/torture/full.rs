//! A disk that is full.

use std::{
    collections::{BTreeMap, BTreeSet},
    env,
    ffi::CString,
    fs::{self, OpenOptions},
    io::{self, Write},
    os::unix::{ffi::OsStrExt, process::CommandExt},
    path::{Path, PathBuf},
    process::Command,
    ptr,
    time::{Duration, Instant},
};

use cryptoki_sys::*;

use crate::{
    object::{
        self, Outcome, create_data, create_key, destroy, finalize, find_all, find_label, generate_pair, initialize,
        is_key, is_pair, read, read_class, read_label, session, set_label, value_of,
    },
    p11,
    process::{self, Choices, Journal, Scene, duration, is_long},
    raw::{self, USER_PIN, WRITABLE},
};

/// What should be on the token: a class and a label.
type Model = BTreeSet<(CK_OBJECT_CLASS, String)>;

/// What leaves of the disk as much as it is told to.
struct Filler(PathBuf);

impl Filler {
    /// Fills the disk but for about so many bytes.
    fn leave(&self, bytes: u64) {
        self.remove();
        let mut file = OpenOptions::new().create(true).append(true).open(&self.0).unwrap();
        let block = [1; 4096];
        while file.write_all(&block).is_ok() {}
        let size = file.metadata().unwrap().len();
        file.set_len(size.saturating_sub(bytes)).unwrap();
    }

    fn remove(&self) {
        let _ = fs::remove_file(&self.0);
        // The system may give the room back a little later.
        let probe = self.0.with_extension("probe");
        let deadline = Instant::now() + Duration::from_secs(5);
        while fs::write(&probe, [1; 256 * 1024]).is_err() && Instant::now() < deadline {}
        let _ = fs::remove_file(&probe);
    }
}

/// Works with a token on a small disk that is filled again and again.
pub(crate) fn fill_the_disk() {
    let journal = Journal::open();
    let mut choices = Choices::of_worker();
    let disk = PathBuf::from(env::var_os("STRONGROOM_STORE").unwrap()).parent().unwrap().to_owned();
    let filler = Filler(disk.join("filler"));
    object::make_token();
    let mut session = session();
    let mut model = Model::new();
    for number in 0..5 {
        create_key(session, true, &number.to_string(), &value_of(number)).unwrap();
        model.insert((CKO_SECRET_KEY, number.to_string()));
    }
    generate_pair(session, "5").unwrap();
    model.insert((CKO_PUBLIC_KEY, "5".to_owned()));
    model.insert((CKO_PRIVATE_KEY, "5".to_owned()));
    let mut next = 5;
    let end = Instant::now() + duration(5);
    while Instant::now() < end {
        let room = [0, 0, 4096, 8192, 16_384, 32_768, 65_536, 131_072][choices.below(8)];
        filler.leave(room);
        let says = |what: &str, came: Outcome<()>| {
            journal.say(format!("{what} {:#x} {room}", came.map_or_else(|rv| rv, |()| CKR_OK)));
        };
        if choices.below(3) == 0 {
            says("another process", another_process());
        }
        if choices.below(3) == 0 {
            says("wrong PIN", log_in_anew(session, b"wrong-12345"));
            says("login", log_in_anew(session, USER_PIN));
            if find_label(session, "0").is_ok_and(|found| found.is_empty()) {
                // The login was not to be had. With room it is.
                filler.remove();
                says("login with room", log_in_anew(session, USER_PIN));
                filler.leave(room);
            }
        }
        for _ in 0..12 {
            let (what, came) = change(session, &mut choices, &mut model, &mut next);
            says(what, came);
            if let Some(wrong) = differs(session, &model) {
                journal.say(format!("WRONG after {what} with {room} bytes left: {wrong}"));
                model = found(session).unwrap_or(model);
            }
        }
        if choices.below(4) == 0 {
            // Nobody has the token open, and what is written to open it finds no room.
            finalize();
            filler.leave(room);
            says("the first process", another_process());
            filler.remove();
            session = object::session();
        }

        filler.remove();
        next += 1;
        let made = create_key(session, true, &next.to_string(), &value_of(next));
        says("creation with room", made.map(|_| ()));
        if let Ok(made) = made {
            says("destruction with room", destroy(session, made));
        }
        if let Some(wrong) = differs(session, &model) {
            journal.say(format!("WRONG with room again: {wrong}"));
            model = found(session).unwrap_or(model);
        }
    }
    finalize();
}

fn log_in_anew(session: CK_SESSION_HANDLE, pin: &[u8]) -> Outcome<()> {
    p11!(C_Logout(session));
    object::outcome(raw::login(session, CKU_USER, pin), ())
}

/// A change, and what came of it.
fn change(
    session: CK_SESSION_HANDLE,
    choices: &mut Choices,
    model: &mut Model,
    next: &mut u64,
) -> (&'static str, Outcome<()>) {
    *next += 1;
    let label = next.to_string();
    let mut pick = |from: &Model| from.iter().filter(|(class, _)| *class == CKO_DATA).nth(choices.below(30)).cloned();
    let picked = pick(model);
    let many = model.len() > 30;
    let handle = |label: &str| find_label(session, label)?.first().copied().ok_or(CKR_OBJECT_HANDLE_INVALID);
    match (choices.below(4), picked) {
        (0, Some((class, old))) if !many => {
            let came = handle(&old).and_then(|handle| set_label(session, handle, &label));
            if came.is_ok() {
                model.remove(&(class, old));
                model.insert((class, label));
            }
            ("change", came)
        }
        (what, Some((class, old))) if what == 1 || many => {
            let came = handle(&old).and_then(|handle| destroy(session, handle));
            if came.is_ok() {
                model.remove(&(class, old));
            }
            ("destruction", came)
        }
        (2, _) if next.is_multiple_of(5) && model.len() < 25 => {
            let came = generate_pair(session, &label).map(|_| ());
            if came.is_ok() {
                model.insert((CKO_PUBLIC_KEY, label.clone()));
                model.insert((CKO_PRIVATE_KEY, label));
            }
            ("pair", came)
        }
        _ => {
            let came = create_data(session, &label, &[7; 3000], CK_TRUE).map(|_| ());
            if came.is_ok() {
                model.insert((CKO_DATA, label));
            }
            ("creation", came)
        }
    }
}

/// What is on the token.
fn found(session: CK_SESSION_HANDLE) -> Outcome<Model> {
    let mut model = Model::new();
    for handle in find_all(session)? {
        model.insert((read_class(session, handle)?, read_label(session, handle)?));
    }
    Ok(model)
}

/// What differs from the model, or does not work.
fn differs(session: CK_SESSION_HANDLE, model: &Model) -> Option<String> {
    match found(session) {
        Err(rv) => return Some(format!("searching and reading gives {rv:#x}")),
        Ok(found) if found != *model => {
            let [missing, more] =
                [(model, &found), (&found, model)].map(|(one, other)| one.difference(other).collect::<Vec<_>>());
            return Some(format!("{missing:?} missing, {more:?} too much"));
        }
        Ok(_) => {}
    }
    let first = |label: &str| Ok(find_label(session, label)?.first().copied().unwrap_or_default());
    for number in 0..5 {
        match first(&number.to_string()).and_then(|key| is_key(session, key, &value_of(number))) {
            Ok(true) => {}
            other => return Some(format!("key {number} does not work: {other:x?}")),
        }
    }
    let pair = find_label(session, "5").and_then(|pair| {
        let public = pair.iter().find(|handle| read_class(session, **handle) == Ok(CKO_PUBLIC_KEY));
        let private = pair.iter().find(|handle| read_class(session, **handle) == Ok(CKO_PRIVATE_KEY));
        is_pair(session, *public.unwrap_or(&0), *private.unwrap_or(&0))
    });
    (pair != Ok(true)).then(|| format!("the pair does not work: {pair:x?}"))
}

/// What a process that begins now says of the token. This one is on the same disk.
fn another_process() -> Outcome<()> {
    let mut command = Command::new(env::current_exe().unwrap());
    command.args(["worker", "--exact", "--ignored", "--nocapture"]).env(process::ROLE, "use");
    // SAFETY: only a system call is made between fork and exec.
    unsafe { command.pre_exec(process::die_with_parent) };
    let status = command.stdout(std::process::Stdio::null()).status().unwrap();
    match status.code() {
        // The codes of `use_once`.
        Some(0) => Ok(()),
        Some(code) => Err(CK_RV::from(code.cast_unsigned())),
        None => Err(CKR_GENERAL_ERROR),
    }
}

/// Uses a key once. The return value of what failed is the status, as far as one byte says it.
pub(crate) fn use_once() {
    let came = || -> Outcome<bool> {
        initialize();
        let mut session = 0;
        let rv = p11!(C_OpenSession(raw::slots()[0], WRITABLE, ptr::null_mut(), None, &raw mut session));
        object::outcome(rv, ())?;
        object::outcome(raw::login(session, CKU_USER, USER_PIN), ())?;
        let key = find_label(session, "3")?.first().copied().unwrap_or_default();
        read(session, key, CKA_LABEL)?;
        let right = is_key(session, key, &value_of(3));
        p11!(C_Finalize(ptr::null_mut()));
        right
    };
    std::process::exit(match came() {
        Ok(true) => 0,
        Ok(false) => 255,
        Err(rv) => i32::try_from(rv).unwrap_or(254),
    });
}

/// Lets a command see a small disk of its own at `at`, which is gone when the last process that sees it ends.
fn on_a_small_disk(command: &mut Command, at: &Path) {
    let at = CString::new(at.as_os_str().as_bytes()).unwrap();
    let mount = move || -> io::Result<()> {
        let none = ptr::null();
        // SAFETY: system calls with strings that end with 0. The second keeps the new disk from everybody else.
        let done = unsafe {
            libc::unshare(libc::CLONE_NEWNS) == 0
                && libc::mount(c"none".as_ptr(), c"/".as_ptr(), none, libc::MS_REC | libc::MS_PRIVATE, none.cast()) == 0
                && libc::mount(
                    c"none".as_ptr(),
                    at.as_ptr(),
                    c"tmpfs".as_ptr(),
                    libc::MS_NOSUID,
                    c"size=2m".as_ptr().cast(),
                ) == 0
        };
        if done { Ok(()) } else { Err(io::Error::last_os_error()) }
    };
    // SAFETY: only system calls are made between fork and exec.
    unsafe { command.pre_exec(mount) };
}

#[test]
fn a_full_disk_loses_nothing_and_is_said() {
    let scene = Scene::new();
    let disk = scene.directory.join("disk");
    fs::create_dir(&disk).unwrap();
    let mut probe = Command::new("true");
    on_a_small_disk(&mut probe, &disk);
    if let Err(why) = probe.status() {
        println!("skipped: a disk cannot be mounted here: {why}");
        return;
    }
    let worker =
        scene.start_in(&disk, "fill the disk", Choices::new().next(), |command| on_a_small_disk(command, &disk));
    let lines = worker.finish(duration(5).as_secs() + 60).unwrap();

    let mut tally = BTreeMap::<(&str, &str), usize>::new();
    let mut wrong = Vec::new();
    for line in &lines {
        if line.starts_with("WRONG") {
            wrong.push(line.clone());
            continue;
        }
        let mut words = line.rsplitn(3, ' ');
        let (_, rv, what) = (words.next().unwrap(), words.next().unwrap(), words.next().unwrap());
        *tally.entry((what, rv)).or_default() += 1;
        let named = |allowed: &[CK_RV]| allowed.iter().any(|allowed| rv == format!("{allowed:#x}"));
        let fine = match what {
            "creation with room" | "destruction with room" | "login with room" => named(&[CKR_OK]),
            // A PIN that cannot be counted is not tried, so a login needs room too.
            "wrong PIN" => named(&[CKR_PIN_INCORRECT, CKR_DEVICE_MEMORY]),
            _ => named(&[CKR_OK, CKR_DEVICE_MEMORY]),
        };
        if !fine {
            wrong.push(line.clone());
        }
    }
    let refused: usize = tally.iter().filter(|((_, rv), _)| *rv != "0x0").map(|(_, count)| count).sum();
    println!("a full disk: {} calls, {refused} refused, {} wrong; {tally:?}", lines.len(), wrong.len());
    wrong.iter().take(if is_long() { 50 } else { 12 }).for_each(|line| println!("    {line}"));
    assert!(wrong.is_empty(), "{} of {}", wrong.len(), lines.len());
    assert!(refused > 0, "it was full");
}
