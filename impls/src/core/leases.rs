//! Who may settle which position, and until when.
//!
//! A lease that its holder gave back is used again; one that ended under its holder never is, because the holder may
//! still come with it. So equal leases of a position never meet, and a position that is handed off over and over does
//! not count up for ever.
//!
//! Architecture Invariant: the core is the only owner of leases, and one thread owns the core. Grants, settles, returns, ends
//! and dead letters meet in any order in the lockstep walks (`leases_end_in_every_way_in_lockstep`,
//! `every_fault_walks_in_lockstep`, `every_changed_setting_walks_in_lockstep` in `proofs/tests`). What threads add is when
//! the clock is looked at: [`arrivals`](crate::shared::arrivals).

use delivery_model::vocab::Position;

use super::delivery::{ConsumerId, DeliveryId, Lease};
use super::time::Millis;
use crate::data::small_map::SmallMap;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Grant {
    lease: Lease,
    consumer: ConsumerId,
    ends: Millis,
}

/// The leases of one group.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Leases {
    incarnation: u32,
    live: SmallMap<Position, Grant>,
    /// The highest number that ended under its holder, by position.
    burnt: SmallMap<Position, u32>,
}

impl Leases {
    /// No leases, in this incarnation of the broker.
    pub fn new(incarnation: u32) -> Self {
        Leases { incarnation, ..Leases::default() }
    }

    /// No leases, in this incarnation of the broker, in the room that these took.
    pub fn start_over(&mut self, incarnation: u32) {
        self.incarnation = incarnation;
        self.live.clear();
        self.burnt.clear();
    }

    /// Which incarnation grants: one more with every start of the broker and every rewind.
    pub fn incarnation(&self) -> u32 {
        self.incarnation
    }

    /// Grants a lease of a position that has none.
    pub fn grant(&mut self, position: Position, consumer: ConsumerId, ends: Millis) -> Lease {
        let number = self.burnt.get(&position).copied().unwrap_or_default() + 1;
        let lease = Lease { incarnation: self.incarnation, number };
        let before = self.live.insert(position, Grant { lease, consumer, ends });
        debug_assert_eq!(before, None, "position {position} is leased already");
        lease
    }

    /// A consumer that outlived the broker goes on with a lease of an earlier incarnation.
    pub fn resume(&mut self, hand: DeliveryId, consumer: ConsumerId, ends: Millis) {
        self.live.insert(hand.position, Grant { lease: hand.lease, consumer, ends });
    }

    /// Whether somebody holds a lease of this position.
    #[inline]
    pub fn is_leased(&self, position: Position) -> bool {
        self.live.contains_key(&position)
    }

    /// The first position at or after this one that is not leased.
    #[inline]
    pub fn first_free(&self, from: Position) -> Position {
        let mut free = from;
        for (leased, _) in self.live.from(from) {
            if leased > free {
                break;
            }
            free = Position(leased.0 + 1);
        }
        free
    }

