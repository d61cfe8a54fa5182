//! The beginning of a Maelstrom run of the Kafka workload, as a solver of its challenges published it: what each process sent,
//! polled and was assigned, up to where everything that was acked has been polled. Consumers go on where they were, begin
//! again after an assignment, crash, and read beside one another.

use super::check_text;

/// `PROCESS send KEY:OFFSET`, `PROCESS poll KEY:FIRST-LAST ..`, `PROCESS assign KEY ..`; the value at an offset is the offset + 1.
const RUN: &str = "
    0 poll; 1 crash; 2 send 7:0; 3 send 7:1; 4 send 8:0; 5 send 7:2; 0 poll; 7 send 9:0; 3 send 8:1; 4 send 9:1;
    5 send 9:2; 7 send 6:0; 4 send 9:3; 5 send 7:3; 0 send 9:4; 4 assign 9; 0 send 9:5; 3 assign 8; 4 poll 9:0-5;
    0 send 9:6; 0 send 8:2; 2 send 9:7; 3 send 6:1; 4 send 9:8; 0 send 9:9; 2 crash; 3 send 9:10; 4 poll 9:6-10;
    5 send 7:4; 0 send 7:5; 8 send 9:11; 3 send 9:12; 4 assign 9; 5 send 9:13; 0 send 9:14; 3 send 9:15; 4 send 6:2;
    0 send 10:0; 8 send 10:1; 3 poll 8:0-2; 4 send 8:3; 0 send 6:3; 7 send 10:2; 7 assign 7; 3 send 10:3;
    4 poll 9:11-15; 5 send 4:0; 0 assign 8; 0 poll 8:0-3; 7 send 10:4; 3 send 10:5; 4 send 8:4; 5 send 7:6;
    0 send 8:5; 0 poll 8:4-5; 7 assign 7 6 10 4; 8 send 10:6; 3 send 8:6; 0 send 7:7; 7 send 8:7;
    7 poll 10:0-6 4:0-0 6:0-3 7:0-7; 8 assign 8; 3 send 8:8; 0 poll 8:6-8; 8 send 8:9; 3 poll 8:3-9; 5 send 10:7;
    0 send 8:10; 0 send 2:0; 7 send 8:11; 8 send 10:8; 3 poll 8:10-11; 0 send 8:12; 0 poll 8:9-12; 7 send 8:13;
    3 assign 10 2 8; 8 poll 8:0-13; 4 send 8:14; 5 send 10:9; 0 send 10:10; 0 poll 8:13-14; 7 poll 10:7-10;
    8 send 10:11; 3 send 8:15; 4 assign 2 10 8; 5 assign 10; 0 poll 8:15-15; 7 assign 2 10 8; 8 poll 8:14-15;
    3 poll 10:0-11 2:0-0 8:12-15; 4 poll 10:0-11 2:0-0 8:0-15";

/// The lines of the run. Polls do not bring what is hidden.
fn lines(run: &str, hidden: &str) -> String {
    run.split(';').map(|operation| line(operation.trim(), hidden)).collect()
}

fn line(operation: &str, hidden: &str) -> String {
    let mut words = operation.split_whitespace();
    let (process, f) = (words.next().expect("a process"), words.next().expect("a function"));
    let mut places = words.map(|word| word.split_once(':').unwrap_or((word, "")));
    let pair = |offset: u64| format!("[{offset} {}]", offset + 1);
    let (before, after) = match f {
        "send" => {
            let (key, offset) = places.next_back().expect("a place");
            let offset: u64 = offset.parse().expect("an offset");
            (format!("[[:send \"{key}\" {}]]", offset + 1), format!("[[:send \"{key}\" {}]]", pair(offset)))
        }
        "poll" => {
            let logs = places.map(|(key, range)| {
                let (first, last) = range.split_once('-').expect("a range");
                let offsets = first.parse::<u64>().expect("an offset")..=last.parse().expect("an offset");
                let pairs = offsets.filter(|offset| format!("{key}:{offset}") != hidden).map(pair);
                format!("\"{key}\" [{}]", pairs.collect::<Vec<_>>().join(" "))
            });
            ("[[:poll]]".to_owned(), format!("[[:poll {{{}}}]]", logs.collect::<Vec<_>>().join(", ")))
        }
        "assign" => {
            let keys = format!("[{}]", places.map(|(key, _)| format!("{key:?}")).collect::<Vec<_>>().join(" "));
            (keys.clone(), keys)
        }
        _ => return format!("{process}\t:invoke\t:crash\tnil\n{process}\t:info\t:crash\tnil\n"),
    };
    format!("{process}\t:invoke\t:{f}\t{before}\n{process}\t:ok\t:{f}\t{after}\n")
}

#[test]
fn a_run_in_which_everything_was_polled_in_order_is_exactly_once() {
    check_text(&lines(RUN, ""), &[]);
}

/// The same run over a log that dropped one message.
#[test]
fn what_no_process_of_the_run_polled_is_lost() {
    check_text(&lines(RUN, "8:5"), &["8/6 was acked and is lost"]);
    // Nobody polled beyond it.
    check_text(&lines(RUN, "9:15"), &["unknown"]);
}

/// Process 4 read the log of 8 to its end; its assignment stays.
#[test]
fn what_a_process_of_the_run_polls_again_is_a_duplicate() {
    let again = format!("{RUN}; 4 poll 8:15-15");
    check_text(&lines(&again, ""), &["8/16 was delivered again"]);
    check_text(&lines(&format!("{RUN}; 4 assign 9; 4 assign 8; 4 poll 8:15-15"), ""), &[]);
}
