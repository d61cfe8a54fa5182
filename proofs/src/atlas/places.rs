//! The places of the atlas's HTML file that links lead to: pipelines by their names, stories by what they break.

use std::collections::BTreeSet;

use delivery_model::pipeline::{Level, Semantics};

use super::faults::FaultSet;
use super::labels::codes;
use super::page::{Break, Page};

/// The anchor of the top of the file, which no pipeline gets.
pub(super) const TOP: &str = "top";

/// A page, and its anchor.
pub(super) struct Place<'a> {
    pub page: &'a Page,
    /// The pipeline's name as far as it is fit for an address. It has no dot, so no story's anchor is one of these.
    pub anchor: String,
}

impl<'a> Place<'a> {
    /// The places of all pages. An anchor stays the same whatever other pipelines there are, unless an earlier one has the
    /// same name.
    pub fn of(pages: &'a [Page]) -> Vec<Self> {
        // The filter and the table have anchors too.
        let mut taken: BTreeSet<String> = [TOP, "filter", "overview"].map(str::to_owned).into();
        let mut free = |name: &str| {
            let fit = |it: char| if it.is_ascii_alphanumeric() || it == '-' { it } else { '_' };
            let name: String = name.chars().map(fit).collect();
            let numbered = (2..).map(|number| format!("{name}-{number}"));
            // Of so many names, one at least is not taken.
            let anchor = std::iter::once(name.clone()).chain(numbered).find(|anchor| taken.insert(anchor.clone()));
            anchor.expect("numbers do not end")
        };
        pages.iter().map(|page| Place { page, anchor: free(&page.pipeline.name) }).collect()
    }

    /// The anchor of the story of what breaks.
    pub fn story(&self, Break { level, property, faults, .. }: &Break) -> String {
        format!("{}.{level}.{property}.{}", self.anchor, named(*faults))
    }

    /// The anchor of the story of a dead letter.
    pub fn dead_letter(&self, faults: FaultSet) -> String {
        format!("{}.dead-letter.{}", self.anchor, named(faults))
    }

    /// The anchor of the shortest story that keeps exactly-once from surviving any of these sets of faults at a level.
    pub fn story_behind(&self, level: Level, sets: impl Iterator<Item = FaultSet> + Clone) -> Option<String> {
        let asked = self.page.rules(level).required_by(Semantics::ExactlyOnce);
        let breaks = self.page.breaks.iter().filter(|it| it.level == level && asked.contains(it.property));
        let breaks = breaks.filter(|it| sets.clone().any(|faults| it.faults.is_within(faults)));
        let first = breaks.min_by_key(|it| (it.faults.len(), it.story.steps.len()));
        first.map(|broken| self.story(broken))
    }
}

fn named(faults: FaultSet) -> String {
    if faults == FaultSet::NONE { "no-fault".to_owned() } else { codes(faults).replace('+', "-") }
}
