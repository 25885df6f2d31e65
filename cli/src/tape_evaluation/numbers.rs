//! Tables of numbers: seeds and derivatives, one variable a line.

use anyhow::{bail, Context, Result};
use derivgrind_tape::indices::shortened;
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::Path;

/// Numbers in rows, one row for each variable, and columns, one for each evaluation.
#[derive(Clone, Debug, PartialEq)]
pub struct Table {
    columns: usize,
    values: Vec<f64>,
}

impl Table {
    pub fn zeros(rows: usize, columns: usize) -> Table {
        Table { columns, values: vec![0.0; rows * columns] }
    }

    pub fn columns(&self) -> usize {
        self.columns
    }

    pub fn rows(&self) -> impl Iterator<Item = &[f64]> {
        self.values.chunks_exact(self.columns)
    }

    pub fn row_mut(&mut self, row: usize) -> &mut [f64] {
        &mut self.values[row * self.columns..(row + 1) * self.columns]
    }

    /// Read one row for each of `rows` variables, which are of this `kind` (such as output). `columns` is their number
    /// if it is not read from the first line.
    pub fn read(path: &Path, rows: usize, columns: Option<usize>, kind: &str) -> Result<Table> {
        let name = path.display();
        let text = fs::read_to_string(path).with_context(|| format!("cannot read {name}"))?;
        let lines = text.trim_end().lines().count();
        if lines != rows {
            let last = lines.min(rows) + 1;
            if lines < rows {
                bail!("{name} ends before line {last}: it has {lines} lines for {rows} {kind}s");
            }
            bail!("{name}, line {last}: there are {lines} lines for {rows} {kind}s");
        }
        let first = text.lines().next().unwrap_or_default();
        let columns = columns.unwrap_or_else(|| first.split_whitespace().count());
        let mut values = Vec::with_capacity(rows * columns);
        for (position, words) in text.lines().take(rows).enumerate() {
            let line = position + 1;
            for word in words.split_whitespace() {
                match word.parse::<f64>() {
                    Ok(value) if value.is_finite() => values.push(value),
                    Ok(_) => bail!("{name}, line {line}: `{}` is no finite number", shortened(word)),
                    Err(_) => bail!("{name}, line {line}: `{}` is no number", shortened(word)),
                }
            }
            let found = words.split_whitespace().count();
            if found != columns || columns == 0 {
                bail!("{name}, line {line}: there are {found} numbers instead of {}", columns.max(1));
            }
        }
        Ok(Table { columns, values })
    }

    /// Write the rows with 17 significant digits, which is what a binary64 needs.
    pub fn write(&self, path: &Path) -> Result<()> {
        let write = || {
            let mut file = BufWriter::new(File::create(path)?);
            for row in self.rows() {
                for (column, value) in row.iter().enumerate() {
                    let separator = if column == 0 { "" } else { " " };
                    write!(file, "{separator}{value:.16e}")?;
                }
                writeln!(file)?;
            }
            file.flush()
        };
        write().with_context(|| format!("cannot write {}", path.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::Table;

    #[test]
    fn what_is_written_is_read_again() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let path = directory.path().join("numbers");
        let values = vec![0.1, -1.0 / 3.0, f64::MIN_POSITIVE, f64::MAX, -0.0, 5e-324];
        let table = Table { columns: 2, values };
        table.write(&path).expect("it can be written");
        let text = std::fs::read_to_string(&path).expect("it can be read");
        assert!(text.starts_with("1.0000000000000001e-1 -3.3333333333333331e-1\n"), "{text}");
        assert_eq!(Table::read(&path, 3, None, "output").expect("it is sound"), table);
    }
}
