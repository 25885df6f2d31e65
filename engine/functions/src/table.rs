//! The table of functions: names, partial derivatives, and what holds at special points.
//!
//! A formula sees the arguments and the value that the client's own library has computed, which often is most of the
//! derivative. Where the value is NaN the partial derivatives are, too; no formula says so again.

use crate::complex::Complex;
use crate::number::Number;
use crate::special::{
    angle, bessel_second_kind, digamma, length, one_over_one_minus_square,
    one_over_square_of_hyperbolic_cosine, remainder, with_base, with_exponent,
};

/// Partial derivatives of a complex function with respect to real and imaginary part: of its real part, and of its
/// imaginary part.
pub type Parts<N> = [[N; 2]; 2];

/// Derivatives with respect to two complex numbers.
type OfComplexTwo<N> = fn(z: Complex<N>, w: Complex<N>, value: Complex<N>) -> [Complex<N>; 2];

/// How a function takes its arguments and what its partial derivatives are. Values come last.
#[derive(Clone, Copy)]
pub enum Rule<N: Number> {
    /// So many arguments; rules for instructions give the derivative, since the function is a few instructions, or
    /// selects one of its arguments.
    Instructions(usize),
    /// So many arguments, and a value that is piecewise constant, or an integer.
    Constant(usize),
    One(fn(x: N, value: N) -> N),
    Two(fn(x: N, y: N, value: N) -> [N; 2]),
    /// The same apart, because one costs much more than the other and is rarely needed.
    EachOfTwo([fn(x: N, y: N, value: N) -> N; 2]),
    Three(fn(x: N, y: N, z: N, value: N) -> [N; 3]),
    /// The same for numbers of 80 bits; for shorter ones it is a few instructions.
    ThreeOfExtended(fn(x: N, y: N, z: N, value: N) -> [N; 3]),
    /// The first general register holds an integer.
    WithInteger(fn(integer: i64, x: N, value: N) -> N),
    /// Both values go through pointers in the first two general registers.
    SineAndCosine,
    /// A holomorphic function of one complex number.
    Complex(fn(z: Complex<N>, value: Complex<N>) -> Complex<N>),
    /// The same of two numbers.
    ComplexTwo(OfComplexTwo<N>),
    /// A complex function of one complex number that is not holomorphic.
    ComplexParts(fn(z: Complex<N>, value: Complex<N>) -> Parts<N>),
    /// A real function of one complex number.
    OfComplex(fn(z: Complex<N>, value: N) -> [N; 2]),
}

/// One function, under all of its names of binary64.
pub struct Row<N: Number> {
    pub names: &'static [&'static str],
    pub rule: Rule<N>,
    /// The derivative, or the partial derivatives, for the documentation. The function's value is `f`.
    pub derivative: &'static str,
    /// What holds at special points, and why.
    pub special: &'static str,
}

/// Partial derivatives of a function that selects, or moves by an amount that does not change.
fn first<N: Number>(_: N, _: N, _: N) -> [N; 2] {
    [N::one(), N::zero()]
}

/// Derivative of `asin`.
fn of_arc_sine<N: Number>(x: N) -> N {
    N::one() / ((N::one() - x) * (N::one() + x)).sqrt()
}

/// `1 / sqrt(1 - z^2)`, as a product of roots that has the branch cuts of the arc sine.
fn of_complex_arc_sine<N: Number>(z: Complex<N>) -> Complex<N> {
    ((Complex::one() - z).sqrt() * (Complex::one() + z).sqrt()).reciprocal()
}

/// `1 / (1 - z^2)`, whose factors do not cancel. Their product may overflow where the quotient does not.
fn of_complex_arc_tangent<N: Number>(z: Complex<N>) -> Complex<N> {
    (Complex::one() - z).reciprocal() * (Complex::one() + z).reciprocal()
}

