//! Files made from the core are committed; here they are made again. One that differs is rewritten, and the test
//! fails once: look at the change and commit it.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use cronflow::error::Code;
use cronflow::{ffi, limits};

fn check(path: &str, content: &str) {
    let path = root().join(path);
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    if committed != content {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, content).unwrap();
        panic!("{} was stale and is now rewritten: commit it", path.display());
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

#[test]
fn the_header_says_what_the_library_exports() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR"));
    let config = cbindgen::Config::from_file(directory.join("cbindgen.toml")).unwrap();
    let bindings =
        cbindgen::Builder::new().with_config(config).with_src(directory.join("src/ffi.rs")).generate().unwrap();
    let mut header = Vec::new();
    bindings.write(&mut header);
    check("native/include/cronflow.h", std::str::from_utf8(&header).unwrap());
}

#[test]
fn typescript_knows_every_code_and_limit() {
    let mut text = String::from("// Generated from native/src by native/tests/generated.rs. Do not edit.\n\n");
    writeln!(text, "export const VERSION = {:?};", env!("CARGO_PKG_VERSION")).unwrap();
    writeln!(text, "export const ABI_VERSION = {};\n", ffi::CRONFLOW_ABI_VERSION).unwrap();
    writeln!(text, "/** Every error code of the core, its class and its meaning. */").unwrap();
    writeln!(text, "export const CODES = {{").unwrap();
    for code in Code::ALL {
        let class = serde_json::to_string(&code.class()).unwrap();
        writeln!(text, "  {}: {{ class: {class}, meaning: {:?} }},", code.as_str(), code.meaning().trim()).unwrap();
    }
    writeln!(text, "}} as const;\n\nexport type Code = keyof typeof CODES;").unwrap();
    writeln!(text, "export type ErrorClass = (typeof CODES)[Code][\"class\"];\n").unwrap();
    writeln!(text, "/** Every bound of the core. */\nexport const LIMITS = {{").unwrap();
    for (name, value, meaning) in limits::ALL {
        writeln!(text, "  /** {} */\n  {name}: {value},", meaning.trim()).unwrap();
    }
    writeln!(text, "}} as const;").unwrap();
    check("runtime/native/generated.ts", &text);
}

#[test]
fn the_limits_page_lists_every_limit() {
    let mut text =
        String::from("# Limits\n\nEverything is bounded. Exceeding a limit is an error with a code of its own.\n\n");
    text.push_str("| limit | value | meaning |\n| --- | ---: | --- |\n");
    for (name, value, meaning) in limits::ALL {
        writeln!(text, "| `{name}` | {value} | {} |", meaning.trim()).unwrap();
    }
    check("docs/limits.md", &text);
}

#[test]
fn the_errors_page_lists_every_code() {
    let mut text =
        String::from("# Errors\n\nEvery error has a stable `code` and a `kind` that says what can be done.\n\n");
    text.push_str("| code | kind | meaning |\n| --- | --- | --- |\n");
    for code in Code::ALL {
        let class = serde_json::to_string(&code.class()).unwrap();
        writeln!(text, "| `{}` | `{}` | {} |", code.as_str(), class.trim_matches('"'), code.meaning().trim()).unwrap();
    }
    check("docs/errors.md", &text);
}
