//! The parties as processes of their own. Apart from `real`: a process that is being started holds, for a moment, whatever
//! files the test has open, and a broker of the same test could not open its own anew.

mod crashed;
mod killed;
mod party;
mod rewound;
mod same_ids;
mod unfit;
