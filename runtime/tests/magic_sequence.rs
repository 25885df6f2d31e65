//! The bytes that the compiler emitted for a request are the documented sequence.
#![cfg(target_arch = "x86_64")]

use iced_x86::{Decoder, DecoderOptions, Formatter, Instruction, IntelFormatter, Mnemonic, NumberBase};

/// A request in a function of its own, so that its machine code can be found.
#[inline(never)]
extern "C" fn mode_request() -> usize {
    // SAFETY: the request has no arguments.
    unsafe { derivgrind::request(derivgrind::requests::GET_MODE, [0; 5], 0x1234) }
}

/// Instructions of the function at `start`, up to its return.
fn instructions(start: u64) -> Vec<Instruction> {
    const LONGEST: usize = 512;
    // SAFETY: the code of this function is followed by that of the test runner, so that these bytes are mapped.
    let bytes = unsafe {
        std::slice::from_raw_parts(std::ptr::with_exposed_provenance::<u8>(start as usize), LONGEST)
    };
    let mut all = Vec::new();
    for instruction in Decoder::with_ip(64, bytes, start, DecoderOptions::NONE) {
        all.push(instruction);
        if instruction.mnemonic() == Mnemonic::Ret {
            break;
        }
    }
    all
}

#[test]
fn emitted_bytes_are_the_documented_sequence() {
    let start = mode_request as extern "C" fn() -> usize as usize as u64;
    let all = instructions(start);
    let first = all.iter().position(|i| i.mnemonic() == Mnemonic::Rol).expect("no rotation was emitted");
    let last = all.iter().position(|i| i.mnemonic() == Mnemonic::Xchg).expect("no exchange was emitted");
    let mut formatter = IntelFormatter::new();
    formatter.options_mut().set_number_base(NumberBase::Decimal);
    let mut text = String::new();
    for instruction in &all[first..=last] {
        // SAFETY: these bytes were decoded above.
        let bytes = unsafe {
            std::slice::from_raw_parts(
                std::ptr::with_exposed_provenance::<u8>(instruction.ip() as usize),
                instruction.len(),
            )
        };
        for byte in bytes {
            text += &format!("{byte:02x} ");
        }
        text += "| ";
        formatter.format(instruction, &mut text);
        text.push('\n');
    }
    insta::assert_snapshot!(text, @r"
    48 c1 c7 03 | rol rdi,3
    48 c1 c7 0d | rol rdi,13
    48 c1 c7 3d | rol rdi,61
    48 c1 c7 33 | rol rdi,51
    48 87 db | xchg rbx,rbx
    ");
}

#[test]
fn without_the_tool_a_request_answers_the_default() {
    assert_eq!(mode_request(), 0x1234);
}
