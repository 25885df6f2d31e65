/* Client requests of Derivgrind for C++11 and later.
 *
 *     std::vector<double> x = {3.0, 4.0};
 *     derivgrind::inputf(x);                        // recording: all elements are inputs
 *     derivgrind::set_dotvalue(x, {1.0, 0.0});      // forward mode: the direction
 *     double y = x[0] * x[1];
 *     double dot = derivgrind::get_dotvalue(y);
 *     derivgrind::outputf(y);
 *
 * A function takes a number (float, double, long double, or std::complex of these), or a range of numbers: a container,
 * an array, a span, a range of ranges; or two iterators; or a pointer and a length. Other types do not compile. Outside
 * of Derivgrind nothing has an effect, and dot values and indices are zero.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 */
#ifndef DERIVGRIND_HPP
#define DERIVGRIND_HPP

#if __cplusplus < 201103L
#error "derivgrind.hpp needs C++11; derivgrind.h has macros for C++98"
#endif

#include <derivgrind.h>

#include <complex>
#include <cstddef>
#include <cstdlib>
#include <initializer_list>
#include <iterator>
#include <stdexcept>
#include <type_traits>
#include <utility>

namespace derivgrind {

using index_type = derivgrind_index;

/* What Derivgrind does with the program. */
enum class Mode {
  none = 0,
  forward = DERIVGRIND_MODE_FORWARD,
  recording = DERIVGRIND_MODE_RECORDING,
  bit_trick = DERIVGRIND_MODE_BIT_TRICK
};

inline Mode mode()
{
  return static_cast<Mode>(DG_GET_MODE);
}

namespace detail {

template <class T>
struct is_real
    : std::integral_constant<bool, std::is_same<T, float>::value || std::is_same<T, double>::value ||
                                       std::is_same<T, long double>::value> {};

template <class T>
struct is_complex : std::false_type {};
template <class T>
struct is_complex<std::complex<T>> : is_real<T> {};

/* The type of a number's parts. */
template <class T>
struct part {
  using type = T;
};
template <class T>
struct part<std::complex<T>> {
  using type = T;
};

template <class T>
struct is_number : std::integral_constant<bool, is_real<T>::value || is_complex<T>::value> {};

/* A type as it is stored. */
template <class T>
using plain = typename std::remove_cv<typename std::remove_reference<T>::type>::type;

using std::begin;
using std::end;

template <class X>
auto range_test(int) -> decltype(*begin(std::declval<X&>()), end(std::declval<X&>()), std::true_type());
template <class X>
std::false_type range_test(...);
template <class X>
struct is_range : decltype(range_test<X>(0)) {};

/* Real numbers that probably have no gaps between them: for these, one request serves all. */
template <class X>
auto contiguous_test(int)
    -> std::integral_constant<bool, is_real<plain<decltype(*std::declval<X&>().data())>>::value &&
                                        std::is_lvalue_reference<decltype(*begin(std::declval<X&>()))>::value>;
template <class X>
std::false_type contiguous_test(...);
template <class X>
struct is_contiguous : decltype(contiguous_test<X>(0)) {};

/* Do they have none? A row of a matrix may have the address of its first number, too. */
template <class X>
bool has_no_gaps(X& x)
{
  const std::size_t count = static_cast<std::size_t>(x.size());
  if (count == 0) {
    return true;
  }
  auto last = end(x);
  --last;
  return &*begin(x) == x.data() && &*last == x.data() + (count - 1);
}

template <class X>
void assert_number_or_range()
{
  static_assert(is_number<plain<X>>::value || is_range<X>::value,
                "derivgrind: only float, double, long double, std::complex of these, and ranges of them have derivatives");
}

template <class X>
void assert_variable()
{
  static_assert(!std::is_const<X>::value, "derivgrind: a constant cannot become active");
}

/* Bytes that have a meaning: a long double has 10. */
template <class T>
constexpr unsigned long size_of()
{
  return sizeof(T) > 8 ? 10ul : static_cast<unsigned long>(sizeof(T));
}

template <class Pointer>
unsigned long word(Pointer pointer)
{
  return reinterpret_cast<unsigned long>(pointer);
}

[[noreturn]] inline void lengths_differ()
{
#if defined(__cpp_exceptions) || defined(__EXCEPTIONS)
  throw std::length_error("derivgrind: each number needs a dot value");
#else
  std::abort();
#endif
}

/* Real and imaginary part; the standard says that they lie one behind the other. */
template <class T>
T* parts(std::complex<T>& number)
{
  return reinterpret_cast<T*>(&number);
}
template <class T>
const T* parts(const std::complex<T>& number)
{
  return reinterpret_cast<const T*>(&number);
}

/* Calls work(number) for everything in x. */
template <class X, class Work>
typename std::enable_if<is_number<plain<X>>::value>::type each_number(X& x, Work& work)
{
  work(x);
}
template <class X, class Work>
typename std::enable_if<!is_number<plain<X>>::value>::type each_number(X& x, Work& work)
{
  assert_number_or_range<X>();
  for (auto&& element : x) {
    static_assert(std::is_lvalue_reference<decltype(element)>::value,
                  "derivgrind: the elements of this range are not in memory");
    each_number(element, work);
  }
}

/* The same for each part of a complex number. */
template <class Work>
struct Parts {
  Work& work;
  template <class T>
  typename std::enable_if<is_real<plain<T>>::value>::type operator()(T& x)
  {
    work(x);
  }
  template <class T>
  typename std::enable_if<is_complex<plain<T>>::value>::type operator()(T& x)
  {
    work(parts(x)[0]);
    work(parts(x)[1]);
  }
};

template <class X, class Work>
void each(X& x, Work& work)
{
  Parts<Work> each_part = {work};
  each_number(x, each_part);
}

/* Sends a request about all numbers in x and the dot values beside them, and counts refusals. */
template <unsigned long code>
struct Pairs {
  bool served;

