//! Derivatives of Bessel functions of integral order, for numbers of more digits than binary64 has.
//!
//! A derivative is half the difference of the functions of neighbouring orders (DLMF 10.6.1). All orders come from
//! two by the recurrence (10.6.1 as well): upwards where it is stable, which is below the argument and for the second
//! kind, else downwards from far above, where any start gives the right ratios (J. C. P. Miller, Bessel Functions II,
//! 1952). The first two are those of Hankel's asymptotic expansion (10.17) for large arguments. For others the
//! downward recurrence gives all orders up to a factor, which the sum of all even ones determines (10.12.4); and the
//! second kind is a sum of them (G. N. Watson, A Treatise on the Theory of Bessel Functions, 3.572).

use crate::number::Number;

/// From here on the asymptotic expansion has more digits than 80 bits hold.
const ASYMPTOTIC: f64 = 30.0;
/// Up to here the first term of the power series is all that counts.
const TINY: f64 = 1.0 / (1u64 << 36) as f64;
/// Above this order functions of arguments less than half of it are less than any number.
const VANISHING: i64 = 30_000;
/// Numbers of the downward recurrence are made smaller when they are above this.
const LARGE_EXPONENT: i64 = 1000;

/// What is known of one argument: functions of order 0 and 1.
struct Lowest<N> {
    first_kind: [N; 2],
    second_kind: [N; 2],
}

/// Of the first kind.
pub fn derivative_of_first_kind<N: Number>(order: i64, x: N) -> N {
    let (n, t) = (order.abs(), x.abs());
    let is_odd = n % 2 == 1;
    let sign_of_order = order < 0 && is_odd;
    // The derivative of an even function is odd.
    let sign_of_argument = x < N::zero() && !is_odd;
    let magnitude = match n {
        _ if !t.is_finite() => return if t.is_nan() { t } else { N::zero() },
        _ if t < N::of(TINY) => slope_of_power(n, t),
        _ if n > VANISHING && t < N::of(n as f64 / 2.0) => N::zero(),
        _ => {
            let [before, after] = neighbours_of_first_kind(n, t);
            (before - after) * N::of(0.5)
        }
    };
    if sign_of_order != sign_of_argument {
        -magnitude
    } else {
        magnitude
    }
}

/// Of the second kind.
pub fn derivative_of_second_kind<N: Number>(order: i64, x: N) -> N {
    let n = order.abs();
    // A NaN is not above.
    let is_positive = x > N::zero();
    if !is_positive {
        return N::nan();
    }
    if !x.is_finite() {
        return N::zero();
    }
    let [zero, one] = lowest(x).second_kind;
    let [mut before, mut here] = [-one, zero];
    let mut after = one;
    for k in 1..=n {
        (before, here, after) = (here, after, N::of(2.0 * k as f64) / x * after - here);
        if !after.is_finite() {
            // Higher orders are even larger.
            break;
        }
    }
    let slope = if after.is_finite() { (before - after) * N::of(0.5) } else { -after };
    if order < 0 && n % 2 == 1 {
        -slope
    } else {
        slope
    }
}

/// The derivative of `(t / 2)^n / n!`, of `1 - t^2 / 4` if n is 0.
fn slope_of_power<N: Number>(n: i64, t: N) -> N {
    let half = N::of(0.5);
    if n == 0 {
        return -(half * t);
    }
    let mut slope = half;
    for k in 1..n {
        slope = slope * (half * t) / N::of(k as f64);
        if slope == N::zero() {
            break;
        }
    }
    slope
}

/// Functions of the first kind of order n - 1 and n + 1.
fn neighbours_of_first_kind<N: Number>(n: i64, t: N) -> [N; 2] {
    let is_large = t > N::of(ASYMPTOTIC);
    if is_large && N::of((n + 1) as f64) < t {
        let [zero, one] = asymptotic(t).first_kind;
        let [mut before, mut here, mut after] = [-one, zero, one];
        for k in 1..=n {
            (before, here, after) = (here, after, N::of(2.0 * k as f64) / t * after - here);
        }
        return [before, after];
    }
    let downward = Downward::new(n, t);
    let factor = if is_large {
        let [zero, one] = asymptotic(t).first_kind;
        // One of them is near a zero now and then.
        if zero.abs() > one.abs() {
            zero / downward.lowest[0]
        } else {
            one / downward.lowest[1]
        }
    } else {
        N::one() / downward.sum_of_even
    };
    let before = if n == 0 { -downward.lowest[1] } else { downward.before };
    [before * factor, downward.after * factor]
}

/// Functions of the first kind of all orders, up to a common factor.
struct Downward<N> {
    /// Of orders n - 1 and n + 1.
    before: N,
    after: N,
    /// Of orders 0 and 1.
    lowest: [N; 2],
    /// That of order 0, and those of all higher even orders twice.
    sum_of_even: N,
    /// Sums over k from 1 on of those of order 2 k, divided by k, with alternating signs, and of those of order 2 k +
    /// 1, times `(2 k + 1) / (k (k + 1))`.
    sums_for_second_kind: [N; 2],
}

