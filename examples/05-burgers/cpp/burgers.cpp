// Two-dimensional Burgers' equation, differentiated with respect to the amplitude of the initial velocity.
//
//     burgers SIZE STEPS AMPLITUDE
//
// ../c/burgers.c says what is computed.
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <derivgrind.hpp>
#include <utility>
#include <vector>

class Field {
public:
  explicit Field(int size) : size(size), values(static_cast<std::size_t>(size) * static_cast<std::size_t>(size)) {}

  double& operator()(int row, int column) { return values[static_cast<std::size_t>(row * size + column)]; }
  double operator()(int row, int column) const { return values[static_cast<std::size_t>(row * size + column)]; }

private:
  int size;
  std::vector<double> values;
};

struct Velocity {
  explicit Velocity(int size) : u(size), v(size) {}
  Field u;
  Field v;
};

// One explicit step in time for one component.
static double advanced(const Field& field, const Velocity& old, int row, int column, double width, double time_step)
{
  const double u = old.u(row, column);
  const double v = old.v(row, column);
  const double local = 5e-4 * (1.0 + std::sqrt(u * u + v * v));
  const double here = field(row, column);
  // Velocities are not negative: upwind is west and south.
  const double west = (here - field(row, column - 1)) / width;
  const double south = (here - field(row - 1, column)) / width;
  const double sum = field(row, column - 1) + field(row, column + 1) + field(row - 1, column) + field(row + 1, column);
  const double spread = (sum - 4.0 * here) / (width * width);
  return here + time_step * (local * spread - u * west - v * south);
}

int main(int argc, char** argv)
{
  if (argc != 4) {
    std::fprintf(stderr, "usage: burgers SIZE STEPS AMPLITUDE\n");
    return 2;
  }
  const int size = std::atoi(argv[1]);
  const int steps = std::atoi(argv[2]);
  double amplitude = std::atof(argv[3]);

  // (1) The amplitude is the input.
  derivgrind::set_dotvalue(amplitude, 1.0);
  derivgrind::inputf(amplitude);

  Velocity now(size);
  Velocity next(size);
  const double width = 1.0 / (size - 1);
  for (int row = 0; row < size; row++) {
    for (int column = 0; column < size; column++) {
      const double x = column / (size - 1.0);
      const double y = row / (size - 1.0);
      const double bump = 16.0 * x * (1.0 - x) * y * (1.0 - y);
      now.u(row, column) = amplitude * bump;
      now.v(row, column) = amplitude * bump * x;
    }
  }
  const double time_step = 0.2 * width;
  for (int step = 0; step < steps; step++) {
    for (int row = 1; row < size - 1; row++) {
      for (int column = 1; column < size - 1; column++) {
        next.u(row, column) = advanced(now.u, now, row, column, width, time_step);
        next.v(row, column) = advanced(now.v, now, row, column, width, time_step);
      }
    }
    std::swap(now, next);
  }
  double sum = 0.0;
  for (int row = 0; row < size; row++) {
    for (int column = 0; column < size; column++) {
      sum += std::hypot(now.u(row, column), now.v(row, column));
    }
  }
  const double mean_speed = sum / (static_cast<double>(size) * size);
  std::printf("value %.17g\n", mean_speed);

  // (2) Natively there is no derivative to be printed.
  if (derivgrind::mode() == derivgrind::Mode::forward) {
    // (3) The derivative of the result.
    std::printf("derivative %.17g\n", derivgrind::get_dotvalue(mean_speed));
  }
  derivgrind::outputf(mean_speed);
}
