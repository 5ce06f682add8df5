//! The help of every verb, and what is true of each.

use std::process::Command;

fn help(path: &[String]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_strongroom"));
    let output = command.arg("help").args(path).env("COLUMNS", "120").output().unwrap();
    assert!(output.status.success(), "{path:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// The verbs below a noun, as its help names them.
fn verbs(help: &str) -> Vec<String> {
    let lines = help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    let name = |line: &str| line.split_whitespace().next().filter(|_| !line.starts_with("   ")).map(str::to_owned);
    lines.filter_map(name).filter(|name| name != "help").collect()
}

/// Every noun and verb with its help, depth first.
fn all(path: &mut Vec<String>, found: &mut Vec<(String, String)>) {
    let text = help(path);
    let below = verbs(&text);
    found.push((path.join(" "), text));
    for verb in below {
        path.push(verb);
        all(path, found);
        path.pop();
    }
}

#[test]
fn the_help_of_every_verb_is_the_one_that_was_read_and_found_good() {
    let mut found = Vec::new();
    all(&mut Vec::new(), &mut found);
    assert!(found.len() > 60, "{}", found.len());
    for (path, text) in &found {
        let first = text.lines().next().unwrap_or_default();
        assert!(!first.is_empty() && !first.starts_with("Usage:"), "{path}: it says what it does first");
    }
    let text: String = found.iter().map(|(path, text)| format!("$ strongroom help {path}\n{text}\n")).collect();
    insta::assert_snapshot!("help", text);
}
