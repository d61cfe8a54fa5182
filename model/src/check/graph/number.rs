//! Ids in the order in which one thread would have found the states, whatever the number of threads.
//!
//! The shards say which of the pending states are new; here these are read once more in the order of their sources and
//! actions, and the new ones get the next ids. So ids, parents and shortest paths depend on the model alone: not on
//! threads, not on the hash.

use super::expand::Part;
use super::exploration::{Shape, push};
use super::table::Shard;

/// Numbers the pending states of all parts, whose keys the shards have turned into known or provisional ids, and adds
/// the new ones and the edges to what is known.
pub(super) fn number<K: Clone>(shape: &mut Shape, states: &mut Vec<K>, parts: &mut [Part<K>], shards: &mut [Shard]) {
    let known = states.len() as u32;
    let mut given = vec![Vec::new(); shards.len()];
    for part in parts {
        let mut next = vec![0; shards.len()];
        for pending in &part.pending {
            let shard = pending.shard as usize;
            let bucket = &part.buckets[shard];
            let (id, state) = (bucket.keys[next[shard]], &bucket.states[next[shard]]);
            next[shard] += 1;
            part.targets[pending.at as usize] = match id.checked_sub(known) {
                None => id,
                Some(provisional) => *give(&mut given[shard], provisional, || {
                    push(states, state.clone());
                    push(&mut shape.parents, pending.source);
                    states.len() as u32 - 1
                }),
            };
        }
        if !part.degrees.is_empty() {
            shape.connect(&part.degrees, &part.targets, &part.classes);
        }
    }
    for (shard, ids) in shards.iter_mut().zip(given) {
        shard.settle(ids.into_iter());
    }
}

/// The final id for a provisional one: the first of a kind gets a new one.
fn give(given: &mut Vec<u32>, provisional: u32, new: impl FnOnce() -> u32) -> &u32 {
    if provisional as usize == given.len() {
        given.push(new());
    }
    &given[provisional as usize]
}
