/* The first example with a source-level tool of reverse mode, ADOL-C, for comparison: the same scheme and the same
 * order of operations, where the type of active variables is its `adouble`.
 *
 *     burgers_adolc SIZE STEPS AMPLITUDE
 *
 * It records twice: into memory that the process has not used before, and into the same memory again. Then it evaluates
 * the tape. Each line of the output is a name and numbers; those of times are wall time and processor time in seconds.
 */
#include <adolc/adouble.h>
#include <adolc/interfaces.h>
#include <adolc/taping.h>

#include <malloc.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <utility>
#include <vector>

namespace {

const short tape = 1;

struct Problem {
  int size;
  int steps;
  double amplitude;
};

/* Times since it was made. */
class Stopwatch {
public:
  void print(const char* name) const
  {
    const std::chrono::duration<double> wall = std::chrono::steady_clock::now() - wall_;
    const double processor = double(std::clock() - processor_) / CLOCKS_PER_SEC;
    std::printf("%s %.6f %.6f\n", name, wall.count(), processor);
  }

private:
  std::chrono::steady_clock::time_point wall_ = std::chrono::steady_clock::now();
  std::clock_t processor_ = std::clock();
};

/* One explicit step in time for both velocities. */
void advance(int size, double time_step, const adouble* u, const adouble* v, adouble* new_u, adouble* new_v)
{
  const double viscosity = 5e-4;
  const double width = 1.0 / (size - 1);
  for (int row = 1; row < size - 1; row++) {
    for (int column = 1; column < size - 1; column++) {
      const int here = row * size + column;
      const adouble& u_here = u[here];
      const adouble& v_here = v[here];
      const adouble speed = sqrt(u_here * u_here + v_here * v_here);
      const adouble local = viscosity * (1.0 + speed);

      const adouble u_west = (u_here - u[here - 1]) / width;
      const adouble u_south = (u_here - u[here - size]) / width;
      const adouble v_west = (v_here - v[here - 1]) / width;
      const adouble v_south = (v_here - v[here - size]) / width;
      const adouble u_sum = u[here - 1] + u[here + 1] + u[here - size] + u[here + size];
      const adouble u_spread = (u_sum - 4.0 * u_here) / (width * width);
      const adouble v_sum = v[here - 1] + v[here + 1] + v[here - size] + v[here + size];
      const adouble v_spread = (v_sum - 4.0 * v_here) / (width * width);

      new_u[here] = u_here + time_step * (local * u_spread - u_here * u_west - v_here * u_south);
      new_v[here] = v_here + time_step * (local * v_spread - u_here * v_west - v_here * v_south);
    }
  }
}

/* The mean speed at the end. */
adouble mean_speed(const Problem& problem, const adouble& amplitude)
{
  const int size = problem.size;
  const std::size_t cells = std::size_t(size) * std::size_t(size);
  std::vector<adouble> u(cells);
  std::vector<adouble> v(cells);
  std::vector<adouble> new_u(cells);
  std::vector<adouble> new_v(cells);
  for (int row = 0; row < size; row++) {
    for (int column = 0; column < size; column++) {
      const double x = column / (size - 1.0);
      const double y = row / (size - 1.0);
      const double bump = 16.0 * x * (1.0 - x) * y * (1.0 - y);
      const int here = row * size + column;
      u[here] = amplitude * bump;
      v[here] = amplitude * bump * x;
      new_u[here] = 0.0;
      new_v[here] = 0.0;
    }
  }
  const double time_step = 0.2 / (size - 1);
  for (int step = 0; step < problem.steps; step++) {
    advance(size, time_step, u.data(), v.data(), new_u.data(), new_v.data());
    std::swap(u, new_u);
    std::swap(v, new_v);
  }
  adouble sum = 0.0;
  for (std::size_t cell = 0; cell < cells; cell++) {
    sum += sqrt(u[cell] * u[cell] + v[cell] * v[cell]);
  }
  return sum / double(cells);
}

/* Record the problem to a tape that stays in memory, with what the reverse evaluation needs. */
double record(const Problem& problem)
{
  /* Numbers of entries for each cell and step, more than are needed: memory that is not written costs nothing. */
  const unsigned visits = unsigned(problem.size) * unsigned(problem.size) * unsigned(problem.steps + 4);
  trace_on(tape, 1, 64 * visits, 192 * visits, 16 * visits, 80 * visits);
  double value;
  {
    adouble amplitude;
    amplitude <<= problem.amplitude;
    adouble result = mean_speed(problem, amplitude);
    result >>= value;
  }
  trace_off();
  return value;
}

} // namespace

int main(int argc, char** argv)
{
  if (argc != 4) {
    std::fprintf(stderr, "usage: burgers_adolc SIZE STEPS AMPLITUDE\n");
    return 2;
  }
  const Problem problem = {std::atoi(argv[1]), std::atoi(argv[2]), std::atof(argv[3])};
  const double visits = double(problem.size) * problem.size * (problem.steps + 4.0);
  if (problem.size < 3 || problem.steps < 0 || visits > 2e7) {
    std::fprintf(stderr, "burgers_adolc: SIZE must be at least 3, STEPS not negative, and both not too large\n");
    return 2;
  }

  /* Memory that is freed stays with the process, so that the second recording finds it. */
  mallopt(M_MMAP_MAX, 0);
  mallopt(M_TRIM_THRESHOLD, -1);

  const Stopwatch first;
  record(problem);
  first.print("recording");
  const Stopwatch second;
  const double value = record(problem);
  second.print("recording-again");

  double bar = 1.0;
  double derivative = 0.0;
  const Stopwatch evaluation;
  if (fos_reverse(tape, 1, 1, &bar, &derivative) < 0) {
    std::fprintf(stderr, "burgers_adolc: the tape cannot be evaluated\n");
    return 1;
  }
  evaluation.print("reverse");

  std::size_t numbers[STAT_SIZE];
  tapestats(tape, numbers);
  if (numbers[OP_FILE_ACCESS] != 0 || numbers[LOC_FILE_ACCESS] != 0 || numbers[VAL_FILE_ACCESS] != 0 ||
      numbers[TAY_STACK_SIZE] > numbers[TAY_BUFFER_SIZE]) {
    std::fprintf(stderr, "burgers_adolc: the tape did not stay in memory\n");
    return 1;
  }
  const std::size_t bytes = numbers[NUM_OPERATIONS] * sizeof(unsigned char) + numbers[NUM_LOCATIONS] * sizeof(locint) +
                            numbers[NUM_VALUES] * sizeof(double) + numbers[TAY_STACK_SIZE] * sizeof(revreal);
  std::printf("operations %zu\nbytes %zu\n", numbers[NUM_OPERATIONS], bytes);
  std::printf("value %.17g\nderivative %.17g\n", value, derivative);
  return 0;
}
