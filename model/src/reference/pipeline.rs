//! The reference of pipelines: every setting with its words, its default, and which presets write it how.

use super::page::{self, GENERATED, code};
use super::schema::{self, any, closed, constant, is_a, list, number, one_of, said, table, text, with};
use crate::document::{Node, Value};
use crate::numbers::whole_number;
use crate::pipeline::{CLASHES, Clash, Described, FAULTS_LIMIT, FaultBudget, NAME_LIMIT, Takes, described};
use crate::presets;
use crate::vocab::Fault;

const INTRODUCTION: &str = r#"# Pipeline

A pipeline is the settings of producer, broker and consumer, what is promised of them, and the faults that the promise must
survive. It is a TOML file; headers of histories and schedules hold the same as JSON. Every key may be left out. An
unknown key, an unknown word and a number out of range are refused, with the line and what is allowed.

```toml
name       = "orders"
promises   = "exactly-once"
obligation = "submitted"

[consumer]
remembers = "with-effect"

[faults]
total          = 2
consumer-crash = 1
```

What a word alone does not say is told [beside the types](../../model/src/pipeline/mod.rs). There is a
[JSON Schema](pipeline.schema.json); editors that know TOML check a file that begins with `#:schema` and its path.

"#;

/// The sections, in the order of the document.
const SECTIONS: [(Option<&str>, &str); 4] =
    [(None, "Top"), (Some("producer"), "Producer"), (Some("broker"), "Broker"), (Some("consumer"), "Consumer")];

/// The page for people.
pub(super) fn page() -> String {
    let settings = described();
    let written = written();
    let mut page = [GENERATED, INTRODUCTION].concat();
    for (section, title) in SECTIONS {
        let settings = || settings.iter().filter(|setting| setting.section == section);
        let bracket = section.map_or(String::new(), |section| format!(": `[{section}]`"));
        page += &format!("## {title}{bracket}\n\n");
        let rows = settings().map(|it| [code(it.key), allowed(&it.takes), default(it), it.says.to_owned()]);
        page += &page::table(["key", "value", "default", "meaning"], rows);
        page += "\n";
        settings().for_each(|setting| page += &details(setting, &written));
    }
    page + &faults() + &clashes()
}

fn allowed(takes: &Takes) -> String {
    let words = |words: &[(&str, &str)]| words.iter().map(|(word, _)| quoted(word)).collect::<Vec<_>>().join(", ");
    match takes {
        Takes::Name => format!("a text of 1 to {NAME_LIMIT} characters"),
        Takes::Flag => "`true`, `false`".to_owned(),
        Takes::Words(all) => words(all),
        Takes::Number(range) => whole_number(*range.start(), *range.end()),
        Takes::WordsOrNumber(all, range) => {
            format!("{}, or {}", words(all), whole_number(*range.start(), *range.end()))
        }
    }
}

fn quoted(word: &str) -> String {
    format!("`\"{word}\"`")
}

fn default(setting: &Described) -> String {
    match &setting.default {
        Value::Null => "none".to_owned(),
        Value::Text(name) if name.is_empty() => "the file's name".to_owned(),
        value => code(value),
    }
}

/// What each word means and who writes it so, and what products call it.
fn details(setting: &Described, written: &[Written]) -> String {
    let path = path(setting);
    let written: Vec<&Written> = written.iter().filter(|it| it.path == path).collect();
    let words = match &setting.takes {
        Takes::Words(words) | Takes::WordsOrNumber(words, _) => &words[..],
        _ => &[],
    };
    let mut text = format!("### `{path}`\n\n");
    if !words.is_empty() {
        let rows = words.iter().map(|(word, meaning)| {
            let is_it = |it: &&&Written| it.value == Value::Text((*word).to_owned());
            let presets = written.iter().filter(is_it).map(|it| it.preset).collect::<Vec<_>>().join(", ");
            [quoted(word), (*meaning).to_owned(), presets]
        });
        text += &page::table(["word", "meaning", "presets that write it"], rows);
        text += "\n";
    }
    let told: Vec<_> =
        written.iter().filter_map(|it| Some([it.preset.to_owned(), code(&it.value), it.stands_for.clone()?])).collect();
    match told.is_empty() {
        true if words.is_empty() => String::new(),
        true => text,
        false => text + &folded(&page::table(["preset", "value", "what it stands for"], told)),
    }
}

fn folded(table: &str) -> String {
    format!("<details><summary>In the presets</summary>\n\n{table}\n</details>\n\n")
}

fn path(setting: &Described) -> String {
    setting.section.map_or(setting.key.to_owned(), |section| format!("{section}.{}", setting.key))
}

/// A setting that stands in a preset.
struct Written {
    preset: &'static str,
    path: String,
    value: Value,
    /// The comment on its line.
    stands_for: Option<String>,
}

fn written() -> Vec<Written> {
    presets::ALL.iter().flat_map(|&(preset, text)| written_in(preset, text)).collect()
}

