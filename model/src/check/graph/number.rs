//! Ids in the order in which one thread would have found the states, whatever the number of threads.
//!
//! The shards say which candidates are new; here the candidates are read once more in the order of their sources and
//! actions, and the new ones get the next ids. So ids, parents and shortest paths depend on the model alone: not on
//! threads, not on the hash. Candidates beyond those of the sources are initial states.

use super::expand::Part;
use super::exploration::{Graph, NO_PARENT};
use super::table::{SHARDS, Shard};

/// Numbers the candidates of all parts, whose keys the shards have turned into known or provisional ids, and empties
/// the parts.
pub(super) fn number<S>(graph: &mut Graph<S>, parts: &mut [Part<S>], shards: &mut [Shard]) {
    let mut numbering = Numbering { known: graph.states.len() as u32, given: vec![Vec::new(); SHARDS], graph };
    for part in parts {
        numbering.part(part);
    }
    for (shard, ids) in shards.iter_mut().zip(&numbering.given) {
        shard.settle(ids);
    }
}

struct Numbering<'a, S> {
    /// How many states had an id before: ids from this one on are provisional.
    known: u32,
    /// The final ids of the new states, by shard and provisional id.
    given: Vec<Vec<u32>>,
    graph: &'a mut Graph<S>,
}

impl<S> Numbering<'_, S> {
    fn part(&mut self, part: &mut Part<S>) {
        let mut candidates: Vec<_> =
            part.buckets.iter_mut().map(|bucket| bucket.keys.drain(..).zip(bucket.states.drain(..))).collect();
        let mut shards = part.shards.drain(..);
        for (source, &degree) in part.sources.clone().zip(&part.degrees) {
            for shard in shards.by_ref().take(degree as usize) {
                let (id, state) = candidates[shard as usize].next().expect("each candidate is in its shard's bucket");
                let target = self.id(id, shard, source, state);
                if let Some(edges) = &mut self.graph.edges {
                    edges.targets.push(target);
                }
            }
            if let Some(edges) = &mut self.graph.edges {
                edges.ends.push(edges.targets.len() as u64);
            }
        }
        for shard in shards {
            let (id, state) = candidates[shard as usize].next().expect("each candidate is in its shard's bucket");
            self.id(id, shard, NO_PARENT, state);
        }
        if let Some(edges) = &mut self.graph.edges {
            edges.classes.append(&mut part.classes);
        }
    }

    /// The final id of a candidate; a new one joins the graph.
    fn id(&mut self, id: u32, shard: u8, source: u32, state: S) -> u32 {
        let Some(provisional) = id.checked_sub(self.known) else { return id };
        let given = &mut self.given[shard as usize];
        if let Some(&id) = given.get(provisional as usize) {
            return id;
        }
        let id = self.graph.states.len() as u32;
        given.push(id);
        self.graph.states.push(state);
        self.graph.parents.push(source);
        id
    }
}
