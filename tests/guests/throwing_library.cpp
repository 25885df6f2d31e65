// A library whose functions call back into the program and may be left by exceptions, and lose derivatives by
// themselves.
#include <exception>

using Callback = void (*)(int);

static double lost(double x)
{
  return static_cast<double>(static_cast<long long>(x * 0x1p40)) / 0x1p40;
}

struct Guard {
  int& count;
  ~Guard() { ++count; }
};

extern "C" {

int guards = 0;

// The exception goes through.
double closed_calling(double x, Callback callback, int number)
{
  Guard guard{ guards };
  callback(number);
  return 2 * lost(x);
}

// The exception ends here.
double closed_catching(double x, Callback callback, int number)
{
  double result = 3 * lost(x);
  try {
    Guard guard{ guards };
    callback(number);
  } catch (...) {
    result += 1;
  }
  return result;
}

// Caught, thrown on.
double closed_rethrowing(double x, Callback callback, int number)
{
  try {
    callback(number);
  } catch (...) {
    ++guards;
    throw;
  }
  return 4 * lost(x);
}
}
