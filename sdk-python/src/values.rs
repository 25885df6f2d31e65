//! What a function of this package takes: a float or a complex number, an array of NumPy's, or one of its scalars.

use crate::elements::Elements;
use crate::requests;
use numpy::npyffi::NPY_ARRAY_WRITEABLE;
use numpy::{PyArray1, PyArrayDescrMethods, PyUntypedArray, PyUntypedArrayMethods};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{IntoPyDict, PyComplex, PyFloat, PyTuple};
use pyo3::IntoPyObjectExt;

/// Numbers that are looked at or marked.
pub enum Value<'py> {
    Float(f64),
    /// Real and imaginary part.
    Complex([f64; 2]),
    Array(Bound<'py, PyUntypedArray>),
    /// The number in an array without dimensions, which nobody else has.
    Scalar(Bound<'py, PyUntypedArray>),
}

impl<'py> Value<'py> {
    /// What `x` is; `function` is for the error, which says what to do.
    pub fn of(x: &Bound<'py, PyAny>, function: &str) -> PyResult<Value<'py>> {
        let py = x.py();
        if let Ok(number) = x.cast_exact::<PyFloat>() {
            return Ok(Value::Float(number.value()));
        }
        if let Ok(number) = x.cast_exact::<PyComplex>() {
            return Ok(Value::Complex([number.real(), number.imag()]));
        }
        if let Some(generic) = numpy_scalar(py)? {
            if let Ok(array) = x.cast::<PyUntypedArray>() {
                check_type(array, function)?;
                return Ok(Value::Array(array.clone()));
            }
            if x.is_instance(generic)? {
                let numpy = py.import(intern!(py, "numpy"))?;
                let array = numpy.call_method1(intern!(py, "array"), (x,))?.cast_into::<PyUntypedArray>()?;
                check_type(&array, function)?;
                return Ok(Value::Scalar(array));
            }
        }
        Err(PyTypeError::new_err(refusal(x, function)?))
    }

    /// Where the numbers are; the addresses are valid while this value exists and is not moved.
    pub fn elements(&mut self) -> Elements {
        let of_numbers = |numbers: &mut [f64], shape: Vec<usize>| Elements {
            start: numbers.as_mut_ptr().expose_provenance(),
            size: size_of::<f64>(),
            strides: vec![size_of::<f64>() as isize; shape.len()],
            shape,
        };
        match self {
            Value::Float(number) => of_numbers(core::slice::from_mut(number), Vec::new()),
            Value::Complex(numbers) => of_numbers(numbers, vec![2]),
            Value::Array(array) | Value::Scalar(array) => of_array(array),
        }
    }

    /// Let `mark` change the shadows of `x`, which this value was made of, or of a copy. Returns what has the new shadows:
    /// of a number `x` itself if `mark` says that there is no tool.
    pub fn marked(
        self,
        x: &Bound<'py, PyAny>,
        copy: bool,
        mark: impl FnOnce(&Elements) -> bool + Send,
    ) -> PyResult<Bound<'py, PyAny>> {
        let py = x.py();
        let mut value = match self {
            Value::Array(array) if copy => {
                Value::Array(array.call_method0(intern!(py, "copy"))?.cast_into()?)
            }
            other => other,
        };
        if let Value::Array(array) = &value {
            check_writeable(array)?;
        }
        if is_native() {
            return if copy { value.into_object(py) } else { Ok(x.clone()) };
        }
        let elements = value.elements();
        let is_marked = without_lock(py, &elements, || mark(&elements));
        match value {
            Value::Array(_) => value.into_object(py),
            _ if is_marked => value.into_object(py),
            _ => Ok(x.clone()),
        }
    }

    /// The dot values: a number, or a new array.
    pub fn dot_values(mut self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let mut dots = self.zeros(py)?;
        if is_native() {
            return dots.into_object(py);
        }
        let (elements, targets) = (self.elements(), dots.elements());
        without_lock(py, &elements, || requests::get_dot_values(&elements, &targets));
        dots.into_object(py)
    }

    /// Ask something about each number: an integer or float for a number, else an array. Complex numbers have two answers,
    /// along a last axis.
    pub fn ask<T>(
        mut self,
        py: Python<'py>,
        question: impl Fn(usize, usize) -> T + Send + Sync,
    ) -> PyResult<Bound<'py, PyAny>>
    where
        T: numpy::Element + IntoPyObject<'py> + Copy,
    {
        let elements = self.elements();
        let ask = || elements.addresses().map(|address| question(address, elements.size)).collect();
        let answers: Vec<T> = without_lock(py, &elements, ask);
        match answers[..] {
            [answer] if elements.shape.is_empty() && !matches!(self, Value::Array(_)) => {
                answer.into_bound_py_any(py)
            }
            _ => {
                let shape = PyTuple::new(py, &elements.shape)?;
                PyArray1::from_vec(py, answers).call_method1(intern!(py, "reshape"), (shape,))
            }
        }
    }

    /// `numbers` in the type and shape of this value, in memory without gaps.
    pub fn like(&self, numbers: &Bound<'py, PyAny>) -> PyResult<Value<'py>> {
        let py = numbers.py();
        Ok(match self {
            Value::Float(_) => Value::Float(numbers.extract()?),
            Value::Complex(_) => {
                let number = py.get_type::<PyComplex>().call1((numbers,))?.cast_into::<PyComplex>()?;
                Value::Complex([number.real(), number.imag()])
            }
            Value::Array(array) | Value::Scalar(array) => {
                let numbers = broadcast(numbers, array.shape())?;
                let options = [("order", "C"), ("casting", "same_kind")].into_py_dict(py)?;
                let numbers = numbers.call_method(intern!(py, "astype"), (array.dtype(),), Some(&options))?;
                Value::Array(numbers.cast_into()?)
            }
        })
    }

    /// An integer or a float for each real number of this value, from one or from an array that is broadcast.
    pub fn each<T>(&mut self, numbers: &Bound<'py, PyAny>) -> PyResult<Vec<T>>
    where
        T: numpy::Element + for<'a> FromPyObject<'a, 'py, Error = PyErr>,
    {
        let py = numbers.py();
        if let Value::Float(_) = self {
            return Ok(vec![numbers.extract()?]);
        }
        let numpy = py.import(intern!(py, "numpy"))?;
        let numbers = numpy.call_method1(intern!(py, "asarray"), (numbers, numpy::dtype::<T>(py)))?;
        let numbers = broadcast(&numbers, &self.elements().shape)?;
        let flat = numbers.call_method0(intern!(py, "ravel"))?.cast_into::<PyArray1<T>>()?;
        use numpy::PyArrayMethods;
        Ok(flat.to_vec()?)
    }

    /// Zeros of the same type and shape.
    fn zeros(&self, py: Python<'py>) -> PyResult<Value<'py>> {
        let zeros = |array: &Bound<'py, PyUntypedArray>| {
            let numpy = py.import(intern!(py, "numpy"))?;
            let shape = PyTuple::new(py, array.shape())?;
            let zeros = numpy.call_method1(intern!(py, "zeros"), (shape, array.dtype()))?;
            Ok::<_, PyErr>(zeros.cast_into::<PyUntypedArray>()?)
        };
        Ok(match self {
            Value::Float(_) => Value::Float(0.0),
            Value::Complex(_) => Value::Complex([0.0; 2]),
            Value::Array(array) => Value::Array(zeros(array)?),
            Value::Scalar(array) => Value::Scalar(zeros(array)?),
        })
    }

    fn into_object(self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        match self {
            Value::Float(number) => Ok(PyFloat::new(py, number).into_any()),
            Value::Complex([real, imaginary]) => Ok(PyComplex::from_doubles(py, real, imaginary).into_any()),
            Value::Array(array) => Ok(array.into_any()),
            Value::Scalar(array) => array.get_item(PyTuple::empty(py)),
        }
    }
}

/// Whether it is a float outside of the tool: the quick way, since such calls stay in programs.
pub fn is_native_float(x: &Bound<'_, PyAny>) -> bool {
    x.is_exact_instance_of::<PyFloat>() && is_native()
}

/// Whether there is no tool: then there is nothing to do.
pub fn is_native() -> bool {
    derivgrind::mode().is_none()
}

/// The type of NumPy's scalars; none if NumPy is not loaded: then there are no arrays, and it is not loaded for that.
fn numpy_scalar(py: Python<'_>) -> PyResult<Option<&Bound<'_, PyAny>>> {
    static GENERIC: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    if let Some(generic) = GENERIC.get(py) {
        return Ok(Some(generic.bind(py)));
    }
    let modules = py.import(intern!(py, "sys"))?.getattr(intern!(py, "modules"))?;
    let Ok(numpy) = modules.get_item(intern!(py, "numpy")) else { return Ok(None) };
    let generic = numpy.getattr(intern!(py, "generic"))?.unbind();
    Ok(Some(GENERIC.get_or_init(py, || generic).bind(py)))
}

/// Run `operation`, for more than a few numbers without the lock of the interpreter.
pub fn without_lock<R: Send>(py: Python<'_>, elements: &Elements, operation: impl FnOnce() -> R + Send) -> R {
    if elements.count() <= 2 {
        operation()
    } else {
        py.detach(operation)
    }
}

fn of_array(array: &Bound<'_, PyUntypedArray>) -> Elements {
    let mut shape = array.shape().to_vec();
    let mut strides = array.strides().to_vec();
    let dtype = array.dtype();
    let mut size = dtype.itemsize();
    if dtype.kind() == b'c' {
        size /= 2;
        shape.push(2);
        strides.push(size as isize);
    }
    // SAFETY: the object is an array of NumPy's.
    let data = unsafe { (*array.as_array_ptr()).fields.data };
    Elements { start: data.expose_provenance(), size, shape, strides }
}

/// `numbers` as an array of this shape.
fn broadcast<'py>(numbers: &Bound<'py, PyAny>, shape: &[usize]) -> PyResult<Bound<'py, PyAny>> {
    let py = numbers.py();
    let shape = PyTuple::new(py, shape)?;
    py.import(intern!(py, "numpy"))?.call_method1(intern!(py, "broadcast_to"), (numbers, shape))
}

/// Arrays of numbers that have shadows: native binary32, binary64, 80 bits, and complex numbers of these.
fn check_type(array: &Bound<'_, PyUntypedArray>, function: &str) -> PyResult<()> {
    let dtype = array.dtype();
    let sizes: &[usize] = match dtype.kind() {
        b'f' => &[4, 8, 16],
        b'c' => &[8, 16, 32],
        _ => &[],
    };
    let advice = match (dtype.kind(), dtype.is_native_byteorder()) {
        (b'f' | b'c', Some(false)) => "convert it by x.astype(x.dtype.newbyteorder('='))",
        _ if sizes.contains(&dtype.itemsize()) => return Ok(()),
        (b'V', _) => "pass its fields one by one, x['field']",
        (b'O', _) => "pass its elements one by one",
        _ => "convert it by x.astype(float)",
    };
    Err(PyTypeError::new_err(format!(
        "{function} takes arrays of float32, float64, longdouble and complex numbers of these, not of {dtype}: {advice}"
    )))
}

fn check_writeable(array: &Bound<'_, PyUntypedArray>) -> PyResult<()> {
    // SAFETY: the object is an array of NumPy's.
    if unsafe { (*array.as_array_ptr()).fields.flags } & NPY_ARRAY_WRITEABLE != 0 {
        return Ok(());
    }
    Err(PyValueError::new_err(
        "the array is read-only, so that its elements cannot be marked: pass copy=True and go on with what is \
         returned, or call x.setflags(write=True) first",
    ))
}

fn refusal(x: &Bound<'_, PyAny>, function: &str) -> PyResult<String> {
    let name = x.get_type().name()?.to_string();
    let advice = match name.as_str() {
        "int" | "bool" | "Fraction" | "Decimal" | "str" => "pass float(x)",
        "list" | "tuple" => "pass numpy.array(x), or its elements one by one",
        _ => "pass its numbers one by one",
    };
    Ok(format!(
        "{function} takes a float, a complex number, or an array or scalar of NumPy, not {name}: {advice}"
    ))
}
