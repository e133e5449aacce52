//! Histograms for other programs.

use std::io;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hdrhistogram::serialization::interval_log::Tag;
use hdrhistogram::serialization::{Serializer, V2DeflateSerializer};

use crate::latency::LatencyRecorder;

/// Maxima are written in milliseconds, as the Java tools do; the histograms hold nanoseconds.
const NS_IN_MS: f64 = 1e6;

/// Writes an HdrHistogram interval log: a line for each interval with its histogram, compressed (V2).
///
/// The format is that of `HistogramLogWriter` (HdrHistogram 2.1, log format version 1.3), which the
/// usual viewers and `HistogramLogProcessor` read. Values are in nanoseconds. Lines are complete when
/// [`write`](Self::write) returns, as far as the writer below does not buffer.
///
/// ```
/// use std::time::{Duration, SystemTime};
/// use dbload::{HdrLog, LatencyRecorder};
///
/// let mut log = HdrLog::begin(Vec::new(), SystemTime::now())?;
/// let mut latency = LatencyRecorder::new();
/// latency.record_ns(1_500_000);
/// log.write(Duration::ZERO, Duration::from_secs(1), None, &latency)?;
/// let text = String::from_utf8(log.into_inner()).expect("a log is text");
/// assert!(text.contains("0.000,1.000,1.50"));
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct HdrLog<W> {
    writer: W,
    serializer: V2DeflateSerializer,
}

impl<W: io::Write> HdrLog<W> {
    /// Writes the head of a log whose intervals count from `start`.
    ///
    /// # Errors
    ///
    /// Those of the writer.
    pub fn begin(mut writer: W, start: SystemTime) -> io::Result<Self> {
        // A clock before 1970 is wrong anyway.
        let start_s = start
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default()
            .as_secs_f64();
        write!(
            writer,
            "#[Histogram log format version 1.3]\n\
             #[Values in nanoseconds, Interval_Max in milliseconds]\n\
             #[StartTime: {start_s:.3} (seconds since epoch)]\n\
             #[BaseTime: {start_s:.3} (seconds since epoch)]\n\
             \"StartTimestamp\",\"Interval_Length\",\"Interval_Max\",\"Interval_Compressed_Histogram\"\n"
        )?;
        Ok(Self {
            writer,
            serializer: V2DeflateSerializer::new(),
        })
    }

    /// Writes an interval that began so long after the start of the log, under a tag if there is one.
    ///
    /// # Errors
    ///
    /// Those of the writer, and [`io::ErrorKind::InvalidInput`] for a tag with a comma or a blank.
    pub fn write(
        &mut self,
        start: Duration,
        length: Duration,
        tag: Option<&str>,
        latency: &LatencyRecorder,
    ) -> io::Result<()> {
        let tag = match tag {
            None => String::new(),
            Some(tag) if Tag::new(tag).is_some() => format!("Tag={tag},"),
            Some(tag) => {
                let refused = format!("{tag:?} has a comma, a blank or a line break");
                return Err(io::Error::new(io::ErrorKind::InvalidInput, refused));
            }
        };
        let histogram = latency.histogram();
        let mut bytes = Vec::new();
        self.serializer
            .serialize(histogram, &mut bytes)
            .map_err(io::Error::other)?;
        // In one call, so that a writer without a buffer never has half of a line.
        let line = format!(
            "{tag}{:.3},{:.3},{:.3},{}\n",
            start.as_secs_f64(),
            length.as_secs_f64(),
            histogram.max() as f64 / NS_IN_MS,
            STANDARD.encode(&bytes)
        );
        self.writer.write_all(line.as_bytes())
    }

    /// The writer.
    pub fn into_inner(self) -> W {
        self.writer
    }
}

#[cfg(test)]
mod tests {
    use hdrhistogram::Histogram;
    use hdrhistogram::serialization::Deserializer;
    use hdrhistogram::serialization::interval_log::{IntervalLogIterator, LogEntry};

    use super::*;

    #[test]
    fn the_log_is_read_back_by_the_reference_reader() {
        let start = UNIX_EPOCH + Duration::from_millis(1_500_000_000_125);
        let mut log = HdrLog::begin(Vec::new(), start).expect("a vector takes all");
        let mut latency = LatencyRecorder::new();
        (1..=1_000).for_each(|us| latency.record_ns(us * 1_000));
        let second = Duration::from_secs(1);
        log.write(second, second, Some("user_by_name"), &latency)
            .expect("a good tag");
        log.write(2 * second, second / 2, None, &LatencyRecorder::new())
            .expect("no tag");
        let refused = log.write(second, second, Some("a b"), &latency);
        assert_eq!(
            refused.expect_err("a bad tag").kind(),
            io::ErrorKind::InvalidInput
        );

        let text = log.into_inner();
        let entries: Vec<_> = IntervalLogIterator::new(&text)
            .map(|entry| entry.expect("a good line"))
            .collect();
        let [
            LogEntry::StartTime(started),
            LogEntry::BaseTime(base),
            LogEntry::Interval(full),
            LogEntry::Interval(empty),
        ] = &entries[..]
        else {
            panic!("{entries:?}");
        };
        assert_eq!(
            (started, base),
            (&Duration::from_millis(1_500_000_000_125), started)
        );
        assert_eq!(full.tag().map(|tag| tag.as_str()), Some("user_by_name"));
        assert_eq!((full.start_timestamp(), full.duration()), (second, second));
        assert!((full.max() - 1.0).abs() < 0.001, "{}", full.max());
        let bytes = STANDARD.decode(full.encoded_histogram()).expect("base64");
        let read: Histogram<u64> = Deserializer::new()
            .deserialize(&mut &bytes[..])
            .expect("a histogram");
        assert_eq!(&read, latency.histogram());
        assert_eq!(empty.duration(), second / 2);
    }
}
