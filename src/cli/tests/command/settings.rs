//! The example of a file of settings.

use std::fs;

use crate::store::{Store, said};

#[test]
fn the_example_has_every_key_with_its_default_and_is_taken_without_a_fault() {
    let store = Store::new("example");
    let example = include_str!("../../../../docs/strongroom.toml");
    let line = |line: &str| line.strip_prefix("# ").filter(|rest| rest.contains(" = ")).map(|rest| format!("{rest}\n"));
    let file = store.0.join("strongroom.toml");
    fs::write(&file, example.lines().filter_map(line).collect::<String>()).unwrap();
    let mut check = store.command(&["config", "check"]);
    check.env_remove("STRONGROOM_STORE").env("STRONGROOM_CONFIG", &file);
    assert_eq!(said(&check.output().unwrap()), "nothing is wrong\n");

    let rows = |told: String| -> Vec<(String, String)> {
        let told: serde_json::Value = serde_json::from_str(&told).unwrap();
        let text = |row: &serde_json::Value, name: &str| row[name].as_str().unwrap().to_owned();
        told["data"].as_array().unwrap().iter().map(|row| (text(row, "key"), text(row, "value"))).collect()
    };
    let mut show = store.command(&["--json", "config", "show"]);
    show.env_remove("STRONGROOM_STORE").env("STRONGROOM_CONFIG", &file);
    let from_file = rows(said(&show.output().unwrap()));
    let mut show = store.command(&["--json", "config", "show"]);
    show.env_remove("STRONGROOM_STORE");
    let defaults = rows(said(&show.output().unwrap()));
    assert_eq!(from_file.len(), example.lines().filter_map(line).count(), "every key is there once");
    // Where tokens lie depends on the user; a store secret has no default.
    let place = |key: &str| ["store", "state", "store_secret"].contains(&key);
    for (of_file, default) in from_file.iter().zip(&defaults) {
        assert!(place(&default.0) || of_file == default, "{of_file:?} {default:?}");
    }
}
