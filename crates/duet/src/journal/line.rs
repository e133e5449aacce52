//! A line of the journal as it is read: parsed without a detour, and only what is kept of it.

use std::borrow::Cow;
use std::fmt;

use probe::Histogram;
use serde::de::{IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::kept::{KeptProcess, KeptTurn, Operations, Shared};
use super::shortcut::Shortcut;
use super::{BlockEntry, validity};
use crate::container::ContainerUse;
use crate::process::{Moment, TimeLine, Turn};
use crate::slices::Slices;

/// A line that is well-formed.
#[derive(Debug)]
pub(super) enum Line {
    /// What one process did.
    Process(ProcessLine),
    /// The end of a block, and whether it is one of the pilot.
    Block(bool, Box<BlockEntry>),
}

/// What one process did, and whose it is.
#[derive(Debug)]
pub(super) struct ProcessLine {
    pub(super) pilot: bool,
    pub(super) case: std::sync::Arc<str>,
    pub(super) block: usize,
    pub(super) attempt: usize,
    pub(super) process: KeptProcess,
    /// Why it cannot have run so, where its block ended well.
    pub(super) fault: Option<String>,
}

/// Reads lines one after the other.
#[derive(Debug, Default)]
pub(super) struct Reader {
    shared: Shared,
    shortcut: Shortcut,
}

impl Reader {
    /// Reads a line.
    pub(super) fn line(&mut self, line: &str) -> serde_json::Result<Line> {
        if let Some(parsed) = self.shortcut.read(line) {
            return Ok(Line::Process(parsed.keep(false, &mut self.shared)));
        }
        let head = Head::of(line)?;
        match head.kind {
            Kind::Process => {
                let parsed: Parsed = serde_json::from_str(line)?;
                Ok(Line::Process(parsed.keep(head.pilot, &mut self.shared)))
            }
            Kind::Block => Ok(Line::Block(
                head.pilot,
                Box::new(serde_json::from_str(line)?),
            )),
        }
    }
}

/// The kind of a line, which says how to read the rest of it.
#[derive(Deserialize)]
struct Head {
    kind: Kind,
    #[serde(default)]
    pilot: bool,
}

impl Head {
    /// Reads the head of a line. Reading the line as an enum by its tag would build all of it as generic values
    /// first, which takes several times as long.
    fn of(line: &str) -> serde_json::Result<Self> {
        // As the instrument writes them: nothing has to be searched for.
        if line.starts_with("{\"kind\":\"block\",\"case\":") {
            return Ok(Self {
                kind: Kind::Block,
                pilot: false,
            });
        }
        serde_json::from_str(line)
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Process,
    Block,
}

/// The line of a process; names stay where they are in the line.
#[derive(Debug, PartialEq, Deserialize)]
pub(super) struct Parsed<'a> {
    #[serde(borrow)]
    pub(super) case: Cow<'a, str>,
    pub(super) block: usize,
    pub(super) attempt: usize,
    #[serde(borrow)]
    pub(super) variant: Cow<'a, str>,
    #[serde(default)]
    pub(super) build: u32,
    pub(super) start_position: u32,
    pub(super) turns: Vec<Turn>,
    #[serde(default)]
    pub(super) slices: Option<Slices>,
    #[serde(default)]
    pub(super) timeline: Option<TimeLine>,
    #[serde(default)]
    pub(super) container: Option<ContainerUse>,
    #[serde(borrow)]
    pub(super) observation: Option<ParsedObservation<'a>>,
    pub(super) error: Option<String>,
}

/// What is kept of an observation.
#[derive(Debug, PartialEq, Deserialize)]
pub(super) struct ParsedObservation<'a> {
    #[serde(borrow)]
    pub(super) phases: Named<'a, PhaseOperations>,
    pub(super) peak_rss_bytes: Option<u64>,
    #[serde(default)]
    pub(super) timeline: Option<probe::Timeline>,
    #[serde(borrow)]
    pub(super) result: Named<'a, Number>,
}

