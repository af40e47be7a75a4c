use std::ptr::{null, null_mut};

use super::*;

fn open(config: &str) -> u32 {
    // SAFETY: a string's bytes.
    unsafe { cronflow_open(config.as_ptr(), config.len() as u32) }
}

fn call_raw(core: u32, request: &[u8], out: &mut [u8]) -> i32 {
    // SAFETY: slices with their lengths.
    unsafe { cronflow_call(core, request.as_ptr(), request.len() as u32, out.as_mut_ptr(), out.len() as u32) }
}

fn submit(core: u32, request: &str) -> i32 {
    // SAFETY: a string's bytes.
    unsafe { cronflow_submit(core, request.as_ptr(), request.len() as u32) }
}

fn take(core: u32, out: &mut [u8]) -> i32 {
    // SAFETY: a slice with its length.
    unsafe { cronflow_take(core, out.as_mut_ptr(), out.len() as u32) }
}

fn call(core: u32, request: &str) -> String {
    let mut out = vec![0; 1 << 20];
    let length = call_raw(core, request.as_bytes(), &mut out);
    String::from_utf8(out[..length as usize].to_vec()).unwrap()
}

const THREADED: &str = r#"{"database":":memory:"}"#;
const INLINE: &str = r#"{"database":":memory:","inline":true}"#;
const ECHO: &str = r#"{"seq":1,"now_ms":1,"commands":[{"echo":{"a":[1,"ü"]}}]}"#;
const ECHOED: &str = r#"{"requests":[{"seq":1,"results":[{"a":[1,"ü"]}]}]}"#;

#[test]
fn echoes_through_the_thread_and_inline() {
    for config in [THREADED, INLINE] {
        let core = open(config);
        assert_eq!(call(core, ECHO), ECHOED);
        assert_eq!(cronflow_close(core), 0);
    }
}

#[test]
fn an_answer_that_does_not_fit_is_kept_and_its_command_runs_once() {
    let core = open(INLINE);
    let needed = call_raw(core, ECHO.as_bytes(), &mut [0; 4]);
    assert_eq!(needed as usize, ECHOED.len());
    assert_eq!(take(core, &mut [0; 4]), needed);
    let mut out = vec![0; needed as usize];
    assert_eq!(take(core, &mut out), needed);
    assert_eq!(out, ECHOED.as_bytes());
    assert_eq!(take(core, &mut out), 0);
    cronflow_close(core);
}

