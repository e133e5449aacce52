//! The users: what a row is, and how row number `id` follows from the seed.

use std::error::Error;
use std::fmt;

use postgres::types::{FromSql, IsNull, Kind, ToSql, Type, private::BytesMut};
use uuid::Uuid;

use crate::nickname::Nickname;
use crate::random::SplitMix64;

/// The largest number of users.
pub const MAX_USERS: u32 = 10_000_000;

/// The gender column, an enumerated type in the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Gender {
    /// `male`
    Male,
    /// `female`
    Female,
}

impl Gender {
    /// The label in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Male => "male",
            Self::Female => "female",
        }
    }
}

impl fmt::Display for Gender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

fn is_gender(ty: &Type) -> bool {
    ty.name() == "gender" && matches!(ty.kind(), Kind::Enum(_))
}

impl ToSql for Gender {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        out.extend_from_slice(self.as_str().as_bytes());
        Ok(IsNull::No)
    }

    fn accepts(ty: &Type) -> bool {
        is_gender(ty)
    }

    postgres::types::to_sql_checked!();
}

impl<'a> FromSql<'a> for Gender {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        match raw {
            b"male" => Ok(Self::Male),
            b"female" => Ok(Self::Female),
            other => Err(format!("unknown gender {:?}", String::from_utf8_lossy(other)).into()),
        }
    }

    fn accepts(ty: &Type) -> bool {
        is_gender(ty)
    }
}

/// One user, as the three tables joined give it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// The number of the user, from 1.
    pub id: i32,
    /// Random identifier in the form of a version 4 UUID.
    pub uid: Uuid,
    /// Unique: `user_000001` for the first user; see [`Users::name`].
    pub name: String,
    /// 20 to 60, both included.
    pub age: i16,
    /// Either, with equal probability.
    pub gender: Gender,
    /// A Korean name and an English word, `김서연_otter`; not unique, some are more common than others.
    pub nickname: String,
    /// The address of a picture; one user in four has none.
    pub pic: Option<String>,
}

/// A reproducible population of users, computed and not stored.
///
/// Every field of user `id` follows from the seed and `id` alone: a SplitMix64 generator is started
/// from both, gives the 128 bits of the UUID first, then age, gender, nickname and picture. Users
/// can therefore be visited in any order, by several threads, and without holding all of them.
///
/// ```
/// use dbload::Users;
///
/// let users = Users::new(42, 100_000);
/// assert_eq!(users.user(1).name, "user_000001");
/// assert_eq!(users.iter().next(), Some(users.user(1)));
/// assert_eq!(users.iter().count(), 100_000);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Users {
    seed: u64,
    count: u32,
}

impl Users {
    /// The first `count` users of `seed`.
    pub fn new(seed: u64, count: u32) -> Self {
        Self { seed, count }
    }

    /// How many users there are.
    pub fn count(&self) -> u32 {
        self.count
    }

    /// The seed.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// The name of user `id`.
    ///
    /// `user_` and at least six digits. Where there are more, a letter before them says how many, `a` for
    /// seven: in the collation `C` the order of names is then that of the numbers, whatever their length,
    /// so that the names between two names are those of the numbers between them.
    ///
    /// ```
    /// use dbload::Users;
    ///
    /// assert_eq!(Users::name(7), "user_000007");
    /// assert_eq!(Users::name(999_999), "user_999999");
    /// assert_eq!(Users::name(1_000_000), "user_a1000000");
    /// assert!(Users::name(999_999) < Users::name(1_000_000));
    /// ```
    pub fn name(id: u32) -> String {
        let mut name = Vec::new();
        push_name(id, &mut name);
        String::from_utf8(name).expect("names are of letters and digits")
    }

    /// The identifier of user `id`, without computing the rest.
    pub fn uid(&self, id: u32) -> Uuid {
        draw_uid(&mut self.generator(id))
    }

    /// The user with number `id`, from 1.
    pub fn user(&self, id: u32) -> User {
        let Fields {
            uid,
            age,
            gender,
            nickname,
            has_pic,
        } = self.fields(id);
        let pic = has_pic.then(|| {
            let mut pic = Vec::with_capacity(PIC_BYTES);
            push_pic(&uid, &mut pic);
            String::from_utf8(pic).expect("addresses of pictures are ASCII")
        });
        User {
            id: id.cast_signed(),
            uid,
            name: Self::name(id),
            age,
            gender,
            nickname: nickname.parts.concat(),
            pic,
        }
    }

    /// What is drawn for user `id`, without the texts that follow from it: loading writes those where
    /// they have to be.
    pub(crate) fn fields(&self, id: u32) -> Fields {
        let mut random = self.generator(id);
        let uid = draw_uid(&mut random);
        let age = MIN_AGE + random.below(MAX_AGE - MIN_AGE + 1);
        let gender = if random.below(2) == 0 {
            Gender::Male
        } else {
            Gender::Female
        };
        Fields {
            uid,
            age: i16::try_from(age).expect("ages are at most 60"),
            gender,
            nickname: Nickname::draw(&mut random, gender),
            has_pic: random.below(4) != 0,
        }
    }

    /// All users in the order of their numbers.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = User> + use<> {
        let users = *self;
        // A half-open range, because an inclusive one does not know its exact length.
        (0..self.count).map(move |index| users.user(index + 1))
    }

    fn generator(&self, id: u32) -> SplitMix64 {
        SplitMix64::stream(self.seed, u64::from(id))
    }
}

