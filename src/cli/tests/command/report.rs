//! `strongroom report`, as a browser shows it, and the uses that `key show` draws.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value as Json;

use crate::store::{Store, promised, refused, said, text};

/// What would be more than text if it were not escaped.
const TOKEN: &str = "<script>alert(1)</script>";
const KEY: &str = "\"&<b title='x'>\u{202e}";

fn run(store: &Store, arguments: &[&str]) -> String {
    said(&store.run(&[arguments, &["--pin", "env:PIN"]].concat()))
}

/// A token with three uses of one key and one that was refused, a certificate that ends soon, a key that is due and one that
/// was deleted.
fn used(name: &str) -> Store {
    let store = Store::new(name);
    let officer = |arguments: &[&str]| said(&store.run(&[arguments, &["--so-pin", "env:SO_PIN"]].concat()));
    officer(&["token", "label", TOKEN]);
    officer(&["token", "set", "--use-audit", "each", "--deletion-days", "30"]);
    for (key, kind) in [(KEY, "hmac-sha256"), ("web", "p256"), ("old", "p384")] {
        run(&store, &["key", "create", key, "--kind", kind]);
    }
    let message = store.0.join("message");
    fs::write(&message, "a message").unwrap();
    for _ in 0..3 {
        run(&store, &["mac", KEY, message.to_str().unwrap()]);
    }
    run(&store, &["key", "disable", KEY]);
    refused(&store.run(&["mac", KEY, message.to_str().unwrap(), "--pin", "env:PIN"]));
    run(&store, &["cert", "self-sign", "web", "--days", "20"]);
    run(&store, &["key", "rotate", "web", "--every", "60d"]);
    run(&store, &["key", "delete", "old", "--yes"]);
    store
}

/// The page of a store.
fn page(store: &Store, more: &[&str]) -> PathBuf {
    let file = store.0.join("report.html");
    let output = store.run(&[&["report", "--out", file.to_str().unwrap()], more].concat());
    assert!(said(&output).contains("report.html"));
    file
}

/// What a browser shows of a page, as text, and what it complains of.
fn shown(page: &Path) -> (String, Vec<String>) {
    let directory = page.parent().unwrap();
    let pdf = page.with_extension("pdf");
    let option = |name: &str, value: &Path| format!("--{name}={}", value.display());
    // It may hang. What the page's console says is among its errors.
    let output = Command::new("timeout")
        .args(["--kill-after=5", "120", "chromium", "--headless=new", "--no-sandbox", "--disable-gpu"])
        .args(["--disable-dev-shm-usage", "--enable-logging=stderr", "--no-pdf-header-footer"])
        .args([option("user-data-dir", &directory.join("profile")), option("print-to-pdf", &pdf)])
        .arg(format!("file://{}", page.display()))
        .env("HOME", directory)
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let complaints = text(&output.stderr);
    let complaints = complaints.lines().filter(|line| line.contains(":CONSOLE")).map(str::to_owned).collect();
    let words = Command::new("pdftotext").args(["-raw".as_ref(), pdf.as_os_str(), "-".as_ref()]).output().unwrap();
    (said(&words).split_whitespace().collect::<Vec<_>>().join(" "), complaints)
}

#[test]
fn a_browser_shows_the_report_and_has_nothing_to_run_or_to_fetch() {
    let store = used("report");
    let page = page(&store, &["--pin", "env:PIN"]);
    assert_eq!(fs::metadata(&page).unwrap().permissions().mode() & 0o777, 0o600, "it has what only a login shows");
    let (words, complaints) = shown(&page);
    assert_eq!(complaints, Vec::<String>::new());
    for wanted in [
        &format!("Token {TOKEN}") as &str,
        "\"&<b title='x'>\\u{202e}",
        "hmac-sha256",
        "disabled",
        "sign by strongroom",
        "every 60 days",
        "days key is to be rotated web",
        "days certificate ends web",
        "days deleted key is gone for good old",
        "keys that are deleted can be restored for 30 days",
        "By day, the last 90 days: 4 uses",
        "3 , 1 refused",
        "entries are as they were written and signed",
        "none is signed yet",
        "was wanted of the key",
    ] {
        let bare = |text: &str| text.split_whitespace().collect::<String>();
        assert!(bare(&words).contains(&bare(wanted)), "{wanted}: {words}");
    }
}

#[test]
fn a_browser_complains_of_what_a_page_must_not_have() {
    let store = Store::new("report-changed");
    let page = page(&store, &[]);
    let whole = fs::read_to_string(&page).unwrap();
    for bad in ["<script>alert(1)</script>", "<img src=\"http://127.0.0.1:9/x\">"] {
        fs::write(&page, whole.replace("<main>", &format!("<main>{bad}"))).unwrap();
        let (_, complaints) = shown(&page);
        assert!(complaints.iter().any(|line| line.contains("Content Security Policy")), "{bad}: {complaints:?}");
    }
}

