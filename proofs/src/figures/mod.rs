//! The figures of the benches, gathered: the times that criterion wrote, and what each bench says beside them.
//!
//! A bench tells its tables and goals as a [`Sheet`], which it prints and writes beside criterion's files. `delivery report`
//! gathers both into one [`Gathered`], which is kept as JSON and shown as a page ([`html`]) or as Markdown ([`markdown`],
//! [`summary`]). A number in a document of this repository comes from there.

mod criterion;
mod gathered;
mod markdown;
mod number;
mod page;
mod plot;
mod sheet;

pub use self::gathered::{About, Gathered, NothingFound};
pub use self::markdown::{markdown, summary};
pub use self::page::html;
pub use self::sheet::{Bound, Cell, Goal, Sheet, Table};