/// The smallest age.
const MIN_AGE: u32 = 20;
/// The largest age.
const MAX_AGE: u32 = 60;

/// What is drawn for a user.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fields {
    pub(crate) uid: Uuid,
    pub(crate) age: i16,
    pub(crate) gender: Gender,
    pub(crate) nickname: Nickname,
    pub(crate) has_pic: bool,
}

/// Appends the name of user `id`.
pub(crate) fn push_name(id: u32, out: &mut Vec<u8>) {
    let mut digits = [b'0'; 10];
    let mut rest = id;
    let mut first = digits.len();
    while rest > 0 || first > digits.len() - 6 {
        first -= 1;
        digits[first] += u8::try_from(rest % 10).expect("a digit is below 10");
        rest /= 10;
    }
    out.extend_from_slice(b"user_");
    if let Some(longer @ 1..) = (digits.len() - 6).checked_sub(first) {
        out.push(b"abcd"[longer - 1]);
    }
    out.extend_from_slice(&digits[first..]);
}

/// How long the address of a picture is.
pub(crate) const PIC_BYTES: usize = 64;

/// Appends the address of the picture of user `uid`, [`PIC_BYTES`] long.
pub(crate) fn push_pic(uid: &Uuid, out: &mut Vec<u8>) {
    let mut digits = [0; 32];
    uid.simple().encode_lower(&mut digits);
    out.extend_from_slice(b"https://pictures.example/");
    out.extend_from_slice(&digits[..2]);
    out.push(b'/');
    out.extend_from_slice(&digits);
    out.extend_from_slice(b".jpg");
}

fn draw_uid(random: &mut SplitMix64) -> Uuid {
    let bits = (u128::from(random.next()) << 64) | u128::from(random.next());
    uuid::Builder::from_random_bytes(bits.to_be_bytes()).into_uuid()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_users_and_another_seed_others() {
        let users = |seed| Users::new(seed, 500).iter().collect::<Vec<_>>();
        assert_eq!(users(42), users(42));
        let different = users(42)
            .iter()
            .zip(users(43))
            .filter(|(a, b)| a.uid != b.uid)
            .count();
        assert_eq!(different, 500);
    }

    #[test]
    fn a_user_does_not_depend_on_how_many_there_are() {
        assert_eq!(Users::new(1, 10).user(7), Users::new(1, 1_000).user(7));
        assert_eq!(Users::new(1, 10).uid(7), Users::new(1, 10).user(7).uid);
    }

    #[test]
    fn fields_keep_to_their_columns() {
        let users: Vec<User> = Users::new(42, 20_000).iter().collect();
        let names: BTreeSet<&str> = users.iter().map(|user| user.name.as_str()).collect();
        assert_eq!(names.len(), users.len());
        assert_eq!(
            (names.first(), names.last()),
            (Some(&"user_000001"), Some(&"user_020000"))
        );
        let uids: BTreeSet<Uuid> = users.iter().map(|user| user.uid).collect();
        assert_eq!(uids.len(), users.len());
        assert!(uids.iter().all(|uid| uid.get_version_num() == 4));
        let ages: BTreeSet<i16> = users.iter().map(|user| user.age).collect();
        assert_eq!(ages, (20..=60).collect());
        let male = users
            .iter()
            .filter(|user| user.gender == Gender::Male)
            .count();
        assert!((9_500..10_500).contains(&male), "{male}");
        let without_pic = users.iter().filter(|user| user.pic.is_none()).count();
        assert!((4_500..5_500).contains(&without_pic), "{without_pic}");
        assert!(users.iter().all(|user| user.nickname.chars().count() <= 12));
        assert!(
            users
                .iter()
                .flat_map(|user| &user.pic)
                .all(|pic| pic.len() == PIC_BYTES)
        );
    }

    #[test]
    fn this_generator_is_frozen() {
        // Data in a database outlive the program: a change here needs a new content version.
        let user = Users::new(42, 1).user(1);
        assert_eq!(user.uid.to_string(), "e336b7e4-e702-4b9e-96c6-5a33fde53369");
        assert_eq!(
            (user.age, user.gender, user.nickname.as_str()),
            (37, Gender::Male, "한준우_juniper")
        );
        let pic = "https://pictures.example/e3/e336b7e4e7024b9e96c65a33fde53369.jpg";
        assert_eq!(user.pic.as_deref(), Some(pic));
    }

    #[test]
    fn names_have_the_order_of_the_numbers() {
        let mut ids = vec![1, 2, 9, 10, 99_999, 100_000, 999_998, 999_999];
        ids.extend([1_000_000, 1_000_001, 9_999_999, MAX_USERS, MAX_USERS + 1]);
        ids.extend([99_999_999, 100_000_000, 999_999_999, u32::MAX]);
        let names: Vec<String> = ids.iter().map(|&id| Users::name(id)).collect();
        assert!(names.is_sorted_by(|a, b| a < b), "{names:?}");
        assert_eq!(Users::name(0), "user_000000");
        assert_eq!(Users::name(u32::MAX), "user_d4294967295");
    }

    #[test]
    fn no_users_and_the_last_possible_one() {
        assert_eq!(Users::new(42, 0).iter().next(), None);
        let last = Users::new(u64::MAX, MAX_USERS).user(MAX_USERS);
        assert_eq!(
            (last.id, last.name.as_str()),
            (10_000_000, "user_b10000000")
        );
        assert_eq!(Users::new(0, 1).user(1), Users::new(0, MAX_USERS).user(1));
    }
}
