/* Each request by the functions of derivgrind.hpp, in whatever mode the program runs. */
#include "expect.h"
#include <array>
#include <complex>
#include <deque>
#include <derivgrind.hpp>
#include <list>
#include <valarray>
#include <vector>
#if __cplusplus >= 202002L
#include <span>
#endif

namespace dg = derivgrind;

static bool forward() { return dg::mode() == dg::Mode::forward; }
static bool recording() { return dg::mode() == dg::Mode::recording; }

/* What is expected in forward mode, else zero. */
template <class T>
static T seen(T dot)
{
  return forward() ? dot : T();
}

template <class T>
static void scalars()
{
  T x = 3;
  EXPECT(dg::set_dotvalue(x, T(1)) == forward());
  const T y = x * x;
  EXPECT(y == T(9) && dg::get_dotvalue(y) == seen(T(6)));
  /* A dot value of another type is converted. */
  dg::set_dotvalue(x, 2);
  EXPECT(dg::get_dotvalue(x) == seen(T(2)));

  std::complex<T> z(1, 2);
  EXPECT(dg::set_dotvalue(z, std::complex<T>(T(0.5), T(0.25))) == forward());
  const std::complex<T> w(z.real() * 2, z.imag() * 4);
  EXPECT(dg::get_dotvalue(w) == seen(std::complex<T>(1, 1)));
  /* A real direction. */
  EXPECT(dg::set_dotvalue(z, 2) == forward());
  EXPECT(dg::get_dotvalue(z) == seen(std::complex<T>(2, 0)));
}

/* A row of a matrix whose rows lie one beside the other, as libraries of matrices have it. */
template <class T>
struct Row {
  struct Iterator {
    T* place;
    T& operator*() const { return *place; }
    Iterator& operator++() { return place += 2, *this; }
    Iterator& operator--() { return place -= 2, *this; }
    bool operator==(const Iterator& other) const { return place == other.place; }
    bool operator!=(const Iterator& other) const { return place != other.place; }
  };
  T* first;
  T* data() { return first; }
  std::size_t size() const { return 2; }
  Iterator begin() { return {first}; }
  Iterator end() { return {first + 4}; }
};

template <class T>
static void strides()
{
  T matrix[4] = {};
  Row<T> row = {matrix + 1};
  EXPECT(dg::set_dotvalue(row, std::vector<T>{1, 2}) == forward());
  EXPECT(dg::get_dotvalue(matrix[1]) == seen(T(1)) && dg::get_dotvalue(matrix[3]) == seen(T(2)));
  EXPECT(dg::get_dotvalue(matrix[2]) == T());
  T dots[4] = {};
  Row<T> found = {dots};
  dg::get_dotvalue(std::vector<T>{matrix[1], matrix[3]}, found);
  EXPECT(dots[0] == seen(T(1)) && dots[1] == T() && dots[2] == seen(T(2)));
}

