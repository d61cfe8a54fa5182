/* The exactly-once reference (model/presets/exactly-once.toml) for SPIN: the same steps, under the same faults.
 *
 * MESSAGES (1 to 4) and FAULTS are given to the preprocessor: spin -DMESSAGES=4 -DFAULTS=3 -a exactly_once.pml
 * Each kind of fault strikes once at most, and FAULTS strike in one run.
 *
 * It has as many states as the protocol of model/src/spec has where nothing is watched; the bench `checker` compares
 * the numbers. What follows from something else is left out, as it makes no state. In this pipeline one message is in
 * flight, so the wire and the broker's receive slot are phases of that message. Numbers are given once, and records
 * stored in their order, so record i of the log is message i. The inbox remembers exactly the effects that were made. */

/* Where a message is between application and broker. */
#define UNSUBMITTED 0
#define QUEUED 1
#define ON_WIRE 2
#define RECEIVED 3
#define ACK_OWED 4
#define ACK_ON_WIRE 5
#define REFUSAL_ON_WIRE 6
#define SILENT 7
#define ACKED 8

/* How far a hand-off has come. */
#define NO_HAND 0
#define DELIVERING 1
#define AT_WORK 2
#define TO_SETTLE 3
#define SETTLING 4

#define PUBLISH_LOST 1
#define PUBLISH_REFUSED 2
#define ACK_LOST 4
#define PRODUCER_CRASH 8
#define BROKER_CRASH 16
#define DELIVERY_LOST 32
#define CONSUMER_CRASH 64
#define SETTLE_LOST 128

byte submitted, phase[4];
byte length, synced, settled; /* settled: positions, as bits */
byte hand[4];                 /* by position */
byte late, late_position;     /* the hand-off whose lease a crash of the broker ended */
byte effects;                 /* messages, as bits */
byte struck, times;           /* faults, as bits, and how many */

#define bit(p) (1 << (p))
#define any(is) (is(0) || is(1) || is(2) || is(3))
#define each(does) does(0); does(1); does(2); does(3)

#define is_queued(m) (phase[m] == QUEUED)
#define is_received(m) (phase[m] == RECEIVED)
#define is_outstanding(m) (phase[m] >= ON_WIRE && phase[m] <= SILENT)
#define is_unresolved(m) (is_queued(m) || is_outstanding(m))
#define is_awaited(m) (is_outstanding(m) && phase[m] != SILENT)
#define is_in_hand(p) (hand[p] != NO_HAND)
#define is_at_work(stage) (stage >= AT_WORK && stage <= TO_SETTLE)
#define keeps_worker(p) (hand[p] == DELIVERING || is_at_work(hand[p]))
#define has_worker (!any(keeps_worker) && !is_at_work(late))
#define is_eligible(p) (p < synced && !(settled & bit(p)) && hand[p] == NO_HAND)

#define may_strike(fault) (times < FAULTS && !(struck & fault))
#define strike(fault) struck = struck | fault; times++

#define requeue(m) if :: is_unresolved(m) -> phase[m] = QUEUED :: else fi
#define silence(m) if :: is_outstanding(m) -> phase[m] = SILENT :: else fi
#define end_hand(p) hand[p] = NO_HAND
#define end_lease(p) \
  if :: is_at_work(hand[p]) -> late = hand[p]; late_position = p :: else fi; \
  hand[p] = NO_HAND

/* Never twice: an effect is made only of what the inbox does not remember, and the inbox is what is checked here. */
#define effect(m) if :: effects & bit(m) :: else -> effects = effects | bit(m) fi

