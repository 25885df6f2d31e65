//! Instructions that are passive by nature and of which nothing more is to be said than that: no row of the table of
//! rules names them. Legacy and VEX encodings; those of AVX-512 have their own rules.

use iced_x86::Mnemonic;

/// Instructions of one kind.
pub struct Group {
    pub name: &'static str,
    /// Why no derivative is lost.
    pub reason: &'static str,
    pub mnemonics: &'static [Mnemonic],
}

use Mnemonic::*;

#[rustfmt::skip] // One family a line.
pub const GROUPS: &[Group] = &[
    Group {
        name: "Flags",
        reason: "flags carry no derivative",
        mnemonics: &[
            Seto, Setno, Setb, Setae, Sete, Setne, Setbe, Seta, Sets, Setns, Setp, Setnp, Setl, Setge, Setle, Setg,
            Clc, Stc, Cmc, Cld, Std, Lahf, Sahf, Popf, Popfq, Clui, Stui, Testui,
        ],
    },
    Group {
        name: "Bits that are counted or found",
        reason: "the result is a number of bits, which is piecewise constant",
        mnemonics: &[Popcnt, Lzcnt, Tzcnt, Bsf, Bsr],
    },
    Group {
        name: "Sums of absolute differences of bytes, horizontal minimum",
        reason: "they compare bytes, which are no floats",
        mnemonics: &[Psadbw, Vpsadbw, Mpsadbw, Vmpsadbw, Phminposuw, Vphminposuw],
    },
    Group {
        name: "Minima and maxima of bytes and words",
        reason: "they compare bytes, which are no floats: searches in strings look for zeros in this way",
        mnemonics: &[
            Pminub, Vpminub, Pminuw, Vpminuw, Pminsb, Vpminsb, Pminsw, Vpminsw,
            Pmaxub, Vpmaxub, Pmaxuw, Vpmaxuw, Pmaxsb, Vpmaxsb, Pmaxsw, Vpmaxsw,
        ],
    },
    Group {
        name: "Checksums and hashes",
        reason: "the result is no float, and nothing leads back from it to the operand",
        mnemonics: &[
            Crc32, Sha1msg1, Sha1msg2, Sha1nexte, Sha1rnds4, Sha256msg1, Sha256msg2, Sha256rnds2,
            Vsha512msg1, Vsha512msg2, Vsha512rnds2, Vsm3msg1, Vsm3msg2, Vsm3rnds2,
        ],
    },
    Group {
        name: "Hints, fences, cache control",
        reason: "they compute nothing",
        mnemonics: &[
            Prefetchnta, Prefetcht0, Prefetcht1, Prefetcht2, Prefetchw, Nop, Endbr64, Clflush, Clflushopt, Clwb,
            Prefetch, Prefetchwt1, Prefetchit0, Prefetchit1, Reservednop, Fnop, Pause, Lfence, Mfence, Sfence,
            Serialize, Cldemote, Wait, Endbr32, Fdisi, Fndisi, Feni, Fneni, Fsetpm, Fnsetpm, Ptwrite, Mcommit, Umonitor, Umwait, Tpause, Monitorx, Mwaitx,
        ],
    },
    Group {
        name: "Control words",
        reason: "rounding modes and flags carry no derivative",
        mnemonics: &[
            Ldmxcsr, Vldmxcsr, Stmxcsr, Vstmxcsr, Fldcw, Fstcw, Fnstcw, Fstsw, Fnstsw, Fclex, Fnclex, Fldenv, Fstenv,
            Fnstenv, Fincstp, Fdecstp,
        ],
    },
    Group {
        name: "Comparisons of x87 numbers that pop nothing",
        reason: "piecewise constant: derivative zero",
        mnemonics: &[Fcom, Fucom, Fcomi, Fucomi, Ficom, Ftst, Fxam],
    },
    Group {
        name: "Time, chance and identification",
        reason: "the result depends on no operand",
        mnemonics: &[
            Rdtsc, Rdtscp, Rdpmc, Rdpru, Rdrand, Rdseed, Rdpid, Rdpkru, Wrpkru, Xgetbv, Cpuid,
            Rdfsbase, Rdgsbase, Wrfsbase, Wrgsbase, Sldt, Smsw, Str, Sgdt, Sidt, Lar, Lsl, Verr, Verw,
            Rdsspd, Rdsspq, Incsspd, Incsspq,
        ],
    },
    Group {
        name: "Interrupts and undefined instructions",
        reason: "the kernel acts, as it does natively",
        mnemonics: &[Int, Int1, Int3, Ud0, Ud1, Ud2],
    },
    Group {
        name: "Transactions",
        reason: "they begin by aborting",
        mnemonics: &[Xbegin, Xabort, Xend, Xtest, Xsusldtrk, Xresldtrk],
    },
];

/// Bit sets by mnemonic.
static SET: [u64; 32] = set();

const fn set() -> [u64; 32] {
    let mut set = [0; 32];
    let mut group = 0;
    while group < GROUPS.len() {
        let mnemonics = GROUPS[group].mnemonics;
        let mut k = 0;
        while k < mnemonics.len() {
            let number = mnemonics[k] as usize;
            set[number / 64] |= 1 << (number % 64);
            k += 1;
        }
        group += 1;
    }
    set
}

pub fn contains(mnemonic: Mnemonic) -> bool {
    let number = mnemonic as usize;
    SET[number / 64] >> (number % 64) & 1 != 0
}
