//! Verdicts as words, JSON fields and tables.

use comfy_table::{ContentArrangement, Table, presets};
use delivery_model::pipeline::{Pipeline, Semantics};
use delivery_model::semantics::{Verdict, Verdicts};
use delivery_model::story::Ink;
use serde::Serialize;
use serde_json::{Map, Value};

pub use delivery_model::numbers::{count, count_of, grouped};

use super::terminal;

/// The verdict on each semantics, by the name of the semantics.
pub fn verdicts(verdicts: &Verdicts) -> Value {
    let by_name = Semantics::ALL.map(|semantics| (semantics.word().to_owned(), verdicts.of(semantics).word().into()));
    Value::Object(by_name.into_iter().collect::<Map<_, _>>())
}

/// The word that files use for a setting.
pub fn word(setting: impl Serialize) -> String {
    match serde_json::to_value(setting) {
        Ok(Value::String(word)) => word,
        other => unreachable!("a setting is written as a word, not {other:?}"),
    }
}

/// A verdict in its colour.
pub fn coloured(verdict: Verdict, ink: Ink) -> String {
    match verdict {
        Verdict::Holds => ink.good(verdict.word()),
        Verdict::Violated => ink.bad(verdict.word()),
        Verdict::Unknown(_) => ink.unsure(verdict.word()),
    }
}

/// The verdict on a semantics, with a note if it depends on dead letters.
pub fn resting(verdict: Verdict, semantics: Semantics, or_dead_lettered: bool, ink: Ink) -> String {
    coloured(verdict, ink) + rests(verdict, semantics, or_dead_lettered)
}

/// The note on a verdict of "not lost" that holds because dead letters count as delivered.
pub fn rests(verdict: Verdict, semantics: Semantics, or_dead_lettered: bool) -> &'static str {
    let rests = or_dead_lettered && verdict == Verdict::Holds && semantics != Semantics::AtMostOnce;
    if rests { ", or dead-lettered" } else { "" }
}

/// A verdict in its colour, and the reason if it is unknown.
pub fn painted(verdict: Verdict, ink: Ink) -> String {
    match verdict {
        Verdict::Holds | Verdict::Violated => coloured(verdict, ink),
        Verdict::Unknown(doubt) => ink.unsure(&format!("unknown ({doubt})")),
    }
}

/// The verdict on each semantics, one a line; the promised one is marked. `or_dead_lettered`: "not lost" holds
/// because dead letters count as delivered.
pub fn semantics(verdicts: &Verdicts, promised: Option<Semantics>, or_dead_lettered: bool, ink: Ink) -> String {
    let mut table = table(&["semantics", "verdict", ""]);
    for semantics in Semantics::ALL {
        let mark = if promised == Some(semantics) { "promised" } else { "" };
        let verdict = verdicts.of(semantics);
        let told = painted(verdict, ink) + rests(verdict, semantics, or_dead_lettered);
        table.add_row([semantics.word().to_owned(), told, mark.to_owned()]);
    }
    lines(&table)
}

/// The strongest semantics of a pipeline that promises nothing; empty if it promises something. `shown` completes the
/// sentence, as in "that no run broke".
pub fn nothing_promised(pipeline: &Pipeline, verdicts: &Verdicts, shown: &str) -> String {
    match (pipeline.promises, pipeline.ordered) {
        (None, false) => format!("nothing is promised; the strongest that {shown}: {}\n", verdicts.strongest_word()),
        (None, true) => format!("only order is promised; the strongest that {shown}: {}\n", verdicts.strongest_word()),
        (Some(_), _) => String::new(),
    }
}

/// A table without rules, its columns two spaces apart. Cells wrap where it would be wider than the terminal.
pub fn table(titles: &[&str]) -> Table {
    let mut table = Table::new();
    table.set_content_arrangement(ContentArrangement::Dynamic).set_width(terminal::width() as u16);
    table.load_style(presets::NOTHING).set_header(titles.iter().map(|title| title.to_uppercase()));
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    table
}

/// The table as lines, without trailing blanks.
pub fn lines(table: &Table) -> String {
    table.lines().map(|line| format!("{}\n", line.trim_end())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    #[test]
    fn columns_line_up_whether_painted_or_not() {
        for (ink, expected) in [
            (
                Ink::Plain,
                expect![[r#"
            SEMANTICS     VERDICT   WHY
            at-most-once  holds     a
            exactly-once  violated  b
        "#]],
            ),
            (
                Ink::Colour,
                expect![[r#"
            SEMANTICS     VERDICT   WHY
            at-most-once  ESC[32mholdsESC[0m     a
            exactly-once  ESC[31mviolatedESC[0m  b
        "#]],
            ),
        ] {
            let mut table = table(&["semantics", "verdict", "why"]);
            table.add_row(["at-most-once".to_owned(), painted(Verdict::Holds, ink), "a".to_owned()]);
            table.add_row(["exactly-once".to_owned(), painted(Verdict::Violated, ink), "b".to_owned()]);
            expected.assert_eq(&lines(&table).replace('\x1b', "ESC"));
        }
    }
}
