//! What must come back, worked out without a database.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use super::Answer;
use super::checksum::Checksum;
use super::rows::{AgeGroup, Group, Neighbour, Place};
use crate::operation::{NEIGHBOURS, PAGE, Request, TOP, words};
use crate::user::{Gender, User, Users};

impl Request {
    /// What a correct server answers, computed from the generator of the users alone.
    ///
    /// Every user is visited and tested against the request, so that nothing is shared with the way
    /// in which requests are drawn or databases find rows. The cost is that of generating all users;
    /// of [`Request::PageOffset`] also that of sorting all names, and of [`Request::TopNicknames`] that
    /// of keeping all nicknames.
    ///
    /// That of [`Request::DeleteUser`] is one user. There is none to delete, and the answer 0, where no
    /// user was inserted through the same pool since the last one was deleted.
    pub fn expected_answer(&self, users: &Users) -> Answer {
        let all = || users.iter();
        match self {
            Self::UserByName { name } => listed(all().filter(|user| user.name == *name)),
            Self::UserByUid { uid } => listed(all().filter(|user| user.uid == *uid)),
            Self::NameRange { first, last } => {
                let in_range = all().filter(|user| (first..=last).contains(&&user.name));
                listed(first_by(in_range, usize::MAX, |user| user.name.clone()).into_iter())
            }
            Self::UsersByUids { uids } => {
                let wanted: BTreeSet<_> = uids.iter().collect();
                listed(all().filter(|user| wanted.contains(&user.uid)))
            }
            Self::PageKeyset { after } => {
                let behind = all().filter(|user| user.name > *after);
                listed(first_by(behind, PAGE as usize, |user| user.name.clone()).into_iter())
            }
            Self::PageOffset { offset } => {
                let mut ids: Vec<u32> = (1..=users.count()).collect();
                ids.sort_by_cached_key(|&id| Users::name(id));
                let offset = usize::try_from(*offset).unwrap_or(usize::MAX);
                let page = ids.into_iter().skip(offset).take(PAGE as usize);
                listed(page.map(|id| users.user(id)))
            }
            Self::Search { words } => {
                let found = all().filter(|user| has_words(&user.nickname, words));
                let key = |user: &User| (user.nickname.clone(), user.id);
                listed(first_by(found, PAGE as usize, key).into_iter())
            }
            Self::Neighbours { uids } => neighbours(users, uids),
            Self::CountExtremes => extremes(users),
            Self::AgeGender => ages(users),
            Self::TopNicknames => top(users),
            Self::InsertUser { .. } => Answer::affected(3),
            Self::UpdateProfile { uid, .. } => {
                Answer::affected(all().filter(|user| user.uid == *uid).count() as u64)
            }
            Self::DeleteUser => Answer::affected(1),
        }
    }
}

fn answer<T>(rows: impl Iterator<Item = T>, add: impl Fn(&T, &mut Checksum)) -> Answer {
    let mut checksum = Checksum::new();
    let mut count = 0;
    for row in rows {
        add(&row, &mut checksum);
        count += 1;
    }
    checksum.answer(count)
}

fn listed(users: impl Iterator<Item = User>) -> Answer {
    answer(users, User::add_to)
}

/// The first `limit` in the order of their keys, of which not many more are ever held.
fn first_by<T, K: Ord>(
    all: impl Iterator<Item = T>,
    limit: usize,
    key: impl Fn(&T) -> K,
) -> Vec<T> {
    let mut first = Vec::new();
    for one in all {
        first.push(one);
        if first.len() >= limit.saturating_mul(2) {
            first.sort_by_cached_key(&key);
            first.truncate(limit);
        }
    }
    first.sort_by_cached_key(&key);
    first.truncate(limit);
    first
}

fn has_words(nickname: &str, wanted: &str) -> bool {
    let there: BTreeSet<String> = words(nickname).map(str::to_lowercase).collect();
    words(wanted).all(|word| there.contains(&word.to_lowercase()))
}

