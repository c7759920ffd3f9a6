//! What was asked of AWS.

use super::Printer;
use bedplate_aws::Ledger;
use bedplate_model::Json;
use serde_json::json;

/// One line per operation, for `--verbose`.
pub(crate) fn show_ledger(printer: &Printer, ledger: &Ledger) {
    if !printer.verbose {
        return;
    }
    let entries = ledger.entries();
    let (calls, retries) =
        entries.values().fold((0, 0), |(calls, retries), entry| (calls + entry.calls, retries + entry.retries));
    printer.note(&format!("{calls} API calls, {retries} of them retries:"));
    printer.note("  calls retries    bytes   waited");
    for (operation, entry) in entries {
        printer.note(&format!(
            "  {:>5} {:>7} {:>8} {:>7.2}s {operation}",
            entry.calls, entry.retries, entry.bytes, entry.waited
        ));
    }
}

/// The contract: `operations` by `service:Operation`, and for each service the most requests it got `per_second`.
pub(crate) fn ledger_json(ledger: &Ledger) -> Json {
    json!({"operations": ledger.entries(), "per_second": ledger.peaks()})
}
