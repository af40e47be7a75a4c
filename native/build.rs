//! What the library is: a build id, made of everything that it is compiled from, and the target it is for. And it stays
//! mapped once loaded: its engine threads may outlive a `dlclose` (docs/ARCHITECTURE.md, "The door").

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;

fn main() {
    match variable("CARGO_CFG_TARGET_OS").as_str() {
        "linux" => println!("cargo:rustc-cdylib-link-arg=-Wl,-z,nodelete"),
        // Else it carries the path where it was built.
        "macos" => println!("cargo:rustc-cdylib-link-arg=-Wl,-install_name,@rpath/libcronflow.dylib"),
        _ => {}
    }
    println!("cargo:rustc-env=CRONFLOW_TARGET={}", variable("TARGET"));
    println!("cargo:rustc-env=CRONFLOW_BUILD={:016x}", build_id());
}

fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_default()
}

/// The same sources, dependencies, compiler, target and profile give the same id. It tells builds apart; it protects
/// nothing, so the standard hash will do.
fn build_id() -> u64 {
    let mut sources = Vec::new();
    collect(Path::new("src"), &mut sources);
    sources.extend(["Cargo.toml", "build.rs", "../Cargo.toml", "../Cargo.lock"].map(PathBuf::from));
    let mut hasher = DefaultHasher::new();
    for path in sources {
        println!("cargo:rerun-if-changed={}", path.display());
        path.hash(&mut hasher);
        std::fs::read(&path).unwrap_or_default().hash(&mut hasher);
    }
    for name in ["TARGET", "PROFILE", "OPT_LEVEL", "CARGO_ENCODED_RUSTFLAGS", "CARGO_FEATURE_SIM"] {
        variable(name).hash(&mut hasher);
    }
    let compiler = Command::new(variable("RUSTC")).arg("-vV").output();
    compiler.map(|output| output.stdout).unwrap_or_default().hash(&mut hasher);
    hasher.finish()
}

/// Every file below a directory, in an order that does not depend on the file system.
fn collect(directory: &Path, found: &mut Vec<PathBuf>) {
    println!("cargo:rerun-if-changed={}", directory.display());
    let entries = std::fs::read_dir(directory).expect("the sources can be read");
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("the sources can be read").path()).collect();
    paths.sort();
    for path in paths {
        if path.is_dir() { collect(&path, found) } else { found.push(path) }
    }
}