#[test]
fn without_a_pin_the_report_says_what_it_cannot_see() {
    let store = used("report-outside");
    let text = said(&store.run(&["report"]));
    assert!(text.contains("seen with its user's PIN only") && text.contains("&lt;script&gt;"), "{text}");
    assert!(!text.contains("hmac-sha256") && !text.contains("<script"), "{text}");
    let told: Json = serde_json::from_str(&said(&store.run(&["--json", "report"]))).unwrap();
    assert_eq!(told["data"]["tokens"][0]["contents"], Json::Null);
    assert_eq!(said(&store.run(&["report", "--out", "-", "--json"])).find("<!DOCTYPE html>"), Some(0));
}

#[test]
fn the_report_tells_programs_the_same() {
    let store = used("report-json");
    let told: Json = serde_json::from_str(&run(&store, &["--json", "report"])).unwrap();
    for field in promised("report") {
        let all = [&told["data"], &told["data"]["tokens"][0], &told["data"]["tokens"][0]["contents"]];
        assert!(all.iter().any(|part| part.get(&field).is_some()), "{field}");
    }
    let contents = &told["data"]["tokens"][0]["contents"];
    let key = contents["keys"].as_array().unwrap().iter().find(|key| key["label"] == KEY).unwrap();
    let last = |name: &str| key["uses"]["days"][name].as_array().unwrap().iter().filter_map(Json::as_u64).sum::<u64>();
    assert_eq!((last("uses"), last("refused"), &key["uses"]["last"]["program"]), (3, 1, &"strongroom".into()));
    let due: Vec<&str> = contents["due"].as_array().unwrap().iter().filter_map(|due| due["event"].as_str()).collect();
    assert_eq!(due, ["expiry", "loss", "rotation"]);
    assert_eq!((&contents["audit"]["whole"], &contents["uses"]["whole"]), (&true.into(), &true.into()));
}

#[test]
fn a_book_that_was_changed_is_said_to_be_broken() {
    let store = used("report-broken");
    let mut files = fs::read_dir(store.state()).unwrap().map(|entry| entry.unwrap().path());
    let book = files.find(|path| path.extension().is_some_and(|extension| extension == "uses")).unwrap();
    let connection = rusqlite::Connection::open(&book).unwrap();
    connection
        .execute_batch("UPDATE entry SET text = replace(text, '\"uses\":1', '\"uses\":9') WHERE number = 2")
        .unwrap();
    connection.close().unwrap();
    let told: Json = serde_json::from_str(&run(&store, &["--json", "report"])).unwrap();
    let uses = &told["data"]["tokens"][0]["contents"]["uses"];
    assert_eq!(uses["whole"], false, "{uses}");
    assert!(run(&store, &["report"]).contains("<p class=\"bad\">entry "));
}

#[test]
fn a_file_that_cannot_be_written_is_said_and_a_wrong_pin_makes_no_file() {
    let store = Store::new("report-refused");
    let (code, why) = refused(&store.run(&["report", "--out", "/nowhere/report.html"]));
    assert!(code == 2 && why.contains("/nowhere/report.html cannot be written"), "{code} {why}");
    let file = store.0.join("report.html");
    let (code, _) = refused(&store.run(&["report", "--out", file.to_str().unwrap(), "--pin", "env:WRONG"]));
    assert!(code == 4 && !file.exists());
}

#[test]
fn key_show_draws_the_uses_of_the_last_days_where_they_are_written_down() {
    let store = used("show-uses");
    let shown = run(&store, &["key", "show", KEY]);
    let line = shown.lines().find(|line| line.starts_with("uses ")).unwrap();
    // It may be that a day has just begun.
    assert!(
        line.contains("▁▁▁") && line.contains('█') && line.contains("  3 since ") && line.ends_with(" a day"),
        "{line}"
    );
    let told: Json = serde_json::from_str(&run(&store, &["--json", "key", "show", KEY])).unwrap();
    let lately = |told: &Json| {
        let days = told["data"]["uses"]["days"].as_array().unwrap();
        (days.len(), days[28..].iter().filter_map(Json::as_u64).sum::<u64>(), days[0].as_u64())
    };
    assert_eq!(lately(&told), (30, 3, Some(0)));
    assert!(told["data"]["uses"]["first_day"].as_str().is_some_and(|day| day.len() == 10), "{told}");
    run(&store, &["key", "rotate", "web"]);
    let rotated: Json = serde_json::from_str(&run(&store, &["--json", "key", "show", "web"])).unwrap();
    assert_eq!(lately(&rotated).1, 1, "what an older version did is its use");
    let other = Store::new("show-no-uses");
    run(&other, &["key", "create", "k", "--kind", "p256"]);
    assert!(!run(&other, &["key", "show", "k"]).contains("uses "));
    let told: Json = serde_json::from_str(&run(&other, &["--json", "key", "show", "k"])).unwrap();
    assert_eq!(told["data"]["uses"], Json::Null);
}