#[test]
fn submitted_requests_are_answered_through_take() {
    let core = open(THREADED);
    assert_eq!(submit(core, ECHO), 0);
    // A synchronous call queues behind it, so the first answer is there when the second returns.
    call(core, r#"{"now_ms":1}"#);
    let mut out = vec![0; 1 << 16];
    let length = take(core, &mut out);
    assert_eq!(&out[..length as usize], ECHOED.as_bytes());
    assert_eq!(take(core, &mut out), 0);
    cronflow_close(core);
}

#[test]
fn an_engine_on_the_callers_thread_does_not_wait_for_its_answers_to_be_taken() {
    let core = open(INLINE);
    let text = "x".repeat(limits::REQUEST_BYTES as usize - 100);
    let request = format!(r#"{{"seq":1,"now_ms":1,"commands":[{{"echo":"{text}"}}]}}"#);
    let many = limits::ANSWER_BYTES_QUEUED.div_ceil(limits::REQUEST_BYTES) + 2;
    let (done, all) = std::sync::mpsc::channel();
    std::thread::spawn(move || done.send((0..many).map(|_| submit(core, &request)).sum::<i32>()));
    assert_eq!(all.recv_timeout(std::time::Duration::from_secs(60)), Ok(0), "`submit` returns");
    cronflow_close(core);
}

#[test]
fn refuses_handles_that_are_stale_closed_or_invented() {
    let core = open(INLINE);
    assert_eq!(cronflow_close(core), 0);
    assert_eq!(cronflow_close(core), 0, "closing twice is harmless");
    for handle in [core, 0, 4_000_000] {
        let mut out = [0; 16];
        assert_eq!(call_raw(handle, b"{}", &mut out), CRONFLOW_ERROR_HANDLE);
        assert_eq!(submit(handle, "{}"), CRONFLOW_ERROR_HANDLE);
        assert_eq!(take(handle, &mut out), CRONFLOW_ERROR_HANDLE);
    }
    assert_eq!(cronflow_close(0), CRONFLOW_ERROR_HANDLE);
    assert_eq!(cronflow_close(4_000_000), CRONFLOW_ERROR_HANDLE);
    let next = open(INLINE);
    assert_ne!(next, core, "handles are not used again");
    cronflow_close(next);
}

#[test]
fn refuses_null_pointers() {
    let core = open(INLINE);
    // SAFETY: null pointers are what is tested.
    unsafe {
        assert_eq!(cronflow_call(core, null(), 5, null_mut(), 0), CRONFLOW_ERROR_ARGUMENT);
        assert_eq!(cronflow_call(core, ECHO.as_ptr(), ECHO.len() as u32, null_mut(), 5), CRONFLOW_ERROR_ARGUMENT);
        assert_eq!(cronflow_submit(core, null(), 5), CRONFLOW_ERROR_ARGUMENT);
        assert_eq!(cronflow_take(core, null_mut(), 5), CRONFLOW_ERROR_ARGUMENT);
        let failed = cronflow_open(null(), 5);
        assert_ne!(failed, 0);
        assert!(call(failed, "{}").contains("config_invalid"));
        cronflow_close(failed);
    }
    cronflow_close(core);
}

#[test]
fn a_core_that_failed_to_open_explains_itself() {
    for (config, code) in [
        ("", "config_invalid"),
        ("{", "config_invalid"),
        (r#"{"database":""}"#, "config_invalid"),
        (r#"{"database":"x","colour":1}"#, "config_invalid"),
        (r#"{"database":"/"}"#, "path_invalid"),
        (r#"{"database":"Cargo.toml/none/x.db"}"#, "path_invalid"),
    ] {
        let core = open(config);
        assert_ne!(core, 0);
        assert!(call(core, ECHO).contains(code), "{config}: {}", call(core, ECHO));
        assert_eq!(submit(core, ECHO), CRONFLOW_ERROR_OPEN_FAILED);
        assert_eq!(cronflow_close(core), 0);
    }
}

#[test]
fn hostile_requests_are_answered_and_do_no_harm() {
    let core = open(INLINE);
    let deep = format!(r#"{{"now_ms":1,"commands":[{{"echo":{}1{}}}]}}"#, "[".repeat(10_000), "]".repeat(10_000));
    let unclosed = "[".repeat(10_000);
    let truncated = &ECHO[..ECHO.len() - 3];
    let mut out = vec![0; 1 << 20];
    for request in [b"".as_slice(), b"null", b"[]", b"{}", truncated.as_bytes(), unclosed.as_bytes(), b"\xff\xfe{}"] {
        let length = call_raw(core, request, &mut out);
        let answer = std::str::from_utf8(&out[..length as usize]).unwrap();
        assert!(answer.contains("request_invalid"), "{answer}");
    }
    assert!(call(core, &deep).contains("[[[["), "nested JSON is carried as it is, and limited where it is recorded");
    let huge = vec![b' '; 100 << 20];
    let length = call_raw(core, &huge, &mut out);
    assert!(std::str::from_utf8(&out[..length as usize]).unwrap().contains("request_too_large"));
    // SAFETY: the buffer and its length.
    let refused = unsafe { cronflow_submit(core, huge.as_ptr(), huge.len() as u32) };
    assert_eq!(refused, CRONFLOW_ERROR_TOO_LARGE);
    let one_bad = r#"{"seq":1,"now_ms":1,"commands":[{"fly":{}},{"echo":2}]}"#;
    assert!(call(core, one_bad).ends_with(",2]}]}"), "one bad command does not spoil its neighbour");
    assert_eq!(call(core, &ECHO.replace("\"seq\":1", "\"seq\":2")), ECHOED.replace("\"seq\":1", "\"seq\":2"));
    cronflow_close(core);
}

#[test]
fn a_panic_in_any_export_is_caught_and_poisons_the_core() {
    let quiet = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let during = |export: &'static str, body: &mut dyn FnMut()| {
        PANIC_IN.set(export);
        body();
        PANIC_IN.set("");
    };
    during("cronflow_abi_version", &mut || assert_eq!(cronflow_abi_version(), 0));
    during("cronflow_open", &mut || {
        let core = open(INLINE);
        assert!(call(core, ECHO).contains("poisoned"));
    });
    for export in ["cronflow_call", "cronflow_submit", "cronflow_take", "cronflow_close"] {
        for config in [INLINE, THREADED] {
            let core = open(config);
            let mut out = [0; 256];
            during(export, &mut || {
                let code = match export {
                    "cronflow_call" => call_raw(core, ECHO.as_bytes(), &mut out),
                    "cronflow_submit" => submit(core, ECHO),
                    "cronflow_take" => take(core, &mut out),
                    _ => cronflow_close(core),
                };
                assert_eq!(code, CRONFLOW_ERROR_POISONED, "{export}");
            });
            assert!(call(core, ECHO).contains("\"error\""), "{export}: {}", call(core, ECHO));
            cronflow_close(core);
        }
    }
    std::panic::set_hook(quiet);
    assert_eq!(cronflow_abi_version(), CRONFLOW_ABI_VERSION);
}

/// A run of a workflow that sleeps between two steps, as far as its first step is executed.
const DEFINED: &str = r#"{"seq":1,"now_ms":1,"capacity":4,"commands":[
    {"define":{"id":"w","nodes":[
        {"kind":"step","name":"a"},{"kind":"sleep","name":"s","duration_ms":1000},{"kind":"step","name":"b"}]}},
    {"start":{"workflow":"w"}}]}"#;

fn taken(core: u32) -> String {
    let mut out = vec![0; 1 << 16];
    let length = take(core, &mut out);
    String::from_utf8(out[..length as usize].to_vec()).unwrap()
}

#[test]
fn a_restart_forgets_what_is_not_stored() {
    let core = open(INLINE);
    assert_eq!(submit(core, DEFINED), 0);
    let first = taken(core);
    assert!(first.contains(r#""execute""#), "{first}");
    // An answer that nobody has taken dies with the process, and the attempt that executes is interrupted.
    assert_eq!(submit(core, ECHO), 0);
    assert_eq!(
        call(core, r#"{"now_ms":2,"commands":[{"restart":{}}]}"#),
        r#"{"requests":[{"seq":0,"results":[null]}]}"#
    );
    assert_eq!(taken(core), "");
    let about = call(core, r#"{"now_ms":2,"commands":[{"query":{"about":{}}}]}"#);
    assert!(about.contains(r#""workflows":[]"#), "{about}");
    // The same number is another request of another process.
    assert_eq!(submit(core, &DEFINED.replace(r#"{"start":{"workflow":"w"}}"#, r#"{"query":{"runs":{}}}"#)), 0);
    let second = taken(core);
    assert!(second.contains(r#""execute""#) && second.contains(r#""attempt":2"#), "{second}");
    let run = second.split(r#""run":""#).nth(1).and_then(|text| text.get(..17)).unwrap().to_owned();
    let history = call(core, &format!(r#"{{"now_ms":2,"commands":[{{"query":{{"run":{{"run":"{run}"}}}}}}]}}"#));
    assert!(history.contains(r#""status":"interrupted""#), "{history}");
    cronflow_close(core);
}

#[test]
fn an_engine_with_a_thread_is_not_restarted() {
    let core = open(THREADED);
    let answer = call(core, r#"{"now_ms":2,"commands":[{"restart":{}}]}"#);
    assert!(answer.contains("request_invalid"), "{answer}");
    assert_eq!(call(core, ECHO), ECHOED);
    cronflow_close(core);
}

#[test]
fn a_call_without_a_thread_leaves_what_it_causes_to_take() {
    let core = open(INLINE);
    let answer = call(core, DEFINED);
    assert!(!answer.contains(r#""execute""#), "{answer}");
    assert!(taken(core).contains(r#""execute""#));
    cronflow_close(core);
}

#[test]
fn tells_what_a_run_waits_for() {
    let core = open(INLINE);
    assert_eq!(submit(core, DEFINED), 0);
    let first = taken(core);
    let run = first.split(r#""run":""#).nth(1).and_then(|text| text.get(..17)).unwrap().to_owned();
    let fence = first.split(r#""fence":"#).nth(1).and_then(|text| text.split([',', '}']).next()).unwrap().to_owned();
    let waits = || call(core, &format!(r#"{{"now_ms":5,"commands":[{{"query":{{"waits":{{"run":"{run}"}}}}}}]}}"#));
    let executing = r#"{"waits":[{"step":"a","for":"handler","handler":"body","attempt":1}]}"#;
    assert!(waits().contains(executing), "{}", waits());
    call(core, &format!(r#"{{"now_ms":5,"commands":[{{"resolve":{{"run":"{run}","fence":{fence}}}}}]}}"#));
    assert!(waits().contains(r#"{"waits":[{"step":"s","for":"sleep","until_ms":1005}]}"#), "{}", waits());
    call(core, &format!(r#"{{"now_ms":5,"commands":[{{"cancel":{{"run":"{run}"}}}}]}}"#));
    assert!(waits().contains(r#"{"waits":[]}"#), "{}", waits());
    let unknown = call(core, r#"{"now_ms":5,"commands":[{"query":{"waits":{"run":"run_0000000000000"}}}]}"#);
    assert!(unknown.contains("run_not_found"), "{unknown}");
    cronflow_close(core);
}
