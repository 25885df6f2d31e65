// The cube of a number, and its derivative.
#include <derivgrind.hpp>
#include <cstdio>

int main()
{
  double x = 3.0;

  // Forward mode: the derivative of x with respect to itself is 1.
  derivgrind::set_dotvalue(x, 1.0);
  // Recording: x is an input.
  derivgrind::inputf(x);

  const double y = x * x * x;
  std::printf("value %.17g\n", y);

  if (derivgrind::mode() == derivgrind::Mode::forward) {
    std::printf("derivative %.17g\n", derivgrind::get_dotvalue(y));
  }
  derivgrind::outputf(y);
}
