//! A Rust program that may be linked statically: panics, threads, formatting, collections.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

fn main() {
    let shared = Arc::new(Mutex::new(Vec::new()));
    let threads: Vec<_> = (0..6)
        .map(|number| {
            let shared = shared.clone();
            std::thread::spawn(move || {
                let sum: f64 = (1..10_000).map(|i| 1.0 / f64::from(i * (number + 1))).sum();
                shared.lock().unwrap().push((number, sum));
            })
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    let mut sums = shared.lock().unwrap().clone();
    sums.sort_by_key(|(number, _)| *number);
    println!("{sums:?}");
    let counts: HashMap<char, usize> = "translation".chars().fold(HashMap::new(), |mut counts, letter| {
        *counts.entry(letter).or_default() += 1;
        counts
    });
    println!("{}", counts[&'t']);
    println!("{:?}", "1.5e3".parse::<f64>());
    // The message names the thread by a number that differs from run to run.
    std::panic::set_hook(Box::new(|information| println!("{:?}", information.location().map(|place| place.line()))));
    println!("{:?}", std::panic::catch_unwind(|| [1, 2][sums.len()]).is_err());
    std::process::exit(4);
}