template <class T>
static void ranges()
{
  std::vector<T> x = {1, 2, 4};
  std::vector<T> dots(3);
  EXPECT(dg::set_dotvalue(x, std::vector<T>{1, 0, 2}) == forward());
  for (T& element : x) {
    element *= T(0.5);
  }
  EXPECT(dg::get_dotvalue(x, dots) == forward());
  EXPECT(dots == (std::vector<T>{seen(T(0.5)), 0, seen(T(1))}));
  dg::set_dotvalue(x, 7);
  EXPECT(dg::get_dotvalue(x[1]) == seen(T(7)));
  dg::set_dotvalue(x, {T(1), T(2), T(3)});
  EXPECT(dg::get_dotvalue(x[2]) == seen(T(3)));

  std::list<T> list(2);
  dg::set_dotvalue(list, std::array<T, 2>{{5, 6}});
  EXPECT(dg::get_dotvalue(list.back()) == seen(T(6)));
  std::deque<T> deque(2);
  dg::set_dotvalue(deque.begin(), deque.end(), x.begin());
  std::valarray<T> valarray(2);
  dg::set_dotvalue(valarray, x[0] * 0 + 3);
  EXPECT(dg::get_dotvalue(valarray[1]) == seen(T(3)));

  T matrix[2][3] = {};
  const T directions[2][3] = {{1, 2, 3}, {4, 5, 6}};
  dg::set_dotvalue(matrix, directions);
  EXPECT(dg::get_dotvalue(matrix[1][0]) == seen(T(4)));
  T found[3] = {};
  EXPECT(dg::get_dotvalue(matrix[1], found, 3) == forward());
  EXPECT(found[2] == seen(T(6)));
  EXPECT(dg::set_dotvalue(matrix[0], directions[1], 3) == forward());
  EXPECT(dg::get_dotvalue(matrix[0][1]) == seen(T(5)));
  EXPECT(dg::get_dotvalue(x.begin(), x.end(), dots.begin()) == forward());
  std::vector<std::complex<T>> numbers(2);
  dg::set_dotvalue(numbers, std::vector<std::complex<T>>(2, std::complex<T>(1, 2)));
  EXPECT(dg::get_dotvalue(numbers[1]) == seen(std::complex<T>(1, 2)));
#if __cplusplus >= 202002L
  dg::set_dotvalue(std::span<T>(x).subspan(1), 9);
  EXPECT(dg::get_dotvalue(x[0]) == seen(T(1)) && dg::get_dotvalue(x[2]) == seen(T(9)));
#endif
  bool thrown = false;
  try {
    dg::set_dotvalue(x, std::vector<T>(2));
  } catch (const std::length_error&) {
    thrown = true;
  }
  EXPECT(thrown);
}

/* The derivative of what `output` stands for with respect to `input`. */
static double derivative(dg::index_type output, dg::index_type input)
{
  const double one = 1.0;
  EXPECT(dg::tape::reverse(&output, &one, 1) == recording());
  const double bar = dg::tape::bar(input);
  EXPECT(dg::tape::clear_bars() == recording());
  return bar;
}

template <class T>
static void indices()
{
  const double six = recording() ? 6.0 : 0.0;
  dg::index_type position = 0;
  EXPECT(dg::tape::position(position) == recording());
  T x = 3;
  const dg::index_type input = dg::input(x);
  EXPECT((input != 0) == recording() && dg::get_index(x) == input);
  EXPECT(derivative(dg::output(x * x), input) == six);

  std::vector<std::vector<T>> rows(2, std::vector<T>(2, 3));
  dg::input(rows);
  EXPECT((dg::get_index(rows[0][0]) != 0) == recording());
  EXPECT(derivative(dg::output(rows[1][1] * rows[1][1]), dg::get_index(rows[1][1])) == six);
  T array[2] = {3, 3};
  EXPECT((dg::input(array, 2) != 0) == recording());
  EXPECT(derivative(dg::output(array, array + 1), dg::get_index(array[0])) == six / 6);
  std::complex<T> z(3, 1);
  const dg::index_type imaginary = dg::input(z);
  EXPECT(derivative(dg::output(z.imag() * 6), imaginary) == six);

  const dg::index_type own = dg::new_index({input, 0.5}, {0, 0.0}, 1.5);
  T y = 1;
  EXPECT(dg::set_index(y, own) == recording() && dg::get_index(y) == own);
  EXPECT(derivative(own, input) == six / 12);
  EXPECT(dg::new_index({0, 0.5}, {0, 0.0}, 1.5) == 0);
  EXPECT((dg::new_index_noactivityanalysis({0, 0.0}, {0, 0.0}, 1.5) != 0) == recording());
  {
    const dg::Disabled pause;
    y = x * x;
  }
  EXPECT(dg::output(y) == 0);
  EXPECT(dg::tape::reset(position) == recording());
}

int main()
{
  scalars<float>();
  scalars<double>();
  scalars<long double>();
  ranges<float>();
  ranges<double>();
  ranges<long double>();
  strides<float>();
  strides<double>();
  strides<long double>();
  indices<float>();
  indices<double>();
  indices<long double>();

  double x = 1.0;
  unsigned char flags[8] = {};
  EXPECT(!dg::set_flags(x, flags, flags) && !dg::get_flags(x, flags, flags) && !dg::mark_float(x));
  float single = 2;
  dg::inputf(single);
  long double extended = 2;
  dg::inputf(extended);
  dg::outputf(double(single * float(extended)));
  dg::index_to_file(dg::Index_file::input, 0);
  return failures != 0;
}
