//! `strongroom metrics`.

use std::collections::{BTreeMap, BTreeSet};

use crate::store::{Store, said};

/// The samples of a text in Prometheus's format, each under its name and labels. Panics where the format is broken.
fn parsed(text: &str) -> BTreeMap<String, u64> {
    let (mut types, mut samples) = (BTreeSet::new(), BTreeMap::new());
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap();
            assert!(["gauge", "counter"].contains(&kind) && types.insert(name.to_owned()), "{line}");
        } else if !line.starts_with("# HELP ") {
            let (series, value) = line.rsplit_once(' ').unwrap();
            let name = series.split('{').next().unwrap();
            assert!(types.contains(name), "{line}: its type comes first");
            let labels = series.strip_prefix(name).unwrap();
            assert!(labels.is_empty() || labels.starts_with('{') && labels.ends_with("\"}"), "{line}");
            assert!(samples.insert(series.to_owned(), value.parse().unwrap()).is_none(), "{line} stands twice");
        }
    }
    samples
}

#[test]
fn numbers_about_tokens_and_keys_are_told_as_prometheus_reads_them() {
    let store = Store::new("metrics");
    let run = |arguments: &[&str]| said(&store.run(&[arguments, &["--pin", "env:PIN"]].concat()));
    run(&["key", "create", "one", "--kind", "aes-256"]);
    run(&["key", "create", "two", "--kind", "p256"]);
    run(&["key", "disable", "two"]);
    run(&["audit", "checkpoint"]);
    let outside = parsed(&said(&store.run(&["metrics"])));
    assert!(outside.keys().all(|name| !name.starts_with("strongroom_keys")), "that takes a PIN: {outside:?}");
    let find = |samples: &BTreeMap<String, u64>, name: &str, part: &str| {
        let found: Vec<u64> = samples
            .iter()
            .filter(|(series, _)| series.starts_with(name) && series.contains(part))
            .map(|(_, value)| *value)
            .collect();
        assert_eq!(found.len(), 1, "{name} {part}: {samples:?}");
        found[0]
    };
    assert_eq!(find(&outside, "strongroom_token_info", "profile=\"compatible\""), 1);
    assert_eq!(find(&outside, "strongroom_pin_wrong", "whose=\"user\""), 0);
    let wrong = store.command(&["key", "list", "--pin", "env:PIN"]).env("PIN", "wrong-pin").output().unwrap();
    assert_eq!(wrong.status.code(), Some(4));
    assert_eq!(find(&parsed(&said(&store.run(&["metrics"]))), "strongroom_pin_wrong", "whose=\"user\""), 1);
    let inside = parsed(&run(&["metrics"]));
    assert_eq!(find(&inside, "strongroom_keys{", "kind=\"aes-256\",state=\"enabled\""), 1);
    assert_eq!(find(&inside, "strongroom_keys{", "kind=\"p256\",state=\"disabled\""), 1);
    assert_eq!((find(&inside, "strongroom_keys_due", ""), find(&inside, "strongroom_audit_whole", "")), (0, 1));
    assert!(find(&inside, "strongroom_audit_checkpoint", "") >= 6);
    let json: serde_json::Value = serde_json::from_str(&run(&["--json", "metrics"])).unwrap();
    assert!(json["data"].as_array().unwrap().iter().any(|sample| sample["name"] == "strongroom_keys"));
}

#[test]
fn a_label_that_has_quotation_marks_stays_one_label() {
    let store = Store::new("metrics-quoted");
    said(&store.run(&["token", "label", "a \"token\" \\", "--so-pin", "env:SO_PIN"]));
    let text = said(&store.run(&["metrics"]));
    assert!(text.contains(r#"label="a \"token\" \\""#), "{text}");
    parsed(&text);
}
