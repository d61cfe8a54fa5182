//! What a consumer's settings promise.

use delivery_model::pipeline::{Pipeline, Remembers, Settles};
use delivery_model::semantics::PropertyId;
use delivery_model::vocab::SettleOutcome;

use super::{Behaviour, Bench, Checked, expect, is_leased};
use crate::party::{Consumer, Delivery, FromConsumer, Identity, ToConsumer};

/// Asks a consumer for everything that the settings promise. `open`: opens one on its disk, an empty one at first.
pub fn consumer<C: Consumer>(pipeline: &Pipeline, open: impl Fn(u8, C::Disk) -> C) -> Vec<Checked> {
    let open = |disk| open(0, disk);
    behaviours().iter().map(|behaviour| behaviour.check(pipeline, || Subject(Bench::new(&open)))).collect()
}

struct Subject<'a, C: Consumer>(Bench<'a, C>);

fn behaviours<'a, C: Consumer>() -> Vec<Behaviour<Subject<'a, C>>> {
    use PropertyId::*;
    vec![
        Behaviour::new(
            "the effect comes before the settle",
            SettledAfterEffect,
            |it| is_leased(it) && it.consumer.settles == Settles::AfterEffect,
            Subject::effect_comes_first,
        ),
        Behaviour::new(
            "no effect comes before the settle is confirmed",
            SettledAfterEffect,
            |it| is_leased(it) && it.consumer.settles == Settles::BeforeEffect,
            Subject::settle_comes_first,
        ),
        Behaviour::new(
            "what comes twice has one effect",
            NoDuplicateEffect,
            |it| is_leased(it) && it.consumer.remembers != Remembers::Nothing,
            Subject::one_effect,
        ),
        Behaviour::new(
            "what comes again after a crash has one effect",
            NoDuplicateEffect,
            |it| is_leased(it) && it.consumer.remembers == Remembers::WithEffect,
            Subject::one_effect_after_a_crash,
        ),
    ]
}

impl<C: Consumer> Subject<'_, C> {
    /// Delivers the message and confirms what the consumer settles: how many effects that made.
    fn deliver(&mut self, number: u32) -> usize {
        let (said, tag) = self.hand(number);
        let rest = self.0.tell(ToConsumer::Settled { tag, outcome: SettleOutcome::Ok });
        said.iter().chain(&rest).filter(|output| is_effect(output)).count()
    }

    fn hand(&mut self, number: u32) -> (Vec<FromConsumer>, String) {
        let tag = format!("0/1.{number}");
        let identity = Identity::Message { session: 0 };
        let (position, number) = (Some(0), Some(number));
        let delivery = Delivery { identity, position, number, ..Delivery::new(tag.clone(), 1, *b"order 1") };
        (self.0.tell_and_wait(ToConsumer::Deliver(delivery)), tag)
    }

    fn effect_comes_first(&mut self) -> Result<(), String> {
        let (said, _) = self.hand(1);
        let settle = said.iter().position(|output| matches!(output, FromConsumer::Settle(_)));
        let effect = said.iter().position(is_effect);
        let effect = effect.ok_or_else(|| "it makes no effect".to_owned())?;
        expect(settle.is_none_or(|settle| effect < settle), || "it settles first".to_owned())
    }

    fn settle_comes_first(&mut self) -> Result<(), String> {
        let (said, tag) = self.hand(1);
        expect(!said.iter().any(is_effect), || "it makes the effect at once".to_owned())?;
        let said = self.0.tell_and_wait(ToConsumer::Settled { tag, outcome: SettleOutcome::Ok });
        expect(said.iter().any(is_effect), || "it makes no effect after the settle is confirmed".to_owned())
    }

    fn one_effect(&mut self) -> Result<(), String> {
        let effects = self.deliver(1) + self.deliver(2);
        expect(effects == 1, || format!("it makes {effects} effects"))
    }

    fn one_effect_after_a_crash(&mut self) -> Result<(), String> {
        let before = self.deliver(1);
        self.0.crash();
        let effects = before + self.deliver(2);
        expect(effects == 1, || format!("it makes {effects} effects"))
    }
}

fn is_effect(output: &FromConsumer) -> bool {
    matches!(output, FromConsumer::Effect { .. })
}
