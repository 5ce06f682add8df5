//! The guides of `docs/guides`: every command on them is run.
//!
//! A block of `sh` is run, all blocks of a guide in one shell and in their order; a block of another language that names a file
//! after it (```` ```java Sign.java ````) is that file. The home is a clean one, and the command is installed.

use std::{fmt::Write as _, fs, process::Command};

use crate::store::{Store, commands, module, project, succeeded};

/// Runs a guide, and gives what it printed.
pub(crate) fn follow(name: &str) -> String {
    follow_with(name, &[])
}

/// The same, with variables that the guide does not speak of.
pub(crate) fn follow_with(name: &str, variables: &[(&str, String)]) -> String {
    let text = fs::read_to_string(project("docs/guides").join(format!("{name}.md"))).unwrap();
    let home = Store::new(&format!("guide-{name}"));
    let work = home.0.join("work");
    fs::create_dir(&work).unwrap();

    let mut script = String::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let Some(info) = line.strip_prefix("```").filter(|info| !info.is_empty()) else { continue };
        let mut block = String::new();
        lines.by_ref().take_while(|line| *line != "```").for_each(|line| writeln!(block, "{line}").unwrap());
        match info.split_once(' ') {
            None if info == "sh" => script += &block,
            Some((_, file)) => fs::write(work.join(file), block).unwrap(),
            None => {}
        }
    }
    assert!(!script.is_empty(), "the guide has no commands");

    // The module is found beside the command, as where both are installed.
    let installed = home.0.join("installed");
    fs::create_dir(&installed).unwrap();
    fs::hard_link(commands().join("strongroom"), installed.join("strongroom")).unwrap();
    std::os::unix::fs::symlink(module(), installed.join("libstrongroom.so")).unwrap();
    let path = std::env::var("PATH").unwrap();
    let mut shell = Command::new("timeout");
    shell.args(["600", "bash", "-euo", "pipefail", "-c", &script]).current_dir(&work);
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("STRONGROOM_") || name.starts_with("XDG_")) {
        shell.env_remove(name);
    }
    // Root's tokens are the system's unless these are set.
    shell.env("XDG_DATA_HOME", home.0.join("share")).env("XDG_STATE_HOME", home.0.join("state"));
    shell.envs(variables.iter().map(|(name, value)| (name, value)));
    shell.env("HOME", &home.0).env("PATH", format!("{}:{path}", installed.display()));
    succeeded(&mut shell)
}
