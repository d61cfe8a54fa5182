//! All figures, with the floors of their size and the verdicts of the model.

use delivery_memories::Errs;
use delivery_proofs::figures::{Cell, Sheet};

use crate::floors::{Floor, Floors};
use crate::loads::Load;
use crate::oracle::Wrong;
use crate::verdicts::Verdicts;

/// What the columns of the tables mean.
const ABOUT: &str = "Memories by which a broker recognises a retry, each asked in batches whose names were made before. \
    ns: of a name, the best run. bytes: of a producer or an id, after the load. again: names that were let in twice; \
    not in: new names that were not let in; both counted by an exact set over the same input. by dep, by indep: the \
    ratio to one read of a memory of that size, where each read waits for the one before, and where none does; measured \
    in the same run. past it: the model's verdict, within 2 messages and 2 faults, on the exactly-once reference without \
    an inbox, where its broker has forgotten what it is asked for and errs as this memory does; empty where it confirms what \
    it never saw, for which the model has no setting: what is not in is then lost. Where nothing is forgotten, the verdict \
    is";

/// The figures of a memory under a load.
pub struct Row {
    load: String,
    memory: &'static str,
    errs: Errs,
    /// The nanoseconds of an operation, at best.
    pub ns: f64,
    /// The bytes of the memory.
    bytes: usize,
    /// The bytes of a producer, or of an id.
    pub bytes_each: f64,
    wrong: Wrong,
    /// The names of the load.
    names: usize,
}

impl Row {
    pub fn new(load: &Load, memory: &'static str, errs: Errs, ns: f64, bytes: usize, wrong: Wrong) -> Row {
        let bytes_each = bytes as f64 / load.entries as f64;
        Row { load: load.id.clone(), memory, errs, ns, bytes, bytes_each, wrong, names: load.items.len() }
    }
}

/// The rows of all loads.
pub struct Rows {
    rows: Vec<(Row, Floor)>,
    floors: Floors,
}

impl Rows {
    pub fn new() -> Rows {
        Rows { rows: Vec::new(), floors: Floors::default() }
    }

    /// Adds a row, with the floors as they are now.
    pub fn add(&mut self, row: Row) {
        let floor = self.floors.of(row.bytes);
        self.rows.push((row, floor));
    }

    /// The figures of a memory under a load; none if a filter left it out.
    pub fn find(&self, load: &str, memory: &str) -> Option<&(Row, Floor)> {
        self.rows.iter().find(|(row, _)| row.load == load && row.memory == memory)
    }

    /// A sheet with a table for each load.
    pub fn sheet(&self) -> Sheet {
        let verdicts = Verdicts::new();
        let mut sheet = Sheet::new("dedup", &format!("{ABOUT} \"{}\".", verdicts.of(Errs::Never).expect("a setting")));
        for of_load in self.rows.chunk_by(|(row, _), (next, _)| row.load == next.load) {
            let first = &of_load[0].0;
            let columns = ["memory", "ns", "bytes", "again", "not in", "by dep", "by indep", "past it"];
            let table = sheet.table(&format!("{}, {} names a run", first.load, first.names), &columns);
            for (row, floor) in of_load {
                let ratios = [row.ns / floor.dependent, row.ns / floor.independent];
                let wrong = [row.wrong.accepted, row.wrong.refused].map(|count| count as f64);
                let numbers = [[row.ns, row.bytes_each], wrong, ratios].concat();
                let cells = numbers.into_iter().map(Cell::from);
                table.row(row.memory, cells.chain([Cell::from(verdicts.of(row.errs).map(|comes| comes.to_string()))]));
            }
        }
        sheet
    }
}
