//! Single paths, as long as one likes: what the cores did, held against the spec step by step.

use crate::mutants::Mutant;
use delivery_model::pipeline::Pipeline;
use delivery_model::spec::bounds::TooManyMessages;
use delivery_model::vocab::Step;

use super::pair::{Difference, Sides};
use super::{Pair, Parted};

/// Of the numbers that choose a path, one in so many chooses a fault.
const STEPS_PER_FAULT: usize = 8;

/// How far a path was taken on both sides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Followed {
    /// The steps that were taken.
    pub path: Vec<Step>,
    /// Where spec and cores parted; none, if the path was taken to its end.
    pub parted: Option<Parted>,
    /// The path goes on beyond the bounds of the spec's encoding, and was followed that far.
    pub is_cut: bool,
}

/// Takes a path of the cores on both sides: the spec must allow each of its steps, and offer what the cores offer before
/// and after each.
pub fn follow(pipeline: &Pipeline, messages: u32, mutant: Mutant, path: &[Step]) -> Result<Followed, TooManyMessages> {
    let mut path = path.iter().copied();
    let sides = Sides::new(pipeline, messages, mutant)?;
    Ok(along(&sides, |_, _| path.next()))
}

/// Takes a path that is chosen by these numbers among what both offer.
pub fn wander(
    pipeline: &Pipeline,
    messages: u32,
    mutant: Mutant,
    choices: &[u16],
) -> Result<Followed, TooManyMessages> {
    let mut choices = choices.iter().copied().map(usize::from);
    let sides = Sides::new(pipeline, messages, mutant)?;
    Ok(along(&sides, |steps, faults| {
        let (choice, which) = choices.next().map(|number| (number / STEPS_PER_FAULT, number % STEPS_PER_FAULT))?;
        let these = if steps.is_empty() || which == 0 && !faults.is_empty() { faults } else { steps };
        these.get(choice % these.len().max(1)).copied()
    }))
}

/// Goes on as long as `next` chooses a step, given the steps and the faults that both offer.
fn along(sides: &Sides, mut next: impl FnMut(&[Step], &[Step]) -> Option<Step>) -> Followed {
    let (mut pair, mut path, mut parted) = (sides.start(), Vec::new(), None);
    while !pair.state.is_cut() {
        match go_on(sides, &mut pair, &mut next) {
            Ok(Some(step)) => path.push(step),
            Ok(None) => break,
            Err(how) => {
                parted = Some(Parted { path: path.clone(), how });
                break;
            }
        }
    }
    Followed { path, parted, is_cut: pair.state.is_cut() }
}

fn go_on(
    sides: &Sides,
    pair: &mut Pair,
    next: &mut impl FnMut(&[Step], &[Step]) -> Option<Step>,
) -> Result<Option<Step>, Difference> {
    let (steps, faults) = (sides.steps(pair)?, sides.faults(pair)?);
    let Some(step) = next(&steps, &faults) else {
        return Ok(None);
    };
    if !steps.contains(&step) && !faults.contains(&step) {
        return Err(Difference::Enabled { spec_only: Vec::new(), cores_only: vec![step] });
    }
    sides.take(pair, step)?;
    Ok(Some(step))
}
