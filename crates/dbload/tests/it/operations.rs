//! Answers against expectations that no database had a part in.

use std::collections::BTreeSet;

use dbload::{Answer, Client, DbloadError, Operation, Pool, Request, Users};
use uuid::Uuid;

use super::{config, connect, number, open, server};

#[track_caller]
fn check_answers(schema: &str, users: u32) {
    let dataset = open(&config(schema, users));
    let pool = Pool::connect(&dataset, 1).expect("a pool");
    let mut client = Client::new(&pool, 7);
    for operation in Operation::ALL {
        for _ in 0..4 {
            // Somebody has to be there to be deleted, and reads are not to see who was inserted.
            client.execute(Operation::InsertUser).expect("an insert");
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
    check_answers("answers_5000", 5_000);
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
    let name = |id| Request::UserByName {
        name: Users::name(id),
    };
    let uid = |uid| Request::UserByUid { uid };
    let range = |first, last| Request::NameRange {
        first: Users::name(first),
        last: Users::name(last),
    };
    let after = |id| Request::PageKeyset {
        after: Users::name(id),
    };
    let page = |offset| Request::PageOffset { offset };
    let neighbours = |ids: &[u32]| Request::Neighbours {
        uids: ids.iter().map(|&id| dataset.users().uid(id)).collect(),
    };
    let search = |words: &str| Request::Search {
        words: words.into(),
    };
    let nickname = dataset.users().user(7).nickname;
    assert_eq!(rows(name(1_500)), 1);
    assert_eq!(rows(name(1_501)), 0);
    assert_eq!(rows(uid(dataset.users().uid(1_500))), 1);
    assert_eq!(rows(uid(Uuid::nil())), 0);
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
    assert_eq!(rows(Request::AgeGender), 82);
    assert_eq!(rows(Request::TopNicknames), 20);
    assert_eq!(rows(after(0)), 50);
    assert_eq!(rows(after(1_490)), 10);
    assert_eq!(rows(after(1_500)), 0);
    assert_eq!(rows(page(0)), 50);
    assert_eq!(rows(page(1_490)), 10);
    assert_eq!(rows(page(1_500)), 0);
    assert_eq!(rows(neighbours(&[])), 0);
    assert_eq!(rows(neighbours(&[1, 2, 1_498])), 12);
    assert!(rows(search(&nickname)) >= 1, "{nickname}");
    assert_eq!(rows(search("nobodysname")), 0);
    assert_eq!(rows(search("' & !( | :*")), 0);
    assert_eq!(rows(search("")), 0);
}

#[test]
fn words_of_any_script_are_found_and_parts_of_words_are_not() {
    let dataset = open(&config("scripts", 10));
    connect(server().url())
        .batch_execute("UPDATE scripts.user_profile_tbl SET nickname = '김서연_Otter' WHERE id = 3")
        .expect("a plain statement");
    let pool = Pool::connect_for(&dataset, 1, &[Operation::Search]).expect("a pool");
    let client = Client::new(&pool, 1);
    for (words, rows) in [
        ("김서연", 1),
        ("OTTER 김서연", 1),
        ("김서", 0),
        ("otte", 0),
        ("김서연_otter", 1),
    ] {
        let search = Request::Search {
            words: words.into(),
        };
        assert_eq!(
            client.run(&search).expect("an answer").rows,
            rows,
            "{words}"
        );
    }
}

#[test]
fn both_ways_of_paging_give_the_same_pages() {
    let dataset = open(&config("paging", 1_234));
    let pool = Pool::connect(&dataset, 1).expect("a pool");
    let (mut keyset, mut offset) = (Client::new(&pool, 9), Client::new(&pool, 9));
    for _ in 0..30 {
        let by_name = keyset.execute(Operation::PageKeyset).expect("a page");
        let by_number = offset.execute(Operation::PageOffset).expect("a page");
        assert_eq!(by_name, by_number);
        assert!(by_name.rows > 0);
    }
}

#[test]
fn a_changed_row_changes_the_answer() {
    let dataset = open(&config("changed_row", 50));
    let pool = Pool::connect(&dataset, 1).expect("a pool");
    let client = Client::new(&pool, 1);
    let everybody: Vec<Uuid> = (1..=50).map(|id| dataset.users().uid(id)).collect();
    let requests = [
        Request::NameRange {
            first: Users::name(1),
            last: Users::name(50),
        },
        Request::UsersByUids { uids: everybody },
        Request::UserByUid {
            uid: dataset.users().uid(25),
        },
        Request::PageKeyset {
            after: Users::name(1),
        },
        Request::PageOffset { offset: 0 },
        Request::Neighbours {
            uids: vec![dataset.users().uid(22)],
        },
        Request::AgeGender,
        Request::TopNicknames,
        Request::Search {
            words: dataset.users().user(25).nickname.replace('_', " "),
        },
    ];
    let expected: Vec<Answer> = requests
        .iter()
        .map(|request| request.expected_answer(&dataset.users()))
        .collect();
    let answers = || -> Vec<Answer> {
        let answers = requests.iter().map(|request| client.run(request));
        answers.collect::<Result<_, _>>().expect("answers")
    };
    assert_eq!(answers(), expected);
    // The first of all nicknames, for the aggregates.
    let change =
        "UPDATE changed_row.user_profile_tbl SET nickname = '!' || nickname || 'x' WHERE id = 25";
    connect(server().url())
        .batch_execute(change)
        .expect("a plain statement");
    for ((request, answer), expected) in requests.iter().zip(answers()).zip(&expected) {
        assert_ne!(answer, *expected, "{request:?}");
    }
    // The pool's statements outlive a load, which also mends the row.
    dataset.reload().expect("a second load");
    assert_eq!(answers(), expected);
}

#[test]
fn the_same_seed_asks_the_same_and_gets_the_same() {
    let dataset = open(&config("same_seed", 2_500));
    let pool = Pool::connect(&dataset, 2).expect("a pool");
    let answers = |seed| -> Vec<Answer> {
        let mut client = Client::new(&pool, seed);
        let reads = Operation::ALL.into_iter().filter(|one| !one.is_write());
        reads
            .cycle()
            .take(33)
            .map(|operation| client.execute(operation).expect("an answer"))
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

/// The plan of every statement, as the pool's connections get it, must name all of these indexes and
/// read no table as a whole, or read whole tables where there are none.
#[test]
fn every_statement_uses_the_indexes_that_it_should() {
    let dataset = open(&config("plans", 20_000));
    // It makes the index of the search.
    Pool::connect_for(&dataset, 1, &[Operation::Search]).expect("a pool");
    let mut client = connect(server().url());
    client
        .batch_execute(
            "SET plan_cache_mode = force_generic_plan; SET jit = off; SET random_page_cost = 1.1; \
             SET max_parallel_workers_per_gather = 0",
        )
        .expect("a plain statement");
    let mut check = |operation: Operation, arguments: &[&str], indexes: &[&str]| {
        let statements = operation.statements("plans").expect("a good name");
        for (number, statement) in statements.iter().enumerate() {
            let name = format!("{operation}_{number}");
            client
                .batch_execute(&format!("PREPARE {name} AS {statement}"))
                .expect("a good statement");
            let arguments = arguments.get(number).copied().unwrap_or_default();
            let plan: String = client
                .query(&format!("EXPLAIN EXECUTE {name}{arguments}"), &[])
                .unwrap_or_else(|error| panic!("{name}: {error:?}"))
                .iter()
                .map(|row| row.get::<_, String>(0) + "\n")
                .collect();
            for index in indexes {
                assert!(
                    plan.contains(index),
                    "{index} is not in the plan of {name}:\n{plan}"
                );
            }
            let reads_all = plan.contains("Seq Scan");
            let may = indexes.is_empty() && !operation.is_write();
            assert_eq!(reads_all, may, "{name}:\n{plan}");
        }
    };
    let (id, uid, uids) = ("(7)", "('00000000-0000-0000-0000-000000000000')", "('{}')");
    let joined = ["users_uid", "user_profile_uid"];
    let by_name = ["user_info_name", joined[0], joined[1]];
    check(Operation::UserByName, &["('user_000001')"], &by_name);
    let by_uid = ["user_info_uid", joined[0], joined[1]];
    check(Operation::UserByUid, &[uid], &by_uid);
    check(Operation::UsersByUids, &[uids], &by_uid);
    check(
        Operation::NameRange,
        &["('user_000001', 'user_000002')"],
        &by_name,
    );
    check(Operation::PageKeyset, &["('user_000001')"], &by_name);
    check(Operation::PageOffset, &[id], &by_name);
    check(
        Operation::Neighbours,
        &[uids],
        &["user_info_uid", "user_info_name", "user_profile_uid"],
    );
    check(
        Operation::Search,
        &["('amber badger')"],
        &["user_profile_search", "users_uid", "user_info_uid"],
    );
    check(Operation::CountExtremes, &[], &[]);
    check(Operation::AgeGender, &[], &[]);
    check(Operation::TopNicknames, &[], &[]);
    let info = "(7, '00000000-0000-0000-0000-000000000000', 'x', 30, 'male')";
    let profile = "(7, '00000000-0000-0000-0000-000000000000', 'x', NULL)";
    // The type of the gender is found by the search path only where a value is written into it.
    check(Operation::InsertUser, &["", info, profile], &[]);
    let update = "('00000000-0000-0000-0000-000000000000', 'x', NULL)";
    check(Operation::UpdateProfile, &[update], &["user_profile_uid"]);
    check(Operation::DeleteUser, &[id], &["users_id"]);
}

#[test]
fn a_pool_does_what_it_was_opened_for_and_refuses_the_rest() {
    let dataset = open(&config("opened_for", 20));
    let pool = Pool::connect_for(&dataset, 1, &[Operation::UserByUid]).expect("a pool");
    let mut client = Client::new(&pool, 1);
    assert_eq!(client.execute(Operation::UserByUid).expect("one").rows, 1);
    let error = client.execute(Operation::Search).expect_err("not opened");
    let message = error.to_string();
    assert!(matches!(error, DbloadError::Parameter { .. }), "{message}");
    assert!(
        message.contains("search is none of those that the pool was opened for"),
        "{message}"
    );
    let index = "SELECT count(*) FROM pg_indexes WHERE schemaname = 'opened_for' \
                 AND indexname = 'user_profile_search'";
    assert_eq!(number(index), 0);
    Pool::connect_for(&dataset, 1, &[Operation::Search]).expect("a pool");
    assert_eq!(number(index), 1);
    Pool::connect(&dataset, 1).expect("a pool that finds the index");
    assert_eq!(number(index), 1);
}

#[test]
fn an_index_that_may_not_be_made_is_an_error_that_says_so() {
    let dataset = open(&config("no_index", 20));
    connect(server().url())
        .batch_execute(
            "CREATE ROLE reader LOGIN PASSWORD 'reader';
             GRANT USAGE ON SCHEMA no_index TO reader;
             GRANT SELECT ON ALL TABLES IN SCHEMA no_index TO reader;
             GRANT CREATE ON DATABASE postgres TO reader",
        )
        .expect("a plain statement");
    let (_, place) = server()
        .url()
        .split_once('@')
        .expect("a URL of a temporary server");
    let url = format!("postgresql://reader:reader@{place}");
    let dataset = dbload::Dataset::open_or_load(&url, dataset.config())
        .expect("a role that may read may open");
    let error = Pool::connect_for(&dataset, 1, &[Operation::Search]).expect_err("no index");
    let message = error.to_string();
    assert!(
        message.contains("creating the index of search failed on postgresql://reader:***@"),
        "{message}"
    );
    assert_eq!(error.sqlstate(), Some("42501"), "{message}");
    // Everything else is there for a reader, and what a reader may not do is refused by the server.
    let others = [Operation::TopNicknames, Operation::InsertUser];
    let pool = Pool::connect_for(&dataset, 1, &others).expect("a pool");
    let mut client = Client::new(&pool, 1);
    client
        .execute(Operation::TopNicknames)
        .expect("reading is allowed");
    let error = client
        .execute(Operation::InsertUser)
        .expect_err("writing is not");
    assert_eq!(error.sqlstate(), Some("42501"), "{error}");
    client
        .execute(Operation::TopNicknames)
        .expect("the transaction was ended");
}
