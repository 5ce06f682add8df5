//! What SoftHSM's users do, recipe by recipe, with both modules.
//!
//! A recipe is a shell file beside this one. It runs unchanged with SoftHSM, with strongroom, and with strongroom under SoftHSM's name
//! and configuration: only the path of the module is another, and the `softhsm2-util` that is found. What it prints must be the same. Needs Debian's packages softhsm2, opensc,
//! libengine-pkcs11-openssl and a JDK, and a built workspace.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)] // These are tests.

use std::{
    env, fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::{self, Command},
    sync::Mutex,
    thread,
};

const README: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/README.md");
const RECIPES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/recipes");

/// A module, and the command that makes tokens for it.
struct Product {
    name: &'static str,
    module: PathBuf,
    softhsm2_util: PathBuf,
    tokens: Tokens,
}

/// Where tokens are.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Tokens {
    /// In a store that is named.
    InAStore,
    /// Where `softhsm2.conf` says.
    AsConfigured,
}

fn softhsm() -> Product {
    Product {
        name: "SoftHSM",
        module: "/usr/lib/softhsm/libsofthsm2.so".into(),
        softhsm2_util: "/usr/bin/softhsm2-util".into(),
        tokens: Tokens::AsConfigured,
    }
}

/// What was built with this test.
fn strongroom() -> Product {
    let program = env::current_exe().unwrap();
    let commands = program.parent().unwrap().parent().unwrap();
    Product {
        name: "strongroom",
        module: program.with_file_name("libstrongroom.so"),
        softhsm2_util: commands.join("strongroom-softhsm2-util"),
        tokens: Tokens::InAStore,
    }
}

/// The same module under SoftHSM's name: only the path is another.
fn strongroom_in_softhsms_place(place: &Place) -> Product {
    let module = place.0.join("libsofthsm2.so");
    fs::copy(strongroom().module, &module).unwrap();
    Product { name: "strongroom-as-softhsm", module, tokens: Tokens::AsConfigured, ..strongroom() }
}

/// The recipes in the order of their names.
fn recipes() -> Vec<PathBuf> {
    let files = fs::read_dir(RECIPES).unwrap().map(|entry| entry.unwrap().path());
    let mut recipes: Vec<_> = files.filter(|path| path.extension().is_some_and(|it| it == "sh")).collect();
    recipes.sort();
    recipes
}

fn name(recipe: &Path) -> &str {
    recipe.file_stem().unwrap().to_str().unwrap()
}

/// A directory of one run, gone with this value.
struct Place(PathBuf);

impl Place {
    fn new(name: &str) -> Self {
        let path = env::temp_dir().join(format!("softhsm-recipe-{}-{name}", process::id()));
        let _ = fs::remove_dir_all(&path);
        for below in ["tokens", "home", "commands", "work"] {
            fs::create_dir_all(path.join(below)).unwrap();
        }
        Self(path)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// What a recipe prints with a product; it must succeed.
fn printed(recipe: &Path, product: &Product) -> String {
    let place = Place::new(&format!("{}-{}", name(recipe), product.name));
    let path = |below: &str| place.0.join(below);
    let configuration = format!("directories.tokendir = {}\n", path("tokens").display());
    fs::write(path("softhsm2.conf"), configuration).unwrap();
    symlink(&product.softhsm2_util, path("commands/softhsm2-util")).unwrap();

    let mut shell = Command::new("timeout");
    shell.args(["60", "bash"]).arg(recipe).current_dir(path("work"));
    for (name, _) in env::vars().filter(|(name, _)| name.starts_with("STRONGROOM_") || name.starts_with("XDG_")) {
        shell.env_remove(name);
    }
    let commands = format!("{}:{}", path("commands").display(), env::var("PATH").unwrap());
    shell.env("PATH", commands).env("MODULE", &product.module).env("HOME", path("home"));
    shell.env("SOFTHSM2_CONF", path("softhsm2.conf"));
    shell.env("STRONGROOM_STATE", path("state"));
    match product.tokens {
        Tokens::InAStore => shell.env("STRONGROOM_STORE", path("store")),
        // For the command; the module has its name.
        Tokens::AsConfigured => shell.env("STRONGROOM_COMPATIBILITY", "softhsm"),
    };
    let output = shell.output().unwrap();

    let [text, errors] = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes));
    // What the tools said is in a file, because it differs.
    let said = fs::read_to_string(path("work/said")).unwrap_or_default();
    assert!(
        output.status.success(),
        "{} with {}: {}\n{text}\n{errors}\n{said}",
        name(recipe),
        product.name,
        output.status
    );
    text.into_owned()
}

#[test]
fn each_recipe_of_softhsms_users_does_the_same_with_strongroom() {
    let place = Place::new("module");
    let products = [softhsm(), strongroom(), strongroom_in_softhsms_place(&place)];
    for product in &products {
        for file in [&product.module, &product.softhsm2_util] {
            assert!(file.exists(), "{} is missing: install softhsm2, cargo build --workspace", file.display());
        }
    }
    let todo = Mutex::new(recipes());
    let work = || {
        loop {
            let Some(recipe) = todo.lock().unwrap().pop() else { break };
            let [softhsm, ours @ ..] = products.each_ref().map(|product| printed(&recipe, product));
            assert!(!softhsm.is_empty(), "{} says nothing that could be compared", name(&recipe));
            for (ours, product) in ours.iter().zip(&products[1..]) {
                assert_eq!(softhsm, *ours, "{}: left SoftHSM, right {}", name(&recipe), product.name);
            }
        }
    };
    thread::scope(|scope| {
        scope.spawn(work);
        work();
    });
}

#[test]
fn no_recipe_knows_which_module_it_works_with() {
    for recipe in recipes() {
        let text = fs::read_to_string(&recipe).unwrap();
        for word in ["strongroom", "libsofthsm2"] {
            assert!(!text.to_lowercase().contains(word), "{} names {word}", name(&recipe));
        }
        assert!(text.contains("\n. \"$(dirname \"$0\")/token\"\n"), "{} makes no token of its own", name(&recipe));
    }
}

#[test]
fn the_readme_lists_every_recipe_with_what_it_does() {
    let (readme, recipes) = (fs::read_to_string(README).unwrap(), recipes());
    let rows = readme.lines().filter(|line| line.starts_with("| [`recipes/")).count();
    assert_eq!(rows, recipes.len());
    assert!(rows >= 12);
    for recipe in recipes {
        let text = fs::read_to_string(&recipe).unwrap();
        let what =
            text.lines().next().and_then(|line| line.strip_prefix("# ")).expect("a recipe begins with what it does");
        let row = format!("| [`recipes/{0}.sh`](recipes/{0}.sh) | {what} |", name(&recipe));
        assert!(readme.contains(&row), "the README lacks this row: {row}");
    }
}
