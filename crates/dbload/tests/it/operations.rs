//! Answers against expectations that no database had a part in.

use std::collections::BTreeSet;

use dbload::{Answer, Client, Operation, Pool, Request, Users};
use uuid::Uuid;

use super::{config, connect, open, server};

#[track_caller]
fn check_answers(schema: &str, users: u32) {
    let dataset = open(&config(schema, users));
    let pool = Pool::connect(&dataset, 1).expect("a pool");
    let mut client = Client::new(&pool, 7);
    for operation in Operation::ALL {
        for _ in 0..4 {
            let request = client.next_request(operation);
            assert_eq!(request.operation(), operation);
            let answer = client.run(&request).expect("an answer");
            assert_eq!(
                answer,
                request.expected_answer(&dataset.users()),
                "{request:?}"
            );
        }
    }
}

#[test]
fn every_operation_answers_what_the_generator_says() {
    check_answers("answers_3000", 3_000);
    check_answers("answers_999", 999);
    check_answers("answers_2", 2);
    check_answers("answers_1", 1);
}

#[test]
fn rows_are_as_many_as_were_asked_for() {
    let dataset = open(&config("asked_for", 1_500));
    let pool = Pool::connect(&dataset, 1).expect("a pool");
    let client = Client::new(&pool, 1);
    let rows = |request: Request| client.run(&request).expect("an answer").rows;
    let range = |first, last| Request::NameRange {
        first: Users::name(first),
        last: Users::name(last),
    };
    assert_eq!(
        rows(Request::UserByName {
            name: Users::name(1_500)
        }),
        1
    );
    assert_eq!(
        rows(Request::UserByName {
            name: Users::name(1_501)
        }),
        0
    );
    assert_eq!(rows(range(10, 10)), 1);
    assert_eq!(rows(range(1, 1_500)), 1_500);
    assert_eq!(rows(range(1_400, 9_999)), 101);
    assert_eq!(rows(range(20, 10)), 0);
    assert_eq!(rows(Request::UsersByUids { uids: Vec::new() }), 0);
    assert_eq!(
        rows(Request::UsersByUids {
            uids: vec![Uuid::nil(), dataset.users().uid(3)]
        }),
        1
    );
    assert_eq!(
        rows(Client::new(&pool, 1).next_request(Operation::UsersByUids)),
        1_000
    );
    assert_eq!(rows(Request::CountExtremes), 2);
}

#[test]
fn a_changed_row_changes_the_answer() {
    let dataset = open(&config("changed_row", 50));
    let pool = Pool::connect(&dataset, 1).expect("a pool");
    let client = Client::new(&pool, 1);
    let request = Request::NameRange {
        first: Users::name(1),
        last: Users::name(50),
    };
    let expected = request.expected_answer(&dataset.users());
    assert_eq!(client.run(&request).expect("an answer"), expected);
    let change = "UPDATE changed_row.user_profile_tbl SET nickname = nickname || 'x' WHERE id = 25";
    connect(server().url())
        .batch_execute(change)
        .expect("a plain statement");
    assert_ne!(client.run(&request).expect("an answer"), expected);
    // The pool's statements outlive a load, which also mends the row.
    dataset.reload().expect("a second load");
    assert_eq!(client.run(&request).expect("an answer"), expected);
}

#[test]
fn the_same_seed_asks_the_same_and_gets_the_same() {
    let dataset = open(&config("same_seed", 2_500));
    let pool = Pool::connect(&dataset, 2).expect("a pool");
    let answers = |seed| -> Vec<Answer> {
        let mut client = Client::new(&pool, seed);
        let mix = Operation::ALL.into_iter().cycle().take(12);
        mix.map(|operation| client.execute(operation).expect("an answer"))
            .collect()
    };
    assert_eq!(answers(5), answers(5));
    assert_ne!(answers(5), answers(6));
    let mut client = Client::new(&pool, 5);
    let names: BTreeSet<String> = (0..100)
        .map(|_| format!("{:?}", client.next_request(Operation::UserByName)))
        .collect();
    assert!(names.len() > 90, "{} different of 100", names.len());
}

#[test]
fn small_requests_use_indexes() {
    open(&config("plans", 20_000));
    let mut client = connect(server().url());
    client
        .batch_execute("SET plan_cache_mode = force_generic_plan")
        .expect("a plain statement");
    let tables = "plans.users_tbl u JOIN plans.user_info_tbl i ON i.uid = u.uid \
                  JOIN plans.user_profile_tbl p ON p.uid = u.uid";
    for (name, parameter, filter, argument) in [
        ("by_name", "text", "i.name = $1", "'user_000001'"),
        ("by_uids", "uuid[]", "u.uid = ANY($1)", "'{}'"),
    ] {
        client
            .batch_execute(&format!(
                "PREPARE {name}({parameter}) AS SELECT * FROM {tables} WHERE {filter}"
            ))
            .expect("a plain statement");
        let plan: Vec<String> = client
            .query(&format!("EXPLAIN EXECUTE {name}({argument})"), &[])
            .expect("a plan")
            .iter()
            .map(|row| row.get(0))
            .collect();
        assert!(
            plan.iter().all(|line| !line.contains("Seq Scan")),
            "{plan:#?}"
        );
    }
}
