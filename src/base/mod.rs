//! Ground floor: ids, time, randomness, validated text, errors. No I/O.
//!
//! Everything here is pure or injected, so that every use-case can be run with a manual clock
//! and seeded entropy. It knows nothing of the domain beyond the kinds of ids.

pub mod charge;
pub mod clock;
pub mod csv;
pub mod cursor;
pub mod digest;
pub mod entropy;
pub mod error;
pub mod failpoint;
pub mod id;
pub mod lifetime;
pub mod loopback;
pub mod mask;
pub mod op;
pub mod seal;
pub mod text;

pub use charge::{Charge, During};
pub use clock::{Clock, ManualClock, SystemClock};
pub use digest::Digest;
pub use entropy::{Entropy, OsEntropy, SeededEntropy};
pub use error::{ErrorKind, FieldError, Kinded};
pub use lifetime::Lifetime;
pub use loopback::is_loopback;
pub use op::{Actor, Op, Origin};
pub use seal::{SealError, Sealer};
