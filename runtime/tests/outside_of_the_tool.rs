//! Natively each function of the interface is without effect.

use derivgrind::requests;

#[test]
fn there_is_no_mode() {
    assert_eq!(derivgrind::mode(), None);
}

#[test]
fn dot_values_are_zero_and_values_stay() {
    let mut x = [1.5_f64, -2.5];
    assert!(!derivgrind::set_dotvalues(&mut x, &[1.0, 2.0]));
    let mut dots = [7.0; 2];
    assert!(!derivgrind::get_dotvalues(&x, &mut dots));
    assert_eq!(x, [1.5, -2.5]);
    assert_eq!(dots, [0.0, 0.0]);

    let mut y = 3.0_f32;
    assert!(!derivgrind::set_dotvalue(&mut y, 1.0));
    assert_eq!(derivgrind::get_dotvalue(&y), 0.0);
}

#[test]
#[should_panic(expected = "each element needs a dot value")]
fn lengths_must_agree() {
    derivgrind::set_dotvalues(&mut [1.0_f64], &[1.0, 2.0]);
}

#[test]
fn sections_run_and_return() {
    let _guard = derivgrind::Disabled::new();
    assert_eq!(derivgrind::without_recording(|| 42), 42);
}

#[test]
fn codes_are_those_of_the_classic_tool() {
    assert_eq!(requests::BASE, 0x4447_0000);
    let classic = requests::ALL.iter().filter(|request| request.code < requests::EXTENSIONS);
    let codes = classic.map(|request| request.code - requests::BASE);
    assert!(codes.eq(0..11));
    assert_eq!(requests::ALL[8].name, "GET_MODE");
    assert_eq!(requests::EXTENSIONS, 0x4447_0100);
}
