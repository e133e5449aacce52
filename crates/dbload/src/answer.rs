//! What came back: how many rows, and a checksum of everything in them.

use crate::connection::{ConnectionError, Row, Rows};
use crate::operation::{Operation, Request};
use crate::user::{Gender, User, Users};

/// The answer to a request, small enough to keep and to compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Answer {
    /// How many rows came back.
    pub rows: u64,
    /// A checksum over every field of every row, in the order of the rows. Equal data give an equal
    /// checksum on every platform. It is not cryptographic.
    pub checksum: u64,
}

impl Answer {
    /// Decodes every field of every row into owned values, as an application would.
    pub(crate) fn decode(operation: Operation, rows: &Rows<'_>) -> Result<Self, ConnectionError> {
        let mut checksum = Checksum::new();
        for row in rows.iter() {
            match operation {
                Operation::CountExtremes => checksum.group(&decode_group(&row)?),
                _ => checksum.user(&decode_user(&row)?),
            }
        }
        Ok(checksum.answer(rows.len()))
    }
}

impl Request {
    /// What a correct server answers, computed from the generator of the users alone.
    ///
    /// Every user is visited and tested against the request, so that nothing is shared with the way
    /// in which requests are drawn or databases find rows. The cost is that of generating all users.
    pub fn expected_answer(&self, users: &Users) -> Answer {
        let mut checksum = Checksum::new();
        let wanted = |user: &User| match self {
            Self::UserByName { name } => user.name == *name,
            Self::NameRange { first, last } => (first..=last).contains(&&user.name),
            Self::UsersByUids { uids } => uids.contains(&user.uid),
            Self::CountExtremes => true,
        };
        let found = users.iter().filter(wanted);
        let mut rows = 0;
        if *self == Self::CountExtremes {
            let mut groups = [None, None];
            for user in found {
                let group = &mut groups[user.gender as usize];
                group
                    .get_or_insert_with(|| Group::of_first(&user))
                    .add(&user);
            }
            for group in groups.iter().flatten() {
                checksum.group(group);
                rows += 1;
            }
        } else {
            for user in found {
                checksum.user(&user);
                rows += 1;
            }
        }
        checksum.answer(rows)
    }
}

/// A row of [`Operation::CountExtremes`].
struct Group {
    gender: Gender,
    users: i64,
    pictures: i64,
    youngest: i16,
    oldest: i16,
    first_name: String,
    last_name: String,
}

impl Group {
    /// The group of `user`, before that user is added.
    fn of_first(user: &User) -> Self {
        Self {
            gender: user.gender,
            users: 0,
            pictures: 0,
            youngest: user.age,
            oldest: user.age,
            first_name: user.name.clone(),
            last_name: user.name.clone(),
        }
    }

    fn add(&mut self, user: &User) {
        self.users += 1;
        self.pictures += i64::from(user.pic.is_some());
        self.youngest = self.youngest.min(user.age);
        self.oldest = self.oldest.max(user.age);
        if user.name < self.first_name {
            self.first_name.clone_from(&user.name);
        }
        if user.name > self.last_name {
            self.last_name.clone_from(&user.name);
        }
    }
}

fn decode_user(row: &Row<'_>) -> Result<User, ConnectionError> {
    Ok(User {
        id: row.try_get(0)?,
        uid: row.try_get(1)?,
        name: row.try_get(2)?,
        age: row.try_get(3)?,
        gender: row.try_get(4)?,
        nickname: row.try_get(5)?,
        pic: row.try_get(6)?,
    })
}

fn decode_group(row: &Row<'_>) -> Result<Group, ConnectionError> {
    Ok(Group {
        gender: row.try_get(0)?,
        users: row.try_get(1)?,
        pictures: row.try_get(2)?,
        youngest: row.try_get(3)?,
        oldest: row.try_get(4)?,
        first_name: row.try_get(5)?,
        last_name: row.try_get(6)?,
    })
}

/// A multiplicative hash over words of eight bytes: an answer of megabytes must not cost more in its
/// checksum than in its decoding, as a hash over single bytes would.
struct Checksum(u64);

impl Checksum {
    fn new() -> Self {
        Self(0x6462_6c6f_6164_0001)
    }

    fn word(&mut self, word: u64) {
        self.0 = (self.0.rotate_left(23) ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }

    /// The length comes first, so that moving a byte from one field to the next is noticed.
    fn bytes(&mut self, bytes: &[u8]) {
        self.word(bytes.len() as u64);
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.word(u64::from_le_bytes(word));
        }
    }

    fn integer(&mut self, value: impl Into<i64>) {
        self.word(value.into().cast_unsigned());
    }

    fn user(&mut self, user: &User) {
        self.integer(user.id);
        self.bytes(user.uid.as_bytes());
        self.bytes(user.name.as_bytes());
        self.integer(user.age);
        self.bytes(user.gender.as_str().as_bytes());
        self.bytes(user.nickname.as_bytes());
        match &user.pic {
            Some(pic) => self.bytes(pic.as_bytes()),
            // No text has this length.
            None => self.word(u64::MAX),
        }
    }

    fn group(&mut self, group: &Group) {
        self.bytes(group.gender.as_str().as_bytes());
        self.integer(group.users);
        self.integer(group.pictures);
        self.integer(group.youngest);
        self.integer(group.oldest);
        self.bytes(group.first_name.as_bytes());
        self.bytes(group.last_name.as_bytes());
    }

    fn answer(self, rows: u64) -> Answer {
        Answer {
            rows,
            checksum: self.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checksum(users: &[User]) -> u64 {
        let mut checksum = Checksum::new();
        users.iter().for_each(|user| checksum.user(user));
        checksum.0
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

    #[test]
    fn expectations_of_degenerate_requests() {
        let users = Users::new(42, 10);
        let nobody = Request::UserByName {
            name: "nobody".into(),
        };
        assert_eq!(
            nobody.expected_answer(&users),
            Answer {
                rows: 0,
                checksum: Checksum::new().0
            }
        );
        let backwards = Request::NameRange {
            first: Users::name(5),
            last: Users::name(4),
        };
        assert_eq!(backwards.expected_answer(&users).rows, 0);
        let beyond = Request::NameRange {
            first: Users::name(9),
            last: Users::name(99),
        };
        assert_eq!(beyond.expected_answer(&users).rows, 2);
        assert_eq!(
            Request::CountExtremes
                .expected_answer(&Users::new(42, 0))
                .rows,
            0
        );
        assert_eq!(
            Request::CountExtremes
                .expected_answer(&Users::new(42, 1))
                .rows,
            1
        );
        assert_eq!(Request::CountExtremes.expected_answer(&users).rows, 2);
    }
}
