//! Gathers: lanes of the result are copies of what lies at many addresses.

use crate::harness::compare::Expected;
use crate::harness::examine::with_expectation;
use crate::harness::generate::Generated;
use crate::harness::machine::Machine;
use crate::harness::random::Random;
use crate::harness::reference::Before;
use crate::harness::region::AREAS;
use crate::harness::report::Failures;
use crate::harness::run::Harness;
use iced_x86::{Code, Instruction, MemoryOperand, Register};

const TIMES: usize = 30;
const BASE: u64 = AREAS[1] + 0x80;
const DISPLACEMENT: u64 = 0x20;
/// Numbers of target, index and mask.
const REGISTERS: [usize; 3] = [9, 2, 14];

/// Code, bytes of a lane, bytes of an index, lanes, bytes of the registers: target, index, mask.
type Form = (Code, usize, usize, usize, [usize; 3]);

#[rustfmt::skip] // One form a line.
const FORMS: [Form; 16] = [
    (Code::VEX_Vgatherdpd_xmm_vm32x_xmm, 8, 4, 2, [16, 16, 16]),
    (Code::VEX_Vgatherdpd_ymm_vm32x_ymm, 8, 4, 4, [32, 16, 32]),
    (Code::VEX_Vgatherqpd_xmm_vm64x_xmm, 8, 8, 2, [16, 16, 16]),
    (Code::VEX_Vgatherqpd_ymm_vm64y_ymm, 8, 8, 4, [32, 32, 32]),
    (Code::VEX_Vgatherdps_xmm_vm32x_xmm, 4, 4, 4, [16, 16, 16]),
    (Code::VEX_Vgatherdps_ymm_vm32y_ymm, 4, 4, 8, [32, 32, 32]),
    (Code::VEX_Vgatherqps_xmm_vm64x_xmm, 4, 8, 2, [16, 16, 16]),
    (Code::VEX_Vgatherqps_xmm_vm64y_xmm, 4, 8, 4, [16, 32, 16]),
    (Code::VEX_Vpgatherdq_xmm_vm32x_xmm, 8, 4, 2, [16, 16, 16]),
    (Code::VEX_Vpgatherdq_ymm_vm32x_ymm, 8, 4, 4, [32, 16, 32]),
    (Code::VEX_Vpgatherqq_xmm_vm64x_xmm, 8, 8, 2, [16, 16, 16]),
    (Code::VEX_Vpgatherqq_ymm_vm64y_ymm, 8, 8, 4, [32, 32, 32]),
    (Code::VEX_Vpgatherdd_xmm_vm32x_xmm, 4, 4, 4, [16, 16, 16]),
    (Code::VEX_Vpgatherdd_ymm_vm32y_ymm, 4, 4, 8, [32, 32, 32]),
    (Code::VEX_Vpgatherqd_xmm_vm64x_xmm, 4, 8, 2, [16, 16, 16]),
    (Code::VEX_Vpgatherqd_xmm_vm64y_xmm, 4, 8, 4, [16, 32, 16]),
];

fn register(bytes: usize, number: usize) -> Register {
    let first = if bytes == 32 { Register::YMM0 } else { Register::XMM0 };
    first + number as u32
}

fn index_at(machine: &Machine, lane: usize, bytes: usize) -> u64 {
    let place = &machine.vectors[REGISTERS[1]][lane * bytes..];
    if bytes == 8 {
        crate::harness::machine::word(place)
    } else {
        u64::from(u32::from_le_bytes(place[..4].try_into().expect("4 bytes")))
    }
}

#[test]
fn gathers_collect_shadows() {
    for (code, size, index_size, lanes, sizes) in FORMS {
        let index = register(sizes[1], REGISTERS[1]);
        let operand =
            MemoryOperand::new(Register::RBX, index, 4, DISPLACEMENT as i64, 1, false, Register::None);
        let (target, mask) = (register(sizes[0], REGISTERS[0]), register(sizes[2], REGISTERS[2]));
        let instruction = Instruction::with3(code, target, operand, mask).expect("the operands fit");
        let mut generated = Generated::from(instruction, false, None);
        generated.addresses.push((3, BASE));
        let prepare = |machine: &mut Machine, random: &mut Random| {
            for lane in 0..lanes {
                let index = random.below(256) as u64;
                machine.vectors[REGISTERS[1]][lane * index_size..][..index_size]
                    .copy_from_slice(&index.to_le_bytes()[..index_size]);
            }
        };
        let expect = |before: &Before, _: &Machine, expected: &mut Expected| {
            let mut shadow = before.shadows.vectors[REGISTERS[0]];
            shadow[lanes * size..].fill(0);
            for lane in 0..lanes {
                let selected = before.machine.vectors[REGISTERS[2]][lane * size + size - 1] & 0x80 != 0;
                let address = BASE + DISPLACEMENT + 4 * index_at(before.machine, lane, index_size);
                if selected {
                    shadow[lane * size..][..size].copy_from_slice(before.shadows.memory.at(address, size));
                }
            }
            expected.shadows.vectors[REGISTERS[0]] = shadow;
            expected.shadows.vectors[REGISTERS[2]] = [0; 64];
        };
        let mut harness = Harness::lock();
        let mut failures = Failures::default();
        with_expectation(&mut harness, &mut failures, &generated, TIMES, prepare, expect);
        failures.finish(TIMES);
    }
}