fn neighbours(users: &Users, uids: &[uuid::Uuid]) -> Answer {
    let wanted: BTreeSet<_> = uids.iter().collect();
    let anchors = users.iter().filter(|user| wanted.contains(&user.uid));
    let mut anchors: BTreeMap<String, Vec<User>> =
        anchors.map(|anchor| (anchor.name, Vec::new())).collect();
    for user in users.iter() {
        let before = anchors
            .iter_mut()
            .take_while(|(anchor, _)| **anchor < user.name);
        for (_, next) in before {
            let place = next.partition_point(|other| other.name < user.name);
            if place < NEIGHBOURS as usize {
                next.insert(place, user.clone());
                next.truncate(NEIGHBOURS as usize);
            }
        }
    }
    let rows = anchors.into_iter().flat_map(|(anchor, next)| {
        next.into_iter().map(move |user| Neighbour {
            anchor: anchor.clone(),
            user,
        })
    });
    answer(rows, Neighbour::add_to)
}

fn extremes(users: &Users) -> Answer {
    let mut groups = BTreeMap::new();
    for user in users.iter() {
        let group = groups.entry(user.gender).or_insert_with(|| Group {
            gender: user.gender,
            users: 0,
            pictures: 0,
            youngest: user.age,
            oldest: user.age,
            first_name: user.name.clone(),
            last_name: user.name.clone(),
        });
        group.users += 1;
        group.pictures += i64::from(user.pic.is_some());
        group.youngest = group.youngest.min(user.age);
        group.oldest = group.oldest.max(user.age);
        extend(&mut group.first_name, &mut group.last_name, &user.name);
    }
    answer(groups.into_values(), Group::add_to)
}

fn ages(users: &Users) -> Answer {
    let mut groups = BTreeMap::new();
    for user in users.iter() {
        let group = groups
            .entry((user.age, user.gender))
            .or_insert_with(|| AgeGroup {
                age: user.age,
                gender: user.gender,
                users: 0,
                pictures: 0,
                characters: 0,
                first_nickname: user.nickname.clone(),
                last_nickname: user.nickname.clone(),
            });
        group.users += 1;
        group.pictures += i64::from(user.pic.is_some());
        let characters = user.nickname.chars().count();
        group.characters +=
            i64::try_from(characters).expect("a nickname has at most 50 characters");
        extend(
            &mut group.first_nickname,
            &mut group.last_nickname,
            &user.nickname,
        );
    }
    answer(groups.into_values(), AgeGroup::add_to)
}

fn top(users: &Users) -> Answer {
    let mut counts: BTreeMap<Gender, BTreeMap<String, i64>> = BTreeMap::new();
    for user in users.iter() {
        let of_gender = counts.entry(user.gender).or_default();
        *of_gender.entry(user.nickname).or_default() += 1;
    }
    let rows = counts.into_iter().flat_map(|(gender, nicknames)| {
        let key = |(nickname, users): &(String, i64)| (Reverse(*users), nickname.clone());
        first_by(nicknames.into_iter(), TOP as usize, key)
            .into_iter()
            .zip(1..)
            .map(move |((nickname, users), place)| Place {
                gender,
                place,
                nickname,
                users,
            })
    });
    answer(rows, Place::add_to)
}

