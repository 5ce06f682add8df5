//! Tells the linker what the module needs and Cargo has no key for.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    // AWS-LC keeps thread-local state with destructors: unmapping the module while such a thread
    // lives would crash that thread at its exit. So `dlclose` leaves the module where it is.
    println!("cargo:rustc-cdylib-link-arg=-Wl,-z,nodelete");
}
