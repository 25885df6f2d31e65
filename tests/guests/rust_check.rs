//! What `check.h` is for guests in C: inputs, and lines that the test reads.

use std::hint::black_box;

fn hexadecimal(x: f64) -> String {
    let bits = x.to_bits();
    let (exponent, fraction) = (bits >> 52 & 0x7ff, bits & ((1 << 52) - 1));
    let sign = if bits >> 63 == 1 { "-" } else { "" };
    if exponent == 0 {
        return format!("{sign}0x0p+0");
    }
    format!("{sign}0x1.{fraction:013x}p{:+}", exponent as i64 - 1023)
}

fn passive(mut x: f64) -> String {
    derivgrind::set_dotvalue(&mut x, 0.0);
    derivgrind::set_index(&mut x, 0);
    hexadecimal(black_box(x))
}

/// The lines of `check.h`.
pub fn check(name: &str, y: f64, expected: f64) {
    if derivgrind::mode() == Some(derivgrind::Mode::Recording) {
        // A passive output is none, which would be reported.
        let index = if derivgrind::get_index(&y) == 0 { 0 } else { derivgrind::outputf(&y) };
        println!("output# {index} {}", passive(expected));
    }
    let dot = derivgrind::get_dotvalue(&y);
    println!("{name} {} {} {}", passive(y), passive(dot), passive(expected));
}

pub fn input(mut value: f64, dot: f64) -> f64 {
    if derivgrind::mode() == Some(derivgrind::Mode::Recording) {
        println!("input# {} {}", derivgrind::inputf(&mut value), passive(dot));
    } else {
        derivgrind::set_dotvalue(&mut value, dot);
    }
    black_box(value)
}