fn written_in(preset: &'static str, text: &str) -> Vec<Written> {
    let node = Node::from_toml(text).expect("a test loads every preset");
    let Value::Table(top) = node.value else { unreachable!("a TOML document is a table") };
    let comment = |line: Option<u32>| {
        let line = text.lines().nth(line? as usize - 1)?;
        line.rsplit_once("  # ").or(line.rsplit_once(" # ")).map(|(_, comment)| comment.trim().to_owned())
    };
    let one = |path: String, line, value| Written { preset, path, value, stands_for: comment(line) };
    top.into_iter()
        .flat_map(|(key, line, node)| match node.value {
            Value::Table(settings) => settings
                .into_iter()
                .map(|(inner, line, node)| one(format!("{key}.{inner}"), line, node.value))
                .collect(),
            value => vec![one(key, line, value)],
        })
        .collect()
}

fn faults() -> String {
    let usual = FaultBudget::default();
    let times = whole_number(0, FAULTS_LIMIT);
    let rows = Fault::ALL.map(|fault| [code(fault), usual.of(fault).to_string(), fault.meaning().to_owned()]);
    format!(
        "## Faults: `[faults]`\n\nHow often each kind of fault may strike in one run ({times}), and how many may strike in all (`total`, the\n\
         same range; 0: no cap beyond the kinds' own). Without `[faults]`, the kinds have the budgets of this table and the total is\n\
         {}. Where some key of `[faults]` stands, kinds that are left out may not strike, and a left-out `total` is {}. An empty\n\
         `[faults]` means no faults.\n\n{}\n",
        usual.total,
        usual.total,
        page::table(["kind", "usual budget", "meaning"], rows)
    )
}

fn clashes() -> String {
    let side = |clash: &Clash, side: usize| {
        let side = &clash.sides[side];
        format!(
            "{} = {}",
            code(side.path.join(".")),
            side.words.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" or ")
        )
    };
    let rows = CLASHES.iter().map(|clash| [side(clash, 0), side(clash, 1), clash.why.to_owned()]);
    "## What means nothing together\n\nRefused as well, also where one of the two is a default:\n\n".to_owned()
        + &page::table(["setting", "with", "because"], rows)
}

/// The JSON Schema of a pipeline, which stands inside other schemas too.
pub(super) fn schema() -> Value {
    let settings = described();
    let section = |section: Option<&str>| {
        let properties = settings.iter().filter(move |setting| setting.section == section);
        properties.map(|it| (it.key, property(it))).collect::<Vec<_>>()
    };
    let mut properties = section(None);
    for (key, _) in SECTIONS {
        let Some(key) = key else { continue };
        properties.push((key, closed(section(Some(key)), [])));
    }
    properties.push(("faults", budgets()));
    with(closed(properties, []), table([("allOf", list(CLASHES.iter().map(|clash| not_both(clash, &settings))))]))
}

fn property(setting: &Described) -> Value {
    let default = match &setting.default {
        Value::Null => table::<&str>([]),
        Value::Text(name) if name.is_empty() => table::<&str>([]),
        value => table([("default", value.clone())]),
    };
    with(said(value_of(&setting.takes), setting.says), default)
}

fn value_of(takes: &Takes) -> Value {
    let words =
        |words: &[(&str, &str)]| words.iter().map(|(word, meaning)| said(constant(word), meaning)).collect::<Vec<_>>();
    match takes {
        Takes::Name => schema::name(),
        Takes::Flag => is_a("boolean"),
        Takes::Words(all) => any(words(all)),
        Takes::Number(range) => number((*range.start()).into(), (*range.end()).into()),
        Takes::WordsOrNumber(all, range) => {
            let number = number((*range.start()).into(), (*range.end()).into());
            any(words(all).into_iter().chain([number]))
        }
    }
}

fn budgets() -> Value {
    let times = || number(0, FAULTS_LIMIT.into());
    let total = ("total", said(times(), "How many faults may strike in one run; 0: no cap beyond the kinds' own."));
    closed(std::iter::once(total).chain(Fault::ALL.map(|fault| (fault.word(), said(times(), fault.meaning())))), [])
}

/// That a pipeline does not have both sides of a clash.
fn not_both(clash: &Clash, settings: &[Described]) -> Value {
    let both = clash.sides.iter().map(|side| {
        let path = side.path.join(".");
        let setting = settings.iter().find(|setting| self::path(setting) == path).expect("a clash is of settings");
        let is_default = side.words.iter().any(|word| setting.default == Value::Text((*word).to_owned()));
        side.path.iter().rev().fold(values(side.words), |inner, key| has(key, inner, is_default))
    });
    said(table([("not", table([("allOf", list(both))]))]), clash.why)
}

/// What a side of a clash says of its setting: one of some words, or a number that is large enough.
fn values(words: &[&'static str]) -> Value {
    let least = words.first().and_then(|word| word.strip_suffix(" or more")?.parse().ok());
    least.map_or_else(|| one_of(words.iter().copied()), |least| table([("minimum", Value::Integer(least))]))
}

/// That a key has such a value; or, where that is the default, is left out.
fn has(key: &str, value: Value, is_default: bool) -> Value {
    let properties = table([("properties", table([(key, value)]))]);
    if is_default { properties } else { with(properties, table([("required", list([text(key)]))])) }
}
