//! Worker processes: started, watched, killed, and listened to.

use std::{
    env,
    fmt::Display,
    fs::{self, File, OpenOptions},
    io::Write,
    os::unix::process::{CommandExt, ExitStatusExt},
    path::{Path, PathBuf},
    process::{self, Child, Command, ExitStatus, Stdio},
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

/// The variable that tells a worker what to do.
pub(crate) const ROLE: &str = "STRONGROOM_TORTURE_ROLE";
/// The variable that names the file in which a worker says what it does.
const JOURNAL: &str = "STRONGROOM_TORTURE_JOURNAL";
/// The variable that gives a worker its own random choices.
const SEED: &str = "STRONGROOM_TORTURE_SEED";

/// A test's directory, with a store of its own. The tests take turns: some measure times.
pub(crate) struct Scene {
    pub(crate) directory: PathBuf,
    _turn: MutexGuard<'static, ()>,
}

impl Scene {
    pub(crate) fn new() -> Self {
        static TURN: Mutex<()> = Mutex::new(());
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let directory = env::temp_dir().join(format!("strongroom-torture-{}-{count}", process::id()));
        fs::create_dir_all(&directory).unwrap();
        Self { directory, _turn: turn }
    }

    /// A scene with a token that has both PINs.
    pub(crate) fn with_token() -> Self {
        let scene = Self::new();
        scene.run("make a token", 0, 60).unwrap();
        scene
    }

    /// Starts a worker.
    pub(crate) fn start(&self, role: &str, seed: u64) -> Worker {
        self.start_in(&self.directory, role, seed, |_| {})
    }

    /// Starts a worker whose store is in another directory. `more` may change how it is started.
    pub(crate) fn start_in(&self, directory: &Path, role: &str, seed: u64, more: impl FnOnce(&mut Command)) -> Worker {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let journal = self.directory.join(format!("journal-{count}"));
        let errors = self.directory.join(format!("errors-{count}"));
        let mut command = Command::new(env::current_exe().unwrap());
        command
            .args(["worker", "--exact", "--ignored", "--nocapture"])
            .env(ROLE, role)
            .env(JOURNAL, &journal)
            .env(SEED, seed.to_string())
            .env("STRONGROOM_STORE", directory.join("store"))
            .env("STRONGROOM_STATE", directory.join("state"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(&errors).unwrap());
        more(&mut command);
        // SAFETY: only system calls are made between fork and exec.
        unsafe { command.pre_exec(die_with_parent) };
        let child = command.spawn().unwrap();
        Worker { child, role: role.to_owned(), journal, errors }
    }

    /// Runs a worker to its end, which must come in time and be a good one.
    pub(crate) fn run(&self, role: &str, seed: u64, seconds: u64) -> Result<Vec<String>, String> {
        self.start(role, seed).finish(seconds)
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.directory);
    }
}

/// So that no worker outlives a test that is stopped from outside.
pub(crate) fn die_with_parent() -> std::io::Result<()> {
    // SAFETY: takes plain numbers.
    match unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) } {
        0 => Ok(()),
        _ => Err(std::io::Error::last_os_error()),
    }
}

/// A worker process. It does not outlive this.
pub(crate) struct Worker {
    child: Child,
    role: String,
    journal: PathBuf,
    errors: PathBuf,
}

impl Worker {
    /// Whole lines that it has said so far.
    pub(crate) fn lines(&self) -> Vec<String> {
        let text = fs::read_to_string(&self.journal).unwrap_or_default();
        text.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n')).map(str::to_owned).collect()
    }

    /// Waits until it has said a line that begins so, or has ended.
    pub(crate) fn wait_for(&mut self, beginning: &str, seconds: u64) -> bool {
        let deadline = Instant::now() + Duration::from_secs(seconds);
        while Instant::now() < deadline {
            let ended = self.child.try_wait().unwrap().is_some();
            if self.lines().iter().any(|line| line.starts_with(beginning)) {
                return true;
            }
            if ended {
                return false;
            }
            thread::sleep(Duration::from_millis(1));
        }
        false
    }

    /// Kills it, if it has not ended yet. Gives what it said.
    pub(crate) fn kill(mut self) -> Vec<String> {
        let _ = self.child.kill();
        self.child.wait().unwrap();
        self.lines()
    }

    /// Its end, if it came in time.
    fn status(&mut self, seconds: u64) -> Option<ExitStatus> {
        let deadline = Instant::now() + Duration::from_secs(seconds);
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return Some(status);
            }
            if Instant::now() > deadline {
                return None;
            }
            thread::sleep(Duration::from_millis(2));
        }
    }

    /// Waits for its end. What it said, or how it ended if not as it should.
    pub(crate) fn finish(mut self, seconds: u64) -> Result<Vec<String>, String> {
        let said = match self.status(seconds) {
            Some(status) if status.success() => return Ok(self.lines()),
            Some(status) => match status.signal() {
                Some(signal) => format!("signal {signal}"),
                None => format!("{status}"),
            },
            None => format!("no end after {seconds} s"),
        };
        let errors = fs::read_to_string(&self.errors).unwrap_or_default();
        let last = self.lines().last().cloned().unwrap_or_default();
        Err(format!("the worker \"{}\": {said}, last said: {last:?}, errors: {errors}", self.role))
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_file(&self.journal);
        let _ = fs::remove_file(&self.errors);
    }
}

/// Where a worker says what it does, a line at a time. What was said stays said when the process is killed.
pub(crate) struct Journal(File);

impl Journal {
    pub(crate) fn open() -> Self {
        let path = env::var_os(JOURNAL).unwrap();
        Self(OpenOptions::new().create(true).append(true).open(path).unwrap())
    }

    /// Says a line, in one write, so that those of several processes do not mix.
    pub(crate) fn say(&self, line: impl Display) {
        (&self.0).write_all(format!("{line}\n").as_bytes()).unwrap();
    }
}

/// Whether this is a long run.
pub(crate) fn is_long() -> bool {
    env::var_os("STRONGROOM_TORTURE").is_some()
}

/// How long a test goes on.
pub(crate) fn duration(short_seconds: u64) -> Duration {
    let long = env::var("STRONGROOM_TORTURE").ok().and_then(|text| text.parse().ok());
    Duration::from_secs(long.unwrap_or(short_seconds))
}

/// Random choices (SplitMix64) that can be repeated.
pub(crate) struct Choices(u64);

impl Choices {
    /// A test's own. Prints where they begin.
    pub(crate) fn new() -> Self {
        let seed = match env::var("STRONGROOM_TEST_SEED") {
            Ok(text) => text.parse().expect("STRONGROOM_TEST_SEED is a number"),
            Err(_) => SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() as u64,
        };
        println!("STRONGROOM_TEST_SEED={seed}");
        Self(seed)
    }

    /// Those that begin here.
    pub(crate) fn from(seed: u64) -> Self {
        Self(seed)
    }

    /// A worker's, as its test has chosen.
    pub(crate) fn of_worker() -> Self {
        Self(env::var(SEED).unwrap().parse().unwrap())
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below another.
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }
}