/// What is kept of a phase: the costs of each of its entries are those of the turns.
#[derive(Debug, PartialEq, Deserialize)]
pub(super) struct PhaseOperations {
    #[serde(default)]
    pub(super) histogram: Option<Histogram>,
    #[serde(default)]
    pub(super) client_cpu_ns_per_operation: Option<f64>,
}

impl Parsed<'_> {
    fn keep(self, pilot: bool, shared: &mut Shared) -> ProcessLine {
        let fault = validity::fault(
            &self.variant,
            self.error.as_deref(),
            self.observation.is_some(),
            &self.turns,
        );
        let (case, variant) = (shared.name(&self.case), shared.name(&self.variant));
        let observation = self.observation.as_ref();
        let own = observation.and_then(|observation| observation.timeline.as_ref());
        let timeline = self.timeline.or_else(|| own.map(TimeLine::of_own));
        let timeline: Box<[Moment]> = match timeline {
            Some(timeline) => timeline.moments().collect(),
            None => Box::default(),
        };
        let numbers = observation
            .into_iter()
            .flat_map(|observation| &observation.result.0)
            .filter_map(|(name, number)| Some((&**name, number.0?)));
        let results = shared.results(&case, &variant, numbers);
        let operations = observation
            .into_iter()
            .flat_map(|observation| &observation.phases.0)
            .filter(|(_, p)| p.histogram.is_some() || p.client_cpu_ns_per_operation.is_some())
            .map(|(name, phase)| Operations {
                phase: shared.name(name),
                histogram: phase.histogram,
                client_cpu_ns: phase.client_cpu_ns_per_operation,
            })
            .collect();
        ProcessLine {
            pilot,
            case,
            block: self.block,
            attempt: self.attempt,
            process: KeptProcess {
                variant,
                build: self.build,
                start_position: self.start_position,
                turns: self.turns.iter().map(KeptTurn::from).collect(),
                slices: self.slices.map(Box::new),
                timeline,
                container: self.container.map(Box::new),
                peak_rss_bytes: observation.and_then(|observation| observation.peak_rss_bytes),
                results,
                operations,
                error: self.error.map(String::into_boxed_str),
            },
            fault,
        }
    }
}

/// The entries of an object in their order, with names that stay where they are in the line.
#[derive(Debug, PartialEq)]
pub(super) struct Named<'a, T>(pub(super) Vec<(Cow<'a, str>, T)>);

impl<T> Default for Named<'_, T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de: 'a, 'a, T: Deserialize<'de>> Deserialize<'de> for Named<'a, T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries<T>(std::marker::PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Entries<T> {
            type Value = Vec<(Cow<'de, str>, T)>;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut entries = Vec::new();
                while let Some(Name(name)) = map.next_key()? {
                    entries.push((name, map.next_value()?));
                }
                // As a map would have them.
                entries.sort_by(|a, b| a.0.cmp(&b.0));
                Ok(entries)
            }
        }
        deserializer
            .deserialize_map(Entries(std::marker::PhantomData))
            .map(Named)
    }
}

/// A name that stays where it is in the line, unless it has escapes.
#[derive(Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

/// A number; anything else is none.
#[derive(Debug, PartialEq)]
pub(super) struct Number(Option<f64>);

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AnyValue;
        impl<'de> Visitor<'de> for AnyValue {
            type Value = Option<f64>;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("a value")
            }

            fn visit_f64<E>(self, number: f64) -> Result<Self::Value, E> {
                Ok(Some(number))
            }

            fn visit_u64<E>(self, number: u64) -> Result<Self::Value, E> {
                Ok(Some(number as f64))
            }

            fn visit_i64<E>(self, number: i64) -> Result<Self::Value, E> {
                Ok(Some(number as f64))
            }

            fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
                Ok(None)
            }

            fn visit_str<E>(self, _: &str) -> Result<Self::Value, E> {
                Ok(None)
            }

            fn visit_unit<E>(self) -> Result<Self::Value, E> {
                Ok(None)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
                while seq.next_element::<IgnoredAny>()?.is_some() {}
                Ok(None)
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(None)
            }
        }
        deserializer.deserialize_any(AnyValue).map(Number)
    }
}
