//! The library stays mapped once loaded: its engine threads may outlive a `dlclose` (docs/ARCHITECTURE.md, "The door").

fn main() {
    if std::env::var("CARGO_CFG_TARGET_OS").as_deref() == Ok("linux") {
        println!("cargo:rustc-cdylib-link-arg=-Wl,-z,nodelete");
    }
    println!("cargo:rerun-if-changed=build.rs");
}
