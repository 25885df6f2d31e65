//! Instructions that move shadows of general registers in ways of their own.

use crate::harness::compare::Expected;
use crate::harness::computed;
use crate::harness::examine::with_expectation;
use crate::harness::generate::Generated;
use crate::harness::machine::{word, Machine};
use crate::harness::random::Random;
use crate::harness::reference::Before;
use crate::harness::region::{AREAS, STACK_POINTER};
use crate::harness::report::Failures;
use crate::harness::run::Harness;
use derivgrind_translate::interface::Mode;
use iced_x86::{Code, Instruction, MemoryOperand, Register};

const TIMES: usize = 30;
/// Where memory operands lie.
const PLACE: u64 = AREAS[1] + 0x200;

fn at_rbx() -> MemoryOperand {
    MemoryOperand::with_base(Register::RBX)
}

/// An instruction with registers only, or with the memory operand `[rbx]`.
fn built(instruction: Result<Instruction, iced_x86::IcedError>) -> Generated {
    let instruction = instruction.expect("the operands fit");
    let size = instruction.memory_size().size();
    let mut generated = Generated::from(instruction, true, (size > 0).then_some((PLACE, size)));
    generated.addresses.push((3, PLACE));
    generated
}

fn check(
    generated: &Generated,
    prepare: impl Fn(&mut Machine, &mut Random),
    expect: impl Fn(&Before, &Machine, &mut Expected),
) {
    let mut harness = Harness::lock();
    let mut failures = Failures::default();
    with_expectation(&mut harness, &mut failures, generated, TIMES, prepare, expect);
    failures.finish(TIMES);
}

fn memory_shadow(before: &Before, address: u64, size: usize) -> u64 {
    let mut bytes = [0; 8];
    bytes[..size].copy_from_slice(before.shadows.memory.at(address, size));
    word(&bytes)
}

fn set_memory_shadow(expected: &mut Expected, address: u64, size: usize, shadow: u64) {
    expected.shadows.memory.at_mut(address, size).copy_from_slice(&shadow.to_le_bytes()[..size]);
}

/// Bits that an operand of a size has.
fn cut(shadow: u64, size: usize) -> u64 {
    if size == 8 {
        shadow
    } else {
        shadow & ((1 << (8 * size)) - 1)
    }
}

#[test]
fn push_moves_a_shadow_to_the_stack() {
    let top = STACK_POINTER - 8;
    check(
        &built(Instruction::with1(Code::Push_r64, Register::RDI)),
        |_, _| {},
        |before, _, expected| {
            set_memory_shadow(expected, top, 8, before.shadows.general[7]);
        },
    );
    check(
        &built(Instruction::with1(Code::Push_rm64, at_rbx())),
        |_, _| {},
        |before, _, expected| {
            set_memory_shadow(expected, top, 8, memory_shadow(before, PLACE, 8));
        },
    );
    check(
        &built(Instruction::with1(Code::Pushq_imm32, 77)),
        |_, _| {},
        |_, _, expected| {
            set_memory_shadow(expected, top, 8, 0);
        },
    );
    check(
        &built(Ok(Instruction::with(Code::Pushfq))),
        |_, _| {},
        |_, _, expected| {
            set_memory_shadow(expected, top, 8, 0);
        },
    );
    check(
        &built(Instruction::with1(Code::Push_r16, Register::DI)),
        |_, _| {},
        |before, _, expected| {
            set_memory_shadow(expected, STACK_POINTER - 2, 2, before.shadows.general[7]);
        },
    );
    check(
        &built(Instruction::with1(Code::Push_r64, Register::RSP)),
        |_, _| {},
        |_, _, expected| {
            set_memory_shadow(expected, top, 8, 0);
        },
    );
}

#[test]
fn pop_moves_a_shadow_from_the_stack() {
    check(
        &built(Instruction::with1(Code::Pop_r64, Register::R9)),
        |_, _| {},
        |before, _, expected| {
            expected.shadows.general[9] = memory_shadow(before, STACK_POINTER, 8);
        },
    );
    // What is popped into memory, or half a register, is counted.
    check(
        &built(Instruction::with1(Code::Pop_rm64, at_rbx())),
        |_, _| {},
        |before, _, expected| {
            expected.counted = memory_shadow(before, STACK_POINTER, 8) != 0;
            set_memory_shadow(expected, PLACE, 8, 0);
        },
    );
    check(
        &built(Instruction::with1(Code::Pop_r16, Register::R9W)),
        |_, _| {},
        |before, _, expected| {
            expected.counted = memory_shadow(before, STACK_POINTER, 2) != 0;
            expected.shadows.general[9] &= !0xffff;
        },
    );
}

