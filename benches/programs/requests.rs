//! What requests cost outside of the tool: nanoseconds of each, one a line.

use std::hint::black_box;
use std::time::Instant;

const COUNT: u32 = 200_000;
const ROUNDS: u32 = 100;

/// The fastest of many rounds: the others were interrupted.
fn measure(name: &str, mut request: impl FnMut()) {
    let mut round = || {
        let start = Instant::now();
        for _ in 0..COUNT {
            request();
        }
        start.elapsed()
    };
    let fastest = (0..ROUNDS).map(|_| round()).min().unwrap_or_default();
    println!("{name} {:.3}", fastest.as_secs_f64() * 1e9 / f64::from(COUNT));
}

fn main() {
    let mut x = 1.0_f64;
    measure("set_dotvalue", || {
        black_box(derivgrind::set_dotvalue(&mut x, 1.0));
    });
    measure("get_dotvalue", || {
        black_box(derivgrind::get_dotvalue(&x));
    });
    measure("inputf", || {
        black_box(derivgrind::inputf(&mut x));
    });
    measure("outputf", || {
        black_box(derivgrind::outputf(&x));
    });
    measure("mode", || {
        black_box(derivgrind::mode());
    });
}
