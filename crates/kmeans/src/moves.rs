//! Rows that changed their cluster in one iteration.

/// A row that changed its cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Move {
    pub(crate) row: usize,
    pub(crate) from: u32,
    pub(crate) to: u32,
}

/// The rows that changed their cluster, listed as long as they are few.
#[derive(Debug)]
pub(crate) struct Moves {
    count: usize,
    /// Nothing once there were more than `limit`.
    list: Vec<Move>,
    limit: usize,
}

impl Moves {
    /// None yet, of `n_rows` rows.
    pub(crate) fn new(n_rows: usize) -> Self {
        Moves {
            count: 0,
            list: Vec::new(),
            // Beyond an eighth it is cheaper to add up all rows again.
            limit: n_rows / 8,
        }
    }

    pub(crate) fn push(&mut self, row: Move) {
        self.count += 1;
        if self.count <= self.limit {
            self.list.push(row);
        }
    }

    /// Those of consecutive chunks of rows.
    pub(crate) fn concat(chunks: Vec<Moves>) -> Self {
        let mut all = Moves {
            count: chunks.iter().map(|chunk| chunk.count).sum(),
            list: Vec::new(),
            limit: chunks.iter().map(|chunk| chunk.limit).sum(),
        };
        if chunks.iter().all(|chunk| chunk.count <= chunk.limit) {
            all.list = chunks.into_iter().flat_map(|chunk| chunk.list).collect();
        }
        all
    }

    /// Whether no row changed its cluster.
    pub(crate) fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The rows in ascending order, unless there were too many to list.
    pub(crate) fn list(&self) -> Option<&[Move]> {
        (self.list.len() == self.count).then_some(&self.list)
    }
}