#[test]
fn narrow_stores_move_parts_of_a_shadow() {
    let stores = [
        (Code::Mov_rm8_r8, Register::R9L, 9, 0, 1),
        (Code::Mov_rm8_r8, Register::SIL, 6, 0, 1),
        (Code::Mov_rm8_r8, Register::DH, 2, 1, 1),
        (Code::Mov_rm16_r16, Register::R9W, 9, 0, 2),
        (Code::Mov_rm16_r16, Register::AX, 0, 0, 2),
    ];
    for (code, register, number, byte, size) in stores {
        check(
            &built(Instruction::with2(code, at_rbx(), register)),
            |_, _| {},
            |before, _, expected| {
                set_memory_shadow(expected, PLACE, size, before.shadows.general[number] >> (8 * byte));
            },
        );
    }
}

#[test]
fn exchange_swaps_shadows() {
    let swap = |one: usize, other: usize, size: usize| {
        move |before: &Before, _: &Machine, expected: &mut Expected| {
            expected.shadows.general[one] = cut(before.shadows.general[other], size);
            expected.shadows.general[other] = cut(before.shadows.general[one], size);
        }
    };
    let wide = Instruction::with2(Code::Xchg_rm64_r64, Register::R9, Register::RDX);
    check(&built(wide), |_, _| {}, swap(9, 2, 8));
    check(
        &built(Instruction::with2(Code::Xchg_r64_RAX, Register::R9, Register::RAX)),
        |_, _| {},
        swap(9, 0, 8),
    );
    let narrow = Instruction::with2(Code::Xchg_rm32_r32, Register::R9D, Register::EDX);
    check(&built(narrow), |_, _| {}, swap(9, 2, 4));
    for (code, register, size) in
        [(Code::Xchg_rm64_r64, Register::R9, 8), (Code::Xchg_rm32_r32, Register::R9D, 4)]
    {
        check(
            &built(Instruction::with2(code, at_rbx(), register)),
            |_, _| {},
            |before, _, expected| {
                expected.shadows.general[9] = memory_shadow(before, PLACE, size);
                set_memory_shadow(expected, PLACE, size, before.shadows.general[9]);
            },
        );
    }
}

#[test]
fn compare_and_exchange_moves_a_shadow_either_way() {
    for (code, register, size) in
        [(Code::Cmpxchg_rm64_r64, Register::R9, 8), (Code::Cmpxchg_rm32_r32, Register::R9D, 4)]
    {
        let mut locked = Instruction::with2(code, at_rbx(), register).expect("the operands fit");
        for lock in [false, true] {
            locked.set_has_lock_prefix(lock);
            let prepare = |machine: &mut Machine, random: &mut Random| {
                if random.once_in(2) {
                    machine.general[0] = word(machine.memory.at(PLACE, 8));
                }
            };
            check(&built(Ok(locked)), prepare, |before, _, expected| {
                let memory = cut(word(before.machine.memory.at(PLACE, 8)), size);
                if cut(before.machine.general[0], size) == memory {
                    set_memory_shadow(expected, PLACE, size, before.shadows.general[9]);
                } else {
                    expected.shadows.general[0] = memory_shadow(before, PLACE, size);
                }
            });
        }
    }
}

#[test]
fn conditional_moves_move_shadows_if_the_condition_holds() {
    let codes = [
        (Code::Cmove_r64_rm64, 8, 1 << 6, true),
        (Code::Cmovne_r32_rm32, 4, 1 << 6, false),
        (Code::Cmovb_r64_rm64, 8, 1, true),
        (Code::Cmovs_r32_rm32, 4, 1 << 7, true),
        (Code::Cmovno_r64_rm64, 8, 1 << 11, false),
        (Code::Cmovp_r32_rm32, 4, 1 << 2, true),
    ];
    for (code, size, flag, set) in codes {
        let (target, source) =
            if size == 8 { (Register::R9, Register::RDX) } else { (Register::R9D, Register::EDX) };
        let moves = |before: &Before| (before.machine.flags & flag != 0) == set;
        check(
            &built(Instruction::with2(code, target, source)),
            |_, _| {},
            |before, _, expected| {
                let number = if moves(before) { 2 } else { 9 };
                expected.shadows.general[9] = cut(before.shadows.general[number], size);
            },
        );
        check(
            &built(Instruction::with2(code, target, at_rbx())),
            |_, _| {},
            |before, _, expected| {
                let kept = cut(before.shadows.general[9], size);
                let loaded = memory_shadow(before, PLACE, size);
                expected.shadows.general[9] = if moves(before) { loaded } else { kept };
            },
        );
    }
}

