//! AVX-512: gathers and scatters, functions of three bits, integers.

use crate::harness::compare::Expected;
use crate::harness::examine::with_expectation;
use crate::harness::generate::Generated;
use crate::harness::machine::{word, Machine};
use crate::harness::random::Random;
use crate::harness::reference::Before;
use crate::harness::region::AREAS;
use crate::harness::report::Failures;
use crate::harness::run::Harness;
use iced_x86::{Code, Instruction, MemoryOperand, Register};

const TIMES: usize = 30;
const BASE: u64 = AREAS[1] + 0x80;
/// Numbers of data and index.
const DATA: usize = 9;
const INDEX: usize = 18;

fn check(
    generated: &Generated,
    prepare: impl Fn(&mut Machine, &mut Random),
    expect: impl Fn(&Before, &Machine, &mut Expected),
) {
    if !is_x86_feature_detected!("avx512bw") {
        return;
    }
    let mut harness = Harness::lock();
    let mut failures = Failures::default();
    with_expectation(&mut harness, &mut failures, generated, TIMES, prepare, expect);
    failures.finish(TIMES);
}

/// Code, bytes of a lane, bytes of an index, registers.
type Form = (Code, usize, usize, Register, Register);

#[rustfmt::skip] // One form a line.
const GATHERS: [Form; 6] = [
    (Code::EVEX_Vgatherdpd_zmm_k1_vm32y, 8, 4, Register::ZMM9, Register::YMM18),
    (Code::EVEX_Vgatherqpd_zmm_k1_vm64z, 8, 8, Register::ZMM9, Register::ZMM18),
    (Code::EVEX_Vgatherdps_zmm_k1_vm32z, 4, 4, Register::ZMM9, Register::ZMM18),
    (Code::EVEX_Vgatherqps_ymm_k1_vm64z, 4, 8, Register::YMM9, Register::ZMM18),
    (Code::EVEX_Vpgatherdq_ymm_k1_vm32x, 8, 4, Register::YMM9, Register::XMM18),
    (Code::EVEX_Vpgatherqq_xmm_k1_vm64x, 8, 8, Register::XMM9, Register::XMM18),
];

#[rustfmt::skip] // One form a line.
const SCATTERS: [Form; 5] = [
    (Code::EVEX_Vscatterdpd_vm32y_k1_zmm, 8, 4, Register::ZMM9, Register::YMM18),
    (Code::EVEX_Vscatterqpd_vm64z_k1_zmm, 8, 8, Register::ZMM9, Register::ZMM18),
    (Code::EVEX_Vscatterdps_vm32z_k1_zmm, 4, 4, Register::ZMM9, Register::ZMM18),
    (Code::EVEX_Vpscatterqd_vm64y_k1_xmm, 4, 8, Register::XMM9, Register::YMM18),
    (Code::EVEX_Vpscatterqq_vm64y_k1_ymm, 8, 8, Register::YMM9, Register::YMM18),
];

/// The instruction with mask k3, and memory at rbx + 8 * index + 32.
fn indexed(form: Form, stores: bool) -> (Generated, usize) {
    let (code, size, index_size, data, index) = form;
    let place = MemoryOperand::new(Register::RBX, index, 8, 32, 1, false, Register::None);
    let built =
        if stores { Instruction::with2(code, place, data) } else { Instruction::with2(code, data, place) };
    let mut instruction = built.expect("the operands fit");
    instruction.set_op_mask(Register::K3);
    let mut generated = Generated::from(instruction, false, None);
    generated.addresses.push((3, BASE));
    (generated, (data.size() / size).min(index.size() / index_size))
}

fn prepare(index_size: usize) -> impl Fn(&mut Machine, &mut Random) {
    move |machine, random| {
        for lane in machine.vectors[INDEX].chunks_mut(index_size) {
            lane.copy_from_slice(&(random.below(120) as u64).to_le_bytes()[..index_size]);
        }
    }
}

fn address(machine: &Machine, lane: usize, index_size: usize) -> u64 {
    let mut bytes = [0; 8];
    bytes[..index_size].copy_from_slice(&machine.vectors[INDEX][lane * index_size..][..index_size]);
    BASE + 32 + 8 * u64::from_le_bytes(bytes)
}

