//! The pages as a reader meets them: opened in headless Chromium, clicked, filtered. Left out by name where there is no
//! Chromium.

use std::fs::{self, File};
use std::io::{Write, stderr};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use crate::common::{delivery_in, place};
use crate::explore::Explorer;

/// Between two looks at whether Chromium has ended. All of them are a minute, for a loaded machine.
const WAIT: Duration = Duration::from_millis(20);
const WAITS_MAX: u32 = 3000;
/// The time in which a page may do its work. Chromium skips the waits in it.
const PAGE_TIME: &str = "--virtual-time-budget=5000";

/// The browser; none if there is none, which is printed, past the capture of a test's output.
fn chromium(test: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let names = ["chromium", "chromium-browser", "google-chrome"];
    let files = std::env::split_paths(&path).flat_map(|folder| names.map(|name| folder.join(name)));
    let found = files.into_iter().find(|file| file.is_file());
    if found.is_none() {
        let _ = writeln!(stderr(), "left out: {test}: no chromium; apt-get install chromium");
    }
    found
}

/// The page's elements as HTML, after its scripts ran.
fn dom(chromium: &Path, address: &str) -> String {
    let here = place(&[]);
    let dumped = here.path().join("dom.html");
    let mut child = Command::new(chromium)
        // The pages are this suite's own, and the sandbox does not start in every container.
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"])
        .args(["--disable-background-networking", "--disable-component-update", "--disable-sync"])
        .args(["--window-size=1000,800", "--dump-dom", PAGE_TIME])
        .arg(format!("--user-data-dir={}", here.path().join("profile").display()))
        .arg(address)
        .stdin(Stdio::null())
        .stdout(File::create(&dumped).expect("a file for its output"))
        .stderr(Stdio::null())
        .spawn()
        .expect("it starts");
    let mut waits = 0;
    while child.try_wait().expect("it is a child").is_none() {
        if waits == WAITS_MAX {
            child.kill().expect("it is a child");
            child.wait().expect("it ends");
            panic!("{address} is not shown after {WAITS_MAX} waits of {WAIT:?}");
        }
        waits += 1;
        std::thread::park_timeout(WAIT);
    }
    fs::read_to_string(dumped).expect("Chromium wrote the page")
}

/// Opens a page of a folder at an anchor, and gives what the script returns once the page has come to rest.
fn seen(chromium: &Path, (folder, page): (&TempDir, &str), anchor: &str, script: &str) -> Value {
    let html = fs::read_to_string(folder.path().join(page)).expect("the page was written");
    let (before, after) = html.rsplit_once("</body>").expect("a page has a body");
    let probe = format!(
        "<script>addEventListener('load', async () => {{\n\
         const rest = () => new Promise((done) => setTimeout(done, 300));\n\
         const isInView = (it) => {{ const {{ top }} = it.getBoundingClientRect(); return top >= 0 && top < innerHeight; }};\n\
         await rest();\nlet seen;\ntry {{ seen = await (async () => {{ {script} }})(); }} catch (error) {{ seen = {{ error: `${{error}}` }}; }}\n\
         document.body.innerHTML = '<pre id=\"seen\"></pre>';\n\
         document.getElementById('seen').textContent = encodeURIComponent(JSON.stringify(seen));\n}});</script>"
    );
    let probed = folder.path().join("probed.html");
    fs::write(&probed, format!("{before}{probe}</body>{after}")).expect("a page beside it");
    let dom = dom(chromium, &format!("file://{}{anchor}", probed.display()));
    let seen = dom.split_once("<pre id=\"seen\">").and_then(|(_, rest)| rest.split_once("</pre>"));
    let (seen, _) = seen.unwrap_or_else(|| panic!("the script did not come to its end: {dom}"));
    serde_json::from_str(&decoded(seen)).unwrap_or_else(|error| panic!("{error}: {seen}"))
}

/// The texts of all diagrams of a page that stand out at an edge of their diagram, as a script.
const CUT_OFF: &str = "
    document.querySelectorAll('details').forEach((it) => { it.open = true; });
    const texts = [...document.querySelectorAll('details svg text')];
    const isCutOff = (it) => {
      const { x, width } = it.getBBox();
      return x < 0 || x + width > it.ownerSVGElement.viewBox.baseVal.width;
    };
    return { texts: texts.length, cutOff: texts.filter(isCutOff).map((it) => it.textContent) };";