#[test]
fn compare_and_exchange_of_pairs_moves_shadows_either_way() {
    for (code, half) in [(Code::Cmpxchg16b_m128, 8), (Code::Cmpxchg8b_m64, 4)] {
        // rbx holds data.
        let operand = MemoryOperand::with_base(Register::R14);
        let mut instruction = Instruction::with1(code, operand).expect("the operands fit");
        for lock in [false, true] {
            instruction.set_has_lock_prefix(lock);
            let mut generated = Generated::from(instruction, true, Some((PLACE, 2 * half)));
            generated.addresses.push((14, PLACE));
            let upper = PLACE + half as u64;
            let prepare = |machine: &mut Machine, random: &mut Random| {
                if random.once_in(2) {
                    machine.general[0] = word(machine.memory.at(PLACE, 8));
                    machine.general[2] = word(machine.memory.at(upper, 8));
                }
            };
            check(&generated, prepare, |before, _, expected| {
                let is_equal = |number: usize, address: u64| {
                    cut(before.machine.general[number], half)
                        == cut(word(before.machine.memory.at(address, 8)), half)
                };
                if is_equal(0, PLACE) && is_equal(2, upper) {
                    set_memory_shadow(expected, PLACE, half, before.shadows.general[3]);
                    set_memory_shadow(expected, upper, half, before.shadows.general[1]);
                } else {
                    expected.shadows.general[0] = memory_shadow(before, PLACE, half);
                    expected.shadows.general[2] = memory_shadow(before, upper, half);
                }
            });
        }
    }
}

#[test]
fn exchange_and_add_loads_a_shadow_and_counts_the_sum() {
    for (code, register, size) in
        [(Code::Xadd_rm64_r64, Register::R9, 8), (Code::Xadd_rm32_r32, Register::R9D, 4)]
    {
        let mut instruction = Instruction::with2(code, at_rbx(), register).expect("the operands fit");
        for lock in [false, true] {
            instruction.set_has_lock_prefix(lock);
            check(
                &built(Ok(instruction)),
                |_, _| {},
                |before, _, expected| {
                    let loaded = memory_shadow(before, PLACE, size);
                    expected.counted = cut(before.shadows.general[9], size) != 0 || loaded != 0;
                    expected.shadows.general[9] = loaded;
                    set_memory_shadow(expected, PLACE, size, 0);
                },
            );
        }
    }
}

#[test]
fn halves_of_registers_are_shifted() {
    for (code, left) in
        [(Code::Shl_rm64_imm8, true), (Code::Shr_rm64_imm8, false), (Code::Sar_rm64_imm8, false)]
    {
        check(
            &built(Instruction::with2(code, Register::R9, 32)),
            |_, _| {},
            |before, _, expected| {
                let shadow = before.shadows.general[9];
                expected.shadows.general[9] = if left { shadow << 32 } else { shadow >> 32 };
            },
        );
        check(
            &built(Instruction::with2(code, Register::R9, 31)),
            |_, _| {},
            |before, _, expected| {
                *expected = computed::expectation(before, Mode::Forward, 1);
            },
        );
    }
}

#[test]
fn halves_of_registers_are_united() {
    let prepare = |machine: &mut Machine, random: &mut Random| {
        let swapped = random.once_in(2);
        machine.general[9] &= if swapped { 0xffff_ffff } else { !0xffff_ffff };
        if !random.once_in(4) {
            machine.general[2] &= if swapped { !0xffff_ffff } else { 0xffff_ffff };
        }
    };
    check(
        &built(Instruction::with2(Code::Or_rm64_r64, Register::R9, Register::RDX)),
        prepare,
        |before, _, expected| {
            let (one, other) = (before.machine.general[9], before.machine.general[2]);
            let united = before.shadows.general[9] | before.shadows.general[2];
            let overlap =
                (0..2).any(|half| (one >> (32 * half)) as u32 != 0 && (other >> (32 * half)) as u32 != 0);
            expected.counted = overlap && united != 0;
            expected.shadows.general[9] = if overlap { 0 } else { united };
        },
    );
}

