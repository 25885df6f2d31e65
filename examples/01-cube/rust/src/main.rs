//! The cube of a number, and its derivative.

use derivgrind::Mode;

fn main() {
    let mut x = 3.0_f64;

    // Forward mode: the derivative of x with respect to itself is 1.
    derivgrind::set_dotvalue(&mut x, 1.0);
    // Recording: x is an input.
    derivgrind::inputf(&mut x);

    let y = x * x * x;
    println!("value {y}");

    if derivgrind::mode() == Some(Mode::Forward) {
        println!("derivative {}", derivgrind::get_dotvalue(&y));
    }
    derivgrind::outputf(&y);
}
