//! Time lines as CSV. (JSON is what serde makes of them.)

use std::fmt::Write as _;

use crate::{Sample, Timeline};

impl Timeline {
    /// The first line of the CSV form, with its end.
    pub const CSV_HEADER: &'static str = "elapsed_s,cpu_percent,rss_bytes,threads,processes,mark\n";

    /// Its entries one by one; where it was thinned, each stands for several samples.
    pub fn entries(&self) -> impl Iterator<Item = Sample> {
        let lists = self
            .elapsed_ns
            .iter()
            .zip(&self.cpu_percent)
            .zip(&self.rss_bytes);
        lists.enumerate().map(
            |(index, ((&elapsed_ns, &cpu_percent), &rss_bytes))| Sample {
                elapsed_ns,
                cpu_percent,
                rss_bytes,
                threads: self.threads.get(index).copied(),
                processes: self.processes.get(index).copied(),
            },
        )
    }

    /// The CSV form: [the header](Self::CSV_HEADER), a row an entry, and one for each mark, which has a time
    /// and a label only. The rows are in the order of time; what is not known is empty.
    ///
    /// ```
    /// let timeline = probe::Timeline {
    ///     elapsed_ns: vec![100_000_000],
    ///     cpu_percent: vec![99.5],
    ///     rss_bytes: vec![4096],
    ///     ..probe::Timeline::default()
    /// };
    /// assert_eq!(
    ///     timeline.to_csv(),
    ///     "elapsed_s,cpu_percent,rss_bytes,threads,processes,mark\n0.100000,99.50,4096,,,\n"
    /// );
    /// ```
    #[must_use]
    pub fn to_csv(&self) -> String {
        let mut rows: Vec<(u64, String)> = self
            .marks
            .iter()
            .map(|mark| (mark.elapsed_ns, format!(",,,,{}", quoted(&mark.label))))
            .collect();
        let count = |value: Option<u64>| value.map_or_else(String::new, |value| value.to_string());
        rows.extend(self.entries().map(|entry| {
            let (threads, processes) = (count(entry.threads), count(entry.processes));
            let row = format!(
                "{:.2},{},{threads},{processes},",
                entry.cpu_percent, entry.rss_bytes
            );
            (entry.elapsed_ns, row)
        }));
        rows.sort_by_key(|&(elapsed_ns, _)| elapsed_ns);
        let mut text = Self::CSV_HEADER.to_owned();
        for (elapsed_ns, row) in rows {
            let elapsed_s = elapsed_ns as f64 / 1e9;
            // Writing to a string does not fail.
            let _ = writeln!(text, "{elapsed_s:.6},{row}");
        }
        text
    }
}

/// A field of RFC 4180.
fn quoted(field: &str) -> String {
    if field.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", field.replace('"', "\"\""))
    } else {
        field.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Mark;

    #[test]
    fn rows_are_in_the_order_of_time() {
        let mark = |elapsed_ns, label: &str| Mark {
            elapsed_ns,
            label: label.into(),
        };
        let timeline = Timeline {
            elapsed_ns: vec![100_000_000, 200_000_600],
            cpu_percent: vec![99.5, 187.254],
            rss_bytes: vec![1024, 2048],
            threads: vec![1, 5],
            processes: vec![1, 2],
            marks: vec![mark(150_000_000, "fit, \"cold\""), mark(0, "set-up")],
            ..Timeline::default()
        };
        assert_eq!(
            timeline.to_csv(),
            "elapsed_s,cpu_percent,rss_bytes,threads,processes,mark\n\
             0.000000,,,,,set-up\n\
             0.100000,99.50,1024,1,1,\n\
             0.150000,,,,,\"fit, \"\"cold\"\"\"\n\
             0.200001,187.25,2048,5,2,\n"
        );
    }

    #[test]
    fn without_samples_there_is_the_header() {
        assert_eq!(Timeline::default().to_csv(), Timeline::CSV_HEADER);
    }
}