#[test]
fn halves_of_registers_are_masked() {
    const MASKS: [u64; 5] = [0xffff_ffff, !0xffff_ffff, !0, 0, 0x7fff_ffff_ffff_ffff];
    let prepare = |machine: &mut Machine, random: &mut Random| {
        let mask = MASKS[random.below(MASKS.len())];
        machine.general[if random.once_in(2) { 9 } else { 2 }] = mask;
    };
    let generated = built(Instruction::with2(Code::And_rm64_r64, Register::R9, Register::RDX));
    check(&generated, prepare, |before, _, expected| {
        let (one, other) = (before.shadows.general[9], before.shadows.general[2]);
        let values = [before.machine.general[9], before.machine.general[2]];
        expected.shadows.general[9] = 0;
        if before.state.zero_general() & (1 << 9 | 1 << 2) == 0 {
            // Nothing tells which of the two is the mask.
            *expected = computed::expectation(before, Mode::Forward, 1);
            return;
        }
        let (shadow, mask) = if one == 0 { (other, values[0]) } else { (one, values[1]) };
        for half in [0xffff_ffff, !0xffff_ffff] {
            match mask & half {
                0 => {}
                all if all == half => expected.shadows.general[9] |= shadow & half,
                _ if shadow == 0 => {}
                _ => {
                    *expected = computed::expectation(before, Mode::Forward, 1);
                    return;
                }
            }
        }
    });
}

/// Bytes that a string instruction moves at a time.
fn element(code: Code) -> usize {
    match code {
        Code::Movsb_m8_m8 | Code::Stosb_m8_AL => 1,
        Code::Movsw_m16_m16 | Code::Stosw_m16_AX => 2,
        Code::Movsd_m32_m32 | Code::Stosd_m32_EAX => 4,
        _ => 8,
    }
}

fn string(code: Code, repeated: bool) -> Generated {
    let instruction = match code {
        Code::Movsb_m8_m8 => Instruction::with_movsb(64, Register::None, iced_x86::RepPrefixKind::None),
        Code::Movsw_m16_m16 => Instruction::with_movsw(64, Register::None, iced_x86::RepPrefixKind::None),
        Code::Movsd_m32_m32 => Instruction::with_movsd(64, Register::None, iced_x86::RepPrefixKind::None),
        Code::Movsq_m64_m64 => Instruction::with_movsq(64, Register::None, iced_x86::RepPrefixKind::None),
        Code::Stosb_m8_AL => Instruction::with_stosb(64, iced_x86::RepPrefixKind::None),
        Code::Stosw_m16_AX => Instruction::with_stosw(64, iced_x86::RepPrefixKind::None),
        Code::Stosd_m32_EAX => Instruction::with_stosd(64, iced_x86::RepPrefixKind::None),
        _ => Instruction::with_stosq(64, iced_x86::RepPrefixKind::None),
    };
    let mut instruction = instruction.expect("the operands fit");
    instruction.set_has_rep_prefix(repeated);
    Generated::from(instruction, false, None)
}

#[test]
fn string_instructions_move_and_fill_shadows() {
    let codes = [
        Code::Movsb_m8_m8,
        Code::Movsw_m16_m16,
        Code::Movsd_m32_m32,
        Code::Movsq_m64_m64,
        Code::Stosb_m8_AL,
        Code::Stosw_m16_AX,
        Code::Stosd_m32_EAX,
        Code::Stosq_m64_RAX,
    ];
    for (code, repeated) in codes.into_iter().flat_map(|code| [(code, false), (code, true)]) {
        let size = element(code) as u64;
        let moves = format!("{code:?}").starts_with("Movs");
        let prepare = |machine: &mut Machine, random: &mut Random| {
            machine.general[1] = random.below(20) as u64;
            // Source and target may overlap; sometimes downwards.
            machine.general[6] = AREAS[0] + 0x200 + random.below(32) as u64;
            machine.general[7] = AREAS[0] + 0x200 + random.below(64) as u64;
            machine.flags |= u64::from(random.once_in(4)) << 10;
        };
        check(&string(code, repeated), prepare, |before, _, expected| {
            let count = if repeated { before.machine.general[1] } else { 1 };
            let (source, target) = (before.machine.general[6], before.machine.general[7]);
            let down = before.machine.flags >> 10 & 1 != 0;
            for k in 0..count {
                let at = |start: u64| if down { start - k * size } else { start + k * size };
                let shadow = if moves {
                    expected.shadows.memory.at(at(source), size as usize).to_vec()
                } else {
                    before.shadows.general[0].to_le_bytes()[..size as usize].to_vec()
                };
                expected.shadows.memory.at_mut(at(target), size as usize).copy_from_slice(&shadow);
            }
            // Pointers and counters are passive afterwards.
            expected.shadows.general[7] = 0;
            if moves {
                expected.shadows.general[6] = 0;
            }
            if repeated {
                expected.shadows.general[1] = 0;
            }
        });
    }
}
