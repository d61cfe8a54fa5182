//! The parties as processes of their own. They are not in `real`, because a process that is being started holds, for
//! a moment, all files that the test has open, and a broker in the same test could then not open its files again.

mod crashed;
mod killed;
mod party;
mod rewound;
mod same_ids;
mod unfit;
