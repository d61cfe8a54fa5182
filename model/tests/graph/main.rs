//! The graph checker against Stateright's searches and against plain searches written for the test.

mod export;
mod lassos;
mod liveness;
mod models;
mod stops;
mod walk;
