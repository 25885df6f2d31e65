// What requests cost outside of the tool: nanoseconds of each, one a line.
#include <cstdio>
#include <ctime>
#include <derivgrind.hpp>

constexpr int count = 20000000;

template <class Request>
static void measure(const char* name, Request request)
{
  const std::clock_t start = std::clock();
  for (int i = 0; i < count; i++) {
    request();
  }
  std::printf("%s %.3f\n", name, double(std::clock() - start) / CLOCKS_PER_SEC / count * 1e9);
}

int main()
{
  double x = 1.0;
  measure("set_dotvalue", [&] { derivgrind::set_dotvalue(x, 1.0); });
  measure("get_dotvalue", [&] { derivgrind::get_dotvalue(x); });
  measure("inputf", [&] { derivgrind::inputf(x); });
  measure("outputf", [&] { derivgrind::outputf(x); });
  measure("mode", [] { derivgrind::mode(); });
}
