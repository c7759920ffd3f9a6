//! What was asked of AWS.

use super::Printer;
use bedplate_aws::{Ledger, LedgerEntry as Entry};
use bedplate_model::Json;
use serde_json::json;

/// One line per operation, for `--verbose`.
pub(crate) fn show_ledger(printer: &Printer, ledger: &Ledger) {
    if !printer.verbose {
        return;
    }
    let entries = ledger.entries();
    printer.note(&format!("{} API calls:", entries.values().map(|entry| entry.calls).sum::<u64>()));
    printer.note("  calls     bytes   waited");
    for (operation, entry) in entries {
        let again = if entry.retries > 0 { format!(", {} of them again", entry.retries) } else { String::new() };
        let Entry { calls, bytes, waited, held_back, .. } = entry;
        let held =
            if held_back > 0.0 { format!(", {held_back:.1}s of it to keep to AWS's rates") } else { String::new() };
        printer.note(&format!("  {calls:>5} {bytes:>9} {waited:>7.2}s {operation}{again}{held}"));
    }
}

/// The contract: `operations` by `service:Operation`, and for each service the most requests it got `per_second`.
pub(crate) fn ledger_json(ledger: &Ledger) -> Json {
    json!({"operations": ledger.entries(), "per_second": ledger.peaks()})
}
