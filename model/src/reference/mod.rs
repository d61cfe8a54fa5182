//! The reference of the file formats: pages for people, and JSON Schemas for editors and other tools.
//!
//! Both are made of the tables and words by which files are read, so that a new setting, word or key is in the reference
//! by itself, with its sentence. Which keys an event, a fault or a step has, the readers themselves are asked. The
//! folder `docs/formats` holds these documents, and a test compares.
//!
//! Left out: what a schema cannot say, such as that time never falls, or that a fault's message is one of those submitted.

mod history;
mod page;
mod pipeline;
mod schedule;
mod schema;

/// One file of the reference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// The file's name.
    pub name: &'static str,
    /// What is in it.
    pub text: String,
}

/// Every file of the reference.
///
/// ```
/// let names: Vec<&str> = delivery_model::reference::documents().iter().map(|document| document.name).collect();
/// assert!(names.contains(&"pipeline.md") && names.contains(&"pipeline.schema.json"));
/// ```
pub fn documents() -> Vec<Document> {
    let document = |name, text| Document { name, text };
    vec![
        document("pipeline.md", pipeline::page()),
        document("pipeline.schema.json", schema::file("A pipeline", pipeline::schema())),
        document("history.md", history::page()),
        document("history-line.schema.json", schema::file("A line of a history", history::schema())),
        document("schedule.md", schedule::page()),
        document("schedule.schema.json", schema::file("A schedule", schedule::schema())),
    ]
}
