//! Ids in the order in which one thread would have found the states, whatever the number of threads.
//!
//! The shards say which of the pending states are new. How many of them each part has says where its ids begin, so that
//! every part numbers its own, in the order of their sources and actions. So ids, parents and shortest paths depend on the
//! model alone: not on threads, not on the hash.

use std::hash::Hash;
use std::mem::take;

use super::expand::Batch;
use super::exploration::{Shape, extend};
use super::named::Named;
use super::share::Crew;
use super::table::Shard;

/// Numbers the pending states of all parts, which the shards have looked at, and adds the new ones and the edges to what
/// is known.
pub(super) fn number<K: Clone + Eq + Hash + Send + Sync>(
    crew: &Crew,
    shape: &mut Shape,
    states: &mut Vec<K>,
    parts: &mut [Batch<K>],
    shards: &mut [Shard],
) {
    let known = states.len() as u32;
    let news = |part: usize| shards.iter().map(|shard| shard.news(part)).sum();
    let news: Vec<usize> = (0..parts.len()).map(news).collect();
    name_new(crew, &mut shape.parents, states, parts, &news);
    let buckets: Vec<_> = parts.iter_mut().map(|part| take(&mut part.buckets)).collect();
    let fresh: Vec<_> = shards.iter_mut().map(Shard::take_fresh).collect();
    let named = Named::new(known, &buckets, &fresh);
    crew.share_out(shards.iter_mut().zip(&fresh).enumerate(), |(place, (shard, fresh))| {
        shard.settle(fresh, |fresh| named.id(place, fresh));
    });
    connect(crew, shape, parts, &named);
    for (part, buckets) in parts.iter_mut().zip(buckets) {
        part.buckets = buckets;
    }
    for (shard, fresh) in shards.iter_mut().zip(fresh) {
        shard.keep(fresh);
    }
}

/// Gives the new states their ids, and a place among the known ones.
fn name_new<K: Clone + Eq + Hash + Send + Sync>(
    crew: &Crew,
    parents: &mut Vec<u32>,
    states: &mut Vec<K>,
    parts: &mut [Batch<K>],
    news: &[usize],
) {
    let Some(any) = parts.iter().find_map(Batch::any_pending).cloned() else { return };
    let (known, total) = (states.len(), news.iter().sum());
    let (mut states, mut parents) = (extend(states, total, any), extend(parents, total, 0));
    let mut first = known as u32;
    let items = parts.iter_mut().zip(news).map(|(part, &news)| {
        let own_first = first;
        first += news as u32;
        (part, cut(&mut states, news), cut(&mut parents, news), own_first)
    });
    crew.share_out(items, |(part, states, parents, first)| part.name_new(states, parents, first, known as u32));
}

/// Adds the parts' edges.
fn connect<K: Clone + Eq + Hash + Send + Sync>(
    crew: &Crew,
    shape: &mut Shape,
    parts: &mut [Batch<K>],
    named: &Named<'_, K>,
) {
    let Some(edges) = &mut shape.edges else { return };
    // Initial states are no one's successors.
    let parts: Vec<_> = parts.iter_mut().filter(|part| !part.degrees.is_empty()).collect();
    let mut end = edges.targets.len() as u64;
    let total = parts.iter().map(|part| part.targets.len()).sum();
    let mut ends = extend(&mut edges.ends, parts.iter().map(|part| part.degrees.len()).sum(), 0);
    let (mut targets, mut classes) = (extend(&mut edges.targets, total, 0), extend(&mut edges.classes, total, 0));
    let items = parts.into_iter().map(|part| {
        let (sources, successors, begin) = (part.degrees.len(), part.targets.len(), end);
        end += successors as u64;
        (part, cut(&mut ends, sources), cut(&mut targets, successors), cut(&mut classes, successors), begin)
    });
    crew.share_out(items, |(part, ends, targets, classes, begin)| {
        part.name_rest(named);
        targets.copy_from_slice(&part.targets);
        classes.copy_from_slice(&part.classes);
        let mut end = begin;
        for (own, degree) in ends.iter_mut().zip(&part.degrees) {
            end += u64::from(*degree);
            *own = end;
        }
    });
}

/// Cuts so many places off the beginning.
fn cut<'a, T>(places: &mut &'a mut [T], count: usize) -> &'a mut [T] {
    places.split_off_mut(..count).expect("room was made for all")
}
