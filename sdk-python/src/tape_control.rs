//! The tape in the hands of the program that is being recorded.

use crate::requests;
use crate::values::Value;
use derivgrind::tape;
use pyo3::prelude::*;

#[pyfunction]
pub fn tape_position() -> u64 {
    tape::position().unwrap_or(0)
}

#[pyfunction]
pub fn tape_reset(position: u64) -> bool {
    tape::reset(position)
}

#[pyfunction]
#[pyo3(signature = (y, bars = None))]
pub fn tape_reverse<'py>(y: &Bound<'py, PyAny>, bars: Option<&Bound<'py, PyAny>>) -> PyResult<bool> {
    let py = y.py();
    let mut value = Value::of(y, "tape_reverse")?;
    let elements = value.elements();
    let bars: Vec<f64> = match bars {
        Some(bars) => value.each(bars)?,
        None => vec![1.0; elements.count()],
    };
    Ok(py.detach(|| {
        let index = |address| requests::get_index(address, elements.size);
        let indices: Vec<u64> = elements.addresses().map(index).collect();
        tape::reverse(&indices, &bars)
    }))
}

#[pyfunction]
pub fn tape_bars<'py>(x: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    let bar = |address, size| tape::bar(requests::get_index(address, size)).unwrap_or(0.0);
    Value::of(x, "tape_bars")?.ask(x.py(), bar)
}

#[pyfunction]
pub fn tape_clear_bars() {
    tape::clear_bars();
}
