//! Sections of a program that are not recorded.

use crate::request::request;
use crate::requests::DISABLE;
use core::marker::PhantomData;

/// While a value of this type lives, operations of this thread are not recorded: their results are passive.
///
/// Guards nest. Forward mode goes on propagating dot values; there a guard only silences the output of
/// difference-quotient debugging.
///
/// ```
/// let mut x = 3.0_f64;
/// derivgrind::inputf(&mut x);
/// let unrecorded = derivgrind::without_recording(|| x * x);
/// assert_eq!(derivgrind::get_index(&unrecorded), 0);
/// ```
#[derive(Debug)]
#[must_use = "recording goes on as soon as the guard is dropped"]
pub struct Disabled {
    /// The counter belongs to a thread, so that a guard must not be sent to another one.
    not_send: PhantomData<*const ()>,
}

impl Disabled {
    #[inline]
    pub fn new() -> Disabled {
        change_counter(1, 0);
        Disabled { not_send: PhantomData }
    }
}

impl Default for Disabled {
    #[inline]
    fn default() -> Disabled {
        Disabled::new()
    }
}

impl Drop for Disabled {
    #[inline]
    fn drop(&mut self) {
        change_counter(0, 1);
    }
}

/// Run `section` without recording it.
#[inline]
pub fn without_recording<R>(section: impl FnOnce() -> R) -> R {
    let _guard = Disabled::new();
    section()
}

#[inline]
fn change_counter(plus: usize, minus: usize) {
    // SAFETY: the arguments are numbers.
    unsafe { request(DISABLE, [plus, minus, 0, 0, 0], 0) };
}
