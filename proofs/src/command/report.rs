//! How verdicts are written: words, JSON fields, tables.

use comfy_table::{Table, presets};
use delivery_model::pipeline::Semantics;
use delivery_model::semantics::{Verdict, Verdicts};
use delivery_model::story::Ink;
use serde::Serialize;
use serde_json::{Map, Value};

/// The strongest semantics that holds, as the contract spells it.
pub fn strongest(verdicts: &Verdicts) -> &'static str {
    verdicts.strongest().map_or("none", Semantics::word)
}

/// The verdict on each semantics, by its name.
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

/// A verdict in its colour, and why it is unknown.
pub fn painted(verdict: Verdict, ink: Ink) -> String {
    match verdict {
        Verdict::Holds => ink.good("holds"),
        Verdict::Violated => ink.bad("violated"),
        Verdict::Unknown(doubt) => ink.unsure(&format!("unknown ({doubt})")),
    }
}

/// A table without rules, its columns two spaces apart.
pub fn table(titles: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(titles.iter().map(|title| title.to_uppercase()));
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    table
}

/// The table as lines, without the blanks that would end them.
pub fn lines(table: &Table) -> String {
    table.lines().map(|line| format!("{}\n", line.trim_end())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    #[test]
    fn columns_line_up_whether_painted_or_not() {
        for (ink, expected) in [(Ink::Plain, expect![[r#""#]]), (Ink::Colour, expect![[r#""#]])] {
            let mut table = table(&["semantics", "verdict", "why"]);
            table.add_row(["at-most-once".to_owned(), painted(Verdict::Holds, ink), "a".to_owned()]);
            table.add_row(["exactly-once".to_owned(), painted(Verdict::Violated, ink), "b".to_owned()]);
            expected.assert_eq(&lines(&table).replace('\x1b', "ESC"));
        }
    }
}
