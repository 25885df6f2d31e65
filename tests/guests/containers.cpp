// Containers, algorithms, virtual functions, exceptions, lambdas and atomics with active data.
#include "check.h"
#include <algorithm>
#include <atomic>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <numeric>
#include <stdexcept>
#include <string>
#include <valarray>
#include <vector>

struct Shape {
  virtual ~Shape() = default;
  virtual REAL area() const = 0;
};

struct Square : Shape {
  REAL side;
  explicit Square(REAL side) : side(side) {}
  REAL area() const override { return side * side; }
};

struct Rectangle : Shape {
  REAL width, height;
  Rectangle(REAL width, REAL height) : width(width), height(height) {}
  REAL area() const override { return width * height; }
};

struct Failure : std::runtime_error {
  REAL value;
  explicit Failure(REAL value) : std::runtime_error("failure"), value(value) {}
};

static APART REAL thrown(REAL x)
{
  if (x > 0)
    throw Failure(x * x);
  return x;
}

int main()
{
  const REAL x = input(1.5, 2), y = input(-0.75, 3);
  std::vector<REAL> grown;
  for (int i = 0; i < 100; i++)
    grown.push_back(x * i + (i % 3 == 0 ? y : 0));
  std::reverse(grown.begin(), grown.end());
  std::vector<REAL> copied(grown);
  std::sort(copied.begin(), copied.end());
  check("sorted", copied[99], 99 * 2 + 3);
  check("sum", std::accumulate(grown.begin(), grown.end(), REAL(0)), 4950 * 2 + 34 * 3);
  check("inner product", std::inner_product(grown.begin(), grown.begin() + 2, copied.begin(), REAL(0)),
        201 * copied[0] + 196 * copied[1] + grown[0] * 3 + grown[1] * 2);
  std::deque<REAL> queue(grown.begin(), grown.end());
  queue.pop_front();
  queue.push_back(x);
  std::rotate(queue.begin(), queue.begin() + 1, queue.end());
  check("deque", queue.back(), 98 * 2);
  std::map<std::string, REAL> named;
  named["x"] = x;
  named["y"] = y;
  named["x"] *= named["y"];
  check("map", named["x"], 2 * y + 3 * x);
  std::vector<std::unique_ptr<Shape>> shapes;
  shapes.emplace_back(new Square(x));
  shapes.emplace_back(new Rectangle(x, y));
  REAL area = 0;
  for (const auto& shape : shapes)
    area += shape->area();
  check("virtual functions", area, 4 * x + 2 * y + 3 * x);
  std::function<REAL(REAL)> line = [=](REAL t) { return x * t + y; };
  check("lambda", line(4), 4 * 2 + 3);
  try {
    thrown(x);
  } catch (const Failure& failure) {
    check("exception", failure.value, 4 * x);
  }
  std::atomic<REAL> shared(x);
  REAL expected = shared.load();
  while (!shared.compare_exchange_weak(expected, expected * y)) {
  }
  check("compare and exchange", shared.load(), 2 * y + 3 * x);
  check("exchange", shared.exchange(y), 2 * y + 3 * x);
  check("atomic", shared, 3);
  std::valarray<REAL> all(x, 33);
  all *= all + y;
  check("valarray", all.sum(), 33 * (2 * x * 2 + 2 * y + 3 * x));
  // Unoptimised code negates the answer in a register that has held the number.
  const auto is_small = [](REAL t) { return t < 4; };
  std::deque<REAL> steps = {x, 2 * x, 3 * x, 4 * x};
  check("not small", *std::find_if_not(steps.begin(), steps.end(), std::cref(is_small)), 3 * 2);
  std::swap(grown, copied);
  std::swap(grown[0], grown[99]);
  check("swap", grown[0], 99 * 2 + 3);
  return 0;
}
