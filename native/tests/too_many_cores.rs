//! In a process of its own, because it fills the table of engines.
#![allow(unsafe_code)]

use cronflow::ffi::{cronflow_call, cronflow_close, cronflow_open};
use cronflow::limits;

#[test]
fn one_engine_more_than_allowed_is_refused_with_its_reason() {
    let config = r#"{"database":":memory:","inline":true}"#;
    // SAFETY: a string's bytes.
    let open = || unsafe { cronflow_open(config.as_ptr(), config.len() as u32) };
    let explain = |core: u32| {
        let (request, mut out) = (r#"{"now_ms":1}"#, [0u8; 512]);
        // SAFETY: buffers with their lengths.
        let length = unsafe { cronflow_call(core, request.as_ptr(), request.len() as u32, out.as_mut_ptr(), 512) };
        String::from_utf8_lossy(&out[..length as usize]).into_owned()
    };
    let cores: Vec<u32> = (0..limits::CORES).map(|_| open()).collect();
    assert!(cores.iter().all(|&core| explain(core).contains("requests")));
    assert!(explain(open()).contains("too_many_cores"));
    assert_eq!(cronflow_close(cores[0]), 0);
    let next = open();
    assert!(explain(next).contains("requests"));
}