/// Makes the range of texts from `first` to `last` include `text`.
fn extend(first: &mut String, last: &mut String, text: &str) {
    if text < first.as_str() {
        text.clone_into(first);
    }
    if text > last.as_str() {
        text.clone_into(last);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checksum(users: &[User]) -> u64 {
        listed(users.iter().cloned()).checksum
    }

    #[test]
    fn every_field_and_the_order_count() {
        let user = Users::new(42, 1).user(1);
        let plain = checksum(std::slice::from_ref(&user));
        let changes: [fn(&mut User); 8] = [
            |user| user.id += 1,
            |user| user.uid = uuid::Uuid::nil(),
            |user| user.name.push('x'),
            |user| user.age += 1,
            |user| {
                user.gender = if user.gender == Gender::Male {
                    Gender::Female
                } else {
                    Gender::Male
                }
            },
            |user| user.nickname.clear(),
            |user| user.pic = Some(String::new()),
            |user| user.pic = None,
        ];
        let mut seen = vec![plain];
        for (index, change) in changes.iter().enumerate() {
            let mut changed = user.clone();
            changed.pic = Some("picture".into());
            if index == 0 {
                seen.push(checksum(std::slice::from_ref(&changed)));
            }
            change(&mut changed);
            let changed = checksum(&[changed]);
            assert!(!seen.contains(&changed), "change {index} is not seen");
            seen.push(changed);
        }
        let other = Users::new(42, 2).user(2);
        assert_ne!(
            checksum(&[user.clone(), other.clone()]),
            checksum(&[other, user])
        );
    }

    #[track_caller]
    fn check_rows(request: Request, users: u32, rows: u64) {
        let answer = request.expected_answer(&Users::new(42, users));
        assert_eq!(answer.rows, rows, "{request:?}");
    }

    #[test]
    fn expectations_of_degenerate_requests() {
        let nobody = Request::UserByName {
            name: "nobody".into(),
        };
        assert_eq!(
            nobody.expected_answer(&Users::new(42, 10)),
            Answer {
                rows: 0,
                checksum: Checksum::new().answer(0).checksum
            }
        );
        let range = |first, last| Request::NameRange {
            first: Users::name(first),
            last: Users::name(last),
        };
        check_rows(range(5, 4), 10, 0);
        check_rows(range(9, 99), 10, 2);
        let uid = uuid::Uuid::nil();
        check_rows(Request::UserByUid { uid }, 10, 0);
        let unknown = |uid| Request::UpdateProfile {
            uid,
            nickname: String::new(),
            pic: None,
        };
        check_rows(unknown(uid), 10, 0);
        check_rows(unknown(Users::new(42, 10).uid(3)), 10, 1);
        for (users, genders) in [(0, 0), (1, 1), (10, 2)] {
            check_rows(Request::CountExtremes, users, genders);
        }
        check_rows(Request::AgeGender, 0, 0);
        check_rows(Request::AgeGender, 5_000, 82);
        check_rows(Request::TopNicknames, 0, 0);
        check_rows(Request::TopNicknames, 1, 1);
        check_rows(Request::TopNicknames, 5_000, 20);
    }

    #[test]
    fn expectations_of_pages() {
        let keyset = |after: &str| Request::PageKeyset {
            after: after.to_owned(),
        };
        let offset = |offset| Request::PageOffset { offset };
        check_rows(keyset(""), 0, 0);
        check_rows(keyset(""), 120, 50);
        check_rows(keyset(&Users::name(100)), 120, 20);
        check_rows(keyset(&Users::name(120)), 120, 0);
        check_rows(offset(0), 0, 0);
        check_rows(offset(100), 120, 20);
        check_rows(offset(120), 120, 0);
        check_rows(offset(i64::MAX), 120, 0);
        let users = Users::new(42, 120);
        for before in [0, 50, 100, 119] {
            let name = if before == 0 {
                String::new()
            } else {
                Users::name(before)
            };
            assert_eq!(
                keyset(&name).expected_answer(&users),
                offset(before.into()).expected_answer(&users)
            );
        }
    }

    #[test]
    fn expectations_of_neighbours_end_with_the_last_user() {
        let users = Users::new(42, 10);
        let after = |ids: &[u32]| Request::Neighbours {
            uids: ids.iter().map(|&id| users.uid(id)).collect(),
        };
        check_rows(after(&[]), 10, 0);
        check_rows(after(&[1]), 10, 5);
        check_rows(after(&[8]), 10, 2);
        check_rows(after(&[10]), 10, 0);
        check_rows(after(&[10, 8, 1]), 10, 7);
        assert_eq!(
            after(&[8, 1]).expected_answer(&users),
            after(&[1, 8]).expected_answer(&users)
        );
    }

    #[test]
    fn words_are_found_in_any_order_and_case_but_not_in_parts() {
        assert!(has_words("amber_badger_17", "amber badger"));
        assert!(has_words("amber_badger_17", "Badger 17 AMBER"));
        assert!(has_words("amber_badger_17", ""));
        assert!(!has_words("amber_badger_17", "amber badge"));
        assert!(!has_words("amber_badger_17", "amber 1"));
    }

    #[test]
    fn the_first_of_many_are_those_of_a_sort() {
        let numbers = |limit| first_by((0..1_000).map(|n| n * 7 % 1_000), limit, |&n| n);
        assert_eq!(numbers(3), [0, 1, 2]);
        assert_eq!(numbers(0), []);
        assert_eq!(numbers(usize::MAX), (0..1_000).collect::<Vec<_>>());
    }
}