/// `1 / z^2` for the complex cosine of a number whose exponential function grows with `exponent`.
fn one_over_square<N: Number>(exponent: N, z: Complex<N>) -> Complex<N> {
    if exponent.abs() > N::of(N::LARGEST_SQUARED_EXPONENT) {
        return Complex::zero();
    }
    (z * z).reciprocal()
}

fn with_ten<N: Number>(value: N) -> N {
    value * N::ln_10()
}

fn of_logarithm<N: Number>(x: N) -> N {
    N::one() / x
}

// A row reads best as one line for each of its parts.
#[rustfmt::skip]
impl<N: Number> Row<N> {
    pub const ALL: &'static [Row<N>] = &[
        Row { names: &["acos"], rule: Rule::One(|x, _| -of_arc_sine(x)),
              derivative: "-1 / sqrt(1 - x²)", special: "x = ±1: -∞, the limit" },
        Row { names: &["asin"], rule: Rule::One(|x, _| of_arc_sine(x)),
              derivative: "1 / sqrt(1 - x²)", special: "x = ±1: ∞, the limit" },
        Row { names: &["atan"], rule: Rule::One(|x, _| N::one() / (N::one() + x.square())),
              derivative: "1 / (1 + x²)", special: "" },
        Row { names: &["acospi"], rule: Rule::One(|x, _| -of_arc_sine(x) / N::pi()),
              derivative: "-1 / (π sqrt(1 - x²))", special: "x = ±1: -∞, the limit" },
        Row { names: &["asinpi"], rule: Rule::One(|x, _| of_arc_sine(x) / N::pi()),
              derivative: "1 / (π sqrt(1 - x²))", special: "x = ±1: ∞, the limit" },
        Row { names: &["atanpi"], rule: Rule::One(|x, _| N::one() / (N::pi() * (N::one() + x.square()))),
              derivative: "1 / (π (1 + x²))", special: "" },
        Row { names: &["atan2"], rule: Rule::Two(|y, x, _| angle(y, x)),
              derivative: "x / (x² + y²), -y / (x² + y²)", special: "origin: NaN, since the function is not continuous there" },
        Row { names: &["atan2pi"], rule: Rule::Two(|y, x, _| angle(y, x).map(|partial| partial / N::pi())),
              derivative: "x / (π (x² + y²)), -y / (π (x² + y²))", special: "origin: NaN, since the function is not continuous there" },
        Row { names: &["cos"], rule: Rule::One(|x, _| -x.sin()),
              derivative: "-sin x", special: "" },
        Row { names: &["sin"], rule: Rule::One(|x, _| x.cos()),
              derivative: "cos x", special: "" },
        Row { names: &["tan"], rule: Rule::One(|_, f| N::one() + f.square()),
              derivative: "1 + f²", special: "" },
        Row { names: &["sincos"], rule: Rule::SineAndCosine,
              derivative: "cos x; -sin x", special: "" },
        Row { names: &["cospi"], rule: Rule::One(|x, _| -(N::pi() * x.sin_pi())),
              derivative: "-π sin πx", special: "" },
        Row { names: &["sinpi"], rule: Rule::One(|x, _| N::pi() * x.cos_pi()),
              derivative: "π cos πx", special: "" },
        Row { names: &["tanpi"], rule: Rule::One(|_, f| N::pi() * (N::one() + f.square())),
              derivative: "π (1 + f²)", special: "poles: ∞" },
        Row { names: &["acosh"], rule: Rule::One(|x, _| N::one() / ((x - N::one()).sqrt() * (x + N::one()).sqrt())),
              derivative: "1 / sqrt(x² - 1)", special: "x = 1: ∞, the limit" },
        Row { names: &["asinh"], rule: Rule::One(|x, _| N::one() / Complex::new(N::one(), x).absolute()),
              derivative: "1 / sqrt(x² + 1)", special: "" },
        Row { names: &["atanh"], rule: Rule::One(|x, _| one_over_one_minus_square(x)),
              derivative: "1 / (1 - x²)", special: "x = ±1: ∞, the limit" },
        Row { names: &["cosh"], rule: Rule::One(|x, _| x.sinh()),
              derivative: "sinh x", special: "" },
        Row { names: &["sinh"], rule: Rule::One(|x, _| x.cosh()),
              derivative: "cosh x", special: "" },
        Row { names: &["tanh"], rule: Rule::One(|x, _| one_over_square_of_hyperbolic_cosine(x)),
              derivative: "1 / cosh² x", special: "" },
        Row { names: &["exp"], rule: Rule::One(|_, f| f),
              derivative: "f", special: "" },
        Row { names: &["exp2"], rule: Rule::One(|_, f| f * N::ln_2()),
              derivative: "f ln 2", special: "" },
        Row { names: &["exp10", "pow10"], rule: Rule::One(|_, f| with_ten(f)),
              derivative: "f ln 10", special: "" },
        Row { names: &["expm1"], rule: Rule::One(|x, _| x.exp()),
              derivative: "exp x", special: "" },
        Row { names: &["exp2m1"], rule: Rule::One(|x, _| x.exp2() * N::ln_2()),
              derivative: "2^x ln 2", special: "" },
        Row { names: &["exp10m1"], rule: Rule::One(|x, _| with_ten(N::of(10.0).pow(x))),
              derivative: "10^x ln 10", special: "" },
        Row { names: &["log"], rule: Rule::One(|x, _| of_logarithm(x)),
              derivative: "1 / x", special: "x = ±0: ±∞; x < 0: NaN, as the function" },
        Row { names: &["log2"], rule: Rule::One(|x, _| of_logarithm(x * N::ln_2())),
              derivative: "1 / (x ln 2)", special: "as for log" },
        Row { names: &["log10"], rule: Rule::One(|x, _| of_logarithm(with_ten(x))),
              derivative: "1 / (x ln 10)", special: "as for log" },
        Row { names: &["log1p", "logp1"], rule: Rule::One(|x, _| of_logarithm(N::one() + x)),
              derivative: "1 / (1 + x)", special: "x = -1: ∞, the limit" },
        Row { names: &["log2p1"], rule: Rule::One(|x, _| of_logarithm((N::one() + x) * N::ln_2())),
              derivative: "1 / ((1 + x) ln 2)", special: "x = -1: ∞, the limit" },
        Row { names: &["log10p1"], rule: Rule::One(|x, _| of_logarithm(with_ten(N::one() + x))),
              derivative: "1 / ((1 + x) ln 10)", special: "x = -1: ∞, the limit" },
        Row { names: &["pow"], rule: Rule::EachOfTwo([with_base, with_exponent]),
              derivative: "y x^(y-1), f ln x",
              special: "x = 0: the limits for x from above, so ∂x is ∞ for 0 < y < 1 and 1 for y = 1, ∂y is 0 for y > 0 and -∞ for y ≤ 0; \
                        x < 0 (y is an integer): ∂x as for x > 0, ∂y is NaN, since there is no function for other y; y = 0: ∂x is 0" },
        Row { names: &["powr"], rule: Rule::EachOfTwo([with_base, with_exponent]),
              derivative: "y x^(y-1), f ln x", special: "as for pow" },
        Row { names: &["pown"], rule: Rule::WithInteger(|n, x, f| with_base(x, N::of(n as f64), f)),
              derivative: "n x^(n-1)", special: "n = 0: 0" },
        Row { names: &["rootn"], rule: Rule::WithInteger(|n, x, f| f / (N::of(n as f64) * x)),
              derivative: "f / (n x)", special: "x = 0: NaN" },
        Row { names: &["compoundn"], rule: Rule::WithInteger(|n, x, f| with_base(N::one() + x, N::of(n as f64), f)),
              derivative: "n (1 + x)^(n-1)", special: "n = 0: 0" },
        Row { names: &["rsqrt", "invsqrt"], rule: Rule::One(|x, f| -(f / (x + x))),
              derivative: "-f / (2 x)", special: "x = 0: -∞, the limit" },
        Row { names: &["cbrt"], rule: Rule::One(|_, f| N::one() / (N::of(3.0) * f.square())),
              derivative: "1 / (3 f²)", special: "x = 0: ∞, the limit" },
        Row { names: &["hypot"], rule: Rule::Two(length),
              derivative: "x / f, y / f", special: "origin: 0, the subgradient in the middle; one infinite argument: ±1 and 0" },
        Row { names: &["erf"], rule: Rule::One(|x, _| of_error_function(x)),
              derivative: "2 exp(-x²) / sqrt π", special: "" },
        Row { names: &["erfc"], rule: Rule::One(|x, _| -of_error_function(x)),
              derivative: "-2 exp(-x²) / sqrt π", special: "" },
        Row { names: &["tgamma"], rule: Rule::One(|x, f| f * digamma(x)),
              derivative: "f ψ(x)", special: "x = ±0: -∞, the limit; negative integers: NaN, as the function" },
        Row { names: &["lgamma", "gamma"], rule: Rule::One(|x, _| digamma(x)),
              derivative: "ψ(x)", special: "poles: ∓∞ at ±0, NaN at negative integers" },
        Row { names: &["j0"], rule: Rule::One(|x, _| x.bessel_first_kind(0)),
              derivative: "-J₁(x)", special: "" },
        Row { names: &["j1"], rule: Rule::One(|x, _| x.bessel_first_kind(1)),
              derivative: "(J₀(x) - J₂(x)) / 2", special: "" },
        Row { names: &["jn"], rule: Rule::WithInteger(|n, x, _| x.bessel_first_kind(n)),
              derivative: "(Jₙ₋₁(x) - Jₙ₊₁(x)) / 2", special: "" },
        Row { names: &["y0"], rule: Rule::One(|x, _| bessel_second_kind(0, x)),
              derivative: "-Y₁(x)", special: "x = 0: ∞, the limit" },
        Row { names: &["y1"], rule: Rule::One(|x, _| bessel_second_kind(1, x)),
              derivative: "(Y₀(x) - Y₂(x)) / 2", special: "x = 0: ∞, the limit" },
        Row { names: &["yn"], rule: Rule::WithInteger(|n, x, _| bessel_second_kind(n, x)),
              derivative: "(Yₙ₋₁(x) - Yₙ₊₁(x)) / 2", special: "x = 0: ±∞, the limit" },
        Row { names: &["fdim"], rule: Rule::Two(|x, y, _| if x > y { [N::one(), -N::one()] } else { [N::zero(); 2] }),
              derivative: "1, -1 if x > y, else 0, 0", special: "x = y: 0, 0" },
        Row { names: &["fmod"], rule: Rule::Two(remainder),
              derivative: "1, -n with n = trunc(x / y)", special: "multiples of y: the derivatives on the side of larger |x|" },
        Row { names: &["remainder", "drem"], rule: Rule::Two(remainder),
              derivative: "1, -n with n = the integer nearest to x / y", special: "where two integers are as near: those of the n that the function takes" },
        Row { names: &["remquo"], rule: Rule::Two(remainder),
              derivative: "as for remainder; the integer is passive", special: "" },
        Row { names: &["modf"], rule: Rule::One(|_, _| N::one()),
              derivative: "1; the integral part is piecewise constant", special: "integers: 1" },
        Row { names: &["frexp"], rule: Rule::One(|x, f| if x == N::zero() || !x.is_finite() { N::one() } else { f / x }),
              derivative: "2^-e with the exponent e", special: "0 and ∞: 1" },
        Row { names: &["significand"], rule: Rule::One(|x, f| if x == N::zero() || !x.is_finite() { N::one() } else { f / x }),
              derivative: "2^-e with the exponent e", special: "0 and ∞: 1" },
        Row { names: &["ldexp", "scalbn", "scalbln"], rule: Rule::WithInteger(|n, _, _| N::power_of_two(n)),
              derivative: "2^n", special: "" },
        Row { names: &["scalb"], rule: Rule::Two(|_, y, _| [N::power_of_two(y.to_f64() as i64), N::zero()]),
              derivative: "2^y, 0", special: "" },
        Row { names: &["ceil", "floor", "trunc", "round", "roundeven", "rint", "nearbyint", "fromfp", "fromfpx", "ufromfp", "ufromfpx"],
              rule: Rule::Constant(1),
              derivative: "0, piecewise constant", special: "integers: 0, although the function jumps there" },
        Row { names: &["lrint", "llrint", "lround", "llround", "logb", "ilogb", "llogb"], rule: Rule::Constant(1),
              derivative: "0, piecewise constant", special: "jumps: 0" },
        Row { names: &["finite", "fpclassify", "isinf", "isnan", "issignaling", "signbit"], rule: Rule::Constant(1),
              derivative: "none, the value is no real number", special: "" },
        Row { names: &["iseqsig"], rule: Rule::Constant(2),
              derivative: "none, the value is no real number", special: "" },
        Row { names: &["canonicalize"], rule: Rule::One(|_, _| N::one()),
              derivative: "1", special: "" },
        Row { names: &["fadd"], rule: Rule::Two(|_, _, _| [N::one(), N::one()]),
              derivative: "1, 1", special: "" },
        Row { names: &["fsub"], rule: Rule::Two(|_, _, _| [N::one(), -N::one()]),
              derivative: "1, -1", special: "" },
        Row { names: &["fmul"], rule: Rule::Two(|x, y, _| [y, x]),
              derivative: "y, x", special: "" },
        Row { names: &["fdiv"], rule: Rule::Two(|x, y, _| [N::one() / y, -(x / y / y)]),
              derivative: "1 / y, -x / y²", special: "" },
        Row { names: &["fsqrt"], rule: Rule::One(|x, _| N::one() / (N::of(2.0) * x.sqrt())),
              derivative: "1 / (2 sqrt x)", special: "x = 0: ∞, the limit" },
        Row { names: &["ffma"], rule: Rule::Three(|x, y, _, _| [y, x, N::one()]),
              derivative: "y, x, 1", special: "" },
        Row { names: &["invcbrt"], rule: Rule::One(|x, f| -(f / (N::of(3.0) * x))),
              derivative: "-f / (3 x)", special: "x = 0: -∞, the limit" },
        Row { names: &["erfinv"], rule: Rule::One(|_, f| N::pi().sqrt() / N::of(2.0) / f.exp_of_minus_square()),
              derivative: "sqrt π / 2 exp(f²)", special: "x = ±1: ∞, the limit" },
        Row { names: &["erfcinv"], rule: Rule::One(|_, f| -(N::pi().sqrt() / N::of(2.0) / f.exp_of_minus_square())),
              derivative: "-sqrt π / 2 exp(f²)", special: "x = 0, 2: -∞, the limit" },
        Row { names: &["cdfnorm"], rule: Rule::One(|x, _| normal_density(x)),
              derivative: "exp(-x²/2) / sqrt 2π", special: "" },
        Row { names: &["cdfnorminv"], rule: Rule::One(|_, f| N::one() / normal_density(f)),
              derivative: "sqrt 2π exp(f²/2)", special: "x = 0, 1: ∞, the limit" },
        Row { names: &["sind"], rule: Rule::One(|x, _| one_degree::<N>() * cosine_of_degrees(x)),
              derivative: "π/180 cos(πx/180)", special: "" },
        Row { names: &["cosd"], rule: Rule::One(|x, _| -(one_degree::<N>() * sine_of_degrees(x))),
              derivative: "-π/180 sin(πx/180)", special: "" },
        Row { names: &["tand"], rule: Rule::One(|_, f| one_degree::<N>() * (N::one() + f.square())),
              derivative: "π/180 (1 + f²)", special: "" },
        Row { names: &["sqrt"], rule: Rule::Instructions(1),
              derivative: "1 / (2 f)", special: "x = 0: ∞, the limit; x < 0: NaN from the instruction, 0 where a library returns a constant" },
        Row { names: &["fabs"], rule: Rule::Instructions(1),
              derivative: "1 or -1, with the sign of x", special: "0: by the sign of the zero" },
        Row { names: &["copysign"], rule: Rule::Instructions(2),
              derivative: "1, 0 if the signs agree, else -1, 0", special: "0: by the sign of the zero" },
        Row { names: &["fma"], rule: Rule::ThreeOfExtended(|x, y, _, _| [y, x, N::one()]),
              derivative: "y, x, 1", special: "" },
        Row { names: &["fmax", "fmin", "fmaximum", "fmaximum_mag", "fmaximum_mag_num", "fmaximum_num", "fmaxmag",
                       "fminimum", "fminimum_mag", "fminimum_mag_num", "fminimum_num", "fminmag"],
              rule: Rule::Instructions(2),
              derivative: "1, 0 or 0, 1: those of the argument that is selected", special: "ties: the one that the library's code selects" },
        Row { names: &["nextafter"], rule: Rule::Two(first),
              derivative: "1, 0", special: "" },
        Row { names: &["nexttoward", "nextup", "nextdown"], rule: Rule::One(|_, _| N::one()),
              derivative: "1", special: "" },
        Row { names: &["cexp"], rule: Rule::Complex(|_, f| f),
              derivative: "f", special: "" },
        Row { names: &["clog"], rule: Rule::Complex(|z, _| z.reciprocal()),
              derivative: "1 / z", special: "0: NaN" },
        Row { names: &["clog10"], rule: Rule::Complex(|z, _| z.scaled(N::ln_10()).reciprocal()),
              derivative: "1 / (z ln 10)", special: "0: NaN" },
        Row { names: &["csqrt"], rule: Rule::Complex(|_, f| f.scaled(N::of(2.0)).reciprocal()),
              derivative: "1 / (2 f)", special: "0: NaN" },
        Row { names: &["cpow"], rule: Rule::ComplexTwo(complex_power),
              derivative: "w f / z, f ln z", special: "z = 0: ∂z is 0 where the real part of w is above 1, 1 for w = 1, else NaN; ∂w is 0 where it is positive, else NaN" },
        Row { names: &["csin"], rule: Rule::Complex(|z, _| z.cos()),
              derivative: "cos z", special: "" },
        Row { names: &["ccos"], rule: Rule::Complex(|z, _| -z.sin()),
              derivative: "-sin z", special: "" },
        Row { names: &["ctan"], rule: Rule::Complex(|z, _| one_over_square(z.imaginary, z.cos())),
              derivative: "1 / cos² z", special: "" },
        Row { names: &["csinh"], rule: Rule::Complex(|z, _| z.cosh()),
              derivative: "cosh z", special: "" },
        Row { names: &["ccosh"], rule: Rule::Complex(|z, _| z.sinh()),
              derivative: "sinh z", special: "" },
        Row { names: &["ctanh"], rule: Rule::Complex(|z, _| one_over_square(z.real, z.cosh())),
              derivative: "1 / cosh² z", special: "" },
        Row { names: &["casin"], rule: Rule::Complex(|z, _| of_complex_arc_sine(z)),
              derivative: "1 / sqrt(1 - z²)", special: "±1: NaN" },
        Row { names: &["cacos"], rule: Rule::Complex(|z, _| -of_complex_arc_sine(z)),
              derivative: "-1 / sqrt(1 - z²)", special: "±1: NaN" },
        Row { names: &["catan"], rule: Rule::Complex(|z, _| of_complex_arc_tangent(z.turned())),
              derivative: "1 / (1 + z²)", special: "±i: NaN" },
        Row { names: &["casinh"], rule: Rule::Complex(|z, _| of_complex_arc_sine(z.turned())),
              derivative: "1 / sqrt(1 + z²)", special: "±i: NaN" },
        Row { names: &["cacosh"], rule: Rule::Complex(|z, _| ((z - Complex::one()).sqrt() * (z + Complex::one()).sqrt()).reciprocal()),
              derivative: "1 / (sqrt(z - 1) sqrt(z + 1))", special: "±1: NaN" },
        Row { names: &["catanh"], rule: Rule::Complex(|z, _| of_complex_arc_tangent(z)),
              derivative: "1 / (1 - z²)", special: "±1: NaN" },
        Row { names: &["conj"], rule: Rule::ComplexParts(|_, _| [[N::one(), N::zero()], [N::zero(), -N::one()]]),
              derivative: "real part 1, 0; imaginary part 0, -1", special: "" },
        Row { names: &["cproj"], rule: Rule::ComplexParts(|z, _| projection(z)),
              derivative: "1", special: "infinite numbers: 0" },
        Row { names: &["cabs"], rule: Rule::OfComplex(|z, f| length(z.real, z.imaginary, f)),
              derivative: "Re z / f, Im z / f", special: "0: 0, as for hypot" },
        Row { names: &["carg"], rule: Rule::OfComplex(|z, _| {
                let [imaginary, real] = angle(z.imaginary, z.real);
                [real, imaginary]
              }),
              derivative: "-Im z / |z|², Re z / |z|²", special: "0: NaN, as for atan2" },
        Row { names: &["creal"], rule: Rule::OfComplex(|_, _| [N::one(), N::zero()]),
              derivative: "1, 0", special: "" },
        Row { names: &["cimag"], rule: Rule::OfComplex(|_, _| [N::zero(), N::one()]),
              derivative: "0, 1", special: "" },
    ];
}