    /// The leases that are live, by position.
    pub fn live(&self) -> impl Iterator<Item = DeliveryId> + '_ {
        self.live.iter().map(|(position, grant)| DeliveryId { position, lease: grant.lease })
    }

    /// The hand-off of this position whose lease is live.
    #[inline]
    pub fn live_at(&self, position: Position) -> Option<DeliveryId> {
        self.live.get(&position).map(|grant| DeliveryId { position, lease: grant.lease })
    }

    /// Whether this very lease is live.
    #[inline]
    pub fn is_live(&self, hand: DeliveryId) -> bool {
        self.live.get(&hand.position).is_some_and(|grant| grant.lease == hand.lease)
    }

    /// When this very lease ends by time, if it is live.
    pub fn ends(&self, hand: DeliveryId) -> Option<Millis> {
        self.live.get(&hand.position).filter(|grant| grant.lease == hand.lease).map(|grant| grant.ends)
    }

    /// The holder gives its lease back; a lease that is not live any more stays ended.
    pub fn give_back(&mut self, hand: DeliveryId) {
        if self.is_live(hand) {
            self.live.remove(&hand.position);
        }
    }

    /// The lease of a position ends although its holder may still be at work.
    pub fn end(&mut self, position: Position) {
        if let Some(grant) = self.live.remove(&position)
            && grant.lease.incarnation == self.incarnation
        {
            self.burnt.insert(position, grant.lease.number);
        }
    }

    /// Every lease of this consumer ends.
    pub fn end_of_consumer(&mut self, consumer: ConsumerId) {
        self.end_where(|grant| grant.consumer == consumer);
    }

    /// Every lease ends.
    pub fn end_all(&mut self) {
        self.end_where(|_| true);
    }

    /// Every lease whose end is over, as `is_over` says, ends. Gives them.
    pub fn end_over(&mut self, is_over: impl Fn(Millis) -> bool) -> Vec<DeliveryId> {
        self.end_where(|grant| is_over(grant.ends))
    }

    /// When the next lease ends.
    pub fn poll_timeout(&self) -> Option<Millis> {
        self.live.values().map(|grant| grant.ends).min()
    }

    /// Nobody will come with an old lease of this position any more, or it would not matter.
    pub fn forget(&mut self, position: Position) {
        if !self.is_leased(position) {
            self.burnt.remove(&position);
        }
    }

    fn end_where(&mut self, ends: impl Fn(&Grant) -> bool) -> Vec<DeliveryId> {
        let ended = self.live.iter().filter(|(_, grant)| ends(grant));
        let ended: Vec<DeliveryId> =
            ended.map(|(position, grant)| DeliveryId { position, lease: grant.lease }).collect();
        ended.iter().for_each(|delivery| self.end(delivery.position));
        ended
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const P: Position = Position(3);
    const FIRST: ConsumerId = ConsumerId(0);
    const SECOND: ConsumerId = ConsumerId(1);

    fn hand(lease: Lease) -> DeliveryId {
        DeliveryId { position: P, lease }
    }

    #[test]
    fn a_lease_that_expired_is_never_granted_again() {
        let mut leases = Leases::new(1);
        let old = leases.grant(P, FIRST, Millis(10));
        assert_eq!(leases.end_over(|ends| ends <= Millis(9)), []);
        assert_eq!(leases.ends(hand(old)), Some(Millis(10)));
        assert_eq!(leases.end_over(|ends| ends <= Millis(10)), [hand(old)]);
        assert_eq!(leases.ends(hand(old)), None);
        let new = leases.grant(P, SECOND, Millis(20));
        assert_ne!(old, new);
        leases.give_back(hand(old));
        assert!(leases.is_live(hand(new)) && !leases.is_live(hand(old)));
    }

    #[test]
    fn a_lease_that_was_given_back_is_used_again() {
        let mut leases = Leases::new(1);
        let old = leases.grant(P, FIRST, Millis(10));
        leases.give_back(hand(old));
        assert_eq!(leases.grant(P, SECOND, Millis(20)), old);
    }

    #[test]
    fn a_restart_grants_other_leases_than_before() {
        let old = Leases::new(1).grant(P, FIRST, Millis(10));
        let mut restarted = Leases::new(2);
        assert_ne!(restarted.grant(P, SECOND, Millis(10)), old);
        assert!(!restarted.is_live(hand(old)));
    }

    #[test]
    fn a_consumer_that_vanished_holds_nothing() {
        let mut leases = Leases::new(1);
        leases.grant(P, FIRST, Millis(10));
        leases.grant(Position(4), SECOND, Millis(5));
        assert_eq!(leases.poll_timeout(), Some(Millis(5)));
        leases.end_of_consumer(FIRST);
        assert_eq!((leases.is_leased(P), leases.is_leased(Position(4))), (false, true));
    }

    #[test]
    fn numbers_that_ended_are_remembered_until_nobody_can_come_with_them() {
        let mut leases = Leases::new(1);
        leases.grant(P, FIRST, Millis(10));
        leases.end(P);
        let second = leases.grant(P, FIRST, Millis(10));
        leases.forget(P);
        leases.give_back(hand(second));
        assert_eq!(leases.grant(P, FIRST, Millis(10)).number, 2, "while it was leased nothing was forgotten");
        leases.end(P);
        leases.forget(P);
        assert_eq!(leases, Leases::new(1));
    }

    #[test]
    fn a_lease_of_an_earlier_incarnation_ends_without_burning_a_number_of_this_one() {
        let mut leases = Leases::new(2);
        let old = Lease { incarnation: 1, number: 5 };
        leases.resume(hand(old), FIRST, Millis(10));
        assert!(leases.is_live(hand(old)));
        leases.end_all();
        assert_eq!((leases.is_leased(P), leases.poll_timeout()), (false, None));
        assert_eq!(leases.grant(P, FIRST, Millis(10)), Lease { incarnation: 2, number: 1 });
    }

    #[test]
    fn the_first_free_position_is_past_the_leased_ones_that_follow_without_a_gap() {
        let mut leases = Leases::new(1);
        for position in [3, 4, 6] {
            leases.grant(Position(position), FIRST, Millis(10));
        }
        let check = |from, expected| assert_eq!(leases.first_free(Position(from)), Position(expected), "{from}");
        check(2, 2);
        check(3, 5);
        check(4, 5);
        check(5, 5);
        check(6, 7);
        check(9, 9);
    }
}
