//! What a sweep carries for each index: columns of numbers, or whether a path leads there.

/// The adjoint or the tangent of one index.
///
/// A cell that is zero contributes nothing, also through a partial derivative that is infinite or NaN. A partial
/// derivative that is zero contributes nothing, also of a cell that is infinite or NaN: so the edge of a domain where
/// everything is constant does not spoil a gradient.
pub trait Cell: Copy {
    const ZERO: Self;
    /// Adding what a zero cell contributes costs no more than finding out that it is zero.
    const ZERO_IS_HARMLESS: bool;
    /// A cell is one binary64 number, and nothing else is.
    const IS_ONE_COLUMN: bool;
    fn is_zero(&self) -> bool;
    /// Add `partial * other`.
    fn add_scaled(&mut self, partial: f64, other: &Self);
    /// Add `other`, or subtract it if `sign` is the sign bit of a binary64.
    fn add_signed(&mut self, sign: u64, other: &Self);
}

/// The sign bit of a binary64.
pub const SIGN_BIT: u64 = 1 << 63;

impl<const COLUMNS: usize> Cell for [f64; COLUMNS] {
    const ZERO: Self = [0.0; COLUMNS];
    const ZERO_IS_HARMLESS: bool = COLUMNS == 1;
    const IS_ONE_COLUMN: bool = COLUMNS == 1;

    #[inline(always)]
    fn is_zero(&self) -> bool {
        let mut zero = true;
        for column in self {
            zero &= *column == 0.0;
        }
        zero
    }

    #[inline(always)]
    fn add_scaled(&mut self, partial: f64, other: &Self) {
        for column in 0..COLUMNS {
            let product = partial * other[column];
            // Zero times anything is zero or NaN: one comparison, mostly of no consequence, instead of two.
            if product.is_nan() && is_nothing(partial, other[column]) {
                continue;
            }
            self[column] += product;
        }
    }

    #[inline(always)]
    fn add_signed(&mut self, sign: u64, other: &Self) {
        for column in 0..COLUMNS {
            self[column] += f64::from_bits(other[column].to_bits() ^ sign);
        }
    }
}

/// Whether a product that is NaN has a factor that is zero. Out of line, so that the common case is a branch and not a
/// computation of both.
#[cold]
#[inline(never)]
fn is_nothing(partial: f64, other: f64) -> bool {
    partial == 0.0 || other == 0.0
}

/// Whether an index is connected with one of the seeds, through whatever partial derivatives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, bytemuck::Zeroable, bytemuck::Pod)]
#[repr(transparent)]
pub struct Reached(u8);

impl Reached {
    pub const YES: Reached = Reached(1);
}

impl Cell for Reached {
    const ZERO: Self = Reached(0);
    const ZERO_IS_HARMLESS: bool = true;
    const IS_ONE_COLUMN: bool = false;

    #[inline(always)]
    fn is_zero(&self) -> bool {
        self.0 == 0
    }

    #[inline(always)]
    fn add_scaled(&mut self, _partial: f64, other: &Self) {
        self.0 |= other.0;
    }

    #[inline(always)]
    fn add_signed(&mut self, _sign: u64, other: &Self) {
        self.0 |= other.0;
    }
}
