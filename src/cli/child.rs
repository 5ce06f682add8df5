//! Commands that this one runs and waits for.

use std::{
    io,
    os::unix::process::ExitStatusExt,
    process::{Child, Command, ExitStatus},
};

use rustix::process::{Pid, Signal, kill_process};
use signal_hook::{
    consts::{SIGCHLD, SIGHUP, SIGINT, SIGQUIT, SIGTERM},
    iterator::{SignalsInfo, exfiltrator::origin::WithOrigin},
    low_level::siginfo::Cause,
};

use crate::fault::Fault;

/// What asks this process to end, from now on: it waits until there is a command to hand it to. So what this process has made for
/// the command can be taken away afterwards.
pub(crate) struct Signals(SignalsInfo<WithOrigin>);

impl Signals {
    pub(crate) fn catch() -> Result<Self, Fault> {
        let signals = SignalsInfo::new([SIGCHLD, SIGHUP, SIGINT, SIGQUIT, SIGTERM]);
        signals.map(Self).map_err(|why| Fault::Failed(format!("signals cannot be handed on: {why}")))
    }

    /// Runs a command to its end.
    pub(crate) fn run(self, command: &mut Command) -> io::Result<ExitStatus> {
        command.spawn().and_then(|child| self.end_of(child))
    }

    fn end_of(mut self, mut child: Child) -> io::Result<ExitStatus> {
        loop {
            if let Some(status) = child.try_wait()? {
                return Ok(status);
            }
            // The command is not reaped here, so that its number is nobody else's.
            for origin in self.0.wait() {
                // The terminal tells all of its foreground, the command too.
                let told = origin.signal == SIGCHLD || origin.cause == Cause::Kernel;
                if let (false, Some(signal)) = (told, Signal::from_named_raw(origin.signal)) {
                    // It may have ended just now: that is no fault.
                    let _ = kill_process(Pid::from_child(&child), signal);
                }
            }
        }
    }
}

/// How a command ended, as a shell says it: 128 and the signal if it was one.
pub(crate) fn code(status: ExitStatus) -> u8 {
    let code = status.code().or_else(|| Some(128 + status.signal()?));
    code.and_then(|code| u8::try_from(code).ok()).unwrap_or(1)
}