impl<N: Number> Downward<N> {
    fn new(n: i64, t: N) -> Downward<N> {
        let largest = (n + 1).max(t.to_f64() as i64 + 1) as f64;
        // Beyond the largest the functions fall faster and faster, over a distance like the third root.
        let start = largest as i64 + 16 * (libm::cbrt(largest) as i64) + 24;
        let zero = N::zero();
        let mut all = Downward {
            before: zero,
            after: zero,
            lowest: [zero; 2],
            sum_of_even: zero,
            sums_for_second_kind: [zero; 2],
        };
        let (mut above, mut here) = (zero, N::one());
        for order in (0..=start).rev() {
            all.take(order, n, here);
            (above, here) = (here, N::of(2.0 * order as f64) / t * here - above);
            if here.abs() > N::power_of_two(LARGE_EXPONENT) {
                let smaller = N::power_of_two(-LARGE_EXPONENT);
                (above, here) = (above * smaller, here * smaller);
                all.scale(smaller);
            }
        }
        all
    }

    /// The function of this order is `here`.
    fn take(&mut self, order: i64, n: i64, here: N) {
        match order {
            _ if order == n + 1 => self.after = here,
            _ if order == n - 1 => self.before = here,
            _ => {}
        }
        if order < 2 {
            self.lowest[order as usize] = here;
        }
        let k = order / 2;
        let signed = if k % 2 == 0 { here } else { -here };
        let [even, odd] = &mut self.sums_for_second_kind;
        if order % 2 == 0 {
            let twice = N::of(if k == 0 { 1.0 } else { 2.0 });
            self.sum_of_even = self.sum_of_even + twice * here;
            if k > 0 {
                *even = *even + signed / N::of(k as f64);
            }
        } else if k > 0 {
            *odd = *odd + signed * N::of(order as f64) / N::of((k * (k + 1)) as f64);
        }
    }

    fn scale(&mut self, factor: N) {
        self.before = self.before * factor;
        self.after = self.after * factor;
        self.lowest = self.lowest.map(|number| number * factor);
        self.sum_of_even = self.sum_of_even * factor;
        self.sums_for_second_kind = self.sums_for_second_kind.map(|number| number * factor);
    }
}

fn lowest<N: Number>(t: N) -> Lowest<N> {
    if t > N::of(ASYMPTOTIC) {
        return asymptotic(t);
    }
    let two_over_pi = N::of(2.0) / N::pi();
    let logarithm = (t * N::of(0.5)).ln() + N::sum_of(0.577_215_664_901_532_9, -4.942_915_152_430_645e-18);
    if t < N::of(TINY) {
        let half = t * N::of(0.5);
        let second_kind = [two_over_pi * logarithm, -(two_over_pi / t)];
        return Lowest { first_kind: [N::one(), half], second_kind };
    }
    let downward = Downward::new(0, t);
    let factor = N::one() / downward.sum_of_even;
    let [zero, one] = downward.lowest.map(|number| number * factor);
    let [even, odd] = downward.sums_for_second_kind.map(|sum| sum * factor);
    let twice = N::of(2.0);
    let second_kind = [
        two_over_pi * (logarithm * zero - twice * even),
        two_over_pi * ((logarithm - N::one()) * one - odd - zero / t),
    ];
    Lowest { first_kind: [zero, one], second_kind }
}

/// Hankel's expansion.
fn asymptotic<N: Number>(t: N) -> Lowest<N> {
    let amplitude = (N::one() / (N::pi() * t)).sqrt();
    let (sine, cosine) = (t.sin(), t.cos());
    // Sine and cosine of the phase, which is an odd number of eighths of a turn behind, times the root of 2.
    let phases = [[sine - cosine, sine + cosine], [-(sine + cosine), sine - cosine]];
    let both = [0, 1].map(|order: usize| {
        let [sine, cosine] = phases[order];
        let [p, q] = series(order as f64, t);
        (amplitude * (cosine * p - sine * q), amplitude * (sine * p + cosine * q))
    });
    Lowest { first_kind: both.map(|(first, _)| first), second_kind: both.map(|(_, second)| second) }
}

/// The sums of the even terms and of the odd ones.
fn series<N: Number>(order: f64, t: N) -> [N; 2] {
    let mut sums = [N::one(), N::zero()];
    let mut term = N::one();
    let negligible = N::power_of_two(-70);
    for k in 1..60 {
        let odd = f64::from(2 * k - 1);
        let factor = N::of(4.0 * order * order - odd * odd) / (N::of(f64::from(8 * k)) * t);
        term = term * factor;
        let signed = if k / 2 % 2 == 0 { term } else { -term };
        let sum = &mut sums[k as usize % 2];
        *sum = *sum + signed;
        if term.abs() < negligible {
            break;
        }
    }
    sums
}
