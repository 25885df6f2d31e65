// The gradient of the Rosenbrock function: in forward mode a run of the function for each input, in recording mode all at
// once.
#include <derivgrind.hpp>
#include <cstdio>
#include <vector>

static double rosenbrock(const std::vector<double>& x)
{
  double sum = 0.0;
  for (std::size_t i = 0; i + 1 < x.size(); i++) {
    const double valley = x[i + 1] - x[i] * x[i];
    const double distance = 1.0 - x[i];
    sum += 100.0 * valley * valley + distance * distance;
  }
  return sum;
}

int main()
{
  std::vector<double> x = {-1.2, 1.0, 0.5, 2.0};

  derivgrind::inputf(x);
  const double y = rosenbrock(x);
  derivgrind::outputf(y);
  std::printf("value %.17g\n", y);

  if (derivgrind::mode() == derivgrind::Mode::forward) {
    std::printf("derivative");
    for (std::size_t i = 0; i < x.size(); i++) {
      std::vector<double> direction(x.size());
      direction[i] = 1.0;
      derivgrind::set_dotvalue(x, direction);
      std::printf(" %.17g", derivgrind::get_dotvalue(rosenbrock(x)));
    }
    std::printf("\n");
  }
}
