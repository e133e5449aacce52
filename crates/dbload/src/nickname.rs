//! Nicknames in the Korean style.
//!
//! The tables are here, and not a crate's, because what a seed gives must be the same for ever; nor has
//! the crate `fake` (5.1) names in Korean.

use crate::random::SplitMix64;
use crate::user::Gender;

/// A family name, a given name, and a word: `김서연_otter`. The name is in Hangul, so that texts have
/// more bytes than characters; the word is ASCII, so that every text search finds something, whatever
/// the server's locale.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Nickname {
    pub(crate) parts: [&'static str; 4],
}

impl Nickname {
    /// Draws the family name by its frequency, the given name from those of `gender`, and the word.
    pub(crate) fn draw(random: &mut SplitMix64, gender: Gender) -> Self {
        let mut rank = random.below(100);
        let family = FAMILY_NAMES
            .iter()
            .find(|&&(_, percent)| match rank.checked_sub(percent) {
                Some(rest) => {
                    rank = rest;
                    false
                }
                None => true,
            });
        let (family, _) = family.expect("the shares of all families are 100 per cent together");
        let given = match gender {
            Gender::Male => &MALE_NAMES,
            Gender::Female => &FEMALE_NAMES,
        };
        let given = given[random.below(32) as usize];
        Self {
            parts: [family, given, "_", NOUNS[random.below(16) as usize]],
        }
    }

    /// The length in bytes.
    pub(crate) fn len(&self) -> usize {
        self.parts.iter().map(|part| part.len()).sum()
    }
}

/// The most common family names, in per cent of the people, about as the census of 2015 counted them
/// (Statistics Korea), with the rare ones left out: some nicknames are much more common than others.
const FAMILY_NAMES: [(&str, u32); 29] = [
    ("김", 22),
    ("이", 15),
    ("박", 9),
    ("최", 5),
    ("정", 5),
    ("강", 3),
    ("조", 3),
    ("윤", 3),
    ("장", 3),
    ("임", 2),
    ("한", 2),
    ("오", 2),
    ("서", 2),
    ("신", 2),
    ("권", 2),
    ("황", 2),
    ("안", 2),
    ("송", 2),
    ("류", 2),
    ("전", 2),
    ("홍", 2),
    ("고", 1),
    ("문", 1),
    ("양", 1),
    ("손", 1),
    ("배", 1),
    ("백", 1),
    ("허", 1),
    ("남", 1),
];

const MALE_NAMES: [&str; 32] = [
    "민준", "서준", "도윤", "예준", "시우", "하준", "지호", "주원", "지후", "준우", "도현", "준서",
    "건우", "현우", "우진", "지훈", "선우", "서진", "민재", "현준", "연우", "유준", "정우", "승우",
    "승현", "시윤", "준혁", "은우", "지환", "승민", "유찬", "동현",
];

const FEMALE_NAMES: [&str; 32] = [
    "서연", "서윤", "지우", "서현", "하은", "하윤", "민서", "지유", "윤서", "지민", "채원", "수아",
    "지아", "지윤", "은서", "다은", "예은", "수빈", "소율", "예린", "예원", "지원", "소윤", "지안",
    "하린", "시은", "유진", "채은", "윤아", "유나", "가은", "서영",
];

const NOUNS: [&str; 16] = [
    "badger", "comet", "dolphin", "ember", "falcon", "glacier", "heron", "island", "juniper",
    "kestrel", "lantern", "meadow", "nebula", "otter", "pebble", "river",
];

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;

    fn is_hangul(text: &str) -> bool {
        text.chars().all(|c| ('가'..='힣').contains(&c))
    }

    #[test]
    fn every_table_is_complete_and_without_repetition() {
        assert_eq!(FAMILY_NAMES.iter().map(|family| family.1).sum::<u32>(), 100);
        let families: BTreeSet<&str> = FAMILY_NAMES.iter().map(|family| family.0).collect();
        assert_eq!(families.len(), FAMILY_NAMES.len());
        assert!(families.iter().all(|name| is_hangul(name)));
        for names in [MALE_NAMES, FEMALE_NAMES] {
            assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len());
            assert!(names.iter().all(|name| is_hangul(name)));
        }
        assert!(NOUNS.iter().all(|noun| noun.is_ascii()));
    }

    #[test]
    fn families_are_as_common_as_in_their_table() {
        let mut random = SplitMix64::new(42);
        let mut counts = BTreeMap::new();
        for _ in 0..100_000 {
            let family = Nickname::draw(&mut random, Gender::Female).parts[0];
            *counts.entry(family).or_insert(0_u32) += 1;
        }
        for (family, percent) in FAMILY_NAMES {
            let (count, expected) = (counts[family], percent * 1_000);
            // Five standard deviations of the rarest family and of the most common.
            let tolerance = if percent == 1 { 160 } else { 660 };
            assert!(count.abs_diff(expected) < tolerance, "{family}: {count}");
        }
    }
}
