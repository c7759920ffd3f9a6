//! The state file: what the stack owns, and the journal of what is being done to it.
//!
//! Every effect is preceded by its persisted intent and followed by its persisted result, so a run that was cut off
//! anywhere goes on where it stopped. Ownership can always be read from AWS, so the file is a cache: losing it loses no
//! resource. No secret is in it: specifications and outputs hold none.

mod fallback;
mod file;
mod format;
mod holder;
mod lock;
mod state;
mod store;

pub use fallback::Fallback;
pub use file::{FileStore, private};
pub use format::{FormatError, parse, seal, unseal, write};
pub use holder::{Holder, Liveness, Process};
pub use lock::{Held, Lease, Lock, Moment};
pub use state::{Deposed, Intent, Resource, State, Status};
pub use store::{MemoryStore, SharedStore, Store, StoreError, Tell};