fn nothing_is_cut_off(chromium: &Path, page: (&TempDir, &str)) {
    let seen = seen(chromium, page, "", CUT_OFF);
    assert!(seen["texts"].as_u64() > Some(10), "{seen}");
    assert_eq!(seen["cutOff"], Value::Array(Vec::new()));
}

/// A text without its escapes of addresses (`%7B`).
fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('%') {
        bytes.extend(before.bytes());
        bytes.push(u8::from_str_radix(&after[..2], 16).expect("two hexadecimal digits"));
        rest = &after[2..];
    }
    bytes.extend(rest.bytes());
    String::from_utf8(bytes).expect("it was UTF-8")
}

fn atlas() -> TempDir {
    let here = place(&[]);
    let written = delivery_in(
        here.path(),
        &["atlas", "at-most-once", "kafka-idempotent", "--messages", "1", "--html", "atlas.html"],
    );
    assert_eq!(written.code, 0, "{}", written.err);
    here
}

#[test]
fn a_click_on_a_cell_of_the_atlas_opens_its_story() {
    let Some(chromium) = chromium("a_click_on_a_cell_of_the_atlas_opens_its_story") else { return };
    let script = "
        const cell = document.querySelector('tr[data-page=\"kafka-idempotent\"] td[data-under=\"consumer-crash\"] a.cell');
        const before = document.querySelectorAll('details[open]').length;
        cell.click();
        await rest();
        const story = document.getElementById(location.hash.slice(1));
        return { before, isOpen: story.open, inView: isInView(story), told: story.textContent,
          isDrawn: story.querySelector('svg').getBoundingClientRect().height > 100 };";
    let atlas = atlas();
    nothing_is_cut_off(&chromium, (&atlas, "atlas.html"));
    let seen = seen(&chromium, (&atlas, "atlas.html"), "", script);
    assert_eq!((&seen["before"], &seen["isOpen"], &seen["inView"]), (&0.into(), &true.into(), &true.into()), "{seen}");
    assert_eq!(seen["isDrawn"], true, "{seen}");
    let told = seen["told"].as_str().expect("a text");
    assert!(told.starts_with("consumer-crash") && told.contains("◀ 2nd delivery"), "{told}");
}

#[test]
fn an_anchor_of_the_atlas_leads_to_its_pipeline_or_opens_its_story() {
    let Some(chromium) = chromium("an_anchor_of_the_atlas_leads_to_its_pipeline_or_opens_its_story") else { return };
    let atlas = atlas();
    let script = "
        const section = document.querySelector('section:target, details:target');
        return { id: section.id, top: section.getBoundingClientRect().top, scrolled: scrollY,
          open: [...document.querySelectorAll('details[open]')].map((it) => it.id) };";
    let at = seen(&chromium, (&atlas, "atlas.html"), "#kafka-idempotent", script);
    assert_eq!((at["id"].as_str(), &at["open"]), (Some("kafka-idempotent"), &Value::Array(Vec::new())), "{at}");
    assert!(at["scrolled"].as_f64() > Some(100.0) && at["top"].as_f64() < Some(400.0), "{at}");
    let story = "kafka-idempotent.delivery.no-duplicate-delivery.cc";
    let at = seen(&chromium, (&atlas, "atlas.html"), &format!("#{story}"), script);
    assert_eq!((at["id"].as_str(), &at["open"]), (Some(story), &Value::Array(vec![story.into()])), "{at}");
}

#[test]
fn the_filter_of_the_atlas_leaves_the_pipelines_and_stories_that_are_asked_for() {
    let Some(chromium) = chromium("the_filter_of_the_atlas_leaves_the_pipelines_and_stories_that_are_asked_for") else {
        return;
    };
    let script = "
        const choose = (name, value) => { filter.elements[name].value = value; };
        choose('fault', 'consumer-crash'); choose('semantics', 'L'); choose('level', 'delivery');
        filter.dispatchEvent(new Event('change'));
        const shown = (it) => it.offsetParent !== null;
        const ids = (selector) => [...document.querySelectorAll(selector)].filter(shown);
        return { pipelines: ids('section').map((it) => it.id), said: filter.querySelector('output').textContent,
          faults: [...new Set(ids('details[data-faults]').map((it) => it.dataset.faults))] };";
    let seen = seen(&chromium, (&atlas(), "atlas.html"), "", script);
    assert_eq!(seen["pipelines"], serde_json::json!(["kafka-idempotent"]), "{seen}");
    assert_eq!(seen["said"], "1 of 2 pipelines", "{seen}");
    let faults = seen["faults"].as_array().expect("a list");
    assert!(!faults.is_empty() && faults.iter().all(|it| it.as_str().unwrap().contains("consumer-crash")), "{seen}");
}