  template <class X>
  static void assert_variable_if_set()
  {
    static_assert(code != DERIVGRIND_REQUEST_SET_DOTVALUE || !std::is_const<X>::value,
                  "derivgrind: a constant cannot get a dot value");
  }

  void send(unsigned long x, unsigned long dot, unsigned long size)
  {
    served = derivgrind_request_(code, x, dot, size, 0, 0) == 1 && served;
  }

  /* Numbers. */
  template <class X, class D>
  typename std::enable_if<is_real<plain<X>>::value>::type visit(X& x, D& dot)
  {
    static_assert(std::is_same<plain<X>, plain<D>>::value, "derivgrind: a dot value has the type of its number");
    assert_variable_if_set<X>();
    send(word(&x), word(&dot), size_of<plain<X>>());
  }
  template <class X, class D>
  typename std::enable_if<is_complex<plain<X>>::value>::type visit(X& x, D& dot)
  {
    static_assert(std::is_same<plain<X>, plain<D>>::value, "derivgrind: a dot value has the type of its number");
    visit(parts(x)[0], parts(dot)[0]);
    visit(parts(x)[1], parts(dot)[1]);
  }

  /* Ranges. */
  template <class X, class D>
  typename std::enable_if<!is_number<plain<X>>::value>::type visit(X& x, D& dots)
  {
    assert_number_or_range<X>();
    visit_range(x, dots, std::integral_constant<bool, is_contiguous<X>::value && is_contiguous<D>::value>());
  }
  template <class X, class D>
  void visit_range(X& x, D& dots, std::true_type)
  {
    using T = plain<decltype(*x.data())>;
    static_assert(std::is_same<T, plain<decltype(*dots.data())>>::value,
                  "derivgrind: a dot value has the type of its number");
    if (!has_no_gaps(x) || !has_no_gaps(dots)) {
      visit_range(x, dots, std::false_type());
      return;
    }
    if (static_cast<std::size_t>(x.size()) != static_cast<std::size_t>(dots.size())) {
      lengths_differ();
    }
    visit(x.data(), dots.data(), static_cast<std::size_t>(x.size()));
  }
  template <class X, class D>
  void visit_range(X& x, D& dots, std::false_type)
  {
    auto dot = begin(dots);
    auto dots_end = end(dots);
    for (auto&& element : x) {
      if (dot == dots_end) {
        lengths_differ();
      }
      visit(element, *dot);
      ++dot;
    }
    if (dot != dots_end) {
      lengths_differ();
    }
  }

