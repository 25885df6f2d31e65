//! The extension module `derivgrind._native`.
//!
//! Python floats are immutable objects, and so are NumPy's scalars. What carries a dot value or an index are the bytes of
//! a number, and instructions that copy them take it along. So a number is marked on this module's stack, and a new
//! object is made of it (`values`); an array is marked where it lies (`elements`).
//!
//! Invariant: outside of the tool nothing is marked, and an argument is returned as it came.

mod elements;
mod recording;
mod requests;
mod tape_control;
mod values;

use derivgrind::Operand;
use pyo3::prelude::*;
use pyo3::types::{PyFloat, PyTuple};
use values::Value;

type Object<'py> = Bound<'py, PyAny>;

#[pyfunction]
#[pyo3(signature = (x, *, copy = false))]
fn inputf<'py>(x: &Object<'py>, copy: bool) -> PyResult<Object<'py>> {
    if values::is_native_float(x) {
        return Ok(x.clone());
    }
    Value::of(x, "inputf")?.marked(x, copy, |elements| {
        let declare = |any, address| any | (requests::declare_input(address, elements.size) != 0);
        elements.addresses().fold(false, declare)
    })
}

#[pyfunction]
fn outputf<'py>(x: &Object<'py>) -> PyResult<Object<'py>> {
    let mut value = Value::of(x, "outputf")?;
    if values::is_native() {
        return Ok(x.clone());
    }
    let elements = value.elements();
    values::without_lock(x.py(), &elements, || {
        elements.addresses().for_each(|address| requests::declare_output(address, elements.size));
    });
    Ok(x.clone())
}

#[pyfunction]
#[pyo3(signature = (x, dot, *, copy = false))]
fn set_dotvalue<'py>(x: &Object<'py>, dot: &Object<'py>, copy: bool) -> PyResult<Object<'py>> {
    if values::is_native_float(x) && dot.is_exact_instance_of::<PyFloat>() {
        return Ok(x.clone());
    }
    let value = Value::of(x, "set_dotvalue")?;
    let mut dots = value.like(dot)?;
    let dots = dots.elements();
    value.marked(x, copy, |elements| requests::set_dot_values(elements, &dots))
}

#[pyfunction]
fn get_dotvalue<'py>(x: &Object<'py>) -> PyResult<Object<'py>> {
    if values::is_native_float(x) {
        return Ok(PyFloat::new(x.py(), 0.0).into_any());
    }
    Value::of(x, "get_dotvalue")?.dot_values(x.py())
}

#[pyfunction]
fn get_index<'py>(x: &Object<'py>) -> PyResult<Object<'py>> {
    Value::of(x, "get_index")?.ask(x.py(), requests::get_index)
}

#[pyfunction]
#[pyo3(signature = (x, index, *, copy = false))]
fn set_index<'py>(x: &Object<'py>, index: &Object<'py>, copy: bool) -> PyResult<Object<'py>> {
    let mut value = Value::of(x, "set_index")?;
    let indices: Vec<u64> = value.each(index)?;
    value.marked(x, copy, |elements| {
        let pairs = elements.addresses().zip(&indices);
        pairs.fold(false, |any, (address, index)| any | requests::set_index(address, elements.size, *index))
    })
}

#[pyfunction]
#[pyo3(signature = (index1, index2 = 0, partial1 = 1.0, partial2 = 0.0))]
fn new_index(index1: u64, index2: u64, partial1: f64, partial2: f64) -> u64 {
    let operands = [(index1, partial1), (index2, partial2)];
    // The value is not known.
    derivgrind::new_index(
        operands.map(|(index, partial_derivative)| Operand { index, partial_derivative }),
        f64::NAN,
    )
}

#[pyfunction]
fn mode() -> Option<&'static str> {
    match derivgrind::mode()? {
        derivgrind::Mode::Forward => Some("forward"),
        derivgrind::Mode::Recording => Some("recording"),
        _ => Some("bit-trick"),
    }
}

/// A context in which this thread records nothing.
#[pyclass(frozen, name = "recording_paused", module = "derivgrind")]
struct RecordingPaused;

#[pymethods]
impl RecordingPaused {
    #[new]
    fn new() -> RecordingPaused {
        RecordingPaused
    }

    fn __enter__(&self) {
        requests::disable(1, 0);
    }

    #[pyo3(signature = (*_exception))]
    fn __exit__(&self, _exception: &Bound<'_, PyTuple>) {
        requests::disable(0, 1);
    }
}

#[pymodule(name = "_native")]
mod native {
    #[pymodule_export]
    #[allow(non_upper_case_globals)]
    const __version__: &str = env!("CARGO_PKG_VERSION");
    #[pymodule_export]
    use super::recording::Recording;
    #[pymodule_export]
    use super::tape_control::{tape_bars, tape_clear_bars, tape_position, tape_reset, tape_reverse};
    #[pymodule_export]
    use super::{
        get_dotvalue, get_index, inputf, mode, new_index, outputf, set_dotvalue, set_index, RecordingPaused,
    };
}
