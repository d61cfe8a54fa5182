//! Ids in the order in which one thread would have found the states, whatever the number of threads.
//!
//! The shards say which of the pending states are new. How many of them each part has says where its ids begin, so that
//! every part numbers its own, in the order of their sources and actions. So ids, parents and shortest paths depend on the
//! model alone: not on threads, not on the hash.

use std::hash::Hash;
use std::mem::take;

use super::expand::Batch;
use super::exploration::{Edges, Shape, extend};
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
    make_room(crew, shape, states, parts, news.iter().sum());
    name_new(crew, &mut shape.parents, states, parts, &news, known);
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

/// Makes room for so many new states, and for the parts' edges: list by list at once, as what takes time is to touch
/// memory for the first time.
fn make_room<K: Clone + Eq + Hash + Send + Sync>(
    crew: &Crew,
    shape: &mut Shape,
    states: &mut Vec<K>,
    parts: &[Batch<K>],
    news: usize,
) {
    let Shape { parents, edges, .. } = shape;
    let mut lists: Vec<Box<dyn FnOnce() + Send + '_>> = vec![Box::new(move || {
        extend(parents, news, 0);
    })];
    if let Some(any) = parts.iter().find_map(Batch::any_pending) {
        lists.push(Box::new(move || {
            extend(states, news, any.clone());
        }));
    }
    if let Some(Edges { ends, targets, classes }) = edges {
        let (sources, successors) = sources_and_successors(parts);
        lists.push(Box::new(move || {
            extend(targets, successors, 0);
        }));
        lists.push(Box::new(move || {
            extend(ends, sources, 0);
            extend(classes, successors, 0);
        }));
    }
    crew.share_out(lists.into_iter(), |make| make());
}

/// Gives the new states their ids, and a place among the known ones.
fn name_new<K: Clone + Eq + Hash + Send + Sync>(
    crew: &Crew,
    parents: &mut [u32],
    states: &mut [K],
    parts: &mut [Batch<K>],
    news: &[usize],
    known: u32,
) {
    let (mut states, mut parents) = (&mut states[known as usize..], &mut parents[known as usize..]);
    let mut first = known;
    let items = parts.iter_mut().zip(news).map(|(part, &news)| {
        let own_first = first;
        first += news as u32;
        (part, cut(&mut states, news), cut(&mut parents, news), own_first)
    });
    crew.share_out(items, |(part, states, parents, first)| part.name_new(states, parents, first, known));
}

/// Adds the parts' edges.
fn connect<K: Clone + Eq + Hash + Send + Sync>(
    crew: &Crew,
    shape: &mut Shape,
    parts: &mut [Batch<K>],
    named: &Named<'_, K>,
) {
    let Some(edges) = &mut shape.edges else { return };
    let Edges { ends, targets, classes } = edges;
    let (sources, successors) = sources_and_successors(parts);
    let mut end = (targets.len() - successors) as u64;
    let (mut ends, mut targets, mut classes) =
        (last(ends, sources), last(targets, successors), last(classes, successors));
    let items = parts.iter_mut().filter(|part| has_sources(part)).map(|part| {
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

/// Whether these are successors: initial states are no one's.
fn has_sources<K>(part: &Batch<K>) -> bool {
    !part.degrees.is_empty()
}

/// How many states were expanded, and how many successors they have.
fn sources_and_successors<K>(parts: &[Batch<K>]) -> (usize, usize) {
    parts
        .iter()
        .filter(|part| has_sources(part))
        .fold((0, 0), |(sources, successors), part| (sources + part.degrees.len(), successors + part.targets.len()))
}

/// The last places of a list.
fn last<T>(list: &mut [T], count: usize) -> &mut [T] {
    let before = list.len() - count;
    &mut list[before..]
}

/// Cuts so many places off the beginning.
fn cut<'a, T>(places: &mut &'a mut [T], count: usize) -> &'a mut [T] {
    places.split_off_mut(..count).expect("room was made for all")
}
