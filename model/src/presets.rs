//! The pipelines that come with the suite, by name.
//!
//! Their files lie in `presets/` and are written like any user's; a test loads them all.

use crate::pipeline::Pipeline;

/// The three reference pipelines, which `check` takes when it is given none.
pub const REFERENCES: [&str; 3] = ["at-most-once", "at-least-once", "exactly-once"];

/// Every preset: its name and its file.
pub const ALL: &[(&str, &str)] = &[
    ("at-most-once", include_str!("../presets/at-most-once.toml")),
    ("at-least-once", include_str!("../presets/at-least-once.toml")),
    ("exactly-once", include_str!("../presets/exactly-once.toml")),
];

/// The preset of this name, if there is one.
pub fn named(name: &str) -> Option<Pipeline> {
    let (name, text) = ALL.iter().find(|(preset, _)| *preset == name)?;
    Some(Pipeline::from_toml(text, name).expect("a test loads every preset"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_preset_loads_under_its_own_name() {
        for (name, text) in ALL {
            let pipeline = Pipeline::from_toml(text, "unnamed").unwrap_or_else(|error| panic!("{name}: {error}"));
            assert_eq!(pipeline.name, *name);
        }
    }
}
