//! The `delivery` command as its users meet it: exit codes, output, errors.

#[cfg(feature = "audit")]
mod audit;
#[cfg(feature = "audit")]
mod audit_ends;
mod bench_report;
mod browser;
mod check;
mod common;
mod completions;
mod explore;
mod import;
mod interrupted;
mod judge;
mod mutants;
mod refused;
mod replay;
mod run;
mod shards;
mod shares;
mod width;
