//! Slices, iterators, traits, threads and channels, in Rust.

#[path = "rust_check.rs"]
mod rust_check;

use rust_check::{check, input};
use std::collections::BTreeMap;
use std::hint::black_box;
use std::sync::mpsc;

trait Function {
    fn value(&self, x: f64) -> f64;
}

struct Line(f64, f64);
struct Parabola(f64);

impl Function for Line {
    fn value(&self, x: f64) -> f64 {
        self.0 * x + self.1
    }
}

impl Function for Parabola {
    fn value(&self, x: f64) -> f64 {
        self.0 * x * x
    }
}

fn main() {
    let (x, y) = (input(1.5, 2.0), input(-0.5, 3.0));
    let all: Vec<f64> = (0..50).map(|i| x * f64::from(i) + y).collect();
    check("sum", all.iter().sum(), 1225.0 * 2.0 + 50.0 * 3.0);
    check("fold", all.iter().fold(f64::MIN, |a, b| if a > *b { a } else { *b }), 49.0 * 2.0 + 3.0);
    let mut sorted = all.clone();
    sorted.reverse();
    sorted.sort_by(|a, b| a.partial_cmp(b).unwrap());
    check("sort", sorted[7], 17.0);
    let functions: Vec<Box<dyn Function>> = vec![Box::new(Line(x, y)), Box::new(Parabola(y))];
    let total: f64 = functions.iter().map(|function| function.value(x)).sum();
    check("trait objects", total, 2.0 * x * 2.0 + 3.0 + 3.0 * x * x + y * 2.0 * x * 2.0);
    check("sqrt", (x * x + y * y).sqrt(), (2.0 * x + 3.0 * y) / (x * x + y * y).sqrt());
    check("abs", y.abs(), -3.0);
    check("clamp", x.clamp(0.0, 1.0), 0.0);
    check("copysign", x.copysign(y), -2.0);
    check("powi", x.powi(7), 7.0 * x.powi(6) * 2.0);
    let mut map = BTreeMap::new();
    map.insert("x", x);
    *map.get_mut("x").unwrap() *= y;
    check("map", map["x"], 2.0 * y + 3.0 * x);
    let (sender, receiver) = mpsc::channel();
    let worker = std::thread::spawn(move || receiver.iter().map(|value: f64| value * value).sum::<f64>());
    for i in 0..10 {
        sender.send(x * f64::from(i)).unwrap();
    }
    drop(sender);
    check("channel", worker.join().unwrap(), 285.0 * 2.0 * x * 2.0);
    let caught = std::panic::catch_unwind(|| {
        std::panic::resume_unwind(Box::new(x * 4.0));
    });
    check("panic", *caught.unwrap_err().downcast::<f64>().unwrap(), 8.0);
    let option = black_box(Some(x));
    check("option", option.map_or(0.0, |value| value * 2.0), 4.0);
}
