// Sensitivities of an initial value problem: how many hares there are at the end, with respect to the four parameters of
// the Lotka-Volterra equations
//
//     hares'  = birth * hares - predation * hares * lynxes
//     lynxes' = growth * hares * lynxes - death * lynxes
//
// which the classical Runge-Kutta method integrates.
#include <array>
#include <cstdio>
#include <derivgrind.hpp>

using Parameters = std::array<double, 4>;

struct State {
  double hares;
  double lynxes;
};

static State operator+(State a, State b) { return {a.hares + b.hares, a.lynxes + b.lynxes}; }
static State operator*(double factor, State a) { return {factor * a.hares, factor * a.lynxes}; }

static State slope(const Parameters& p, State state)
{
  const double meetings = state.hares * state.lynxes;
  return {p[0] * state.hares - p[1] * meetings, p[2] * meetings - p[3] * state.lynxes};
}

static double hares_at_the_end(const Parameters& p)
{
  const int steps = 200;
  const double h = 5.0 / steps;
  State state = {10.0, 5.0};
  for (int step = 0; step < steps; step++) {
    const State k1 = slope(p, state);
    const State k2 = slope(p, state + 0.5 * h * k1);
    const State k3 = slope(p, state + 0.5 * h * k2);
    const State k4 = slope(p, state + h * k3);
    state = state + h / 6.0 * (k1 + 2.0 * k2 + 2.0 * k3 + k4);
  }
  return state.hares;
}

int main()
{
  Parameters p = {{1.1, 0.4, 0.1, 0.4}};

  derivgrind::inputf(p);
  const double hares = hares_at_the_end(p);
  derivgrind::outputf(hares);
  std::printf("value %.17g\n", hares);

  if (derivgrind::mode() == derivgrind::Mode::forward) {
    std::printf("derivative");
    for (std::size_t i = 0; i < p.size(); i++) {
      Parameters direction = {};
      direction[i] = 1.0;
      derivgrind::set_dotvalue(p, direction);
      std::printf(" %.17g", derivgrind::get_dotvalue(hares_at_the_end(p)));
    }
    std::printf("\n");
  }
}
