//! Derivatives through a linear solver with pivoting: the sum of the solution x of (A + shift) x = b, with respect to the
//! shift of the diagonal and to b.

use derivgrind::Mode;

const SIZE: usize = 3;

/// The input is the shift, then b.
fn sum_of_solution([shift, b @ ..]: &[f64; 1 + SIZE]) -> f64 {
    let mut a = [[0.5, 2.0, 1.0], [3.0, 1.0, -1.0], [1.0, -4.0, 2.0]];
    let mut x = *b;
    for (number, row) in a.iter_mut().enumerate() {
        row[number] += shift;
    }
    for column in 0..SIZE {
        let size = |row: &usize| a[*row][column].abs();
        let pivot = (column..SIZE).max_by(|one, other| size(one).total_cmp(&size(other))).unwrap_or(column);
        a.swap(column, pivot);
        x.swap(column, pivot);
        for row in column + 1..SIZE {
            let factor = a[row][column] / a[column][column];
            for k in column..SIZE {
                a[row][k] -= factor * a[column][k];
            }
            x[row] -= factor * x[column];
        }
    }
    for row in (0..SIZE).rev() {
        for k in row + 1..SIZE {
            x[row] -= a[row][k] * x[k];
        }
        x[row] /= a[row][row];
    }
    x.iter().sum()
}

fn main() {
    let mut input = [0.25, 1.0, 2.0, 3.0];

    derivgrind::inputfs(&mut input);
    let sum = sum_of_solution(&input);
    derivgrind::outputf(&sum);
    println!("value {sum}");

    if derivgrind::mode() == Some(Mode::Forward) {
        print!("derivative");
        for i in 0..input.len() {
            let mut direction = [0.0; 1 + SIZE];
            direction[i] = 1.0;
            derivgrind::set_dotvalues(&mut input, &direction);
            print!(" {}", derivgrind::get_dotvalue(&sum_of_solution(&input)));
        }
        println!();
    }
}
