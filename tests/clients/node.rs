//! graphene-pk11 and node-webcrypto-p11; their results are checked by node's own crypto.

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{
    cache, guide,
    store::{Store, project, succeeded},
};

/// The packages of `package-lock.json`.
fn packages() -> PathBuf {
    let folder = project("tests/clients/node");
    let version = succeeded(Command::new("node").arg("--version"));
    let made_from = version + &fs::read_to_string(folder.join("package-lock.json")).unwrap();
    let kept = cache::kept("node", &made_from, |path| {
        for file in ["package.json", "package-lock.json"] {
            fs::copy(folder.join(file), path.join(file)).unwrap();
        }
        let mut npm = Command::new("npm");
        npm.args(["ci", "--no-audit", "--no-fund"]).current_dir(path);
        // pkcs11js is built here; without these headers of Debian's node-gyp downloads those of nodejs.org.
        if Path::new("/usr/include/node/node_api.h").exists() {
            npm.env("npm_config_nodedir", "/usr");
        }
        succeeded(&mut npm);
    });
    kept.join("node_modules")
}

fn does_its_work(program: &str, checks: u32) {
    let store = Store::with_token(program);
    symlink(packages(), store.0.join("node_modules")).unwrap();
    let file = format!("{program}.mjs");
    for file in [&*file, "checks.mjs"] {
        fs::copy(project("tests/clients/node").join(file), store.0.join(file)).unwrap();
    }
    let said = succeeded(store.command("timeout").args(["120", "node", &file]));
    assert_eq!(said.lines().last(), Some(&*format!("{checks} checks")), "{said}");
}

#[test]
fn graphene_does_its_work() {
    does_its_work("with_graphene", 309);
}

#[test]
fn webcrypto_does_its_work() {
    does_its_work("with_webcrypto", 179);
}

#[test]
fn the_guide_to_node_can_be_followed() {
    let said = guide::follow("node");
    assert_eq!(said.matches("the signature is good").count(), 2, "{said}");
}
