//! Sensitivities of an initial value problem: how many hares there are at the end, with respect to the four parameters of
//! the Lotka-Volterra equations
//!
//! ```text
//! hares'  = birth * hares - predation * hares * lynxes
//! lynxes' = growth * hares * lynxes - death * lynxes
//! ```
//!
//! which the classical Runge-Kutta method integrates.

use derivgrind::Mode;

type State = [f64; 2];

fn slope([birth, predation, growth, death]: &[f64; 4], [hares, lynxes]: State) -> State {
    let meetings = hares * lynxes;
    [birth * hares - predation * meetings, growth * meetings - death * lynxes]
}

/// The state a step along a slope.
fn along(state: State, step: f64, slope: State) -> State {
    [state[0] + step * slope[0], state[1] + step * slope[1]]
}

fn hares_at_the_end(p: &[f64; 4]) -> f64 {
    let steps = 200;
    let h = 5.0 / f64::from(steps);
    let mut state = [10.0, 5.0];
    for _ in 0..steps {
        let k1 = slope(p, state);
        let k2 = slope(p, along(state, h / 2.0, k1));
        let k3 = slope(p, along(state, h / 2.0, k2));
        let k4 = slope(p, along(state, h, k3));
        for i in 0..2 {
            state[i] += h / 6.0 * (k1[i] + 2.0 * k2[i] + 2.0 * k3[i] + k4[i]);
        }
    }
    state[0]
}

fn main() {
    let mut p = [1.1, 0.4, 0.1, 0.4];

    derivgrind::inputfs(&mut p);
    let hares = hares_at_the_end(&p);
    derivgrind::outputf(&hares);
    println!("value {hares}");

    if derivgrind::mode() == Some(Mode::Forward) {
        print!("derivative");
        for i in 0..p.len() {
            let mut direction = [0.0; 4];
            direction[i] = 1.0;
            derivgrind::set_dotvalues(&mut p, &direction);
            print!(" {}", derivgrind::get_dotvalue(&hares_at_the_end(&p)));
        }
        println!();
    }
}
