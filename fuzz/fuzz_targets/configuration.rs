//! A configuration of any text is refused with a message, or taken.

#![no_main]

use bedplate_platform::config::Config;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Err(error) = Config::parse(text, "bedplate.toml") {
        assert!(!error.to_string().is_empty());
        assert!(!error.render_colored().is_empty());
    }
});
