//! Each request by the crate `derivgrind`, in whatever mode the program runs.

use derivgrind::{tape, Disabled, IndexFile, Mode, Operand, Real};
use std::ops::Mul;

fn recording() -> bool {
    derivgrind::mode() == Some(Mode::Recording)
}

fn dot_values<T: Real + Mul<Output = T> + From<f32> + PartialEq + std::fmt::Debug>() {
    let forward = derivgrind::mode() == Some(Mode::Forward);
    let seen = |dot: f32| T::from(if forward { dot } else { 0.0 });
    let mut x = T::from(3.0);
    assert_eq!(derivgrind::set_dotvalue(&mut x, T::from(1.0)), forward);
    let y = x * x;
    assert_eq!(y, T::from(9.0));
    assert_eq!(derivgrind::get_dotvalue(&y), seen(6.0));

    let mut array = [1.0, 2.0, 4.0].map(T::from);
    assert_eq!(derivgrind::set_dotvalues(&mut array, &[1.0, 0.0, 2.0].map(T::from)), forward);
    let half = array.map(|element| element * T::from(0.5));
    let mut dots = [T::from(7.0); 3];
    assert_eq!(derivgrind::get_dotvalues(&half, &mut dots), forward);
    assert_eq!(dots, [0.5, 0.0, 1.0].map(seen));
}

/// The derivative of what `output` stands for with respect to `input`.
fn derivative(output: u64, input: u64) -> f64 {
    assert_eq!(tape::reverse(&[output], &[1.0]), recording());
    let bar = tape::bar(input);
    assert_eq!(tape::clear_bars(), recording());
    assert_eq!(bar.is_some(), recording());
    bar.unwrap_or(0.0)
}

fn indices<T: Real + Mul<Output = T> + From<f32>>() {
    let six = if recording() { 6.0 } else { 0.0 };
    let position = tape::position();
    assert_eq!(position.is_some(), recording());
    let mut x = T::from(3.0);
    let input = derivgrind::input(&mut x);
    assert_eq!(input != 0, recording());
    assert_eq!(derivgrind::get_index(&x), input);
    assert_eq!(derivative(derivgrind::output(&(x * x)), input), six);

    let operand = Operand { index: input, partial_derivative: 0.5 };
    let own = derivgrind::new_index([operand, Operand::PASSIVE], 1.5);
    let mut y = T::from(1.5);
    assert_eq!(derivgrind::set_index(&mut y, own), recording());
    assert_eq!(derivgrind::get_index(&y), own);
    assert_eq!(derivative(own, input), six / 12.0);
    assert_eq!(derivgrind::new_index([Operand::PASSIVE; 2], 1.5), 0);
    let fresh = derivgrind::new_index_noactivityanalysis([Operand::PASSIVE; 2], 1.5);
    assert_eq!(fresh != 0, recording());

    let paused = {
        let _pause = Disabled::new();
        x * x
    };
    assert_eq!(derivgrind::output(&paused), 0);
    if let Some(position) = position {
        assert!(tape::reset(position));
    }
}

fn main() {
    dot_values::<f32>();
    dot_values::<f64>();
    indices::<f32>();
    indices::<f64>();
    let mut flags = ([0; 8], [0; 8]);
    let mut number = 1.0_f64;
    assert!(!derivgrind::set_flags(&mut number, &flags.0, &flags.1));
    assert!(!derivgrind::get_flags(&number, &mut flags.0, &mut flags.1));
    assert!(!derivgrind::mark_float(&mut number));
    let mut x = [2.0_f32, 2.0];
    derivgrind::inputfs(&mut x);
    derivgrind::outputfs(&[f64::from(x[0] * x[1])]);
    derivgrind::index_to_file(IndexFile::Input, 0);
}
