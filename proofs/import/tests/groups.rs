//! Several consumer groups in one record of Kafka's verifiable clients: each owes every message.

use delivery_import::{Format, ImportError, Imported, Input, Options, import};
use delivery_model::semantics::{Question, judge};

/// A producer that got acks for offsets 0 to 3 of one partition.
fn producer() -> Input {
    let line = |offset: u64| {
        format!(
            r#"{{"timestamp":{offset},"name":"producer_send_success","value":"{offset}","topic":"t","partition":0,"offset":{offset}}}"#
        ) + "\n"
    };
    Input::new("producer.jsonl", (0..4).map(line).collect::<String>())
}

fn consumer(name: &str, offsets: &[u64]) -> Input {
    let line = |offset: &u64| {
        format!(
            r#"{{"timestamp":9,"name":"record_data","value":"{offset}","topic":"t","partition":0,"offset":{offset}}}"#
        ) + "\n"
    };
    Input::new(name, offsets.iter().map(line).collect::<String>())
}

fn imported(consumers: &[Input], groups: &[(&str, &str)]) -> Result<Imported, ImportError> {
    let groups = groups.iter().map(|(file, group)| ((*file).to_owned(), (*group).to_owned())).collect();
    let inputs: Vec<Input> = [&[producer()], consumers].concat();
    import(Format::KafkaVerifiable, &inputs, &Options { groups, ..Options::default() })
}

fn check(consumers: &[Input], groups: &[(&str, &str)], expected: &[&str]) {
    let Imported { history, report } = imported(consumers, groups).unwrap_or_else(|error| panic!("{error}"));
    let judgement = judge(&history, Question::default());
    let mut told: Vec<String> = judgement
        .violations
        .iter()
        .map(|it| format!("{} {} in {}", history.names.message(it.message), it.breach, history.names.group(it.group)))
        .collect();
    told.extend(report.notes);
    assert_eq!(told, expected);
}

#[test]
fn what_each_of_two_groups_reads_is_no_duplicate_and_what_one_passes_over_is_lost_in_it() {
    let of = [consumer("stock.jsonl", &[0, 1, 2, 3]), consumer("mail.jsonl", &[0, 2, 3])];
    let groups = [("stock.jsonl", "stock"), ("mail.jsonl", "mail")];
    check(&of, &groups, &["1 was acked and is lost in mail"]);
    let all = [consumer("stock.jsonl", &[0, 1, 2, 3]), consumer("mail.jsonl", &[0, 1, 2, 3])];
    check(&all, &groups, &[]);
    check(
        &all,
        &[],
        &[0, 1, 2, 3].map(|it| format!("{it} was delivered again in consumers")).each_ref().map(|it| &**it),
    );
}

/// Two files of one name in two folders are told apart by their paths.
#[test]
fn files_of_one_name_are_told_apart_by_their_paths() {
    let of = [consumer("stock/consumer.jsonl", &[0, 1, 2, 3]), consumer("mail/consumer.jsonl", &[0, 2, 3])];
    check(&of, &[("mail/consumer.jsonl", "mail")], &["1 was acked and is lost in mail"]);
}

/// 1 is passed over by mail, and stock may still read it: a history cannot say both, so that it accuses nobody.
#[test]
fn what_one_group_passes_and_another_may_still_read_is_not_told_as_lost() {
    let of = [consumer("stock.jsonl", &[0]), consumer("mail.jsonl", &[0, 2, 3])];
    let groups = [("stock.jsonl", "stock"), ("mail.jsonl", "mail")];
    check(
        &of,
        &groups,
        &[
            "losses that are not told: messages that one group passed over, and that another may still read (1)",
            "losses are unknown: messages were acked beyond what was read of their logs (3)",
        ],
    );
}

#[test]
fn a_group_of_no_file_or_two_groups_of_one_file_are_refused() {
    let refused = |groups: &[(&str, &str)]| {
        imported(&[consumer("mail.jsonl", &[0])], groups).expect_err("it is refused").to_string()
    };
    assert_eq!(
        refused(&[("stock.jsonl", "stock")]),
        "stock.jsonl: found no such file, for the group \"stock\"; expected one of producer.jsonl, mail.jsonl"
    );
    assert_eq!(
        refused(&[("mail.jsonl", "mail"), ("mail.jsonl", "post")]),
        "mail.jsonl: found the groups \"mail\" and \"post\"; expected one group of each file"
    );
}
