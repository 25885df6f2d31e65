//! Tapes in files, and their evaluation with matrices of NumPy's.

use derivgrind_tape::evaluation::{available_memory, Evaluation, WIDEST};
use derivgrind_tape::file::Tape;
use derivgrind_tape::indices::Indices;
use derivgrind_tape::program::Direction;
use derivgrind_tape::structure::Function;
use derivgrind_tape::vector::Place;
use numpy::ndarray::{s, Array1, Array2};
use numpy::{IntoPyArray, PyArray1, PyArray2, PyReadonlyArray2};
use pyo3::exceptions::{PyOSError, PyUserWarning, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyDict;
use std::fmt::Display;
use std::path::{Path, PathBuf};

/// A tape, and the indices of its inputs and outputs.
#[pyclass(frozen, module = "derivgrind._native")]
pub struct Recording {
    tape: Tape,
    inputs: Vec<u64>,
    outputs: Vec<u64>,
}

#[pymethods]
impl Recording {
    /// Open the directory of a recording; what is odd with it becomes warnings.
    #[new]
    fn open(py: Python<'_>, directory: PathBuf) -> PyResult<Recording> {
        let tape = Tape::open(&directory.join("dg-tape")).map_err(os_error)?;
        let warn = |sentence: &str| {
            let sentence = std::ffi::CString::new(sentence).map_err(value_error)?;
            PyErr::warn(py, &py.get_type::<PyUserWarning>(), &sentence, 3)
        };
        if let Some(reason) = tape.ended().reason() {
            warn(&format!(
                "the tape is not complete: {reason}; it is used up to index {}",
                tape.indices() - 1
            ))?;
        }
        let indices = |kind, file: &str| {
            let indices = Indices::read(&tape, kind, &directory.join(file)).map_err(os_error)?;
            indices.oddities.iter().try_for_each(|sentence| warn(sentence))?;
            Ok::<_, PyErr>(indices.as_slice().to_vec())
        };
        let (inputs, outputs) =
            (indices("input", "dg-input-indices")?, indices("output", "dg-output-indices")?);
        Ok(Recording { tape, inputs, outputs })
    }

    /// Indices of the inputs, in the order of their declaration.
    #[getter]
    fn input_indices<'py>(&self, py: Python<'py>) -> Bound<'py, PyArray1<u64>> {
        PyArray1::from_slice(py, &self.inputs)
    }

    /// Indices of the outputs.
    #[getter]
    fn output_indices<'py>(&self, py: Python<'py>) -> Bound<'py, PyArray1<u64>> {
        PyArray1::from_slice(py, &self.outputs)
    }

    /// Results, one row for each variable, of seeds with as many columns.
    fn evaluate<'py>(
        &self,
        py: Python<'py>,
        is_forward: bool,
        seeds: PyReadonlyArray2<'py, f64>,
    ) -> PyResult<Bound<'py, PyArray2<f64>>> {
        let (direction, from, to) = match is_forward {
            true => (Direction::Forward, &self.inputs, &self.outputs),
            false => (Direction::Reverse, &self.outputs, &self.inputs),
        };
        let seeds = seeds.as_array();
        if seeds.nrows() != from.len() {
            return Err(PyValueError::new_err("there is one row of seeds for each variable"));
        }
        let results = py.detach(|| {
            let evaluation =
                Evaluation { tape: &self.tape, direction, from, to, place: &|bytes| place(bytes) };
            let mut results = Array2::<f64>::zeros((to.len(), seeds.ncols()));
            for first in (0..seeds.ncols()).step_by(WIDEST) {
                let columns = WIDEST.min(seeds.ncols() - first);
                let seed = |variable: usize, column: usize| seeds[[variable, first + column]];
                let rows = evaluation.pass(columns, &seed, &mut |_| ())?;
                for (variable, row) in rows.into_iter().enumerate() {
                    results.slice_mut(s![variable, first..first + columns]).assign(&Array1::from_vec(row));
                }
            }
            Ok(results)
        });
        Ok(results
            .map_err(|error: derivgrind_tape::evaluation::EvaluationError| os_error(error))?
            .into_pyarray(py))
    }

    /// Counts, by their names.
    fn stats<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let tape = &self.tape;
        let counted = py.detach(|| {
            let (mut by_function, mut holes) = ([0u64; Function::ALL.len()], 0u64);
            let counted = tape.visit(&mut |recorded| {
                match recorded.is_hole() {
                    true => holes += 1,
                    false => by_function[recorded.function as usize] += 1,
                }
                Ok(())
            });
            counted.map(|()| (by_function, holes))
        });
        let (by_function, holes) = counted.map_err(os_error)?;
        let stats = PyDict::new(py);
        stats.set_item("bytes", tape.bytes())?;
        stats.set_item("indices", tape.indices() - 1)?;
        stats.set_item("inputs", self.inputs.len())?;
        stats.set_item("outputs", self.outputs.len())?;
        stats.set_item("threads", tape.threads())?;
        stats.set_item("operations", by_function[1..].iter().sum::<u64>())?;
        stats.set_item("passive", holes)?;
        for function in Function::ALL.into_iter().skip(1) {
            stats.set_item(function.name(), by_function[function as usize])?;
        }
        Ok(stats)
    }
}

/// Adjoints that are larger than memory go to a file in the directory for temporary files.
fn place(bytes: u64) -> Place<'static> {
    match available_memory() {
        Some(available) if bytes > available => Place::Directory(Path::new("/var/tmp")),
        _ => Place::Memory,
    }
}

fn os_error(error: impl Display) -> PyErr {
    PyOSError::new_err(error.to_string())
}

fn value_error(error: impl Display) -> PyErr {
    PyValueError::new_err(error.to_string())
}
