//! A saved plan of any bytes is refused or read, and what is read is written as it was.

#![no_main]

use bedplate_plan::Plan;
use bedplate_state::{seal, unseal};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

fuzz_target!(|bytes: &[u8]| {
    let _ = unseal(bytes, "format", Plan::FORMAT);
    let Ok(mut json) = serde_json::from_slice::<Value>(bytes) else { return };
    let Some(object) = json.as_object_mut() else { return };
    object.insert("format".to_owned(), Plan::FORMAT.into());
    let json = unseal(&seal(json), "format", Plan::FORMAT).expect("what was sealed is read");
    if let Some(plan) = json.get("plan")
        && let Ok(plan) = serde_json::from_value::<Plan>(plan.clone())
    {
        let again = serde_json::to_value(&plan).expect("a plan is plain data");
        assert_eq!(serde_json::from_value::<Plan>(again).expect("what was written is read"), plan);
    }
});
