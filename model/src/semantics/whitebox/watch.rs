//! The white-box properties together, as one watch over the steps of a run.

use super::inspection::{Happened, Inspection};
use super::whitebox_rules::WhiteboxRules;
use crate::party_state::PartyState;
use crate::pipeline::Pipeline;
use crate::semantics::property::{PropertyId, PropertySet};
use crate::vocab::{MessageId, Step};

macro_rules! inspections {
    ([$($field:ident: $module:ident::$inspection:ident),* $(,)?]) => {
        $(use super::$module::$inspection;)*

        /// What the properties have to know of the moment before a step.
        #[derive(Clone, Copy, Debug, Default)]
        pub struct Before {
            $($field: <$inspection as Inspection>::Note),*
        }

        impl Watch {
            /// Watches what a pipeline of these settings, under these faults, means to keep.
            pub fn new(pipeline: &Pipeline) -> Self {
                let mut watched = PropertySet::EMPTY;
                $(if $inspection::is_claimed_by(pipeline) {
                    watched.insert(PropertyId::$inspection);
                })*
                Watch { terms: WhiteboxRules::from(pipeline), watched }
            }

            /// Whether such a step could break anything. Of no other step need the moments before and after be shown.
            #[inline]
            pub fn concerns(&self, step: Step) -> bool {
                false $(|| self.is_concerned::<$inspection>(PropertyId::$inspection, step))*
            }

            /// Looks at the moment before a step.
            pub fn before(&self, step: Step, inside: &impl PartyState) -> Before {
                let mut before = Before::default();
                $(if self.is_concerned::<$inspection>(PropertyId::$inspection, step) {
                    before.$field = $inspection::before(&self.terms, step, inside);
                })*
                before
            }

            /// Looks at the moment after it, and says which properties the step broke, and for which message.
            pub fn after(
                &self,
                before: Before,
                step: Step,
                happened: Happened,
                inside: &impl PartyState,
                mut breached: impl FnMut(PropertyId, MessageId),
            ) {
                $(if self.is_concerned::<$inspection>(PropertyId::$inspection, step)
                    && let Err(message) = $inspection::after(&self.terms, before.$field, step, happened, inside)
                {
                    breached(PropertyId::$inspection, message);
                })*
            }

            /// Looks at a moment after which nothing more can happen.
            pub fn at_rest(&self, inside: &impl PartyState, mut breached: impl FnMut(PropertyId, MessageId)) {
                $(if self.watched.contains(PropertyId::$inspection)
                    && let Err(message) = $inspection::at_rest(&self.terms, inside)
                {
                    breached(PropertyId::$inspection, message);
                })*
            }
        }
    };
}

white_box_properties!(inspections);

/// The white-box properties together.
///
/// For each step that [`concerns`](Watch::concerns) it: [`before`](Watch::before), take the step, [`after`](Watch::after).
/// When nothing more can happen, [`at_rest`](Watch::at_rest).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Watch {
    /// How the properties are read.
    pub terms: WhiteboxRules,
    /// Which of them are watched.
    pub watched: PropertySet,
}

impl Watch {
    fn is_concerned<I: Inspection>(&self, property: PropertyId, step: Step) -> bool {
        // Most steps concern nothing: that is seen first.
        I::concerns(&self.terms, step) && self.watched.contains(property)
    }
}