  template <class T, class D>
  void visit(T* x, D* dots, std::size_t count)
  {
    assert_variable_if_set<T>();
    if (size_of<plain<T>>() == sizeof(T) && is_real<plain<T>>::value) {
      send(word(x), word(dots), static_cast<unsigned long>(count * sizeof(T)));
      return;
    }
    for (std::size_t i = 0; i < count; i++) {
      visit(x[i], dots[i]);
    }
  }
};

using Set_dotvalues = Pairs<DERIVGRIND_REQUEST_SET_DOTVALUE>;
using Get_dotvalues = Pairs<DERIVGRIND_REQUEST_GET_DOTVALUE>;

struct Set_dotvalue_of_all {
  long double dot;
  bool served;
  template <class T>
  void operator()(T& x)
  {
    assert_variable<T>();
    using Number = plain<T>;
    const Number value(static_cast<typename part<Number>::type>(dot));
    Set_dotvalues pair = {true};
    pair.visit(x, value);
    served = pair.served && served;
  }
};

struct Input {
  static constexpr bool takes_temporaries = false;
  bool to_file;
  index_type last;
  template <class T>
  void operator()(T& x)
  {
    assert_variable<T>();
    const double value = static_cast<double>(x);
    last = to_file ? derivgrind_inputf_(word(&x), size_of<T>(), value) : derivgrind_input_(word(&x), size_of<T>(), value);
  }
};

struct Output {
  static constexpr bool takes_temporaries = true;
  bool to_file;
  index_type last;
  template <class T>
  void operator()(const T& x)
  {
    const double value = static_cast<double>(x);
    last = to_file ? derivgrind_outputf_(word(&x), size_of<T>(), value) : derivgrind_output_(word(&x), size_of<T>(), value);
  }
};

struct Mark_float {
  bool served;
  template <class T>
  void operator()(T& x)
  {
    served = derivgrind_mark_float_(word(&x), size_of<T>()) == 1 && served;
  }
};

}  // namespace detail

/* ---- Forward mode. Results tell whether Derivgrind has served the request. ---- */

/* Set the dot value of a number, or the same dot value for all numbers of a range. That of a complex number is real. */
template <class X, class D>
typename std::enable_if<std::is_arithmetic<D>::value, bool>::type set_dotvalue(X&& x, D dot)
{
  static_assert(std::is_lvalue_reference<X>::value || !detail::is_number<detail::plain<X>>::value,
                "derivgrind: only a variable has a dot value");
  detail::Set_dotvalue_of_all work = {static_cast<long double>(dot), true};
  detail::each_number(x, work);
  return work.served;
}

/* Set the dot values of a complex number or of a range. */
template <class X, class D>
typename std::enable_if<!std::is_arithmetic<D>::value, bool>::type set_dotvalue(X&& x, const D& dots)
{
  detail::Set_dotvalues pairs = {true};
  pairs.visit(x, dots);
  return pairs.served;
}
template <class X, class T>
bool set_dotvalue(X&& x, std::initializer_list<T> dots)
{
  return set_dotvalue<X, std::initializer_list<T>>(std::forward<X>(x), dots);
}

/* The dot value of a number. */
template <class T>
typename std::enable_if<detail::is_number<T>::value, T>::type get_dotvalue(const T& x)
{
  T dot = T();
  detail::Get_dotvalues pairs = {true};
  pairs.visit(x, dot);
  return dot;
}

/* Write the dot values of a range to a range of the same length. Where the result is false, that is left as it was. */
template <class X, class D>
bool get_dotvalue(const X& x, D&& dots)
{
  detail::Get_dotvalues pairs = {true};
  pairs.visit(x, dots);
  return pairs.served;
}

/* The same with a pointer and a length. */
template <class T>
bool set_dotvalue(T* x, const T* dots, std::size_t count)
{
  static_assert(detail::is_number<T>::value, "derivgrind: only floating-point numbers have derivatives");
  detail::Set_dotvalues pairs = {true};
  pairs.visit(x, dots, count);
  return pairs.served;
}
template <class T>
bool get_dotvalue(const T* x, T* dots, std::size_t count)
{
  static_assert(detail::is_number<T>::value, "derivgrind: only floating-point numbers have derivatives");
  detail::Get_dotvalues pairs = {true};
  pairs.visit(x, dots, count);
  return pairs.served;
}

/* The same with iterators; there are as many dot values as numbers. */
template <class Iterator, class Dots>
typename std::enable_if<!std::is_integral<Dots>::value, bool>::type set_dotvalue(Iterator first, Iterator last, Dots dots)
{
  detail::Set_dotvalues pairs = {true};
  for (; first != last; ++first, ++dots) {
    pairs.visit(*first, *dots);
  }
  return pairs.served;
}
template <class Iterator, class Dots>
typename std::enable_if<!std::is_integral<Dots>::value, bool>::type get_dotvalue(Iterator first, Iterator last, Dots dots)
{
  detail::Get_dotvalues pairs = {true};
  for (; first != last; ++first, ++dots) {
    pairs.visit(*first, *dots);
  }
  return pairs.served;
}

/* ---- Recording ---- */

/* Declare inputs, or outputs. The result is the index of a real number, or the last one of several; 0 outside of
 * recording mode. Functions whose names end with f write indices to the files for them. */
#define DERIVGRIND_DECLARATION_(name, functor, to_file)                                                                \
  template <class X>                                                                                                   \
  index_type name(X&& x)                                                                                               \
  {                                                                                                                    \
    static_assert(detail::functor::takes_temporaries || std::is_lvalue_reference<X>::value ||                          \
                      !detail::is_number<detail::plain<X>>::value,                                                     \
                  "derivgrind: only a variable can be an input");                                                      \
    detail::functor work = {to_file, 0};                                                                               \
    detail::each(x, work);                                                                                             \
    return work.last;                                                                                                  \
  }                                                                                                                    \
  template <class T>                                                                                                   \
  index_type name(T* x, std::size_t count)                                                                             \
  {                                                                                                                    \
    detail::functor work = {to_file, 0};                                                                               \
    for (std::size_t i = 0; i < count; i++) {                                                                          \
      detail::each(x[i], work);                                                                                        \
    }                                                                                                                  \
    return work.last;                                                                                                  \
  }                                                                                                                    \
  template <class Iterator>                                                                                            \
  index_type name(Iterator first, Iterator last)                                                                       \
  {                                                                                                                    \
    detail::functor work = {to_file, 0};                                                                               \
    for (; first != last; ++first) {                                                                                   \
      detail::each(*first, work);                                                                                      \
    }                                                                                                                  \
    return work.last;                                                                                                  \
  }

DERIVGRIND_DECLARATION_(input, Input, false)
DERIVGRIND_DECLARATION_(inputf, Input, true)
DERIVGRIND_DECLARATION_(output, Output, false)
DERIVGRIND_DECLARATION_(outputf, Output, true)
#undef DERIVGRIND_DECLARATION_

/* The index of a real number. */
template <class T>
index_type get_index(const T& x)
{
  static_assert(detail::is_real<T>::value, "derivgrind: only float, double and long double have an index");
  index_type index = 0;
  DG_GET_INDEX(&x, &index);
  return index;
}
template <class T>
bool set_index(T& x, index_type index)
{
  static_assert(detail::is_real<T>::value, "derivgrind: only float, double and long double have an index");
  return DG_SET_INDEX(&x, &index) == 1;
}

/* What an operation depends on. */
struct Operand {
  index_type index;
  double partial_derivative;
};

/* Record an operation whose partial derivatives are known; its index is 0 if both operands are passive. */
inline index_type new_index(Operand first, Operand second, double value)
{
  index_type index = 0;
  DG_NEW_INDEX(&first.index, &second.index, &first.partial_derivative, &second.partial_derivative, &index, &value);
  return index;
}
/* The same, but it always gets an index. */
inline index_type new_index_noactivityanalysis(Operand first, Operand second, double value)
{
  index_type index = 0;
  DG_NEW_INDEX_NOACTIVITYANALYSIS(&first.index, &second.index, &first.partial_derivative, &second.partial_derivative,
                                  &index, &value);
  return index;
}

enum class Index_file { input = DG_INDEXFILE_INPUT, output = DG_INDEXFILE_OUTPUT };

inline void index_to_file(Index_file file, index_type index)
{
  DG_INDEX_TO_FILE(static_cast<unsigned long>(file), &index);
}

/* While a value of this type lives, operations of this thread are not recorded. */
class Disabled {
public:
  Disabled() { DG_DISABLE(1, 0); }
  ~Disabled() { DG_DISABLE(0, 1); }
  Disabled(const Disabled&) = delete;
  Disabled& operator=(const Disabled&) = delete;
};

/* The tape in the running program. Results are false outside of recording mode. */
namespace tape {

inline bool position(index_type& position)
{
  return DG_TAPE_POSITION(&position) == 1;
}
/* Drop what was recorded since; variables that were computed since must be computed anew. */
inline bool reset(index_type position)
{
  return DG_TAPE_RESET(&position) == 1;
}
/* Evaluate the tape in reverse, with bar values for indices that `output` has returned. */
inline bool reverse(const index_type* indices, const double* bars, std::size_t count)
{
  return DG_TAPE_REVERSE(indices, bars, count) == 1;
}
/* The bar value of an index after the last evaluation. */
inline double bar(index_type index)
{
  double bar = 0.0;
  DG_TAPE_GET_BAR(&index, &bar);
  return bar;
}
inline bool clear_bars()
{
  return DG_TAPE_CLEAR_BARS == 1;
}

}  // namespace tape

/* ---- Bit-trick finding: the result is false in forward mode and in recordings ---- */

/* Flags of a number, as many bytes as it has. */
template <class T>
bool get_flags(const T& x, unsigned char* activity, unsigned char* discreteness)
{
  static_assert(detail::is_real<T>::value, "derivgrind: only floating-point numbers have flags");
  return DG_GET_FLAGS(&x, activity, discreteness, detail::size_of<T>()) == 1;
}
template <class T>
bool set_flags(T& x, const unsigned char* activity, const unsigned char* discreteness)
{
  static_assert(detail::is_real<T>::value, "derivgrind: only floating-point numbers have flags");
  return DG_SET_FLAGS(&x, activity, discreteness, detail::size_of<T>()) == 1;
}
/* All bits of the number, or of those of the range, are active and none is discrete. */
template <class X>
bool mark_float(X&& x)
{
  detail::Mark_float work = {true};
  detail::each(x, work);
  return work.served;
}

}  // namespace derivgrind

#endif  // DERIVGRIND_HPP
