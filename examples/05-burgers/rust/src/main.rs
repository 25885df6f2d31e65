//! Two-dimensional Burgers' equation, differentiated with respect to the amplitude of the initial velocity.
//!
//! ```text
//! burgers SIZE STEPS AMPLITUDE
//! ```
//!
//! ../c/burgers.c says what is computed.

use derivgrind::Mode;
use std::error::Error;

/// Both components of the velocity, row by row.
#[derive(Clone)]
struct Velocity {
    u: Vec<f64>,
    v: Vec<f64>,
}

struct Grid {
    size: usize,
    width: f64,
    time_step: f64,
}

impl Grid {
    fn bump(&self, amplitude: f64) -> Velocity {
        let mut velocity = Velocity { u: Vec::new(), v: Vec::new() };
        for cell in 0..self.size * self.size {
            let x = (cell % self.size) as f64 / (self.size - 1) as f64;
            let y = (cell / self.size) as f64 / (self.size - 1) as f64;
            let bump = 16.0 * x * (1.0 - x) * y * (1.0 - y);
            velocity.u.push(amplitude * bump);
            velocity.v.push(amplitude * bump * x);
        }
        velocity
    }

    /// One explicit step in time for one component. Velocities are not negative: upwind is west and south.
    fn advance(&self, field: &[f64], velocity: &Velocity, next: &mut [f64]) {
        for row in 1..self.size - 1 {
            for column in 1..self.size - 1 {
                let cell = row * self.size + column;
                let (u, v, here) = (velocity.u[cell], velocity.v[cell], field[cell]);
                let local = 5e-4 * (1.0 + (u * u + v * v).sqrt());
                let west = (here - field[cell - 1]) / self.width;
                let south = (here - field[cell - self.size]) / self.width;
                let sum =
                    field[cell - 1] + field[cell + 1] + field[cell - self.size] + field[cell + self.size];
                let spread = (sum - 4.0 * here) / (self.width * self.width);
                next[cell] = here + self.time_step * (local * spread - u * west - v * south);
            }
        }
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [size, steps, amplitude] = words.as_slice() else {
        return Err("usage: burgers SIZE STEPS AMPLITUDE".into());
    };
    let (size, steps): (usize, usize) = (size.parse()?, steps.parse()?);
    let mut amplitude: f64 = amplitude.parse()?;

    // (1) The amplitude is the input.
    derivgrind::set_dotvalue(&mut amplitude, 1.0);
    derivgrind::inputf(&mut amplitude);

    let width = 1.0 / (size - 1) as f64;
    let grid = Grid { size, width, time_step: 0.2 * width };
    let mut now = grid.bump(amplitude);
    let mut next = now.clone();
    for _ in 0..steps {
        grid.advance(&now.u, &now, &mut next.u);
        grid.advance(&now.v, &now, &mut next.v);
        std::mem::swap(&mut now, &mut next);
    }
    let speeds = now.u.iter().zip(&now.v).map(|(u, v)| (u * u + v * v).sqrt());
    let mean_speed = speeds.sum::<f64>() / (size * size) as f64;
    println!("value {mean_speed}");

    // (2) Natively there is no derivative to be printed.
    if derivgrind::mode() == Some(Mode::Forward) {
        // (3) The derivative of the result.
        println!("derivative {}", derivgrind::get_dotvalue(&mean_speed));
    }
    derivgrind::outputf(&mean_speed);
    Ok(())
}
