//! What users of SoftHSM complained of: that `COMPLAINTS.md` names tests that are there, and what no other place tests.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)] // These are tests.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{self, Command, Output},
    thread,
};

const HERE: &str = env!("CARGO_MANIFEST_DIR");
/// What a complaint has in the place of tests if it is not of the code.
const NONE: &str = "–";

/// The rows of the table in their cells.
fn rows(page: &str) -> Vec<Vec<&str>> {
    let rows = page.lines().filter(|line| line.starts_with("| ")).skip(2);
    rows.map(|row| row.trim_matches('|').split(" | ").map(str::trim).collect()).collect()
}

/// Whether a file has a test of this name that is run.
fn has_test(file: &Path, name: &str) -> bool {
    let text = fs::read_to_string(file).unwrap_or_else(|why| panic!("{}: {why}", file.display()));
    let Some((before, _)) = text.split_once(&format!("fn {name}()")) else { return false };
    // What stands before it since the line that is empty.
    let attributes = before.rsplit("\n\n").next().unwrap();
    attributes.contains("#[test]") && !attributes.contains("#[ignore")
}

/// Whether there is a case of this name, be it that the name is made of parts and a difference has the whole.
fn has_case(name: &str) -> bool {
    let files = fs::read_dir(Path::new(HERE).join("cases")).unwrap();
    let literal = format!("\"{name}\"");
    files.map(|file| fs::read_to_string(file.unwrap().path()).unwrap()).any(|text| text.contains(&literal))
}

#[test]
fn every_complaint_names_tests_that_are_there() {
    let page = fs::read_to_string(Path::new(HERE).join("COMPLAINTS.md")).unwrap();
    let rows = rows(&page);
    let ranks: Vec<_> = rows.iter().map(|row| row[0].parse::<usize>().unwrap()).collect();
    assert_eq!(ranks, (1..=17).collect::<Vec<_>>());
    for row in rows {
        let [rank, threads, complaint, here, tests] = row[..] else { panic!("five cells: {row:?}") };
        assert!(![threads, complaint, here, tests].contains(&""), "{rank} lacks something");
        assert_eq!(tests == NONE, here.contains("no test"), "{rank}");
        let mut kind = "";
        for (n, word) in tests.split('`').enumerate() {
            match (n % 2, word.split_once("::")) {
                (0, _) => kind = word.trim(),
                (_, Some((file, name))) if kind.is_empty() => {
                    let file = Path::new(HERE).join("..").join(file);
                    assert!(has_test(&file, name), "{rank}: no test {name} in {}", file.display());
                }
                _ => {
                    assert_eq!(kind, "case", "{rank}: {word}");
                    assert!(has_case(word), "{rank}: no case {word}");
                }
            }
        }
    }
}

/// A store with nothing in it, gone with this value.
struct Store(PathBuf);

impl Store {
    fn new() -> Self {
        let path = env::temp_dir().join(format!("softhsm-complaints-{}", process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir(&path).unwrap();
        Self(path)
    }

    fn pkcs11_tool(&self, words: &str) -> Output {
        let module = env::current_exe().unwrap().with_file_name("libstrongroom.so");
        assert!(module.exists(), "build the workspace first: cargo build --workspace");
        let mut command = Command::new("pkcs11-tool");
        command.arg("--module").arg(module).args(words.split(' '));
        command.env("STRONGROOM_STORE", self.0.join("store")).env("STRONGROOM_STATE", self.0.join("state"));
        command.output().expect("pkcs11-tool is in the package opensc: install it")
    }

    fn succeeds(&self, words: &str) -> String {
        let output = self.pkcs11_tool(words);
        assert!(output.status.success(), "{words}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

// #358, #359, #464, #518, #573, #578: of 360 such runs with SoftHSM 2.6.1 90 failed, since a login writes the token's file in place.
#[test]
fn six_processes_that_log_in_again_and_again_all_get_in() {
    let store = Store::new();
    store.succeeds("--init-token --slot 0 --label shared --so-pin 12345678");
    store.succeeds("--login --login-type so --so-pin 12345678 --init-pin --pin 1234");
    store.succeeds("--login --pin 1234 --keygen --key-type AES:16 --label kept");
    thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| {
                for _ in 0..5 {
                    let said = store.succeeds("--token-label shared --login --pin 1234 --list-objects --type secrkey");
                    assert!(said.contains("label:      kept"), "{said}");
                }
            });
        }
    });
}
