//! The gradient of the Rosenbrock function: in forward mode a run of the function for each input, in recording mode all at
//! once.

use derivgrind::Mode;

fn rosenbrock(x: &[f64]) -> f64 {
    let term = |pair: &[f64]| {
        let valley = pair[1] - pair[0] * pair[0];
        let distance = 1.0 - pair[0];
        100.0 * valley * valley + distance * distance
    };
    x.windows(2).map(term).sum()
}

fn main() {
    let mut x = [-1.2, 1.0, 0.5, 2.0];

    derivgrind::inputfs(&mut x);
    let y = rosenbrock(&x);
    derivgrind::outputf(&y);
    println!("value {y}");

    if derivgrind::mode() == Some(Mode::Forward) {
        print!("derivative");
        for i in 0..x.len() {
            let mut direction = [0.0; 4];
            direction[i] = 1.0;
            derivgrind::set_dotvalues(&mut x, &direction);
            print!(" {}", derivgrind::get_dotvalue(&rosenbrock(&x)));
        }
        println!();
    }
}