#[test]
fn wide_gathers_collect_shadows() {
    for form in GATHERS {
        let (_, size, index_size, ..) = form;
        let (generated, lanes) = indexed(form, false);
        check(&generated, prepare(index_size), |before, _, expected| {
            let mut shadow = before.shadows.vectors[DATA];
            shadow[lanes * size..].fill(0);
            for lane in (0..lanes).filter(|lane| before.machine.masks[3] >> lane & 1 != 0) {
                let from = address(before.machine, lane, index_size);
                shadow[lane * size..][..size].copy_from_slice(before.shadows.memory.at(from, size));
            }
            expected.shadows.vectors[DATA] = shadow;
        });
    }
}

#[test]
fn scatters_spread_shadows() {
    for form in SCATTERS {
        let (_, size, index_size, ..) = form;
        let (generated, lanes) = indexed(form, true);
        check(&generated, prepare(index_size), |before, _, expected| {
            for lane in (0..lanes).filter(|lane| before.machine.masks[3] >> lane & 1 != 0) {
                let to = address(before.machine, lane, index_size);
                let shadow = &before.shadows.vectors[DATA][lane * size..][..size];
                expected.shadows.memory.at_mut(to, size).copy_from_slice(shadow);
            }
        });
    }
}

/// `vpternlogq zmm1, zmm18, zmm20` with a table; the last operand is a passive mask, and so is the second if `is_sign`.
fn ternary(table: u32) -> Generated {
    let code = Code::EVEX_Vpternlogq_zmm_k1z_zmm_zmmm512b64_imm8;
    let built = Instruction::with4(code, Register::ZMM1, Register::ZMM18, Register::ZMM20, table);
    Generated::from(built.expect("the operands fit"), false, None)
}

#[test]
fn functions_of_three_bits_that_compilers_write() {
    const SIGN: u64 = 1 << 63;
    // Selection by a mask: the first operand where the third is set, else the second.
    let masks = |choices: [u64; 2]| {
        move |machine: &mut Machine, random: &mut Random| {
            for lane in machine.vectors[20].chunks_mut(8) {
                lane.copy_from_slice(&choices[random.below(2)].to_le_bytes());
            }
        }
    };
    let select = |before: &Before, _: &Machine, expected: &mut Expected| {
        for lane in (0..64).step_by(8) {
            let takes_first = word(&before.machine.vectors[20][lane..]) != 0;
            let from = if takes_first { 1 } else { 18 };
            let shadow = before.shadows.vectors[from][lane..lane + 8].to_vec();
            expected.shadows.vectors[1][lane..lane + 8].copy_from_slice(&shadow);
        }
        count_active_masks(before, expected);
    };
    check(&ternary(0xe4), masks([0, !0]), |before, native, expected| {
        expected.shadows.vectors[20] = before.shadows.vectors[20];
        select(before, native, expected);
    });
    // The magnitude of the first operand, the sign of the second.
    check(&ternary(0xe4), masks([!SIGN, !SIGN]), |before, _, expected| {
        for lane in (0..64).step_by(8) {
            let at = |register: usize| word(&before.machine.vectors[register][lane..]);
            let negates = (at(1) ^ at(18)) & SIGN;
            let shadow = word(&before.shadows.vectors[1][lane..]);
            let shadow = if shadow == 0 { 0 } else { shadow ^ negates };
            expected.shadows.vectors[1][lane..lane + 8].copy_from_slice(&shadow.to_le_bytes());
        }
        count_active_masks(before, expected);
    });
    // All ones, whatever the operands.
    check(&ternary(0xff), |_, _| {}, |_, _, expected| expected.shadows.vectors[1] = [0; 64]);
}

/// Lanes with an active mask are passive, and counted.
fn count_active_masks(before: &Before, expected: &mut Expected) {
    for lane in (0..64).step_by(8) {
        if word(&before.shadows.vectors[20][lane..]) != 0 {
            expected.counted = true;
            expected.shadows.vectors[1][lane..lane + 8].fill(0);
        }
    }
}

#[test]
fn integers_become_passive_lanes() {
    for (code, size) in
        [(Code::EVEX_Vcvtusi2sd_xmm_xmm_rm64_er, 8), (Code::EVEX_Vcvtusi2ss_xmm_xmm_rm64_er, 4)]
    {
        let built = Instruction::with3(code, Register::XMM1, Register::XMM18, Register::R9);
        let generated = Generated::from(built.expect("the operands fit"), false, None);
        check(
            &generated,
            |_, _| {},
            |before, _, expected| {
                let mut shadow = [0; 64];
                shadow[size..16].copy_from_slice(&before.shadows.vectors[18][size..16]);
                expected.shadows.vectors[1] = shadow;
                expected.counted = before.shadows.general[9] != 0;
            },
        );
    }
}
