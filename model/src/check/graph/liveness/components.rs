//! Strongly connected components by Tarjan's algorithm ("Depth-first search and linear graph algorithms", 1972), with
//! its stack on the heap: a model's paths are longer than a thread's stack is deep.

use super::super::exploration::Graph;

/// Which states belong together: each state has the tag of its region, and [`Regions::NONE`] where it belongs to none.
pub(super) struct Regions {
    tags: Vec<u32>,
    next: u32,
}

impl Regions {
    pub(super) const NONE: u32 = 0;

    pub(super) fn new(states: usize) -> Self {
        Regions { tags: vec![Self::NONE; states], next: Self::NONE + 1 }
    }

    /// Puts these states under a tag of their own.
    pub(super) fn set(&mut self, states: &[u32]) -> u32 {
        let tag = self.next;
        self.next += 1;
        states.iter().for_each(|&state| self.tags[state as usize] = tag);
        tag
    }

    pub(super) fn of(&self, state: u32) -> u32 {
        self.tags[state as usize]
    }

    /// Whether both belong to the same region.
    pub(super) fn together(&self, one: u32, other: u32) -> bool {
        self.of(one) == self.of(other)
    }
}

const UNSEEN: u32 = u32::MAX;

/// The search's memory, kept from one search to the next.
pub(super) struct Components<'g, S> {
    graph: &'g Graph<S>,
    /// By state: when it was first seen; [`UNSEEN`] before that and once its component is found.
    seen: Vec<u32>,
    /// By state on the stack: the earliest state there that it is known to reach.
    low: Vec<u32>,
    /// The states that were seen and whose component is not found yet, in the order in which they were seen.
    stack: Vec<u32>,
    /// The path that is being followed: each state, and how many of its edges were looked at.
    path: Vec<(u32, usize)>,
    clock: u32,
}

impl<'g, S> Components<'g, S> {
    pub(super) fn new(graph: &'g Graph<S>) -> Self {
        let unseen = vec![UNSEEN; graph.len()];
        Components { graph, seen: unseen.clone(), low: unseen, stack: Vec::new(), path: Vec::new(), clock: 0 }
    }

    /// Splits a region into its components. Each is put under a tag of its own and shown to `found`.
    pub(super) fn split(
        &mut self,
        states: &[u32],
        regions: &mut Regions,
        mut found: impl FnMut(&mut Regions, u32, &[u32]),
    ) {
        let region = regions.set(states);
        self.clock = 0;
        for &root in states {
            // A state whose component is found has another tag by now.
            if regions.of(root) == region {
                self.from(root, regions, &mut found);
            }
        }
    }

    fn from(&mut self, root: u32, regions: &mut Regions, found: &mut impl FnMut(&mut Regions, u32, &[u32])) {
        self.enter(root);
        while let Some((state, edge)) = self.path.pop() {
            let Some(&target) = self.graph.targets(state).get(edge) else {
                self.leave(state, regions, found);
                continue;
            };
            self.path.push((state, edge + 1));
            if !regions.together(state, target) {
                continue;
            }
            match self.seen[target as usize] {
                UNSEEN => self.enter(target),
                seen => self.lower(state, seen),
            }
        }
    }

    fn enter(&mut self, state: u32) {
        self.seen[state as usize] = self.clock;
        self.low[state as usize] = self.clock;
        self.clock += 1;
        self.stack.push(state);
        self.path.push((state, 0));
    }

    fn leave(&mut self, state: u32, regions: &mut Regions, found: &mut impl FnMut(&mut Regions, u32, &[u32])) {
        let low = self.low[state as usize];
        if let Some(&(before, _)) = self.path.last() {
            self.lower(before, low);
        }
        if low == self.seen[state as usize] {
            let start = self.stack.iter().rposition(|&member| member == state).expect("it was entered");
            let component = &self.stack[start..];
            component.iter().for_each(|&member| self.seen[member as usize] = UNSEEN);
            let tag = regions.set(component);
            found(regions, tag, component);
            self.stack.truncate(start);
        }
    }

    fn lower(&mut self, state: u32, to: u32) {
        let low = &mut self.low[state as usize];
        *low = to.min(*low);
    }
}
