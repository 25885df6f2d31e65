// Derivatives through a linear solver with pivoting: the sum of the solution x of (A + shift) x = b, with respect to the
// shift of the diagonal and to b.
#include <array>
#include <cmath>
#include <cstdio>
#include <derivgrind.hpp>
#include <numeric>
#include <utility>

constexpr std::size_t size = 3;
using Vector = std::array<double, size>;

struct Input {
  double shift;
  Vector b;
};

static double sum_of_solution(const Input& input)
{
  std::array<Vector, size> a = {{{{0.5, 2.0, 1.0}}, {{3.0, 1.0, -1.0}}, {{1.0, -4.0, 2.0}}}};
  Vector x = input.b;
  for (std::size_t row = 0; row < size; row++) {
    a[row][row] += input.shift;
  }
  for (std::size_t column = 0; column < size; column++) {
    std::size_t pivot = column;
    for (std::size_t row = column + 1; row < size; row++) {
      if (std::fabs(a[row][column]) > std::fabs(a[pivot][column])) {
        pivot = row;
      }
    }
    std::swap(a[column], a[pivot]);
    std::swap(x[column], x[pivot]);
    for (std::size_t row = column + 1; row < size; row++) {
      const double factor = a[row][column] / a[column][column];
      for (std::size_t k = column; k < size; k++) {
        a[row][k] -= factor * a[column][k];
      }
      x[row] -= factor * x[column];
    }
  }
  for (std::size_t row = size; row-- > 0;) {
    for (std::size_t k = row + 1; k < size; k++) {
      x[row] -= a[row][k] * x[k];
    }
    x[row] /= a[row][row];
  }
  return std::accumulate(x.begin(), x.end(), 0.0);
}

// The derivative in a direction.
static double derivative(Input input, double shift_dot, const Vector& b_dot)
{
  derivgrind::set_dotvalue(input.shift, shift_dot);
  derivgrind::set_dotvalue(input.b, b_dot);
  return derivgrind::get_dotvalue(sum_of_solution(input));
}

int main()
{
  Input input = {0.25, {{1.0, 2.0, 3.0}}};

  derivgrind::inputf(input.shift);
  derivgrind::inputf(input.b);
  const double sum = sum_of_solution(input);
  derivgrind::outputf(sum);
  std::printf("value %.17g\n", sum);

  if (derivgrind::mode() == derivgrind::Mode::forward) {
    std::printf("derivative %.17g", derivative(input, 1.0, Vector()));
    for (std::size_t i = 0; i < size; i++) {
      Vector direction = {};
      direction[i] = 1.0;
      std::printf(" %.17g", derivative(input, 0.0, direction));
    }
    std::printf("\n");
  }
}