#[test]
fn the_page_of_a_judgement_is_filtered_by_property_and_message() {
    let Some(chromium) = chromium("the_page_of_a_judgement_is_filtered_by_property_and_message") else { return };
    let history = r#"{"format":"delivery-history","version":1}
{"at":1,"process":"shop-of-a-name-so-long-that-it-is-wider-than-its-lane","event":"submit","message":"order-a"}
{"at":2,"process":"shop","event":"outcome","message":"order-a","outcome":"acked"}
{"at":3,"process":"shop","event":"submit","message":"order-b"}
{"at":4,"process":"shop","event":"outcome","message":"order-b","outcome":"acked"}
{"at":5,"process":"stock","event":"deliver","message":"order-a"}
{"at":6,"process":"stock","event":"effect","message":"order-a"}
{"at":7,"process":"stock","event":"deliver","message":"order-a","topic":"orders-of-the-north","partition":7,"position":1234567}
{"at":7,"process":"stock","event":"effect","message":"order-a"}
{"at":8,"process":"faults","event":"quiescent"}
"#;
    let here = place(&[("history.jsonl", history)]);
    let judged = delivery_in(here.path(), &["judge", "history.jsonl", "--html", "judged.html"]);
    assert!(judged.code < 2, "{}", judged.err);
    let script = "
        const shown = () => [...document.querySelectorAll('details.story')].filter((it) => it.offsetParent !== null);
        const told = () => shown().map((it) => it.querySelector('summary').textContent);
        const choose = async (of, value) => {
          of.value = value;
          of.dispatchEvent(new Event('input')); of.dispatchEvent(new Event('change'));
          await rest();
          return told();
        };
        const all = told();
        const repeated = await choose(property, 'no-duplicate-effect');
        shown()[0].open = true;
        await rest();
        const drawn = shown()[0].querySelector('svg').textContent;
        await choose(property, '');
        return { all, repeated, drawn, ofMessage: await choose(message, 'order-b'), said: document.getElementById('left').textContent };";
    let seen = seen(&chromium, (&here, "judged.html"), "", script);
    let told = |key: &str| seen[key].as_array().unwrap_or_else(|| panic!("{seen}")).len();
    assert_eq!((told("all"), told("repeated"), told("ofMessage")), (2, 1, 1), "{seen}");
    assert!(seen["drawn"].as_str().unwrap().contains("◀ 2nd effect"), "{seen}");
    assert!(seen["ofMessage"][0].as_str().unwrap().contains("order-b"), "{seen}");
    assert_eq!(seen["said"], "1 shown", "{seen}");
    nothing_is_cut_off(&chromium, (&here, "judged.html"));
}

#[test]
fn the_explorer_numbers_the_steps_of_a_path_as_its_diagram_does() {
    let Some(chromium) = chromium("the_explorer_numbers_the_steps_of_a_path_as_its_diagram_does") else { return };
    let explorer = Explorer::start("at-least-once");
    let at = explorer.told.iter().position(|line| line.starts_with("always no-duplicate-effect")).expect("it is told");
    let dom = dom(&chromium, explorer.told[at + 1].trim());
    assert!(dom.contains("<h1>at-least-once</h1>"), "{dom}");
    let (_, path) = dom.split_once("<ol id=\"path\" start=\"0\"").expect("a path");
    let (path, _) = path.split_once("</ol>").expect("its end");
    let steps: Vec<&str> = path.split("<li>").skip(1).collect();
    // The first one is not shown; the second one, number 0, is the start.
    let last = steps.len() - 2;
    assert!(steps[1].contains(">start<") && steps[last + 1].contains("is-selected-state"), "{path}");
    let numbered =
        |number: usize| format!("<text class=\"step\" x=\"8\" y=\"{}\">{number}</text>", 44 + 28 * number - 10);
    assert!(dom.contains(&numbered(last)) && !dom.contains(&numbered(last + 1)), "{last} steps: {dom}");
    assert!(dom.contains("◀ 2nd effect"), "{dom}");
}