#define of_message(m, is_lower_queued) \
  :: d_step { is_queued(m) && !(is_lower_queued) && !any(is_outstanding) -> phase[m] = ON_WIRE } \
  :: d_step { phase[m] == ACK_ON_WIRE -> phase[m] = ACKED } \
  :: d_step { phase[m] == REFUSAL_ON_WIRE -> phase[m] = QUEUED } \
  :: d_step { phase[m] == SILENT -> phase[m] = QUEUED } \
  :: d_step { phase[m] == ON_WIRE -> phase[m] = RECEIVED } \
  :: d_step { phase[m] == RECEIVED && m < length -> phase[m] = ACK_OWED } \
  :: d_step { phase[m] == RECEIVED && m == length -> length++; phase[m] = ACK_OWED } \
  :: d_step { phase[m] == RECEIVED && m > length -> phase[m] = REFUSAL_ON_WIRE } \
  :: d_step { phase[m] == ACK_OWED && m < synced -> phase[m] = ACK_ON_WIRE } \
  :: d_step { may_strike(PUBLISH_LOST) && phase[m] == ON_WIRE -> strike(PUBLISH_LOST); phase[m] = SILENT } \
  :: d_step { may_strike(PUBLISH_REFUSED) && phase[m] == RECEIVED -> \
              strike(PUBLISH_REFUSED); phase[m] = REFUSAL_ON_WIRE } \
  :: d_step { may_strike(ACK_LOST) && phase[m] == ACK_ON_WIRE -> strike(ACK_LOST); phase[m] = SILENT }

#define of_position(p, is_lower_eligible) \
  :: d_step { has_worker && is_eligible(p) && !(is_lower_eligible) -> hand[p] = DELIVERING } \
  :: d_step { hand[p] == DELIVERING -> hand[p] = AT_WORK } \
  :: d_step { hand[p] == AT_WORK -> effect(p); hand[p] = TO_SETTLE } \
  :: d_step { hand[p] == TO_SETTLE -> hand[p] = SETTLING } \
  :: d_step { hand[p] == SETTLING -> settled = settled | bit(p); hand[p] = NO_HAND } \
  :: d_step { may_strike(DELIVERY_LOST) && hand[p] == DELIVERING -> strike(DELIVERY_LOST); hand[p] = NO_HAND } \
  :: d_step { may_strike(SETTLE_LOST) && hand[p] == SETTLING -> strike(SETTLE_LOST); hand[p] = NO_HAND }

#define end_late late = NO_HAND; late_position = 0
#define broker_loses (length > synced || any(is_awaited) || any(is_in_hand) || late == SETTLING)

#define broker_crash(keeps) \
  :: d_step { may_strike(BROKER_CRASH) && broker_loses && synced <= keeps && keeps <= length -> \
              strike(BROKER_CRASH); \
              each(end_lease); length = keeps; synced = keeps; each(silence) }

/* Nothing can happen any more but faults. */
#define at_rest (submitted == MESSAGES && !any(is_unresolved) && length == synced && !any(is_in_hand) && \
                 late == NO_HAND && !any(is_eligible))

active proctype pipeline() {
  do
  :: d_step { submitted < MESSAGES -> phase[submitted] = QUEUED; submitted++ }
  of_message(0, false)
  of_message(1, is_queued(0))
  of_message(2, is_queued(0) || is_queued(1))
  of_message(3, is_queued(0) || is_queued(1) || is_queued(2))
  :: d_step { length > synced -> synced = length }
  of_position(0, false)
  of_position(1, is_eligible(0))
  of_position(2, is_eligible(0) || is_eligible(1))
  of_position(3, is_eligible(0) || is_eligible(1) || is_eligible(2))
  :: d_step { late == AT_WORK -> effect(late_position); late = TO_SETTLE }
  :: d_step { late == TO_SETTLE -> late = SETTLING }
  /* Refused: the lease has ended. */
  :: d_step { late == SETTLING -> end_late }
  :: d_step { may_strike(SETTLE_LOST) && late == SETTLING -> strike(SETTLE_LOST); end_late }
  :: d_step { may_strike(PRODUCER_CRASH) && any(is_unresolved) && !any(is_received) ->
              strike(PRODUCER_CRASH); each(requeue) }
  :: d_step { may_strike(CONSUMER_CRASH) && (any(is_in_hand) || late != NO_HAND) ->
              strike(CONSUMER_CRASH); each(end_hand); end_late }
  broker_crash(0)
  broker_crash(1)
  broker_crash(2)
  broker_crash(3)
  broker_crash(4)
  /* Never lost: what was submitted has had its effect. */
  :: d_step { at_rest && effects != bit(MESSAGES) - 1 -> assert(false) }
  /* A run may end here, and need not be told apart from one that goes on. */
  :: d_step { at_rest -> skip }
  od
}
