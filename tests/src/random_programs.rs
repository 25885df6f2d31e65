//! Random programs in C: straight code with selections and calls, whose numbers stay within bounds.

use crate::scratch;
use std::fmt::Write;
use std::path::PathBuf;

/// Variables of a program.
const VARIABLES: usize = 10;

/// Numbers that depend on nothing but the seed (multiplier and increment of Knuth's MMIX).
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % bound
    }

    fn variable(&mut self) -> String {
        format!("v[{}]", self.below(VARIABLES))
    }
}

const HEAD: &str = r#"#include "check.h"
#include <math.h>
#include <string.h>
static inline double bounded(double t) { return t / (1 + t * t * 0.01); }
static APART double apart(double a, double b) { return a * 0.75 - b * a * 0.125; }
static APART void exchanged(double* v, int i, int j) { double held = v[i]; v[i] = v[j]; v[j] = -held; }
"#;

/// Writes the program of a seed; the path of its source.
pub fn random_program(seed: u64, statements: usize) -> std::io::Result<PathBuf> {
    let mut random = Random(seed);
    let mut text = String::from(HEAD);
    let mut functions = 0;
    let mut body = String::new();
    for number in 0..statements {
        let [target, a, b] = [random.variable(), random.variable(), random.variable()];
        let statement = match random.below(16) {
            0 | 1 => format!("{target} = bounded({a} + {b});"),
            2 | 3 => format!("{target} = bounded({a} - {b} * 0.5);"),
            4 | 5 => format!("{target} = bounded({a} * {b});"),
            6 => format!("{target} = {a} / ({b} * {b} + 1.5);"),
            7 => format!("{target} = sqrt({a} * {a} + 1) - fabs({b});"),
            8 => format!("{target} = -{a};"),
            9 => format!("{target} = {a} > {b} ? {a} * 0.5 : {b};"),
            10 => format!("{target} = apart({a}, {b});"),
            11 => format!("exchanged(v, {}, {});", random.below(VARIABLES), random.below(VARIABLES)),
            12 => format!("{target} = copysign({a}, {b}) + 0.25;"),
            13 => "for (int i = 0; i < 10; i++) v[i] = bounded(v[i] * 0.9 + w[9 - i]);".to_string(),
            14 => "memcpy(w, v, sizeof w);".to_string(),
            _ => format!("{target} = {a} - {a} + {b};"),
        };
        let _ = writeln!(body, "  {statement}");
        // Blocks of all lengths.
        if random.below(20) == 0 || number + 1 == statements {
            let _ = write!(text, "static APART void part{functions}(double* v, double* w)\n{{\n{body}}}\n");
            body.clear();
            functions += 1;
        }
    }
    text.push_str("int main(void)\n{\n  double v[10], w[10];\n");
    text.push_str("  for (int i = 0; i < 10; i++)\n    v[i] = w[i] = 0.5 * i - 2;\n");
    for number in 0..4 {
        let dot = random.below(9) as f64 - 4.5;
        let _ = writeln!(text, "  v[{number}] = input(v[{number}], {dot:?});");
    }
    // All outputs depend on an input.
    text.push_str("  const double first = v[0];\n");
    for number in 0..functions {
        let _ = writeln!(text, "  part{number}(v, w);");
    }
    text.push_str(
        "  for (int i = 0; i < 10; i++)\n    check(\"variable\", v[i] + first * 0.5, 0);\n  return 0;\n}\n",
    );
    let path = scratch().join(format!("random-{seed}-{statements}-{:x}.c", sum(&text)));
    std::fs::write(&path, text)?;
    Ok(path)
}

/// Tells apart what other versions of this file have written (the hash FNV-1a).
fn sum(text: &str) -> u64 {
    text.bytes()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3))
}