fn of_error_function<N: Number>(x: N) -> N {
    N::two_over_root_pi() * x.exp_of_minus_square()
}

/// Density of the normal distribution.
fn normal_density<N: Number>(x: N) -> N {
    let root = N::of(0.5).sqrt();
    let two_pi = N::of(2.0) * N::pi();
    (x * root).exp_of_minus_square() / two_pi.sqrt()
}

fn one_degree<N: Number>() -> N {
    N::pi() / N::of(180.0)
}

/// Half turns less than a whole one, when whole turns have been taken off before the division that rounds.
fn half_turns<N: Number>(degrees: N) -> N {
    let turns = (degrees / N::of(360.0)).rounded();
    (degrees - turns * N::of(360.0)) / N::of(180.0)
}

fn cosine_of_degrees<N: Number>(x: N) -> N {
    half_turns(x).cos_pi()
}

fn sine_of_degrees<N: Number>(x: N) -> N {
    half_turns(x).sin_pi()
}

fn complex_power<N: Number>(z: Complex<N>, w: Complex<N>, value: Complex<N>) -> [Complex<N>; 2] {
    if z.is_zero() {
        let unknown = Complex::new(N::nan(), N::nan());
        let with_base = match w.real > N::one() {
            true => Complex::zero(),
            false if w == Complex::one() => Complex::one(),
            false => unknown,
        };
        return [with_base, if w.real > N::zero() { Complex::zero() } else { unknown }];
    }
    [w * value / z, value * z.ln()]
}

fn projection<N: Number>(z: Complex<N>) -> Parts<N> {
    if !z.real.is_finite() || !z.imaginary.is_finite() {
        return [[N::zero(); 2]; 2];
    }
    [[N::one(), N::zero()], [N::zero(), N::one()]]
}
