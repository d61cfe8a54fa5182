//! Reality beside the model: what an audit saw of real brokers, what their vendors say, and what the model says of both.
//!
//! An audit's rows are read as data, from this repository's own run or from any other. A claim is one sentence of a vendor
//! about one setting; the [`Ledger`] puts beside it what the model of the setting's preset says and what the rows say.

mod claims;
mod ledger;
mod markdown;
mod model;
mod page;
mod pictures;
mod rows;
mod stand_for;

pub use self::claims::{Claim, Claims, ClaimsError, Named};
pub use self::ledger::{Entry, Ledger, Mismatch, Seen};
pub use self::markdown::{About, found, markdown};
pub use self::model::{Answer, Models};
pub use self::page::html;
pub use self::pictures::Recording;
pub use self::rows::{Record, RowError, kept, rows};
pub use self::stand_for::{STAND_FOR, preset};
