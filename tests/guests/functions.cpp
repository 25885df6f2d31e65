// Functions of C++'s standard library against their derivatives: overloads, complex numbers, arrays, and special
// functions, whose algorithms are in its headers.
#include "check.h"
#include <algorithm>
#include <cmath>
#include <complex>
#include <numeric>
#include <valarray>

typedef std::complex<REAL> Complex;

static REAL active(REAL x)
{
  return input(x, 1);
}

static void real_functions(REAL x)
{
  const REAL pi = std::acos(REAL(-1));
  check("sin", std::sin(active(x)), std::cos(x));
  check("tan", std::tan(active(x)), 1 / (std::cos(x) * std::cos(x)));
  check("exp", std::exp(active(x)), std::exp(x));
  check("log", std::log(active(x)), 1 / x);
  check("pow", std::pow(active(x), REAL(2.5)), REAL(2.5) * std::pow(x, REAL(1.5)));
  check("pow of an integer", std::pow(active(x), 3), 3 * x * x);
  check("hypot of three", std::hypot(active(x), REAL(2), REAL(3)), x / std::hypot(x, REAL(2), REAL(3)));
  check("erf", std::erf(active(x)), 2 / std::sqrt(pi) * std::exp(-x * x));
  check("tgamma", std::tgamma(active(REAL(2))), 1 - REAL(0.577215664901532860606512090082402431L));
  check("fmod", std::fmod(active(x), REAL(0.5)), 1);
  check("lerp", std::lerp(active(x), REAL(4), REAL(0.25)), REAL(0.75));
  check("gcd of conversions", active(x) * REAL(std::gcd(12, 18)), 6);
}

static void complex_functions(REAL x)
{
  const Complex z(x, x / 3), t(active(x), x / 3);
  const auto both = [](const char* name, Complex y, Complex expected) {
    check(name, y.real(), expected.real());
    check(name, y.imag(), expected.imag());
  };
  both("complex sin", std::sin(t), std::cos(z));
  both("complex exp", std::exp(t), std::exp(z));
  both("complex log", std::log(t), REAL(1) / z);
  both("complex sqrt", std::sqrt(t), REAL(0.5) / std::sqrt(z));
  both("complex pow", std::pow(t, REAL(2.5)), REAL(2.5) * std::pow(z, REAL(1.5)));
  both("complex tanh", std::tanh(t), REAL(1) / (std::cosh(z) * std::cosh(z)));
  both("complex asin", std::asin(t), REAL(1) / (std::sqrt(REAL(1) - z) * std::sqrt(REAL(1) + z)));
  both("polar", std::polar(active(x), REAL(2)), std::polar(REAL(1), REAL(2)));
  check("complex abs", std::abs(t), z.real() / std::abs(z));
  check("arg", std::arg(t), -z.imag() / std::norm(z));
  check("norm", std::norm(t), 2 * z.real());
}

static void arrays(REAL x)
{
  std::valarray<REAL> numbers(REAL(0.5), 9);
  numbers[4] = active(x);
  const std::valarray<REAL> sines = std::sin(numbers), powers = std::pow(numbers, REAL(3));
  check("sines", sines.sum(), std::cos(x));
  check("powers", powers.sum(), 3 * x * x);
}

static void special_functions(REAL x)
{
#if __cplusplus >= 201703L
  const REAL u = x / 2;
  check("legendre", std::legendre(3, active(u)), (15 * u * u - 3) / 2);
  check("hermite", std::hermite(4, active(u)), 64 * u * u * u - 96 * u);
  check("laguerre", std::laguerre(2, active(u)), u - 2);
  check("beta", std::beta(active(REAL(2)), REAL(3)), REAL(-13) / 144);
  check("spherical bessel", std::sph_bessel(0, active(x)), (x * std::cos(x) - std::sin(x)) / (x * x));
  check("exponential integral", std::expint(active(x)), std::exp(x) / x);
#endif
}

int main()
{
  volatile REAL unknown = REAL(1.3);
  const REAL x = unknown;
  real_functions(x);
  complex_functions(x);
  arrays(x);
  special_functions(x);
  return 0;
}
